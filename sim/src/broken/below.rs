//! Wrong about children of children, about what is stopped, and about what a restart finds.

mod again;
mod kept;
mod nested;
mod stopped;

use super::{Broken, Meddler, deciding, meddled, nesting, tells};

pub(super) fn gateways() -> Vec<Broken> {
    let families = [
        nested::gateways(),
        stopped::gateways(),
        kept::gateways(),
        again::gateways(),
    ];
    families.into_iter().flatten().collect()
}
