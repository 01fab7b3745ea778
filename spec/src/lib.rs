//! What is right: the vocabulary of gateways and worlds, scenarios and traces, the rules with
//! their checkers, and the frames of the wire. Knows nothing of simulation.

pub mod address;
pub mod calendar;
pub mod channel;
pub mod config;
pub mod effect;
pub mod facts;
pub mod gateway;
pub mod id;
pub mod judge;
pub mod key;
pub mod legacy;
pub mod marker;
pub mod observe;
pub mod profile;
pub mod projection;
pub mod record;
pub mod rule;
pub mod scenario;
pub mod schema;
pub mod silence;
pub mod stimulus;
pub mod time;
pub mod trace;
pub mod verdict;
pub mod wire;

#[cfg(test)]
mod story;
