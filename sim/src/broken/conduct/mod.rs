//! Wrong about bindings, routes, relays, isolation and restarts.

mod bindings;
mod bound_commands;
mod bound_ends;
mod bound_life;
mod bound_places;
mod configured;
mod ends;
mod forgeries;
mod moved;
mod opposites;
mod places;
mod refusals;
mod relays;
mod repeats;
mod reroutes;
mod routes;
mod told;
mod windows;

use super::{Broken, binding, deciding, meddled, relaying};

pub(super) fn gateways() -> Vec<Broken> {
    let families = [
        bindings::gateways(),
        bound_life::gateways(),
        bound_places::gateways(),
        bound_ends::gateways(),
        bound_commands::gateways(),
        places::gateways(),
        routes::gateways(),
        reroutes::gateways(),
        configured::gateways(),
        moved::gateways(),
        relays::gateways(),
        repeats::gateways(),
        told::gateways(),
        ends::gateways(),
        refusals::gateways(),
        windows::gateways(),
        forgeries::gateways(),
        opposites::gateways(),
    ];
    families.into_iter().flatten().collect()
}
