//! Wrong about what comes in, sessions, spawns and the channel's policy.

mod config;
mod ingress;
mod policy;
mod send;
mod session;
mod spawn;

use super::Broken;

pub(super) fn gateways() -> Vec<Broken> {
    let families = [
        ingress::gateways(),
        config::gateways(),
        send::gateways(),
        session::gateways(),
        spawn::gateways(),
        policy::gateways(),
    ];
    families.into_iter().flatten().collect()
}
