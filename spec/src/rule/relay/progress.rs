//! What a child says on its way, where somebody asked to hear it.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::effect::Effect;
use crate::facts::{BornAs, CallFacts, Facts, Role};
use crate::id::{CallId, Marker, RunId, SessionKey};
use crate::rule::{Checker, Sink};
use crate::stimulus::Stimulus;
use crate::time::Time;
use crate::trace::{Entry, What, World};

/// MUST: progress that was asked for comes, in order, and before the end.
#[derive(Default)]
pub(super) struct Progress {
    streams: BTreeMap<RunId, Stream>,
}

/// What one child says on its way.
struct Stream {
    call: CallId,
    said: Vec<(Marker, (usize, Time))>,
    /// How much of that was told.
    told: usize,
    /// Whether its end was.
    ended: bool,
}

/// Who is given a text: a session or a conversation.
enum To<'e> {
    Session(&'e SessionKey),
    Place(&'e Address),
}

impl Checker for Progress {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::RunProgress(progress)) => {
                self.on_progress(&progress.run, entry, facts);
            }
            _ if self.streams.is_empty() => (),
            What::Effect(Effect::StartRun(start)) => {
                self.on_told(&To::Session(&start.session_key), facts, sink);
            }
            What::Effect(Effect::SteerRun(_)) => {
                if let Some(run) = facts.run_here() {
                    self.on_told(&To::Session(&run.key), facts, sink);
                }
            }
            What::Effect(Effect::Deliver(deliver)) => {
                self.on_told(&To::Place(&deliver.to), facts, sink);
            }
            // What was told last and not acted on may have died with the gateway.
            What::World(World::Crashed { .. }) => {
                for stream in self.streams.values_mut() {
                    stream.said.truncate(stream.told);
                }
            }
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.streams.retain(|run, _| facts.runs.contains_key(run));
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        for (child, stream) in &self.streams {
            let Some((marker, since)) = stream.said.get(stream.told) else {
                continue;
            };
            let call = facts.calls.get(&stream.call);
            let Some(call) = call.filter(|call| !stream.is_excused(call, facts)) else {
                continue;
            };
            let who = call
                .session
                .as_ref()
                .map_or("whoever asked", |key| key.as_str());
            sink.fail_since(
                *since,
                format!(
                    "{who} waits for what run {child} said on its way {} since {}, and it never \
                     comes",
                    marker.in_text(),
                    since.1
                ),
                "progress that was asked for is told",
            );
        }
    }
}

impl Stream {
    /// Whether whoever asked may be another by now, or wants to hear no more.
    fn is_excused(&self, call: &CallFacts, facts: &Facts) -> bool {
        let Some(key) = &call.session else {
            return true;
        };
        let anew = facts
            .sessions
            .get(key)
            .and_then(|session| session.started_at);
        let run = call.run.as_ref().and_then(|run| facts.runs.get(run));
        super::news::may_be_gone(facts, key)
            || anew.is_some_and(|began| call.made.1 < began)
            || run.is_some_and(|run| run.cancelled)
    }
}

impl Progress {
    fn on_progress(&mut self, id: &RunId, entry: &Entry, facts: &Facts) {
        let Some(run) = facts.run_here().filter(|run| run.state.is_live()) else {
            return;
        };
        let Role::Child(call_id) = &run.role else {
            return;
        };
        let Some(call) = facts.calls.get(call_id) else {
            return;
        };
        let asked = call.text("streamTo") == Some("parent") && call.is_accepted();
        if !asked || run.cancelled || entry.own.is_empty() {
            return;
        }
        let stream = self.streams.entry(id.clone()).or_insert_with(|| Stream {
            call: call_id.clone(),
            said: Vec::new(),
            told: 0,
            ended: false,
        });
        let since = (facts.index(), facts.now());
        let said = entry.own.iter().map(|own| (own.clone(), since));
        stream.said.extend(said);
    }

    fn on_told(&mut self, to: &To<'_>, facts: &Facts, sink: &mut Sink) {
        let Self { streams } = self;
        for (marker, born) in facts.texts_here() {
            let (child, is_end) = match &born.what {
                BornAs::Progress(run) => (run, false),
                BornAs::LastWords(run) => (run, true),
                BornAs::Parameter(call) => {
                    match facts.calls.get(call).and_then(|call| call.run.as_ref()) {
                        Some(run) if facts.is_over(run) => (run, true),
                        Some(_) | None => continue,
                    }
                }
                BornAs::Message { .. } | BornAs::Internal => continue,
            };
            let Some(stream) = streams.get_mut(child) else {
                continue;
            };
            let Some(call) = facts.calls.get(&stream.call) else {
                continue;
            };
            let hears = match to {
                To::Session(key) => call.session.as_ref() == Some(key),
                To::Place(at) => call.origins.contains(at),
            };
            if !hears || stream.is_excused(call, facts) {
                continue;
            }
            stream.on_told(child, marker, is_end, sink);
        }
    }
}

impl Stream {
    fn on_told(&mut self, child: &RunId, marker: &Marker, is_end: bool, sink: &mut Sink) {
        let place = if is_end {
            self.said.len()
        } else {
            let Some(place) = self.said.iter().position(|(said, _)| said == marker) else {
                return;
            };
            place
        };
        let marker = marker.in_text();
        if self.told < place {
            let missing = self.said[self.told].0.in_text();
            let what = if is_end {
                "the end"
            } else {
                "what it said then,"
            };
            sink.fail(
                format!(
                    "{what} {marker} of run {child} is told before {missing}, which it said before"
                ),
                "progress is told in its order, and all of it before the end",
            );
        } else if self.told == place && !is_end {
            if self.ended {
                sink.fail(
                    format!("what run {child} said on its way {marker} is told after its end"),
                    "progress is told before the end",
                );
            }
            sink.witness();
            self.told += 1;
        }
        self.ended |= is_end;
    }
}
