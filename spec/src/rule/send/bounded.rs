//! Exchanges end.

use rustc_hash::FxHashMap;

use super::{Checker, Sink};
use crate::effect::{Effect, StartRun};
use crate::facts::{Facts, Role, RunState};
use crate::id::{CallId, RunId, SessionKey};
use crate::stimulus::{Outcome, RunEnded, Stimulus};
use crate::trace::{Entry, What, World};

/// MUST: what two sessions say to each other comes to an end.
#[derive(Default)]
pub(super) struct Bounded {
    exchanges: FxHashMap<CallId, Exchange>,
    /// The exchange that a run belongs to.
    of: FxHashMap<RunId, CallId>,
}

/// What followed from one send.
struct Exchange {
    from: SessionKey,
    to: SessionKey,
    /// How many runs followed the one that was given the text.
    followed: u32,
    last: RunId,
    /// Somebody had nothing to say.
    silent: bool,
}

impl Checker for Bounded {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::StartRun(start)) => self.on_start(start, facts, sink),
            What::Effect(Effect::Answer(answer)) => on_answer(&answer.call, facts, sink),
            What::Stimulus(Stimulus::RunEnded(ended)) => self.on_ended(ended, entry),
            // What was left to itself came to its end.
            What::World(World::Rest(_)) => {
                for _ in self
                    .exchanges
                    .values()
                    .filter(|one| one.followed > 0 || one.silent)
                {
                    sink.witness();
                }
            }
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.of.retain(|run, _| facts.runs.contains_key(run));
        let of = &self.of;
        self.exchanges
            .retain(|call, one| of.contains_key(&one.last) || facts.calls.contains_key(call));
    }
}

/// Who sends to itself is refused.
fn on_answer(id: &CallId, facts: &Facts, sink: &mut Sink) {
    let Some(call) = facts
        .calls
        .get(id)
        .filter(|call| call.method == "sessions_send")
    else {
        return;
    };
    let own = call.session.as_ref().map(SessionKey::as_str);
    let named = call.text("sessionKey").map(str::trim);
    if own.is_some() && (named == own || named == Some("current")) {
        if matches!(call.status(), Some("error" | "forbidden")) {
            sink.witness();
        } else {
            let status = call.status().unwrap_or("otherwise");
            let seen = format!("send {id} of a session to itself is answered {status}");
            sink.fail(seen, "no session sends to itself");
        }
    }
}

impl Bounded {
    fn on_start(&mut self, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        let Some(run) = facts.run_here() else {
            return;
        };
        match &run.role {
            Role::Sent(call) => self.on_sent(call, start, facts, sink),
            Role::Event(of) => {
                if let Some(call) = self.of.get(of).cloned() {
                    self.follows(&call, start, facts, sink);
                }
            }
            Role::Unknown if !self.exchanges.is_empty() => self.on_unknown(start, sink),
            _ => (),
        }
    }

    fn on_sent(&mut self, id: &CallId, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        let Some(call) = facts.calls.get(id) else {
            return;
        };
        let key = &start.session_key;
        let Some(from) = call
            .session
            .clone()
            .filter(|_| call.method == "sessions_send")
        else {
            return;
        };
        if from == *key {
            let seen = format!(
                "send {id} goes to run {} in the session it comes from",
                start.run
            );
            sink.fail(seen, "no session sends to itself");
        }
        if self.exchanges.contains_key(id) {
            return self.follows(id, start, facts, sink);
        }
        let exchange = Exchange {
            from,
            to: key.clone(),
            followed: 0,
            last: start.run.clone(),
            silent: false,
        };
        self.exchanges.insert(id.clone(), exchange);
        self.of.insert(start.run.clone(), id.clone());
    }

    /// A run takes up what another one of the exchange said.
    fn follows(&mut self, id: &CallId, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        let key = &start.session_key;
        if *key != exchange.from && *key != exchange.to {
            return;
        }
        self.of.insert(start.run.clone(), id.clone());
        let last = facts.runs.get(&exchange.last);
        let again = last.is_none_or(|last| {
            let gone = matches!(last.state, RunState::Refused | RunState::Lost);
            gone || last.start_unknown
        });
        exchange.last = start.run.clone();
        if again {
            return;
        }
        exchange.followed += 1;
        let run = &start.run;
        // The first news, that there is no reply, is still to be told.
        if exchange.silent && exchange.followed > 1 {
            let seen = format!("run {run} goes on with the exchange of send {id}");
            return sink.fail(seen, "it is over: the last run had nothing to say");
        }
        let call = facts.calls.get(id);
        let in_time = call.is_some_and(|call| call.status() == Some("ok"));
        // Who began anew since, deleted and made again, may be nobody's child.
        let anew = call.is_some_and(|call| facts.began_since(exchange.to.as_str(), call.made.0));
        let own_child = !anew && facts.is_below(&exchange.from, &exchange.to);
        let passing = exchange.from.as_str().contains(":cron:");
        let turns = if own_child || passing {
            0
        } else {
            facts.config.exchange_turns(&facts.dials)
        };
        let most = turns + u32::from(!in_time);
        if exchange.followed > most {
            let turns = exchange.followed;
            sink.fail(
                format!("run {run} is turn {turns} of the exchange of send {id}"),
                format!("it ends after {most}"),
            );
        }
    }

    /// A token that says nothing is no text for anybody.
    fn on_unknown(&self, start: &StartRun, sink: &mut Sink) {
        let key = &start.session_key;
        let mut all = self.exchanges.values();
        let between = all.any(|one| one.silent && (one.from == *key || one.to == *key));
        let tokens = ["REPLY_SKIP", "ANNOUNCE_SKIP", "NO_REPLY"];
        if let Some(token) = tokens
            .iter()
            .find(|token| between && start.input.contains(**token))
        {
            sink.fail(
                format!("run {} is given the words {token}", start.run),
                "whoever says them has nothing to say, and the exchange is over",
            );
        }
    }

    fn on_ended(&mut self, ended: &RunEnded, entry: &Entry) {
        let call = self.of.get(&ended.run);
        if let Some(exchange) = call.and_then(|call| self.exchanges.get_mut(call))
            && exchange.last == ended.run
        {
            exchange.silent |= ended.outcome == Outcome::Ok && entry.own.is_empty();
        }
    }
}
