//! What can happen: virtual time, channels, faults, scripted agents, the reference gateway, broken
//! gateways, and scenarios made from seeds.

pub mod broken;
pub mod channel;
pub mod generator;
mod numbered;
mod recent;
pub mod reference;
pub mod world;
