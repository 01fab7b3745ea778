//! Wrong about bindings, routes, relays, isolation and restarts.

mod bindings;
mod bound_commands;
mod bound_ends;
mod bound_life;
mod bound_places;
mod places;
mod relays;
mod repeats;
mod routes;

use super::{Broken, binding, deciding, meddled};

pub(super) fn gateways() -> Vec<Broken> {
    let families = [
        bindings::gateways(),
        bound_life::gateways(),
        bound_places::gateways(),
        bound_ends::gateways(),
        bound_commands::gateways(),
        places::gateways(),
        routes::gateways(),
        relays::gateways(),
        repeats::gateways(),
    ];
    families.into_iter().flatten().collect()
}
