//! Stories and traces by chance, for laws: they make sense, and need not be wise.

mod entries;
mod scenarios;

pub(crate) use entries::trace;
pub(crate) use scenarios::scenario;
