//! Wrong about what comes in, sessions, spawns and the channel's policy.

use super::Broken;

pub(super) fn gateways() -> Vec<Broken> {
    Vec::new()
}
