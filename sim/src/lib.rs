//! What can happen.

pub mod channel;
pub mod world;
