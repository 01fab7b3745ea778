//! What can happen.

pub mod channel;
pub mod reference;
pub mod world;
