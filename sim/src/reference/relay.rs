//! From the end of a run to whoever asked: every debt is settled by telling the requester, or by a
//! failure that can be seen.

use std::sync::Arc;

use moorline_spec::address::Address;
use moorline_spec::effect::{Effect, SteerRun, UnboundBecause};
use moorline_spec::id::{SessionKey, SteerId, Text};
use moorline_spec::stimulus::{Outcome, Steered, Steering};
use serde_json::json;

use super::decisions::{Asker, Audience, Busy, Handing, Mode, Next, Untold, WhenBusy};
use super::given_up::GivenUp;
use super::journal::Dirty;
use super::of_relays::{Told, Unplaced};
use super::state::{Debt, Owed, Progress, Purpose, Run, Standing, Steer, Turn};
use super::{Reference, keys};

impl Reference {
    /// The run that a debt waits for is over; the first end is the one that counts.
    pub(super) fn child_ended(&mut self, number: u64, outcome: Outcome, text: Text) {
        let Some(debt) = self.state.debts.get_mut(&number) else {
            return;
        };
        if debt.state != Standing::Running {
            return;
        }
        debt.outcome = outcome;
        debt.text = text;
        debt.state = Standing::Below;
        let waiting = debt.call.take();
        self.dirty(Dirty::Debt(number));
        if let Some((call, deadline, by)) = waiting {
            self.state
                .timers
                .remove(&(deadline, super::state::Timer::Reply(number)));
            if self.state.runs.get(&by).is_some_and(Run::is_live) {
                return self.reply_in_time(number, call);
            }
            // Whoever called is over, and hears of it like of a reply that came too late.
            self.answer_late(number, call);
        }
        self.hand_or_wait(number);
    }

    fn reply_in_time(&mut self, number: u64, call: moorline_spec::id::CallId) {
        let Some(debt) = self.state.debts.remove(&number) else {
            return;
        };
        let id = keys::run_id(number);
        let key = &debt.child;
        let result = match debt.outcome {
            Outcome::Ok if keys::is_silent(&debt.text) => {
                json!({"status": "ok", "runId": id, "sessionKey": key})
            }
            Outcome::Ok => {
                json!({"status": "ok", "runId": id, "sessionKey": key, "reply": debt.text})
            }
            Outcome::Error | Outcome::Timeout | Outcome::Killed | Outcome::Lost => {
                let error = format!("the run ended as {}: {}", debt.outcome.as_str(), debt.task);
                json!({"status": "error", "runId": id, "sessionKey": key, "error": error})
            }
        };
        self.answer(call, result);
    }

    /// The requester is to be told now.
    pub(super) fn hand(&mut self, number: u64) {
        let Some(debt) = self.state.debts.get(&number) else {
            return;
        };
        let relays = self.decisions.of_relays();
        let ok = debt.outcome == Outcome::Ok;
        let silent = ok && relays.is_silent(&debt.text);
        // Who said something as it yielded, and was woken by nothing, chose no silence.
        let tells = !silent
            || debt.nesting.spoke && self.decisions.of_nesting().tells_of_yielded()
            || self.is_awaited(debt)
            || self.decisions.tells_of_silence(self.dials.no_reply);
        let skips = ok && debt.what != Owed::Reply && relays.skips(&debt.text);
        let audience = relays.audience(debt.audience);
        let posts_too = relays.posts_too(debt.audience) && ok && !silent;
        let late = debt.what == Owed::Reply;
        let over = Self::ends_exchange(debt) || late && !self.decisions.keeps_late_replies();
        if audience == Audience::Nobody || !tells || skips || over {
            return self.settle(number);
        }
        if audience == Audience::Origin {
            return self.tell_origin(number, None);
        }
        if self.inherit(number) {
            return self.hand(number);
        }
        if self.waits_for_more(number) {
            return;
        }
        let Some(debt) = self.state.debts.get(&number) else {
            return;
        };
        let requester = debt.requester.clone();
        let incarnation = debt.incarnation;
        if posts_too {
            self.post_beside(number);
        }
        let next = match self.state.session(&requester) {
            Some(session) if session.incarnation == incarnation => Next::Turn,
            Some(_) => self.decisions.after_reset(self.dials.reset_requester),
            None => Next::Origin,
        };
        match next {
            Next::Turn => self.tell_requester(number),
            Next::Origin => {
                let why = "whoever asked was reset since";
                self.tell_origin(number, Some(why));
            }
            Next::Fail => self.fail_debt(number, "whoever asked is gone"),
            Next::Forget => self.settle(number),
        }
    }

    /// A child's own words go to the conversation, whoever speaks of them there beside it.
    fn post_beside(&mut self, number: u64) {
        let Some(debt) = self.state.debts.get(&number) else {
            return;
        };
        if let Some(to) = self.relay_target(debt) {
            let stem = Text::from(format!("{}.beside", keys::run_id(number)));
            let text = debt.text.clone();
            self.post(&to, text, stem, None, Purpose::Notice);
        }
    }

    /// The session that is told.
    fn told_session(&self, debt: &Debt) -> SessionKey {
        let requester = &debt.requester;
        let session = self.state.session(requester);
        let above = session.and_then(|session| session.child.as_ref());
        let active = || {
            let spoken = self.state.sessions.values();
            let spoken = spoken.filter(|session| session.route.is_some() && !session.ghost);
            let active = spoken.max_by_key(|session| (session.interacted_at, session.id));
            active.map(|session| session.key.clone())
        };
        self.decisions.of_relays().told(&Told {
            requester,
            above: above.map(|child| &child.parent),
            active: &active,
            busy: session.is_some_and(|session| session.current.is_some()),
        })
    }

    fn tell_requester(&mut self, number: u64) {
        let Some(debt) = self.state.debts.get(&number) else {
            return;
        };
        let requester = self.told_session(debt);
        let current = self
            .state
            .sessions
            .get(&requester)
            .and_then(|session| session.current);
        let current = current.and_then(|current| self.state.runs.get(&current));
        let origin = self.relay_target(debt);
        // What follows progress, or may be left to the conversation, has a turn of its own.
        let own_turn = debt.streams || debt.audience == Audience::Both;
        if let Some(run) = current.filter(|_| !own_turn) {
            let answers_to = self.answers_to(run);
            let busy = Busy {
                dial: self.dials.busy_requester,
                running: run.state == Progress::Running,
                answers_to: answers_to.as_ref(),
                origin: origin.as_ref(),
            };
            match self.decisions.when_busy(&busy) {
                WhenBusy::Steer => return self.steer(number, run.number),
                WhenBusy::Queue => (),
            }
        }
        self.tell_by_turn(number);
    }

    fn steer(&mut self, number: u64, run: u64) {
        let Some(debt) = self.state.debts.get_mut(&number) else {
            return;
        };
        debt.state = Standing::Steering(run);
        let input = words_of(debt);
        self.state.steers_made += 1;
        let steer = SteerId::from(self.name("x", self.state.steers_made));
        let waits = Steer {
            run,
            debt: number,
            ended: None,
        };
        self.state.steers.insert(steer.clone(), waits);
        let run = keys::run_id(run);
        self.out
            .push(Effect::SteerRun(SteerRun { steer, run, input }));
        self.dirty(Dirty::Debt(number));
    }

    /// A turn of the requester, behind what it is at.
    fn tell_by_turn(&mut self, number: u64) {
        self.tell_again(&[number]);
    }

    pub(super) fn relay_target(&self, debt: &Debt) -> Option<Address> {
        let session = self.state.sessions.get(&debt.requester);
        let last_route = session.and_then(|session| session.route.as_ref());
        let target = self.decisions.relay_target(&Asker {
            origin: debt.origin.as_ref().map(|origin| &origin.address),
            last_route,
        });
        target.or_else(|| {
            let mut routes = self.state.sessions.values();
            let anywhere = routes.find_map(|session| session.route.as_ref());
            self.decisions.of_relays().unplaced(&Unplaced {
                last_route,
                anywhere,
            })
        })
    }

    /// A debt came this far; whether that is enough is a decision.
    pub(super) fn handed(&mut self, number: u64, handing: Handing) {
        if self.decisions.is_told(handing) {
            self.settle(number);
        }
    }

    pub(super) fn on_steered(&mut self, steered: &Steered) {
        if let Some(joining) = self.state.joining.remove(&steered.steer) {
            return self.on_joined(&joining, steered.outcome);
        }
        if let Some(steer) = self.state.call_steers.remove(&steered.steer) {
            return self.on_call_steered(steer, steered.outcome);
        }
        let Some(steer) = self.state.steers.remove(&steered.steer) else {
            return;
        };
        match (steered.outcome, steer.ended) {
            (Steering::Taken, None) => {
                if let Some(debt) = self.state.debts.get_mut(&steer.debt) {
                    debt.state = Standing::Steered(steer.run);
                    self.dirty(Dirty::Debt(steer.debt));
                }
                if let Some(run) = self.state.runs.get_mut(&steer.run) {
                    run.steered.push(steer.debt);
                    self.dirty(Dirty::Run(steer.run));
                }
                self.handed(steer.debt, Handing::SteerTaken);
                if self.decisions.of_relays().tells_beside_steering() {
                    self.tell_by_turn(steer.debt);
                }
            }
            (Steering::Taken, Some(outcome)) => self.telling_ended(steer.debt, Some(outcome), ""),
            (Steering::Refused, _) => match self.decisions.after_refused_steer() {
                Next::Turn if self.has_requester(steer.debt) => self.tell_by_turn(steer.debt),
                Next::Turn | Next::Origin => self.tell_origin(steer.debt, None),
                Next::Fail => self.fail_debt(steer.debt, "the requester took no text"),
                Next::Forget => self.settle(steer.debt),
            },
        }
    }

    /// Whether the session that asked is there still.
    fn has_requester(&self, number: u64) -> bool {
        let debt = self.state.debts.get(&number);
        debt.is_some_and(|debt| self.state.session(&debt.requester).is_some())
    }

    /// What was steered into a run is told by its good end only.
    pub(super) fn steered_run_ended(&mut self, run: &Run, outcome: Outcome) {
        for steer in self.state.steers.values_mut() {
            if steer.run == run.number {
                steer.ended = Some(outcome);
            }
        }
        for &debt in &run.steered {
            self.telling_ended(debt, Some(outcome), "");
        }
    }

    /// A run that was given a completion is over.
    pub(super) fn telling_ended(&mut self, number: u64, outcome: Option<Outcome>, text: &str) {
        if self.is_to_be_told_again(number, outcome, text) {
            self.tell_by_turn(number);
        }
    }

    /// What a turn was to tell and did not is told by another: what one session waited for together
    /// stays together.
    pub(super) fn tell_again(&mut self, debts: &[u64]) {
        let first = debts.first().and_then(|debt| self.state.debts.get(debt));
        if let Some(key) = first.map(|debt| self.told_session(debt)) {
            self.tell_in_one_turn(&key, debts);
        }
    }

    /// A run that was given a completion is over. Whether another turn is to tell of that; else it is
    /// told, or told otherwise, by now.
    pub(super) fn is_to_be_told_again(
        &mut self,
        number: u64,
        outcome: Option<Outcome>,
        text: &str,
    ) -> bool {
        let Some(debt) = self.state.debts.get(&number) else {
            return false;
        };
        if outcome.is_some_and(|outcome| self.decisions.is_told(Handing::Ended(outcome))) {
            let debt = debt.clone();
            if debt.audience == Audience::Both && keys::is_silent(text) {
                self.tell_origin(number, None);
            } else {
                self.settle(number);
                self.exchange(&debt, text);
            }
            return false;
        }
        let next = self.decisions.after_untold(&Untold {
            dial: self.dials.completion_to,
            outcome,
            turns: debt.turns,
        });
        match next {
            Next::Turn if self.state.session(&debt.requester).is_some() => return true,
            Next::Turn | Next::Origin => self.tell_origin(number, None),
            Next::Fail => self.fail_debt(number, "the turn that was to tell it failed"),
            Next::Forget => self.settle(number),
        }
        false
    }

    /// The conversation that asked is told itself.
    pub(super) fn tell_origin(&mut self, number: u64, instead: Option<&str>) {
        let Some(debt) = self.state.debts.get(&number) else {
            return;
        };
        let Some(to) = self.relay_target(debt) else {
            return self.fail_debt(number, "nobody knows where it belongs");
        };
        let ok = debt.outcome == Outcome::Ok && !keys::is_silent(&debt.text);
        let knows = self.decisions.of_relays().knows_what_was_said();
        let spoke = debt.said.as_ref().filter(|_| ok);
        let said = spoke.filter(|said| knows && said.to == to);
        let elsewhere = spoke.filter(|said| said.to != to);
        if let Some(said) = said
            && debt.text.len() == said.length
        {
            return self.told_by_post(number, said.post);
        }
        let reset = self.state.session(&debt.requester).is_some() && instead.is_some();
        let text = match (instead.filter(|_| reset), elsewhere) {
            (Some(why), _) => Text::from(format!(
                "⚠️ run {} ended, and {why}: {}",
                keys::run_id(number),
                debt.task
            )),
            // What a bound child says stands in its own place, and in no other.
            (None, Some(said)) => Text::from(format!(
                "⚙️ run {} ended, and says so in {}: {}",
                keys::run_id(number),
                said.to,
                debt.task
            )),
            (None, None) if ok => Text::from(&debt.text[said.map_or(0, |said| said.length)..]),
            (None, None) => Text::from(format!("⚠️ {}", words_of(debt))),
        };
        let stem = Text::from(format!("{}.told", keys::run_id(number)));
        let post = self.post(&to, text, stem, Some(number), Purpose::Completion(number));
        if let Some(debt) = self.state.debts.get_mut(&number) {
            debt.state = Standing::Post(post);
            self.dirty(Dirty::Debt(number));
        }
    }

    /// The run's own words stand where the completion belongs, or are on their way there: people are
    /// told once.
    fn told_by_post(&mut self, number: u64, post: u64) {
        if !self.state.posts.contains_key(&post) {
            return self.settle(number);
        }
        if let Some(debt) = self.state.debts.get_mut(&number) {
            debt.state = Standing::Post(post);
            self.dirty(Dirty::Debt(number));
        }
    }

    pub(super) fn fail_debt(&mut self, number: u64, why: &str) {
        let address = self
            .state
            .debts
            .get(&number)
            .and_then(|debt| debt.origin.as_ref());
        let address = address.map(|origin| origin.address.clone());
        self.report_failure(number, address, why);
        let debt = self.state.debts.get(&number).cloned();
        self.keep_given_up(GivenUp {
            run: number,
            session: None,
            debt,
            post: None,
        });
        self.settle(number);
    }

    /// Nobody waits for it any more.
    pub(super) fn settle(&mut self, number: u64) {
        let Some(debt) = self.state.debts.remove(&number) else {
            return;
        };
        self.dirty(Dirty::Debt(number));
        if debt.what == Owed::Child(Mode::Run) {
            self.unbind_run(number, &debt.child, UnboundBecause::RunEnded);
        }
        if debt.deletes {
            self.unbind_session(&debt.child, UnboundBecause::Deleted);
            self.delete_session(&debt.child);
        }
        let above = self.state.debts.values().find(|above| {
            let ended = !self.state.runs.contains_key(&above.run);
            above.child == debt.requester && above.state == Standing::Below && ended
        });
        if let Some(above) = above.map(|above| above.run)
            && !self.is_open_below(&debt.requester)
        {
            self.hand(above);
        }
        self.wake_if_done(&debt.requester);
    }

    /// A refused start is asked for again under another name.
    pub(super) fn rename_debts(&mut self, old: u64, new: u64) {
        if let Some(debt) = self.state.debts.remove(&old) {
            let mut debt = Arc::unwrap_or_clone(debt);
            self.dirty(Dirty::Debt(old));
            if let Some((_, deadline, _)) = &debt.call {
                let timer = super::state::Timer::Reply;
                self.state.timers.remove(&(*deadline, timer(old)));
                self.state.timers.insert((*deadline, timer(new)));
            }
            debt.run = new;
            if let Some(session) = self.state.sessions.get_mut(&debt.requester)
                && session.awaits.contains(&old)
            {
                session.awaits.retain(|&other| other != old);
                session.awaits.push(new);
                self.journal.note(Dirty::Session(debt.requester.clone()));
            }
            self.state.debts.insert(new, debt);
            self.dirty(Dirty::Debt(new));
        }
        let Some(Turn::Telling(debts)) = self.state.runs.get(&new).map(|run| run.turn.clone())
        else {
            return;
        };
        for number in debts {
            if let Some(debt) = self.state.debts.get_mut(&number) {
                debt.state = Standing::Turn(new);
                self.dirty(Dirty::Debt(number));
            }
        }
    }
}

/// What the requester is given.
pub(super) fn words_of(debt: &Debt) -> Text {
    let Debt {
        outcome,
        task,
        text,
        ..
    } = debt;
    let run = keys::run_id(debt.run);
    let silent = keys::is_silent(text);
    Text::from(match (debt.what, outcome) {
        (Owed::Child(_), Outcome::Ok) if !debt.nesting.in_vain.is_empty() => {
            let below = debt.nesting.in_vain.iter();
            let below: Vec<String> = below
                .map(|&run| format!("run {}", keys::run_id(run)))
                .collect();
            let below = below.join(" and ");
            match silent {
                true => format!("run {run} still waits for {below}: {task}"),
                false => format!("run {run} still waits for {below} ({task}): {text}"),
            }
        }
        (Owed::Child(_), Outcome::Ok) if silent => {
            format!("run {run} ended without output: {task}")
        }
        (Owed::Child(_), Outcome::Ok) if debt.nesting.paused => {
            format!("run {run} ended ({task}): {text}")
        }
        (Owed::Child(_), Outcome::Ok) => format!("run {run} ended: {text}"),
        (Owed::Reply, Outcome::Ok) if silent => format!("{} did not reply to: {task}", debt.child),
        (Owed::Reply, Outcome::Ok) => format!("{} replied: {text}", debt.child),
        (
            Owed::Child(_) | Owed::Reply,
            Outcome::Error | Outcome::Timeout | Outcome::Killed | Outcome::Lost,
        ) => format!("run {run} failed ({}): {task}", outcome.as_str()),
    })
}
