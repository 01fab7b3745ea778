//! Wrong about what is kept of sessions, and for how long.

use moorline_spec::effect::Effect;
use moorline_spec::time::Time;
use serde_json::Value;

use super::super::super::{Broken, Meddler, deciding, meddled};
use crate::reference::{Archiving, By, Decisions, Old, Right, Spare};

pub(super) fn gateways() -> Vec<Broken> {
    let mut gateways = maintenance();
    gateways.extend(archive());
    gateways.extend(memory());
    gateways
}

fn maintenance() -> Vec<Broken> {
    let rule = "session.retention-safe";
    vec![
        Broken {
            id: "maintenance-takes-what-runs",
            rule,
            report: Some("SI-026"),
            summary: "Where sessions are too many, those that are at work go too.",
            build: deciding::<TakesWhatRuns>,
        },
        Broken {
            id: "age-waits-for-the-count",
            rule,
            report: Some("SI-027"),
            summary: "What is too old is kept as long as there are few of it.",
            build: deciding::<AgeWaits>,
        },
        Broken {
            id: "threads-are-never-taken",
            rule,
            report: Some("SI-028"),
            summary: "The sessions of threads are exempt from maintenance, however many they are.",
            build: deciding::<ThreadsExempt>,
        },
        Broken {
            id: "the-oldest-goes-first",
            rule,
            report: Some("SI-029"),
            summary: "A conversation with a person gives way to probes that nobody will ever read.",
            build: deciding::<OldestFirst>,
        },
    ]
}

fn archive() -> Vec<Broken> {
    let rule = "session.persistent-not-archived";
    vec![
        Broken {
            id: "persistent-children-are-archived",
            rule,
            report: None,
            summary: "A child in session mode is archived like one of a single run.",
            build: deciding::<PersistentArchived>,
        },
        Broken {
            id: "archive-counts-from-the-beginning",
            rule,
            report: None,
            summary: "A child is archived so long after it began, though it worked until just now.",
            build: deciding::<FromBeginning>,
        },
        Broken {
            id: "kept-children-are-swept",
            rule,
            report: Some("SI-031"),
            summary: "A child that was asked for to be kept is archived like any other.",
            build: deciding::<KeptSwept>,
        },
    ]
}

fn memory() -> Vec<Broken> {
    vec![
        Broken {
            id: "a-delete-is-forgotten-by-a-restart",
            rule: "session.deleted-stays-deleted",
            report: Some("SI-011"),
            summary: "A session that was deleted is there again after a restart.",
            build: meddled::<DeleteForgotten>,
        },
        Broken {
            id: "history-ends-with-the-process",
            rule: "session.history-whole",
            report: None,
            summary: "After a restart nothing is known of what a child was given and said.",
            build: deciding::<HistoryEnds>,
        },
        Broken {
            id: "history-lacks-the-last-words",
            rule: "session.history-whole",
            report: Some("CL-004"),
            summary: "The history of a child has what it was given, and not what came of it.",
            build: deciding::<LacksWords>,
        },
    ]
}

#[derive(Default)]
struct TakesWhatRuns;

impl Decisions for TakesWhatRuns {
    fn takes(&self, spare: &Spare) -> bool {
        !(spare.bound || spare.kept)
    }
}

#[derive(Default)]
struct AgeWaits;

impl Decisions for AgeWaits {
    fn is_old(&self, old: &Old) -> bool {
        old.count > old.most && Right.is_old(old)
    }
}

#[derive(Default)]
struct ThreadsExempt;

impl Decisions for ThreadsExempt {
    fn takes(&self, spare: &Spare) -> bool {
        !spare.thread && Right.takes(spare)
    }
}

#[derive(Default)]
struct OldestFirst;

impl Decisions for OldestFirst {
    fn goes_by(&self, _made: bool, written: Time) -> (u8, Time) {
        (0, written)
    }
}

/// Writes down everything but deletes.
#[derive(Default)]
struct DeleteForgotten;

impl Meddler for DeleteForgotten {
    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::Persist(persist) = effect
                && let text = persist.record.text()
                && text.contains("\"deleted\"")
                && let Ok(mut changes) = serde_json::from_str::<Vec<Value>>(&text)
            {
                changes.retain(|change| change.get("deleted").is_none());
                persist.record = Value::from(changes).to_string().into();
            }
        }
    }
}

#[derive(Default)]
struct HistoryEnds;

impl Decisions for HistoryEnds {
    fn history_survives(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct LacksWords;

impl Decisions for LacksWords {
    fn notes(&self, by: By) -> bool {
        by == By::User
    }
}

#[derive(Default)]
struct PersistentArchived;

impl Decisions for PersistentArchived {
    fn archived_at(&self, archiving: &Archiving) -> Option<Time> {
        Right.archived_at(&Archiving {
            one_run: archiving.child,
            ..*archiving
        })
    }
}

#[derive(Default)]
struct FromBeginning;

impl Decisions for FromBeginning {
    fn archived_at(&self, archiving: &Archiving) -> Option<Time> {
        Right.archived_at(&Archiving {
            ended_at: archiving.began_at,
            ..*archiving
        })
    }
}

#[derive(Default)]
struct KeptSwept;

impl Decisions for KeptSwept {
    fn archived_at(&self, archiving: &Archiving) -> Option<Time> {
        Right.archived_at(&Archiving {
            kept: false,
            ..*archiving
        })
    }
}
