//! A first look at a gateway: a ladder of stories, each a little harder, and what to write next.

use crate::fixtures::Named;
use crate::gate::{Gate, Judgement, Outcome};

/// One step of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// What a gateway can do that stands on it.
    pub promise: &'static str,
    /// The built-in fixture that asks for it.
    pub fixture: &'static str,
    /// What to write where it can't.
    pub next: &'static str,
}

/// The ladder, from the first message to the last restart.
pub const LADDER: [Rung; 10] = [
    Rung {
        promise: "people are answered where they wrote",
        fixture: "isolation/each_is_answered_at_home",
        next: "answer `inbound` with `start_run`, and `run_ended` with `deliver` to the address of the \
               message that the run was for",
    },
    Rung {
        promise: "a session continues",
        fixture: "session/a_known_key_continues_after_months",
        next: "keep a session for each key, and start its later runs with `memory: \"continue\"`",
    },
    Rung {
        promise: "`/new` begins afresh",
        fixture: "session/new_starts_afresh_and_keeps_the_place",
        next: "after `/new` or `/reset` start the next run of that session with `memory: \"fresh\"`, \
               under a new `session_id`",
    },
    Rung {
        promise: "a message is worked on once",
        fixture: "ingress/a_repeated_message_is_answered_once",
        next: "remember channel, account, conversation and id of each message, and pass over repeats",
    },
    Rung {
        promise: "a busy session keeps the order",
        fixture: "ingress/messages_of_a_busy_session_wait_in_order",
        next: "queue what arrives while a run of its session is alive, and start the next run when that \
               one has ended",
    },
    Rung {
        promise: "a child's end is told to whoever asked",
        fixture: "relay/tells_the_dm_and_nobody_else",
        next: "answer the call `sessions_spawn`, start the child's run, and when it ends start a run of \
               the session that asked, whose input holds the child's last words",
    },
    Rung {
        promise: "a refused delivery is tried again",
        fixture: "relay/a_refused_delivery_is_tried_again",
        next: "keep what a channel refused for now, ask for a wake with `wake_at`, and deliver again \
               after growing pauses",
    },
    Rung {
        promise: "a refused thread leaves nothing behind",
        fixture: "spawn/a_refused_thread_leaves_nothing",
        next: "wait for `thread_opened` before a spawn with a thread is accepted, and take everything \
               back where it is refused",
    },
    Rung {
        promise: "an idle thread is let go",
        fixture: "binding/an_idle_thread_lapses_and_a_used_one_stays",
        next: "bind the opened thread to the child's session, touch it with each message and each \
               delivered answer, and end it when its idle time is over",
    },
    Rung {
        promise: "a crash loses nothing",
        fixture: "restart/a_turn_that_died_is_resumed_once",
        next: "write down with `persist` what you owe before you act on it, and go on from `disk` when \
               you are opened again",
    },
];

/// What came of a step.
#[derive(Debug)]
pub enum Stand {
    /// It holds.
    Holds,
    /// It does not: what was seen, what would have been right, and how to see it again.
    Breaks {
        /// What was seen.
        seen: String,
        /// What would have been right.
        right: String,
    },
    /// The gateway does not mean to.
    Apart(String),
    /// The gateway could not be driven.
    Undriven(String),
}

/// Where a gateway stands on a step.
pub fn stand(gate: &mut Gate, named: &Named) -> Stand {
    match gate.play(named.scenario()) {
        Outcome::Inapplicable(why) => Stand::Apart(why),
        Outcome::Played(judgement) => of(named, &judgement),
    }
}

/// Only what the story is about counts: its own rules, and what it expects.
fn of(named: &Named, judgement: &Judgement) -> Stand {
    if let Err(why) = &judgement.end {
        return Stand::Undriven(why.clone());
    }
    if let Some(unmet) = judgement.unmet.first() {
        let (seen, right) = (unmet.seen.clone(), unmet.right.clone());
        return Stand::Breaks { seen, right };
    }
    let is_about = |id: &str| named.scenario().rules.iter().any(|rule| rule == id);
    let broken = judgement.verdicts.iter().find_map(|(rule, verdict)| {
        let breach = verdict.breach().filter(|_| is_about(rule.id))?;
        Some(Stand::Breaks {
            seen: format!("{}: {}", rule.id, breach.seen),
            right: breach.right.clone(),
        })
    });
    broken.unwrap_or(Stand::Holds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn the_reference_stands_on_every_rung() {
        let all = fixtures::built_in().expect("they make sense");
        let mut gate = Gate::reference(None);
        for rung in LADDER {
            let named = all.iter().find(|named| named.id == rung.fixture);
            let named = named.unwrap_or_else(|| panic!("there is a fixture {}", rung.fixture));
            let stand = stand(&mut gate, named);
            assert!(matches!(stand, Stand::Holds), "{}: {stand:?}", rung.fixture);
        }
    }
}
