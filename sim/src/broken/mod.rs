//! Gateways that break a rule. Each is the reference with one decision taken wrongly, or wrapped in
//! one misbehaviour: a reported bug is a few lines with the report's id.
//!
//! The exact set of rules that each of them fails over all fixtures is a snapshot of
//! `tests/broken.rs`; the rule it is led by is always in it.

mod below;
mod conduct;
mod life;
mod wrap;

use std::convert::Infallible;
use std::sync::LazyLock;

use moorline_spec::gateway::Gateway;
use moorline_spec::profile::Profile;

use crate::reference::{BindingDecisions, Decisions, NestingDecisions, Reference, RelayDecisions};

pub use wrap::{Meddler, Wrapped};

/// A gateway as it is played in process.
pub type InProcess = Box<dyn Gateway<Error = Infallible>>;

/// A gateway that breaks a rule.
#[derive(Debug)]
pub struct Broken {
    /// Its name, after what it gets wrong.
    pub id: &'static str,
    /// The rule it is led by.
    pub rule: &'static str,
    /// The report it reproduces: the id in our list of reports.
    pub report: Option<&'static str>,
    /// What it does, as a sentence.
    pub summary: &'static str,
    /// Makes one that otherwise keeps a profile.
    pub build: fn(&Profile) -> InProcess,
}

static ALL: LazyLock<Vec<Broken>> = LazyLock::new(|| {
    let families = [life::gateways(), conduct::gateways(), below::gateways()];
    families.into_iter().flatten().collect()
});

/// Every broken gateway.
pub fn all() -> &'static [Broken] {
    &ALL
}

/// The broken gateway of that id.
pub fn named(id: &str) -> Option<&'static Broken> {
    ALL.iter().find(|broken| broken.id == id)
}

/// Whether a text is one by which a session is told of a child.
fn tells(input: &str) -> bool {
    input.starts_with("run ") && (input.contains(" ended") || input.contains(" failed ("))
}

/// The reference with decisions of its own.
fn deciding<D: Decisions + Default + 'static>(profile: &Profile) -> InProcess {
    Box::new(Reference::with(profile, D::default()))
}

/// Decisions that are right, but for those about bindings.
#[derive(Default)]
struct Binds<D>(D);

impl<D: BindingDecisions> Decisions for Binds<D> {
    fn of_bindings(&self) -> &dyn BindingDecisions {
        &self.0
    }
}

/// The reference with decisions of its own about bindings.
fn binding<D: BindingDecisions + Default + 'static>(profile: &Profile) -> InProcess {
    deciding::<Binds<D>>(profile)
}

/// Decisions that are right, but for those about nesting, stops and restarts.
#[derive(Default)]
struct Nests<D>(D);

impl<D: NestingDecisions> Decisions for Nests<D> {
    fn of_nesting(&self) -> &dyn NestingDecisions {
        &self.0
    }
}

/// Decisions that are right, but for those about relays.
#[derive(Default)]
struct Relays<D>(D);

impl<D: RelayDecisions> Decisions for Relays<D> {
    fn of_relays(&self) -> &dyn RelayDecisions {
        &self.0
    }
}

/// The reference with decisions of its own about nesting, stops and restarts.
fn nesting<D: NestingDecisions + Default + 'static>(profile: &Profile) -> InProcess {
    deciding::<Nests<D>>(profile)
}

/// The reference with decisions of its own about relays.
fn relaying<D: RelayDecisions + Default + 'static>(profile: &Profile) -> InProcess {
    deciding::<Relays<D>>(profile)
}

/// The reference with a meddler between it and the world.
fn meddled<M: Meddler + Default + 'static>(profile: &Profile) -> InProcess {
    Box::new(Wrapped::new(Reference::new(profile), M::default()))
}

#[cfg(test)]
mod tests {
    use moorline_spec::rule;

    use super::*;

    #[test]
    fn each_has_a_name_of_its_own() {
        let mut ids: Vec<&str> = all().iter().map(|broken| broken.id).collect();
        ids.sort_unstable();
        let twice: Vec<_> = ids.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert_eq!(twice, Vec::<&[&str]>::new());
    }

    #[test]
    fn each_is_led_by_a_rule() {
        for broken in all() {
            let Broken { id, rule, .. } = broken;
            assert!(rule::named(rule).is_some(), "{id}: there is no rule {rule}");
        }
    }
}
