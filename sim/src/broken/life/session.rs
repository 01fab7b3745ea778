//! Wrong about sessions: which one a message reaches, and when it forgets.

use std::collections::BTreeSet;

use moorline_spec::calendar::Calendar;
use moorline_spec::effect::{Effect, Memory};
use moorline_spec::id::SessionKey;
use moorline_spec::profile::ResetAnchor;
use moorline_spec::stimulus::Stimulus;
use moorline_spec::time::{Span, Time};

mod keeping;
mod keys;
mod resets;

use super::super::{Broken, Meddler, deciding, meddled};
use crate::reference::{Ages, Cause, Decisions, Path, Right, Speaking};

pub(super) fn gateways() -> Vec<Broken> {
    let mut gateways = keys::gateways();
    gateways.extend(scopes());
    gateways.extend(resets());
    gateways.extend(resets::gateways());
    gateways.extend(keeping::gateways());
    gateways
}

fn scopes() -> Vec<Broken> {
    vec![
        Broken {
            id: "everybody-in-the-main-session",
            rule: "session.dm-scope",
            report: None,
            summary: "Direct messages meet in one session, whatever `dmScope` says.",
            build: deciding::<EverybodyInMain>,
        },
        Broken {
            id: "identity-links-ignored",
            rule: "session.dm-scope",
            report: None,
            summary: "Who is known to be one person on two channels has two sessions.",
            build: deciding::<NoLinks>,
        },
        Broken {
            id: "every-turn-starts-fresh",
            rule: "session.continues",
            report: None,
            summary: "No run remembers what was said in its session before.",
            build: deciding::<AlwaysFresh>,
        },
        Broken {
            id: "every-turn-continues",
            rule: "session.unknown-key-fresh",
            report: None,
            summary: "The first run of a session claims to continue it.",
            build: deciding::<NeverFresh>,
        },
        Broken {
            id: "deleted-sessions-come-back",
            rule: "session.unknown-key-fresh",
            report: None,
            summary: "A run on the key of a deleted session continues where that one ended.",
            build: meddled::<DeletedComesBack>,
        },
    ]
}

fn resets() -> Vec<Broken> {
    vec![
        Broken {
            id: "restart-forgets",
            rule: "session.rotates-by-policy-only",
            report: None,
            summary: "After a restart every session begins anew.",
            build: meddled::<RestartForgets>,
        },
        Broken {
            id: "compaction-forgets",
            rule: "session.compaction-keeps",
            report: Some("SI-009"),
            summary: "A session whose transcript was compacted begins anew.",
            build: meddled::<CompactionForgets>,
        },
        Broken {
            id: "agent-path-is-reset",
            rule: "session.agent-path-never-resets",
            report: None,
            summary: "A plugin that continues a session finds it reset by a policy for people.",
            build: deciding::<AgentPathResets>,
        },
        Broken {
            id: "hour-itself-is-stale",
            rule: "session.daily-reset",
            report: None,
            summary: "A session that began exactly at the hour of the daily reset is reset once more.",
            build: deciding::<HourIsStale>,
        },
        Broken {
            id: "days-have-24-hours",
            rule: "session.daily-reset",
            report: Some("SI-037"),
            summary: "The daily reset comes every 24 hours, also where the clocks were changed.",
            build: deciding::<DaysOf24Hours>,
        },
        Broken {
            id: "age-counts-from-the-last-write",
            rule: "session.system-neutral",
            report: Some("SI-001"),
            summary: "The age of a session counts from whatever was last written into it, so that \
                      heartbeats keep it young.",
            build: deciding::<AgeFromLastWrite>,
        },
        Broken {
            id: "heartbeats-count-as-interaction",
            rule: "session.system-neutral",
            report: None,
            summary: "A session in which only the clockwork speaks never becomes idle.",
            build: deciding::<HeartbeatsInteract>,
        },
        Broken {
            id: "heartbeats-start-afresh",
            rule: "session.system-neutral",
            report: Some("SI-003"),
            summary: "The turns of the clockwork look at the reset policy, and begin a session anew.",
            build: deciding::<HeartbeatsReset>,
        },
    ]
}

#[derive(Default)]
struct EverybodyInMain;

impl Decisions for EverybodyInMain {
    fn session_of(&self, message: &Speaking<'_>) -> SessionKey {
        let mut config = message.config.clone();
        config.session.dm_scope = moorline_spec::config::DmScope::Main;
        Right.session_of(&Speaking {
            config: &config,
            ..*message
        })
    }
}

#[derive(Default)]
struct NoLinks;

impl Decisions for NoLinks {
    fn session_of(&self, message: &Speaking<'_>) -> SessionKey {
        let mut config = message.config.clone();
        config.session.identity_links.clear();
        Right.session_of(&Speaking {
            config: &config,
            ..*message
        })
    }
}

#[derive(Default)]
struct AlwaysFresh;

impl Decisions for AlwaysFresh {
    fn memory(&self, _fresh: bool) -> Memory {
        Memory::Fresh
    }
}

#[derive(Default)]
struct NeverFresh;

impl Decisions for NeverFresh {
    fn memory(&self, _fresh: bool) -> Memory {
        Memory::Continue
    }
}

/// Knows the keys that were deleted, and not used since.
#[derive(Default)]
struct DeletedComesBack(BTreeSet<SessionKey>);

impl Meddler for DeletedComesBack {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            if let Stimulus::Call(call) = stimulus
                && call.method == "sessions.delete"
                && let Some(key) = call.params["key"].as_str()
            {
                self.0.insert(key.into());
            }
        }
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::StartRun(start) = effect
                && self.0.remove(&start.session_key)
            {
                start.memory = Memory::Continue;
            }
        }
    }
}

/// Knows the sessions that had a run in this life.
#[derive(Default)]
struct RestartForgets(BTreeSet<SessionKey>);

impl Meddler for RestartForgets {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        if stimuli.iter().any(|s| matches!(s, Stimulus::Open(_))) {
            self.0.clear();
        }
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::StartRun(start) = effect
                && self.0.insert(start.session_key.clone())
            {
                start.memory = Memory::Fresh;
            }
        }
    }
}

/// Knows the sessions that were compacted, and had no run since.
#[derive(Default)]
struct CompactionForgets(BTreeSet<SessionKey>);

impl Meddler for CompactionForgets {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            if let Stimulus::Compacted(compacted) = stimulus {
                self.0.insert(compacted.session.clone());
            }
        }
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::StartRun(start) = effect
                && self.0.remove(&start.session_key)
            {
                start.memory = Memory::Fresh;
            }
        }
    }
}

#[derive(Default)]
struct AgentPathResets;

impl Decisions for AgentPathResets {
    fn evaluates(&self, path: Path, _agent_path_resets: bool) -> bool {
        matches!(path, Path::Chat | Path::Agent)
    }
}

#[derive(Default)]
struct HourIsStale;

impl Decisions for HourIsStale {
    fn boundary(&self, calendar: &Calendar, at: Time, hour: u8) -> i64 {
        // What began less than this before the comparison's other side counts as before it.
        Right.boundary(calendar, at, hour) + 1
    }
}

#[derive(Default)]
struct DaysOf24Hours;

impl Decisions for DaysOf24Hours {
    fn boundary(&self, calendar: &Calendar, at: Time, hour: u8) -> i64 {
        let first = Right.boundary(calendar, Time::ZERO, hour);
        let Ok(at) = i64::try_from(at.0) else {
            return first;
        };
        let Ok(day) = i64::try_from(Span::hours(24).0) else {
            return first;
        };
        at - (at - first).rem_euclid(day)
    }
}

#[derive(Default)]
struct AgeFromLastWrite;

impl Decisions for AgeFromLastWrite {
    fn reset_due(&self, ages: &Ages) -> bool {
        Right.reset_due(&Ages {
            anchor: ResetAnchor::LastWrite,
            ..*ages
        })
    }
}

#[derive(Default)]
struct HeartbeatsInteract;

impl Decisions for HeartbeatsInteract {
    fn is_interaction(&self, cause: Cause) -> bool {
        matches!(cause, Cause::Message | Cause::Internal(_))
    }
}

#[derive(Default)]
struct HeartbeatsReset;

impl Decisions for HeartbeatsReset {
    fn evaluates(&self, path: Path, agent_path_resets: bool) -> bool {
        path == Path::Clockwork || Right.evaluates(path, agent_path_resets)
    }
}
