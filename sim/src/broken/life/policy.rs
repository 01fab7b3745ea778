//! Wrong about the channel's threading policy.

use moorline_spec::channel::Threading;
use moorline_spec::id::ChannelId;

use super::super::{Broken, deciding};
use crate::reference::{Asked, Decisions, Mode};

pub(super) fn gateways() -> Vec<Broken> {
    vec![
        Broken {
            id: "policy-not-consulted",
            rule: "policy.thread-injected",
            report: Some("SV-003"),
            summary: "Nobody asks the channel what sub-agents need: agents have to guess.",
            build: deciding::<NotConsulted>,
        },
        Broken {
            id: "threads-for-children-that-need-none",
            rule: "policy.thread-injected",
            report: None,
            summary: "Whatever channel injects parameters gets threads, though it requires none.",
            build: deciding::<InjectsThreads>,
        },
        Broken {
            id: "explicit-run-beats-the-policy",
            rule: "policy.mode-injected",
            report: None,
            summary: "Where the channel makes children sessions, `mode: run` makes them runs again.",
            build: deciding::<RunWins>,
        },
        Broken {
            id: "requiring-threads-injects-the-mode",
            rule: "policy.mode-injected",
            report: None,
            summary: "A channel that only requires threads gets sessions where runs were asked for.",
            build: deciding::<RequiringInjects>,
        },
        Broken {
            id: "policy-threads-acp",
            rule: "policy.acp-untouched",
            report: None,
            summary: "A channel that requires threads for sub-agents gets them for ACP runs too.",
            build: deciding::<ThreadsAcp>,
        },
        Broken {
            id: "policy-makes-acp-sessions",
            rule: "policy.acp-untouched",
            report: None,
            summary: "A channel that makes sub-agents sessions makes ACP runs sessions too.",
            build: deciding::<AcpSessions>,
        },
        Broken {
            id: "channels-known-by-name",
            rule: "policy.nameless",
            report: None,
            summary: "The threading policy is looked at only on channels that the code knows by name.",
            build: deciding::<ByName>,
        },
    ]
}

#[derive(Default)]
struct NotConsulted;

impl Decisions for NotConsulted {
    fn threading(&self, _channel: &ChannelId, _declared: Threading) -> Threading {
        Threading::default()
    }
}

#[derive(Default)]
struct InjectsThreads;

impl Decisions for InjectsThreads {
    fn threading(&self, _channel: &ChannelId, declared: Threading) -> Threading {
        let injects = declared.auto_inject_thread_params;
        Threading {
            requires_thread_for_subagents: injects || declared.requires_thread_for_subagents,
            ..declared
        }
    }
}

#[derive(Default)]
struct RunWins;

impl Decisions for RunWins {
    fn spawn_mode(&self, asked: &Asked, thread: bool) -> Mode {
        let by_thread = if thread { Mode::Session } else { Mode::Run };
        asked.mode.unwrap_or(by_thread)
    }
}

#[derive(Default)]
struct RequiringInjects;

impl Decisions for RequiringInjects {
    fn threading(&self, _channel: &ChannelId, declared: Threading) -> Threading {
        let requires = declared.requires_thread_for_subagents;
        Threading {
            auto_inject_thread_params: requires || declared.auto_inject_thread_params,
            ..declared
        }
    }
}

#[derive(Default)]
struct ThreadsAcp;

impl Decisions for ThreadsAcp {
    fn spawn_thread(&self, asked: &Asked) -> bool {
        asked.thread || asked.threading.requires_thread_for_subagents
    }
}

#[derive(Default)]
struct AcpSessions;

impl Decisions for AcpSessions {
    fn spawn_mode(&self, asked: &Asked, thread: bool) -> Mode {
        if asked.threading.auto_inject_thread_params {
            return Mode::Session;
        }
        let by_thread = if thread { Mode::Session } else { Mode::Run };
        asked.mode.unwrap_or(by_thread)
    }
}

#[derive(Default)]
struct ByName;

impl Decisions for ByName {
    fn threading(&self, channel: &ChannelId, declared: Threading) -> Threading {
        if ["discord", "feishu", "forum"].contains(&channel.as_str()) {
            declared
        } else {
            Threading::default()
        }
    }
}
