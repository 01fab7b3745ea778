//! Traces written by hand, for the tests of checkers.

use serde_json::{Value, json};

use super::named;
use crate::address::{Address, Place};
use crate::channel::{Capabilities, Channel, Placement, Threading, Threads};
use crate::effect::{
    Answer, CancelRun, Deliver, Drop, Effect, Memory, OpenThread, Persist, RefuseConfig, Report,
    StartRun,
};
use crate::facts::Facts;
use crate::id::Marker;
use crate::marker::markers_in;
use crate::profile::{Dials, Profile};
use crate::rule::{Found, Kind, Sink};
use crate::stimulus::{
    Author, Call, Caller, ConfigChanged, Inbound, InternalPath, InternalTurn, Open, Opened,
    Outcome, RunEnded, RunStarted, Start, Stimulus, ThreadOpened,
};
use crate::time::{Span, Time};
use crate::trace::{Entry, Rest, Trace, What, World};
use crate::verdict::Verdict;

/// A trace that is being written. Each thing happens a millisecond after the one before.
pub(super) struct Tale {
    trace: Trace,
    now: Time,
    profile: Profile,
}

/// The address of a direct conversation on a channel.
pub(super) fn direct(channel: &str, person: &str) -> Address {
    Address {
        channel: channel.into(),
        account: "default".into(),
        conversation: person.into(),
        thread: None,
    }
}

fn marker(name: &str) -> String {
    Marker::from(name).in_text().to_string()
}

fn channel(id: &str, placement: Placement, policy: (bool, bool)) -> Channel {
    Channel {
        id: id.into(),
        accounts: vec!["default".into()],
        capabilities: Capabilities {
            threads: Threads {
                placement,
                in_direct: true,
            },
            ..Capabilities::default()
        },
        threading: Threading {
            requires_thread_for_subagents: policy.0,
            auto_inject_thread_params: policy.1,
        },
    }
}

impl Tale {
    /// A tale at nine in the morning, under a configuration of sessions. Channel `chat` has no
    /// threads; `forum` has, and its plugin requires and injects them; `board` has, without a
    /// policy.
    pub(super) fn new(session: Value) -> Self {
        let mut tale = Self {
            trace: Trace::default(),
            now: Time::ZERO,
            profile: Profile::target(),
        };
        let channels = [
            channel("chat", Placement::None, (false, false)),
            channel("forum", Placement::Child, (true, true)),
            channel("board", Placement::Child, (false, false)),
        ];
        tale.told(Stimulus::Open(Box::new(Open {
            starts_at: "2026-03-02T09:00:00Z".into(),
            timezone: "UTC".into(),
            config: json!({ "session": session }).into(),
            channels: channels.into(),
            agents: ["main".into()].into(),
            restored: false,
            disk: Vec::new(),
            alive: Vec::new(),
            state_dir: None,
        })));
        tale
    }

    /// The configuration is edited.
    pub(super) fn configures(&mut self, config: Value) -> &mut Self {
        let config = config.into();
        self.told(Stimulus::ConfigChanged(ConfigChanged { config }))
    }

    /// A part of the configuration is refused.
    pub(super) fn refuses_config(&mut self, path: &str) -> &mut Self {
        let (path, why) = (path.into(), "wrong".into());
        self.asks(Effect::RefuseConfig(RefuseConfig { path, why }), "")
    }

    /// Somebody writes, otherwise than a person in a direct conversation does.
    pub(super) fn hears(&mut self, name: &str, change: impl FnOnce(&mut Inbound)) -> &mut Self {
        let text = format!("hello {}", marker(name));
        let mut inbound = Inbound {
            message: name.into(),
            at: direct("chat", "alice"),
            kind: Place::Direct,
            author: Author::Person,
            from: "alice".into(),
            mentioned: true,
            authorised: true,
            text: text.as_str().into(),
        };
        change(&mut inbound);
        let text = inbound.text.as_str().to_owned();
        self.push(What::Stimulus(Stimulus::Inbound(inbound)), &[name], &text)
    }

    /// A message is dropped aloud.
    pub(super) fn drops(&mut self, message: &str) -> &mut Self {
        let (message, why) = (message.into(), "not for me".into());
        self.asks(Effect::Drop(Drop { message, why }), "")
    }

    /// A run is asked for, with these overrides.
    pub(super) fn start_with(
        &mut self,
        run: &str,
        key: &str,
        input: &str,
        overrides: Value,
    ) -> &mut Self {
        self.start(run, key, Memory::Fresh, &[input]);
        if let Some(Entry {
            what: What::Effect(Effect::StartRun(start)),
            ..
        }) = self.trace.entries.last_mut()
        {
            start.overrides = overrides;
        }
        self
    }

    /// A dial stands otherwise.
    pub(super) fn dial(&mut self, set: impl FnOnce(&mut Dials)) -> &mut Self {
        set(&mut self.profile.dials);
        self
    }

    /// Time passes.
    pub(super) fn after(&mut self, span: Span) -> &mut Self {
        self.now = self.now + span;
        self
    }

    fn push(&mut self, what: What, own: &[&str], text: &str) -> &mut Self {
        self.now = self.now + Span::ms(1);
        self.trace.entries.push(Entry {
            at: self.now,
            what,
            own: own.iter().map(|&name| name.into()).collect(),
            markers: markers_in(text),
        });
        self
    }

    fn told(&mut self, stimulus: Stimulus) -> &mut Self {
        self.push(What::Stimulus(stimulus), &[], "")
    }

    fn asks(&mut self, effect: Effect, text: &str) -> &mut Self {
        self.push(What::Effect(effect), &[], text)
    }

    /// A person writes in their direct conversation.
    pub(super) fn says(&mut self, channel: &str, person: &str, name: &str) -> &mut Self {
        self.writes(&direct(channel, person), person, name, "hello")
    }

    /// A person writes a text.
    pub(super) fn writes(
        &mut self,
        at: &Address,
        person: &str,
        name: &str,
        text: &str,
    ) -> &mut Self {
        let text = format!("{text} {}", marker(name));
        let kind = if at.thread.is_some() {
            Place::Thread
        } else {
            Place::Direct
        };
        let inbound = Inbound {
            message: name.into(),
            at: at.clone(),
            kind,
            author: Author::Person,
            from: person.into(),
            mentioned: true,
            authorised: true,
            text: text.as_str().into(),
        };
        self.push(What::Stimulus(Stimulus::Inbound(inbound)), &[name], &text)
    }

    /// A turn of the clockwork is asked for.
    pub(super) fn beats(&mut self, key: &str, name: &str) -> &mut Self {
        let text = marker(name);
        let turn = InternalTurn {
            path: InternalPath::Heartbeat,
            session: key.into(),
            text: text.as_str().into(),
        };
        self.push(What::Stimulus(Stimulus::InternalTurn(turn)), &[name], &text)
    }

    /// A run is asked for.
    pub(super) fn start(
        &mut self,
        run: &str,
        key: &str,
        memory: Memory,
        input: &[&str],
    ) -> &mut Self {
        self.start_resuming(run, key, memory, input, None)
    }

    /// A run is asked for in place of another.
    pub(super) fn start_resuming(
        &mut self,
        run: &str,
        key: &str,
        memory: Memory,
        input: &[&str],
        resumes: Option<&str>,
    ) -> &mut Self {
        let text: String = input.iter().map(|name| marker(name)).collect();
        let start = StartRun {
            run: run.into(),
            session_key: key.into(),
            session_id: key.into(),
            memory,
            agent: "main".into(),
            input: text.as_str().into(),
            overrides: Value::Null,
            resumes: resumes.map(Into::into),
        };
        self.asks(Effect::StartRun(start), &text)
    }

    /// A run's start is answered.
    pub(super) fn started(&mut self, run: &str, outcome: Start) -> &mut Self {
        self.told(Stimulus::RunStarted(RunStarted {
            run: run.into(),
            outcome,
        }))
    }

    /// A run ends well, with last words of its own.
    pub(super) fn ends(&mut self, run: &str, own: &str) -> &mut Self {
        let text = marker(own);
        let ended = RunEnded {
            run: run.into(),
            outcome: Outcome::Ok,
            text: text.as_str().into(),
        };
        self.push(What::Stimulus(Stimulus::RunEnded(ended)), &[own], &text)
    }

    /// A run answers one message: it is asked for, starts and ends, a second later.
    pub(super) fn turn(&mut self, run: &str, key: &str, memory: Memory, input: &str) -> &mut Self {
        self.start(run, key, memory, &[input])
            .started(run, Start::Started)
            .after(Span::secs(1))
            .ends(run, &format!("{run}.1"))
    }

    /// A run calls a method; `text` is the parameter that carries its marker.
    pub(super) fn call(&mut self, call: &str, by: &str, method: &str, params: Value) -> &mut Self {
        let text = marker(call);
        let mut params = params;
        let carries = match method {
            "sessions_spawn" => "task",
            _ => "message",
        };
        params[carries] = text.as_str().into();
        let by = match by {
            "" => Caller::Plugin,
            run => Caller::Run(run.into()),
        };
        let made = Call {
            call: call.into(),
            by,
            method: method.into(),
            params,
        };
        self.push(What::Stimulus(Stimulus::Call(made)), &[call], &text)
    }

    /// The administrator calls a method.
    pub(super) fn admin(&mut self, call: &str, method: &str, key: &str) -> &mut Self {
        self.told(Stimulus::Call(Call {
            call: call.into(),
            by: Caller::Admin,
            method: method.into(),
            params: json!({ "key": key }),
        }))
    }

    /// A call is answered.
    pub(super) fn answer(&mut self, call: &str, result: Value) -> &mut Self {
        let text = result.to_string();
        let answer = Answer {
            call: call.into(),
            result,
        };
        self.asks(Effect::Answer(answer), &text)
    }

    /// A spawn is accepted.
    pub(super) fn accepts(&mut self, call: &str, key: &str, mode: &str) -> &mut Self {
        self.answer(
            call,
            json!({"status": "accepted", "childSessionKey": key, "mode": mode}),
        )
    }

    /// A thread is asked for.
    pub(super) fn asks_thread(&mut self, request: &str, parent: &Address, key: &str) -> &mut Self {
        let open = OpenThread {
            request: request.into(),
            parent: parent.clone(),
            name: "work".into(),
            session_key: key.into(),
        };
        self.asks(Effect::OpenThread(open), "")
    }

    /// A request for a thread is answered.
    pub(super) fn opened(&mut self, request: &str, outcome: Opened) -> &mut Self {
        self.told(Stimulus::ThreadOpened(ThreadOpened {
            request: request.into(),
            outcome,
        }))
    }

    /// A text is meant for an address, and posted there.
    pub(super) fn delivers(&mut self, id: &str, to: &Address, markers: &[&str]) -> &mut Self {
        let text: String = markers.iter().map(|name| marker(name)).collect();
        let deliver = Deliver {
            delivery: id.into(),
            to: to.clone(),
            text: text.as_str().into(),
            key: None,
            repeat: false,
        };
        self.asks(Effect::Deliver(deliver), &text);
        let posted = World::Posted {
            delivery: id.into(),
            at: to.clone(),
            message: id.into(),
            text: text.as_str().into(),
            repeat: false,
        };
        self.push(What::World(posted), &[], &text)
    }

    /// The gateway says of itself that a run's words came to nothing there.
    pub(super) fn fails(&mut self, run: &str, at: &Address) -> &mut Self {
        let failed = Report::Failed {
            run: run.into(),
            address: Some(at.clone()),
            why: "nobody knows".into(),
        };
        self.asks(Effect::Report(failed), "")
    }

    /// A record is written down.
    pub(super) fn persists(&mut self) -> &mut Self {
        let record = "record".into();
        self.asks(Effect::Persist(Persist { record }), "")
    }

    /// The gateway dies, and these runs with it; another life begins.
    pub(super) fn crash(&mut self, lost: &[&str]) -> &mut Self {
        let lost = lost.iter().map(|&run| run.into()).collect();
        let kept = Vec::new();
        self.push(What::World(World::Crashed { lost, kept }), &[], "");
        let open = self.trace.entries[0].what.clone();
        self.push(open, &[], "")
    }

    /// A run shall stop.
    pub(super) fn cancels(&mut self, run: &str) -> &mut Self {
        let cancel = CancelRun { run: run.into() };
        self.push(What::Effect(Effect::CancelRun(cancel)), &[], "")
    }

    /// The gateway dies in the instant of what was told last.
    pub(super) fn crash_at_once(&mut self, lost: &[&str]) -> &mut Self {
        self.now = self.now - Span::ms(1);
        self.crash(lost)
    }

    /// The play comes to rest.
    pub(super) fn rests(&mut self) -> &mut Self {
        self.push(What::World(World::Rest(Rest::Settled)), &[], "")
    }

    /// What was written so far.
    pub(super) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The verdict of a rule on it.
    pub(super) fn verdict(&self, rule: &str) -> Verdict {
        let rule = named(rule).expect("the rule is in the registry");
        let mut checker = rule.checker.expect("it has a checker")();
        let (mut facts, mut sink) = (Facts::new(&self.profile), Sink::default());
        let mut found = Found::default();
        for (index, entry) in self.trace.entries.iter().enumerate() {
            facts.see(index, entry);
            if rule.sees.contains(&Kind::of(&entry.what)) {
                sink.at(index, entry.at);
                checker.see(entry, &facts, &mut sink);
                found.take(&mut sink);
            }
        }
        checker.finish(&facts, &mut sink);
        found.take(&mut sink);
        found.verdict(false)
    }

    /// The rule was kept, and put to the test.
    #[track_caller]
    pub(super) fn keeps(&self, rule: &str) {
        let verdict = self.verdict(rule);
        assert!(matches!(verdict, Verdict::Pass { .. }), "{verdict:?}");
    }

    /// The rule was broken, in these words.
    #[track_caller]
    pub(super) fn breaks(&self, rule: &str, seen: &str) {
        match self.verdict(rule) {
            Verdict::Fail(breach) => assert_eq!(breach.seen, seen),
            verdict => panic!("{verdict:?}"),
        }
    }

    /// The rule was not put to the test.
    #[track_caller]
    pub(super) fn says_nothing(&self, rule: &str) {
        let verdict = self.verdict(rule);
        assert!(
            matches!(verdict, Verdict::Inconclusive { .. }),
            "{verdict:?}"
        );
    }
}
