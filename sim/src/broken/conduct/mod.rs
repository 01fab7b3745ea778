//! Wrong about bindings, routes, relays, isolation and restarts.

mod bindings;
mod places;
mod relays;
mod repeats;

use super::{Broken, deciding, meddled};

pub(super) fn gateways() -> Vec<Broken> {
    let families = [
        bindings::gateways(),
        places::gateways(),
        relays::gateways(),
        repeats::gateways(),
    ];
    families.into_iter().flatten().collect()
}
