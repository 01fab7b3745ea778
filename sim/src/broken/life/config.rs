//! Wrong about the configuration.

use std::collections::BTreeSet;
use std::sync::Arc;

use moorline_spec::config::Layer;
use moorline_spec::effect::Effect;
use moorline_spec::id::{AccountId, ChannelId};
use moorline_spec::stimulus::Stimulus;
use moorline_spec::time::Time;
use serde_json::Value;

use super::super::{Broken, Meddler, deciding, meddled};
use crate::reference::{Decisions, Setting};

pub(super) fn gateways() -> Vec<Broken> {
    vec![
        Broken {
            id: "the-channel-before-the-account",
            rule: "config.one-precedence",
            report: Some("CP-010"),
            summary: "What a channel says of mentions holds for all of its accounts, whatever they \
                      say themselves.",
            build: deciding::<ChannelBeforeAccount>,
        },
        Broken {
            id: "the-agent-is-not-asked",
            rule: "config.one-precedence",
            report: Some("CP-006"),
            summary: "How much an agent's children think is read from the defaults only.",
            build: deciding::<AgentNotAsked>,
        },
        Broken {
            id: "the-model-of-a-spawn-is-forgotten",
            rule: "config.one-precedence",
            report: Some("CP-007"),
            summary: "The first turn of a child runs on the configured model, not on the one that \
                      was asked for.",
            build: deciding::<ModelForgotten>,
        },
        Broken {
            id: "wrong-keys-are-accepted",
            rule: "config.accepted-means-effect",
            report: None,
            summary: "A configuration that is not understood is passed over in silence.",
            build: meddled::<AcceptsWrongKeys>,
        },
        Broken {
            id: "the-configuration-is-read-once",
            rule: "config.accepted-means-effect",
            report: Some("CP-012"),
            summary: "What is edited after the start changes nothing.",
            build: meddled::<ReadsOnce>,
        },
        Broken {
            id: "renamed-keys-are-lost",
            rule: "config.accepted-means-effect",
            report: Some("CP-003"),
            summary: "Keys by their older names are dropped in place of being migrated, so that \
                      the new default comes into force.",
            build: meddled::<LosesRenamed>,
        },
        Broken {
            id: "named-accounts-hide-the-default",
            rule: "ingress.fifo",
            report: Some("CP-016"),
            summary: "Once a channel has named accounts, its default account is not listened to.",
            build: meddled::<HidesDefault>,
        },
    ]
}

#[derive(Default)]
struct ChannelBeforeAccount;

impl Decisions for ChannelBeforeAccount {
    fn strongest(&self, setting: Setting, speaking: &[Layer]) -> Option<Layer> {
        if setting == Setting::Mention && speaking.contains(&Layer::Channel) {
            return Some(Layer::Channel);
        }
        speaking.first().copied()
    }
}

#[derive(Default)]
struct AgentNotAsked;

impl Decisions for AgentNotAsked {
    fn strongest(&self, setting: Setting, speaking: &[Layer]) -> Option<Layer> {
        let asked = |layer: &Layer| setting != Setting::Thinking || *layer != Layer::Agent;
        speaking.iter().copied().find(asked)
    }
}

#[derive(Default)]
struct ModelForgotten;

impl Decisions for ModelForgotten {
    fn strongest(&self, setting: Setting, speaking: &[Layer]) -> Option<Layer> {
        let kept = |layer: &Layer| setting != Setting::Model || *layer != Layer::Parameter;
        let configured = speaking.iter().copied().find(kept);
        configured.or(speaking.first().copied())
    }
}

#[derive(Default)]
struct AcceptsWrongKeys;

impl Meddler for AcceptsWrongKeys {
    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        effects.retain(|effect| !matches!(effect, Effect::RefuseConfig(_)));
    }
}

#[derive(Default)]
struct ReadsOnce;

impl Meddler for ReadsOnce {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        stimuli.retain(|stimulus| !matches!(stimulus, Stimulus::ConfigChanged(_)));
    }
}

#[derive(Default)]
struct LosesRenamed;

impl Meddler for LosesRenamed {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            if let Stimulus::Open(open) = stimulus {
                lose_renamed(Arc::make_mut(&mut open.config));
            }
            if let Stimulus::ConfigChanged(changed) = stimulus {
                lose_renamed(Arc::make_mut(&mut changed.config));
            }
        }
    }
}

fn lose_renamed(config: &mut Value) {
    match config {
        Value::Object(members) => {
            for name in ["ttlHours", "spawnSubagentSessions", "dm"] {
                members.remove(name);
            }
            members.values_mut().for_each(lose_renamed);
        }
        Value::Array(items) => items.iter_mut().for_each(lose_renamed),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}

/// Knows the channels that have named accounts.
#[derive(Default)]
struct HidesDefault {
    named: BTreeSet<ChannelId>,
}

impl Meddler for HidesDefault {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        stimuli.retain(|stimulus| {
            if let Stimulus::Open(open) = stimulus
                && let Some(channels) = open.config["channels"].as_object()
            {
                let named = channels.iter().filter(|(_, channel)| {
                    channel["accounts"]
                        .as_object()
                        .is_some_and(|all| !all.is_empty())
                });
                self.named
                    .extend(named.map(|(name, _)| ChannelId::from(name.as_str())));
            }
            let Stimulus::Inbound(inbound) = stimulus else {
                return true;
            };
            let default = AccountId::from("default");
            inbound.at.account != default || !self.named.contains(&inbound.at.channel)
        });
    }
}
