//! What did happen.

pub mod driver;
pub mod serve;
