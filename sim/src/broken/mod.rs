//! Gateways of our own with one thing wrong, each led by the rule it breaks.

use std::convert::Infallible;

use moorline_spec::address::Address;
use moorline_spec::effect::Effect;
use moorline_spec::gateway::Gateway;
use moorline_spec::profile::Profile;
use moorline_spec::stimulus::Stimulus;
use moorline_spec::time::Time;

use crate::reference::Reference;

/// A gateway that breaks a rule.
#[derive(Debug)]
pub struct Broken {
    /// What it does, as a name.
    pub id: &'static str,
    /// The rule it is led by.
    pub rule: &'static str,
    /// The report it reproduces.
    pub report: Option<&'static str>,
    /// What it does, as a sentence without its full stop.
    pub summary: &'static str,
    /// Builds one that otherwise keeps this profile.
    pub build: fn(&Profile) -> Box<dyn Gateway<Error = Infallible>>,
}

static ALL: &[Broken] = &[Broken {
    id: "completion-to-last-route",
    rule: "isolation.people",
    report: Some("CL-001"),
    summary: "it posts wherever somebody wrote last",
    build: |profile| {
        Box::new(LastRoute {
            reference: Reference::new(profile),
            last: None,
        })
    },
}];

/// Every one of them.
pub fn all() -> &'static [Broken] {
    ALL
}

/// The one of that id.
pub fn named(id: &str) -> Option<&'static Broken> {
    ALL.iter().find(|broken| broken.id == id)
}

struct LastRoute {
    reference: Reference,
    last: Option<Address>,
}

impl Gateway for LastRoute {
    type Error = Infallible;

    fn handle(
        &mut self,
        now: Time,
        stimuli: &[Stimulus],
        effects: &mut Vec<Effect>,
    ) -> Result<(), Infallible> {
        let done = effects.len();
        self.reference.handle(now, stimuli, effects)?;
        for stimulus in stimuli {
            if let Stimulus::Inbound(inbound) = stimulus {
                self.last = Some(inbound.at.clone());
            }
        }
        for effect in &mut effects[done..] {
            if let (Effect::Deliver(deliver), Some(last)) = (effect, &self.last) {
                deliver.to = last.clone();
            }
        }
        Ok(())
    }

    fn wake_at(&self) -> Option<Time> {
        self.reference.wake_at()
    }
}
