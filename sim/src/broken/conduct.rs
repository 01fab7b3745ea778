//! Wrong about bindings, routes, relays, isolation and restarts.

use super::Broken;

pub(super) fn gateways() -> Vec<Broken> {
    Vec::new()
}
