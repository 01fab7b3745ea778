//! Traces by hand, for tests of checkers: each call adds one or a few entries.

use serde_json::{Value, json};

use crate::address::Address;
use crate::id::Marker;
use crate::judge::Judge;
use crate::profile::Profile;
use crate::time::Time;
use crate::trace::{Entry, Trace};
use crate::verdict::Verdict;

/// A trace being written. Places are written as addresses read aloud: `telegram/alice`,
/// `discord/general#t1`, `telegram:work/alice`. Markers are given as one text with spaces.
pub(crate) struct Story {
    profile: Profile,
    now: u64,
    trace: Trace,
    open: Value,
    posted: u32,
}

/// The address that reads so.
pub(crate) fn address(text: &str) -> Address {
    let (channel, rest) = text.split_once('/').expect("channel/conversation");
    let (channel, account) = channel.split_once(':').unwrap_or((channel, "default"));
    let (conversation, thread) = match rest.split_once('#') {
        Some((conversation, thread)) => (conversation, Some(thread.into())),
        None => (rest, None),
    };
    Address {
        channel: channel.into(),
        account: account.into(),
        conversation: conversation.into(),
        thread,
    }
}

impl Story {
    /// Opened under `target`, without configuration.
    pub(crate) fn new() -> Self {
        Self::with(json!({}), json!({}))
    }

    /// Opened under `target` with some dials set otherwise, and with a configuration. There are
    /// telegram (places are bound where they are, keys are recognised for a minute), discord (binds
    /// in threads of their own) and webchat (cannot bind; 40 characters at most).
    pub(crate) fn with(dials: Value, config: Value) -> Self {
        let dials = serde_json::from_value(dials).expect("dials by name");
        let channels = json!([
            {"id": "telegram", "accounts": ["default", "work"], "capabilities":
                {"threads": {"placement": "current", "in_direct": true}, "idempotency_window": "1m"}},
            {"id": "discord", "accounts": ["default"], "capabilities": {"threads": {"placement": "child"}}},
            {"id": "webchat", "accounts": ["default"], "capabilities": {"threads": {"placement": "none"},
                "text_limit": {"max": 40, "unit": "characters"}}},
        ]);
        let open = json!({"starts_at": "2026-03-02T09:00:00Z", "timezone": "UTC", "config": config,
            "channels": channels, "agents": ["main"]});
        let mut story = Self {
            profile: Profile::target().with(&dials).expect("dials that exist"),
            now: 0,
            trace: Trace::default(),
            open: open.clone(),
            posted: 0,
        };
        story.told(json!({"open": open}));
        story
    }

    /// What follows happens at that many milliseconds.
    pub(crate) fn at(&mut self, ms: u64) -> &mut Self {
        assert!(self.now <= ms, "time goes on");
        self.now = ms;
        self
    }

    /// What follows happens at that many seconds.
    pub(crate) fn at_secs(&mut self, secs: u64) -> &mut Self {
        self.at(secs * 1_000)
    }

    /// An entry in its JSON form, without its time; markers born there, and all of its markers.
    pub(crate) fn push(&mut self, what: Value, own: &str, markers: &str) -> &mut Self {
        let names = |text: &str| text.split_whitespace().map(Marker::from).collect();
        let mut entry: Value = what;
        entry["at"] = json!(Time(self.now));
        let entry: Entry = serde_json::from_value(entry).expect("an entry");
        let (own, markers): (Vec<Marker>, Vec<Marker>) = (names(own), names(markers));
        self.trace.entries.push(Entry {
            own,
            markers,
            ..entry
        });
        self
    }

    /// A stimulus without markers.
    pub(crate) fn told(&mut self, stimulus: Value) -> &mut Self {
        self.push(json!({ "stimulus": stimulus }), "", "")
    }

    /// An effect without markers.
    pub(crate) fn asks(&mut self, effect: Value) -> &mut Self {
        self.push(json!({ "effect": effect }), "", "")
    }

    /// Something in the world, without markers.
    pub(crate) fn world(&mut self, world: Value) -> &mut Self {
        self.push(json!({ "world": world }), "", "")
    }

    /// Somebody authorised says something, named by its marker. In discord it is said in a group.
    pub(crate) fn says(&mut self, name: &str, at: &str) -> &mut Self {
        self.says_text(name, at, "words")
    }

    /// The same with a text of its own, such as a command.
    pub(crate) fn says_text(&mut self, name: &str, at: &str, text: &str) -> &mut Self {
        let place = address(at);
        let kind = match (&place.thread, place.channel.as_str()) {
            (Some(_), _) => "thread",
            (None, "discord") => "group",
            (None, _) => "direct",
        };
        let from = place.conversation.clone();
        let inbound = json!({"inbound": {"message": name, "at": place, "kind": kind, "author": "person",
            "from": from, "text": format!("{text} ⟦{name}⟧")}});
        self.push(json!({ "stimulus": inbound }), name, name)
    }

    /// A run is started that continues its session, and does start.
    pub(crate) fn starts(&mut self, run: &str, key: &str, markers: &str) -> &mut Self {
        self.starts_with(run, key, "continue", markers, Value::Null)
    }

    /// A run is started with that memory, perhaps in the place of another, and does start.
    pub(crate) fn starts_with(
        &mut self,
        run: &str,
        key: &str,
        memory: &str,
        markers: &str,
        resumes: Value,
    ) -> &mut Self {
        let start = json!({"start_run": {"run": run, "session_key": key, "session_id": "s", "memory": memory,
            "agent": "main", "input": markers, "resumes": resumes}});
        self.push(json!({ "effect": start }), "", markers);
        self.told(json!({"run_started": {"run": run, "outcome": "started"}}))
    }

    /// A run ends. What is born in its last words, and what they repeat.
    pub(crate) fn ends(&mut self, run: &str, outcome: &str, own: &str, repeats: &str) -> &mut Self {
        let ended = json!({"run_ended": {"run": run, "outcome": outcome, "text": own}});
        self.push(
            json!({ "stimulus": ended }),
            own,
            &format!("{repeats} {own}"),
        )
    }

    /// A run calls `sessions_spawn`; the task's marker is the call's name.
    pub(crate) fn spawns(&mut self, call: &str, run: &str, params: Value) -> &mut Self {
        self.calls(call, json!({ "run": run }), "sessions_spawn", params)
    }

    /// A method is called; the marker of its text is the call's name.
    pub(crate) fn calls(
        &mut self,
        call: &str,
        by: Value,
        method: &str,
        params: Value,
    ) -> &mut Self {
        let stimulus =
            json!({"call": {"call": call, "by": by, "method": method, "params": params}});
        self.push(json!({ "stimulus": stimulus }), call, call)
    }

    /// A call is answered.
    pub(crate) fn answers(&mut self, call: &str, result: Value) -> &mut Self {
        self.asks(json!({"answer": {"call": call, "result": result}}))
    }

    /// A run spawns a child without a thread, which starts and is accepted.
    pub(crate) fn has_child(
        &mut self,
        call: &str,
        parent: &str,
        child: &str,
        key: &str,
    ) -> &mut Self {
        self.spawns(call, parent, json!({"task": call}));
        self.starts_with(child, key, "fresh", call, Value::Null);
        self.answers(
            call,
            json!({"status": "accepted", "runId": child, "childSessionKey": key}),
        )
    }

    /// A run in `discord/general` spawns a child in session mode; its thread is opened and bound.
    pub(crate) fn has_bound_child(
        &mut self,
        call: &str,
        parent: &str,
        child: &str,
        key: &str,
        thread: &str,
    ) -> &mut Self {
        self.spawns(
            call,
            parent,
            json!({"task": call, "thread": true, "mode": "session"}),
        );
        let open = json!({"open_thread": {"request": call, "parent": address("discord/general"), "name": call, "session_key": key}});
        self.asks(open);
        self.told(json!({"thread_opened": {"request": call, "opened": {"at": address(thread)}}}));
        self.starts_with(child, key, "fresh", call, Value::Null);
        self.answers(
            call,
            json!({"status": "accepted", "runId": child, "childSessionKey": key}),
        )
    }

    /// A text shall be posted.
    pub(crate) fn delivers(&mut self, id: &str, to: &str, markers: &str) -> &mut Self {
        self.delivers_with(id, to, markers, json!({}))
    }

    /// A text shall be posted, with a key or marked as a repeat: `{"key": "k", "repeat": true}`, or
    /// with a `text`.
    pub(crate) fn delivers_with(
        &mut self,
        id: &str,
        to: &str,
        markers: &str,
        how: Value,
    ) -> &mut Self {
        let mut deliver = json!({"delivery": id, "to": address(to), "text": markers});
        for (name, value) in how.as_object().expect("an object") {
            deliver[name] = value.clone();
        }
        self.push(json!({"effect": {"deliver": deliver}}), "", markers)
    }

    /// It stands there now, and the gateway does not know it yet.
    pub(crate) fn posted(&mut self, id: &str, at: &str, markers: &str) -> &mut Self {
        self.posted += 1;
        let posted = json!({"posted": {"delivery": id, "at": address(at), "message": format!("x{}", self.posted),
            "text": markers}});
        self.push(json!({ "world": posted }), "", markers)
    }

    /// The channel says what came of a delivery: `{"accepted": {"message": "x"}}`,
    /// `{"refused": {"permanent": false}}`, `{"unknown": {}}`.
    pub(crate) fn receipt(&mut self, id: &str, outcome: Value) -> &mut Self {
        let mut receipt = json!({ "delivery": id });
        for (name, value) in outcome.as_object().expect("an object") {
            receipt[name] = value.clone();
        }
        self.told(json!({ "receipt": receipt }))
    }

    /// A text is asked to be posted, is posted and accepted.
    pub(crate) fn delivered(&mut self, id: &str, to: &str, markers: &str) -> &mut Self {
        self.delivers(id, to, markers);
        self.posted(id, to, markers);
        self.receipt(id, json!({"accepted": {"message": "x"}}))
    }

    /// A text shall be steered into a run.
    pub(crate) fn steers(&mut self, id: &str, run: &str, markers: &str) -> &mut Self {
        let steer = json!({"steer_run": {"steer": id, "run": run, "input": markers}});
        self.push(json!({ "effect": steer }), "", markers)
    }

    /// What came of it: `taken` or `refused`.
    pub(crate) fn steered(&mut self, id: &str, outcome: &str) -> &mut Self {
        self.told(json!({"steered": {"steer": id, "outcome": outcome}}))
    }

    /// The gateway dies with some runs, and opens again.
    pub(crate) fn crashes(&mut self, lost: &[&str], kept: &[&str]) -> &mut Self {
        self.world(json!({"crashed": {"lost": lost, "kept": kept}}));
        let mut open = self.open.clone();
        open["restored"] = json!(true);
        open["alive"] = json!(kept);
        self.told(json!({ "open": open }))
    }

    /// What a rule says of it.
    pub(crate) fn verdict(&self, rule: &str) -> Verdict {
        let verdicts = Judge::of(&self.profile, &self.trace);
        let found = verdicts.into_iter().find(|(judged, _)| judged.id == rule);
        found
            .unwrap_or_else(|| panic!("{rule} has no checker under {}", self.profile.name))
            .1
    }

    /// Who waits at its end, for what.
    pub(crate) fn owed(&self) -> Vec<String> {
        let judge = Judge::having_seen(&self.profile, &self.trace.entries);
        judge.debts().iter().map(ToString::to_string).collect()
    }

    /// A rule was put to the test, and kept.
    #[track_caller]
    pub(crate) fn keeps(&self, rule: &str) -> &Self {
        let verdict = self.verdict(rule);
        assert!(
            matches!(verdict, Verdict::Pass { .. }),
            "{rule}: {verdict:?}"
        );
        self
    }

    /// A rule was not put to the test.
    #[track_caller]
    pub(crate) fn does_not_test(&self, rule: &str) -> &Self {
        let verdict = self.verdict(rule);
        assert!(
            matches!(verdict, Verdict::Inconclusive { .. }),
            "{rule}: {verdict:?}"
        );
        self
    }

    /// A rule was broken, and what was seen has that part.
    #[track_caller]
    pub(crate) fn breaks(&self, rule: &str, part: &str) -> &Self {
        match self.verdict(rule) {
            Verdict::Fail(breach) => {
                assert!(breach.seen.contains(part), "{rule}: {}", breach.seen);
            }
            verdict @ (Verdict::Pass { .. }
            | Verdict::Inconclusive { .. }
            | Verdict::Inapplicable { .. }) => panic!("{rule}: {verdict:?}"),
        }
        self
    }
}
