//! To whom a text goes.

use std::collections::BTreeMap;

use super::{Checker, Sink};
use crate::effect::Effect;
use crate::facts::{CallFacts, Facts, Named, Role};
use crate::id::{CallId, RunId, SessionKey};
use crate::stimulus::{Call, Caller, Stimulus};
use crate::trace::{Entry, What};

/// Methods that look at one session.
const LOOKS: [&str; 2] = ["session_status", "sessions_history"];

/// Sends that nothing came of yet, and whom each named as it was made.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    named: BTreeMap<CallId, Named>,
}

/// What came of a send.
pub(super) enum Came<'f> {
    /// A run was asked for that is given the text.
    Given {
        /// The call.
        id: &'f CallId,
        /// Whom it named.
        named: Named,
        /// The run.
        run: &'f RunId,
        /// Its session.
        key: &'f SessionKey,
    },
    /// It was answered.
    Answered {
        /// The call.
        id: &'f CallId,
        call: &'f CallFacts,
        /// Whom it named; nothing where its text was given to a run before.
        named: Option<Named>,
    },
    /// A call that looks at one session was answered.
    Looked {
        /// The call.
        id: &'f CallId,
        call: &'f CallFacts,
        /// Whom it named.
        named: Named,
    },
}

impl Waiting {
    /// Looks at the next entry. A send whose text was given to a run is settled.
    pub(super) fn see<'f>(&mut self, entry: &'f Entry, facts: &'f Facts) -> Option<Came<'f>> {
        match &entry.what {
            What::Stimulus(Stimulus::Call(call)) => self.on_call(call, facts),
            What::Effect(Effect::StartRun(start)) if !self.named.is_empty() => {
                let Role::Sent(id) = &facts.run_here()?.role else {
                    return None;
                };
                let named = self.named.remove(id)?;
                return Some(Came::Given {
                    id,
                    named,
                    run: &start.run,
                    key: &start.session_key,
                });
            }
            What::Effect(Effect::Answer(answer)) => {
                let call = facts.call_here().map(|(_, call)| call)?;
                // A text that waits behind another run is given later.
                let looks = LOOKS.contains(&call.method.as_str());
                let refused = matches!(call.status(), Some("error" | "forbidden"));
                let named = if refused || looks {
                    self.named.remove(&answer.call)
                } else {
                    self.named.get(&answer.call).cloned()
                };
                let (id, sends) = (&answer.call, call.method == "sessions_send");
                if looks {
                    return named.map(|named| Came::Looked { id, call, named });
                }
                return sends.then_some(Came::Answered { id, call, named });
            }
            _ => (),
        }
        None
    }

    /// Forgets sends that nobody knows of any more.
    pub(super) fn forget(&mut self, facts: &Facts) {
        self.named.retain(|call, _| facts.calls.contains_key(call));
    }

    fn on_call(&mut self, call: &Call, facts: &Facts) {
        if (call.method == "sessions_send" || LOOKS.contains(&call.method.as_str()))
            && let Some(known) = facts.calls.get(&call.call)
        {
            let named = facts.named_by(known);
            self.named.insert(call.call.clone(), named);
        }
    }
}

/// Whether the run that calls was told to stop, or is over.
fn is_stopped(call: &CallFacts, facts: &Facts) -> bool {
    let Caller::Run(run) = &call.by else {
        return false;
    };
    let run = facts.runs.get(run);
    facts.was_stopped(call) || run.is_none_or(|run| run.cancelled || !run.state.is_live())
}

/// Whether the text itself is there to be sent.
fn has_text(call: &CallFacts) -> bool {
    call.text("message")
        .is_some_and(|text| !text.trim().is_empty())
}

/// MUST: exactly the session that was named.
#[derive(Default)]
pub(super) struct Exact {
    waiting: Waiting,
}

impl Checker for Exact {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match self.waiting.see(entry, facts) {
            Some(Came::Given {
                id,
                named,
                run,
                key,
            }) => {
                let seen = format!("send {id} goes to run {run} in session {key}");
                match named {
                    Named::Session(right) | Named::Perhaps(right) | Named::Unknown(right) => {
                        if right == *key {
                            sink.witness();
                        } else {
                            sink.fail(seen, format!("it names session {right}"));
                        }
                    }
                    Named::Both => {
                        sink.fail(seen, "a key and a label together are refused");
                    }
                    Named::Nobody => {
                        sink.fail(
                            seen,
                            "it names no session, or more than one, and is refused",
                        );
                    }
                    Named::Unclear => (),
                }
            }
            // Whoever was told to stop asks for nothing any more.
            Some(Came::Answered { call, .. } | Came::Looked { call, .. })
                if is_stopped(call, facts) => {}
            Some(Came::Answered { id, call, named }) => answered(id, call, named.as_ref(), sink),
            Some(Came::Looked { id, call, named }) => looked(id, call, &named, sink),
            None => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.waiting.forget(facts);
    }
}

fn looked(id: &CallId, call: &CallFacts, named: &Named, sink: &mut Sink) {
    let Named::Session(key) = named else {
        return;
    };
    let shown = call
        .answer
        .as_ref()
        .and_then(|answer| answer.get("key")?.as_str());
    match (call.status(), shown) {
        (Some("error"), _) => {
            let seen = format!("call {id} finds no such session");
            sink.fail(seen, format!("it names session {key}, which is there"));
        }
        (Some("ok"), Some(shown)) if shown != key.as_str() => {
            sink.fail(
                format!("call {id} shows session {shown}"),
                format!("it names session {key}"),
            );
        }
        (Some("ok"), _) => sink.witness(),
        _ => (),
    }
}

fn answered(id: &CallId, call: &CallFacts, named: Option<&Named>, sink: &mut Sink) {
    let refused = matches!(call.status(), Some("error" | "forbidden"));
    match named {
        Some(Named::Both | Named::Nobody) if refused => sink.witness(),
        Some(Named::Both | Named::Nobody) => {
            let seen = format!(
                "send {id} is answered {}",
                call.status().unwrap_or("otherwise")
            );
            let right = match named {
                Some(Named::Both) => "a key and a label together are refused",
                _ => "it names no session, or more than one, and is refused",
            };
            sink.fail(seen, right);
        }
        Some(Named::Session(key)) if call.status() == Some("error") => {
            // Threads of people are no place for agents to talk, some say.
            let own = call.session.as_ref() == Some(key) || key.as_str().contains(":thread:");
            if has_text(call) && !own {
                let seen = format!("send {id} is refused");
                sink.fail(seen, format!("it names session {key}, which is there"));
            }
        }
        _ => (),
    }
}

/// MUST: what was never there does not come to be by a text to it.
#[derive(Default)]
pub(super) struct Minting {
    waiting: Waiting,
}

impl Checker for Minting {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        if facts.dials.send_minting {
            return;
        }
        let (id, key, seen) = match self.waiting.see(entry, facts) {
            Some(Came::Given {
                id,
                named: Named::Unknown(key),
                run,
                ..
            }) => (id, key, format!("send {id} goes to run {run}")),
            Some(Came::Answered {
                id,
                call,
                named: Some(Named::Unknown(key)),
            }) => match call.status() {
                Some("error" | "forbidden") => return sink.witness(),
                status => {
                    let status = status.unwrap_or("otherwise");
                    (id, key, format!("send {id} is answered {status}"))
                }
            },
            _ => return,
        };
        let right = format!("send {id} is refused: there is no session {key}, and never was");
        sink.fail(seen, right);
    }

    fn forget(&mut self, facts: &Facts) {
        self.waiting.forget(facts);
    }
}
