//! Nothing is accepted for nothing.

use super::settings::{Case, Settings};
use super::{Checker, Sink};
use crate::config::{Config, ConfigError};
use crate::effect::Effect;
use crate::facts::Facts;
use crate::stimulus::Stimulus;
use crate::time::Time;
use crate::trace::{Entry, Rest, What, World};

/// MUST: what is wrong in a configuration is refused where it stands; the rest does what it says.
pub(super) struct Accepted {
    settings: Settings,
    /// The configuration that was given last, and what is wrong with it.
    given: Option<Given>,
}

struct Given {
    at: (usize, Time),
    wrong: Vec<ConfigError>,
    refused: bool,
}

impl Checker for Accepted {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        self.settings.see(entry, facts, sink);
        match &entry.what {
            What::Stimulus(Stimulus::Open(open)) => self.on_given(&open.config, entry, facts, sink),
            What::Stimulus(Stimulus::ConfigChanged(changed)) => {
                self.on_given(&changed.config, entry, facts, sink);
            }
            What::Effect(Effect::RefuseConfig(refused)) => self.on_refused(&refused.path, sink),
            // It works on something else now, so it has read what it was given before.
            What::Effect(_) => self.due(entry.at, sink),
            What::World(World::Crashed { .. }) => {
                if self
                    .given
                    .as_ref()
                    .is_some_and(|given| given.at.1 == entry.at)
                {
                    self.given = None;
                }
                self.due(entry.at, sink);
            }
            What::World(World::Rest(rest)) if *rest != Rest::OutOfWakes => {
                self.due(entry.at + crate::time::Span::ms(1), sink);
            }
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.settings.forget(facts);
    }
}

impl Accepted {
    pub(super) fn new() -> Self {
        Self {
            settings: Settings::new(Case::Said),
            given: None,
        }
    }

    fn on_given(
        &mut self,
        config: &serde_json::Value,
        entry: &Entry,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        self.due(entry.at, sink);
        let wrong = match facts.understood {
            true => Vec::new(),
            false => Config::problems(config, &facts.dials),
        };
        self.given = Some(Given {
            at: (facts.index(), entry.at),
            wrong,
            refused: false,
        });
    }

    fn on_refused(&mut self, path: &str, sink: &mut Sink) {
        let Some(given) = &mut self.given else {
            return;
        };
        // Some name the part that has the wrong key.
        let is_it = |wrong: &ConfigError| {
            let rest = wrong.path.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let names_it = |wrong: &ConfigError| wrong.path == path;
        if given.wrong.iter().any(names_it) {
            given.refused = true;
            sink.witness();
        } else if let Some(wrong) = given.wrong.iter().find(|wrong| is_it(wrong)) {
            let right = format!("the refusal names {}, where it is wrong", wrong.path);
            sink.fail(format!("the configuration is refused at {path}"), right);
        } else {
            sink.fail(
                format!("the configuration is refused at {path}, where nothing is wrong"),
                match given.wrong.first() {
                    Some(wrong) => format!("it is refused at {}: {}", wrong.path, wrong.why),
                    None => "it is accepted".to_owned(),
                },
            );
        }
    }

    /// By now whatever is wrong has been refused.
    fn due(&mut self, now: Time, sink: &mut Sink) {
        let Some(given) = &self.given else {
            return;
        };
        if let Some(wrong) = given
            .wrong
            .first()
            .filter(|_| !given.refused && given.at.1 < now)
        {
            let (path, why) = (&wrong.path, &wrong.why);
            sink.fail_since(
                given.at,
                format!("a configuration is accepted that is wrong at {path}"),
                format!("it is refused at {path}: {why}"),
            );
        }
        if given.at.1 < now {
            self.given = None;
        }
    }
}
