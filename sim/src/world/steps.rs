//! What happens in a story, step by step.

use std::sync::Arc;

use moorline_spec::id::{CallId, Marker, SessionKey};
use moorline_spec::scenario::{
    Action, AdminVerb, Crash, CrashPoint, Say, Scenario, SessionRef, StepNumber, Verb, When, Where,
};
use moorline_spec::stimulus::{
    Author, Call, Caller, Compacted, ConfigChanged, ConversationMoved, Inbound, InternalPath,
    InternalTurn, Outcome, Stimulus, ThreadChanged, ThreadState,
};
use moorline_spec::time::{Span, Time};
use moorline_spec::trace::World as Happening;
use moorline_spec::wire::Disk;
use serde_json::{Map, Value, json};

use super::clock::{Class, What};
use super::text::Said;
use super::{Afterwards, World};

/// When each step happens, in the order in which they do.
pub(super) fn times(scenario: &Scenario) -> Vec<(Time, usize)> {
    let mut now = Time::ZERO;
    let time = |(index, when): (usize, When)| {
        now = match when {
            When::At(at) => Time::ZERO + at,
            When::After(after) => now + after,
        };
        (now, index)
    };
    let whens = scenario.steps.iter().map(|step| step.when).enumerate();
    let mut times: Vec<_> = whens.map(time).collect();
    times.sort();
    times
}

impl<'s> World<'s> {
    /// The next step is taken.
    pub(super) fn take_step(&mut self) {
        let (at, index) = self.steps[self.next_step];
        self.now = self.now.max(at);
        self.next_step += 1;
        self.told_since_steps = 0;
        let scenario = self.scenario;
        self.perform(&scenario.steps[index].verb, &StepNumber::top(index));
        let next = scenario.steps.get(index + 1).map(|step| &step.verb);
        if let Some(Verb::Crash(crash)) = next
            && crash.point() == CrashPoint::Withheld
            && self.disk != Disk::None
            && !self.told.is_empty()
        {
            self.withhold = Some(crash);
        }
    }

    fn perform(&mut self, verb: &'s Verb, number: &StepNumber) {
        let name = || Marker::from(verb.name(number).unwrap_or_default());
        match verb {
            Verb::Says(say) => self.says(say, name()),
            Verb::Ends {
                run,
                outcome,
                text,
                length,
                agent,
                again,
            } => {
                let words = text.as_deref().unwrap_or(outcome.as_str());
                if *again {
                    return self.ends_again(run, *outcome, words);
                }
                self.ends(run, *outcome, words, *length, agent.as_deref());
            }
            Verb::Posts { run, text } => match self.going(run) {
                Some(run) => self.say_progress(run, text),
                None => self.note(format!("{run} does not run, and says nothing")),
            },
            Verb::Runs {
                key, text, with, ..
            } => self.runs(key, text, with, name()),
            Verb::Beats {
                session,
                path,
                text,
                ..
            } => {
                let words = text.as_deref().unwrap_or("anything to do?");
                self.beats(session, *path, words, name());
            }
            Verb::Admin {
                what,
                session,
                with,
                name,
            } => {
                let call = name.clone().unwrap_or_else(|| number.name('a'));
                self.admin(*what, session.as_ref(), with, CallId::from(call));
            }
            Verb::ThreadBecomes { state, place } => self.thread_becomes(*state, place),
            Verb::Moves { place, to } => self.moves(place, to),
            Verb::Crash(crash) => self.crash_step(crash),
            Verb::Restarts(down) => self.restart(*down),
            Verb::Compacts(session) => self.compacts(session),
            Verb::Configures(config) => self.configure(config),
            Verb::Note(text) => self.note(text.clone()),
            Verb::AtOnce(verbs) => {
                for (index, verb) in verbs.iter().enumerate() {
                    self.perform(verb, &number.part(index));
                }
            }
        }
    }

    fn compacts(&mut self, session: &SessionRef) {
        match self.session(session) {
            Some(session) => {
                let compacted = Stimulus::Compacted(Compacted { session });
                self.tell(compacted, Vec::new(), Vec::new());
            }
            None => self.note(format!("the session of {:?} is not known", session.0)),
        }
    }

    fn runs(&mut self, key: &SessionKey, text: &str, with: &Map<String, Value>, name: Marker) {
        let call = CallId::from(name.as_str());
        let said = Said::with_own(text, name);
        let mut params = json!({"sessionKey": key, "message": said.text});
        for (name, value) in with {
            params[name] = value.clone();
        }
        self.call_from_outside(call, Caller::Plugin, "runtime.subagent.run", params, said);
    }

    fn note(&mut self, text: String) {
        self.happens(Happening::Note { text: text.into() });
    }

    fn says(&mut self, say: &'s Say, name: Marker) {
        let found = match &say.place {
            Some(place) => self.places.find(place),
            None => self.places.home(say.person.as_str()),
        };
        let Some((at, kind)) = found else {
            self.note(format!("{} has nowhere to say {name}", say.person));
            return;
        };
        let fault = self.inbound_fault(name.as_str());
        if let Some(named) = self.names.get_mut(name.as_str()) {
            named.written_at = Some(at.clone());
        }
        let message = say.message.clone().unwrap_or_else(|| name.as_str().into());
        let said = Said::with_own(&say.text, name);
        let inbound = Inbound {
            message,
            at,
            kind,
            author: say.author.unwrap_or_default(),
            from: say.person.clone(),
            mentioned: say.mentioned.unwrap_or(true),
            authorised: say.authorised.unwrap_or(true),
            text: said.text,
        };
        let Some(fault) = fault else {
            self.arrives(inbound, said.own, said.markers);
            return;
        };
        let mut at = self.now + fault.delay.unwrap_or_default();
        // It comes before its repeats, also where they come at once.
        let first = self.clock.request();
        let conversation = self.places.conversation(&inbound.at).map(|found| *found);
        let pauses = conversation
            .map(|found| self.places.capabilities(found).redelivers_after.clone())
            .unwrap_or_default();
        let repeats = 0..fault.repeats as usize;
        for pause in repeats.map(|index| pauses.get(index).copied().unwrap_or(Span::mins(1))) {
            let again = What::Inbound {
                inbound: Box::new(inbound.clone()),
                own: Vec::new(),
                markers: said.markers.clone(),
            };
            self.clock.push(at + pause, Class::Step, again);
            at = at + pause;
        }
        match fault.delay {
            None => self.arrives(inbound, said.own, said.markers),
            Some(delay) => {
                let late = What::Inbound {
                    inbound: Box::new(inbound),
                    own: said.own,
                    markers: said.markers,
                };
                self.clock
                    .push_as(self.now + delay, Class::Step, first, true, late);
            }
        }
    }

    /// A message arrives; again, where no marker is born in it.
    pub(super) fn arrives(&mut self, inbound: Inbound, own: Vec<Marker>, markers: Vec<Marker>) {
        if let Some(conversation) = self.places.conversation(&inbound.at)
            && inbound.author == Author::Person
        {
            conversation.written = Some(self.now);
        }
        if self.places.touch(&inbound.at, self.now) {
            let (at, state) = (inbound.at.clone(), ThreadState::Live);
            self.happens(Happening::Thread { at, state });
        }
        self.tell(Stimulus::Inbound(inbound), own, markers);
    }

    fn ends(
        &mut self,
        name: &'s str,
        outcome: Outcome,
        words: &str,
        length: Option<usize>,
        script: Option<&'s [Action]>,
    ) {
        let Some(run) = self.going(name) else {
            self.note(format!("{name} does not run, and does not end"));
            return;
        };
        self.end_run(run, outcome, words, length);
        if let Some(script) = script {
            let own = self.marks.last().and_then(|(own, _)| own.first()).cloned();
            let own = own.or_else(|| self.backlog.back()?.own.first().cloned());
            let marker = own.filter(|own| self.names.maker(own) == Some(run));
            let marker = marker.unwrap_or_else(|| name.into());
            self.afterwards.push(Afterwards {
                marker,
                of: run,
                script,
            });
        }
    }

    /// A run that is over is said to end once more.
    fn ends_again(&mut self, name: &str, outcome: Outcome, words: &str) {
        match self.over(name) {
            Some(run) if self.down.is_none() => self.tell_end(run, outcome, words, None),
            Some(_) | None => self.note(format!("{name} is not over, and does not end again")),
        }
    }

    fn beats(&mut self, session: &SessionRef, path: InternalPath, words: &str, name: Marker) {
        let Some(session) = self.session(session) else {
            self.note(format!("the session of {:?} is not known", session.0));
            return;
        };
        let said = Said::with_own(words, name);
        let turn = InternalTurn {
            path,
            session,
            text: said.text,
        };
        self.tell(Stimulus::InternalTurn(turn), said.own, said.markers);
    }

    fn admin(
        &mut self,
        what: AdminVerb,
        session: Option<&SessionRef>,
        with: &Map<String, Value>,
        call: CallId,
    ) {
        let mut params = with.clone();
        if let Some(session) = session {
            let Some(key) = self.session(session) else {
                self.note(format!("the session of {:?} is not known", session.0));
                return;
            };
            params.insert("key".to_owned(), key.as_str().into());
        }
        let params = Value::Object(params);
        self.call_from_outside(call, Caller::Admin, what.method(), params, Said::default());
    }

    fn call_from_outside(
        &mut self,
        call: CallId,
        by: Caller,
        method: &str,
        params: Value,
        said: Said,
    ) {
        let call = Call {
            call,
            by,
            method: method.into(),
            params,
        };
        self.tell(Stimulus::Call(call), said.own, said.markers);
    }

    fn thread_becomes(&mut self, state: ThreadState, place: &Where) {
        let found = self.places.find(place).map(|(at, _)| at);
        let Some(at) = found.filter(|at| self.places.set_state(at, state, self.now)) else {
            self.note("there is no such thread".to_owned());
            return;
        };
        self.happens(Happening::Thread {
            at: at.clone(),
            state,
        });
        // A gateway that is down misses it.
        if self.down.is_none() {
            let changed = Stimulus::ThreadChanged(ThreadChanged { at, state });
            self.tell(changed, Vec::new(), Vec::new());
        }
    }

    /// A conversation goes by another id: under the old one nothing can be posted any more.
    fn moves(&mut self, place: &Where, to: &Where) {
        let find = |place| self.places.find(place).map(|(at, _)| at.without_thread());
        let (Some(from), Some(to)) = (find(place), find(to)) else {
            self.note("there is no such conversation".to_owned());
            return;
        };
        if from == to || !self.places.moves(&from) {
            self.note("there is no such conversation".to_owned());
            return;
        }
        // A gateway that is down misses it.
        if self.down.is_none() {
            let moved = Stimulus::ConversationMoved(ConversationMoved { from, to });
            self.tell(moved, Vec::new(), Vec::new());
        }
    }

    fn crash_step(&mut self, crash: &'s Crash) {
        match crash.point() {
            CrashPoint::Time if self.disk != Disk::None => self.crash(crash),
            // Those fall where they belong; without a disk there is no crash.
            CrashPoint::Time
            | CrashPoint::After(_)
            | CrashPoint::Before(..)
            | CrashPoint::Effects(_)
            | CrashPoint::Withheld => (),
        }
    }

    fn restart(&mut self, down: Span) {
        if self.disk == Disk::None || self.down.is_some() {
            return;
        }
        self.tell(Stimulus::Stop {}, Vec::new(), Vec::new());
        self.restarting = Some(down);
    }

    fn configure(&mut self, config: &Value) {
        self.config = Arc::new(config.clone());
        // A gateway that is down reads it when it comes back.
        if self.down.is_none() {
            let config = Arc::clone(&self.config);
            let changed = Stimulus::ConfigChanged(ConfigChanged { config });
            self.tell(changed, Vec::new(), Vec::new());
        }
    }
}
