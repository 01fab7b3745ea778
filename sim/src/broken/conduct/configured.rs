//! Wrong about whose a conversation is that nobody bound.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a meddler looks at one thing"
)]

use std::sync::Arc;

use moorline_spec::address::{Address, Place};
use moorline_spec::config::{Config, Route, RouteKind};
use moorline_spec::id::SessionKey;
use moorline_spec::stimulus::Stimulus;
use moorline_spec::time::Time;
use serde_json::Value;

use super::{Broken, binding, deciding, meddled};
use crate::broken::Meddler;
use crate::reference::{BindingDecisions, Decisions};

pub(super) fn gateways() -> Vec<Broken> {
    vec![
        Broken {
            id: "configured-before-bound",
            rule: "routing.bound-first",
            report: None,
            summary: "What binds a conversation by configuration comes before what a person bound it to.",
            build: deciding::<ConfiguredBeforeBound>,
        },
        Broken {
            id: "route-before-configured",
            rule: "routing.configured",
            report: None,
            summary: "A route to an agent comes before what binds a conversation by configuration.",
            build: binding::<RouteBeforeConfigured>,
        },
        Broken {
            id: "the-first-entry-wins",
            rule: "routing.configured",
            report: None,
            summary: "Of what is configured for a conversation the first counts, however loosely it speaks of it.",
            build: binding::<FirstEntryWins>,
        },
        Broken {
            id: "no-account-is-every-account",
            rule: "routing.configured",
            report: None,
            summary: "What is configured without an account holds for every account.",
            build: binding::<NoAccountIsEvery>,
        },
        Broken {
            id: "configured-shares-a-session",
            rule: "routing.configured",
            report: None,
            summary: "What is bound by configuration is in the session that its agent has for such places anyhow.",
            build: binding::<SharesASession>,
        },
        Broken {
            id: "a-moved-channel-keeps-its-agent",
            rule: "routing.configured",
            report: Some("BL-014"),
            summary: "Conversations stay with the agents that were configured for them at first.",
            build: meddled::<KeepsItsAgent>,
        },
    ]
}

#[derive(Default)]
struct ConfiguredBeforeBound;

impl Decisions for ConfiguredBeforeBound {
    fn routes_to(&self, bound: Option<&SessionKey>, own: &dyn Fn() -> SessionKey) -> SessionKey {
        let own = own();
        let configured = own.as_str().contains(":acp:binding:");
        bound.filter(|_| !configured).cloned().unwrap_or(own)
    }
}

#[derive(Default)]
struct RouteBeforeConfigured;

impl BindingDecisions for RouteBeforeConfigured {
    fn route<'c>(&self, config: &'c Config, at: &Address, kind: Place) -> Option<Route<'c>> {
        let routed = config.closest(RouteKind::Route, at, kind).map(Route::Agent);
        routed.or_else(|| config.route(at, kind))
    }
}

#[derive(Default)]
struct FirstEntryWins;

impl BindingDecisions for FirstEntryWins {
    fn route<'c>(&self, config: &'c Config, at: &Address, kind: Place) -> Option<Route<'c>> {
        let mut all = config.bindings.iter();
        let first = all.find(|route| route.matches.holds(at, kind))?;
        Some(match first.kind {
            RouteKind::Acp => Route::Bound(&first.agent_id),
            RouteKind::Route => Route::Agent(&first.agent_id),
        })
    }
}

#[derive(Default)]
struct NoAccountIsEvery;

impl BindingDecisions for NoAccountIsEvery {
    fn route<'c>(&self, config: &'c Config, at: &Address, kind: Place) -> Option<Route<'c>> {
        let by_default = Address {
            account: "default".into(),
            ..at.clone()
        };
        let route = config.route(at, kind);
        route.or_else(|| config.route(&by_default, kind))
    }
}

#[derive(Default)]
struct SharesASession;

impl BindingDecisions for SharesASession {
    fn route<'c>(&self, config: &'c Config, at: &Address, kind: Place) -> Option<Route<'c>> {
        config.route(at, kind).map(Route::agent).map(Route::Agent)
    }
}

/// Remembers what was configured first.
#[derive(Default)]
struct KeepsItsAgent {
    first: Option<Value>,
}

impl Meddler for KeepsItsAgent {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            match stimulus {
                Stimulus::Open(open) => {
                    self.first = open.config.get("bindings").cloned();
                }
                Stimulus::ConfigChanged(changed) => {
                    if let Some(first) = &self.first {
                        let config = Arc::make_mut(&mut changed.config);
                        config["bindings"].clone_from(first);
                    }
                }
                _ => (),
            }
        }
    }
}
