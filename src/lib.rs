//! What did happen: fixtures from disk, processes at the end of a pipe, and the report. The only
//! place with files, clocks and child processes.

pub mod cli;
pub mod driver;
pub mod fixtures;
pub mod gate;
pub mod log;
mod nearest;
pub mod report;
pub mod serve;
pub mod smoke;
pub mod sweep;
pub mod tolerance;
