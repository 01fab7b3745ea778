//! The checks of a spawn: their order, their boundaries, and that a refusal changes nothing.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at some of the effects"
)]

mod law;

use std::path::Path;

use moorline_spec::address::{Address, Place};
use moorline_spec::channel::{Capabilities, Channel, Placement, Threading, Threads};
use moorline_spec::effect::Effect;
use moorline_spec::gateway::Gateway;
use moorline_spec::id::{CallId, RunId};
use moorline_spec::profile::Profile;
use moorline_spec::stimulus::{
    Author, Call, Caller as By, Inbound, Open, Opened, RunStarted, Start, Stimulus, ThreadOpened,
};
use moorline_spec::time::{Span, Time};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::decisions::{Mode, Runtime};
use super::super::state::ChildOf;
use super::{Check, Reference};

/// A gateway in which alice's agent is at work, in a group of a channel.
struct Play {
    gateway: Reference,
    now: Time,
    calls: u32,
    threads: u32,
    by: RunId,
}

fn alice() -> Address {
    Address {
        channel: "chat".into(),
        account: "default".into(),
        conversation: "team".into(),
        thread: None,
    }
}

impl Play {
    fn with(placement: Placement, threading: Threading, config: Value) -> Self {
        let channel = Channel {
            id: "chat".into(),
            accounts: vec!["default".into()],
            capabilities: Capabilities {
                threads: Threads {
                    placement,
                    in_direct: false,
                },
                ..Capabilities::default()
            },
            threading,
        };
        let mut play = Self {
            gateway: Reference::new(&Profile::target()),
            now: Time::ZERO,
            calls: 0,
            threads: 0,
            by: RunId::default(),
        };
        play.tell(Stimulus::Open(Box::new(Open {
            starts_at: "2026-03-02T09:00:00Z".into(),
            timezone: "UTC".into(),
            config: config.into(),
            channels: [channel].into(),
            agents: ["main".into(), "coder".into()].into(),
            restored: false,
            disk: Vec::new(),
            alive: Vec::new(),
            state_dir: None,
        })));
        let effects = play.tell(Stimulus::Inbound(Inbound {
            message: "m1".into(),
            at: alice(),
            kind: Place::Group,
            author: Author::Person,
            from: "alice".into(),
            mentioned: true,
            authorised: true,
            text: "do it".into(),
        }));
        let start = effects.iter().find_map(|effect| match effect {
            Effect::StartRun(start) => Some(start.run.clone()),
            _ => None,
        });
        play.by = start.expect("a message starts a run");
        let run = play.by.clone();
        play.started(run);
        play
    }

    /// On a channel without threads.
    fn new(config: Value) -> Self {
        Self::with(Placement::None, Threading::default(), config)
    }

    fn tell(&mut self, stimulus: Stimulus) -> Vec<Effect> {
        self.now = self.now + Span::ms(1);
        let mut effects = Vec::new();
        let told = self.gateway.handle(self.now, &[stimulus], &mut effects);
        told.expect("the reference has no errors");
        effects
    }

    /// Time passes.
    fn sleep(&mut self) {
        self.now = self.now + Span::secs(5);
    }

    fn started(&mut self, run: RunId) -> Vec<Effect> {
        let outcome = Start::Started;
        self.tell(Stimulus::RunStarted(RunStarted { run, outcome }))
    }

    /// Alice's agent spawns; everything it asks for is granted at once.
    fn spawn(&mut self, params: Value) -> Spawned {
        let first = self.call(params);
        self.grant(first)
    }

    fn call(&mut self, mut params: Value) -> Vec<Effect> {
        if params["task"].is_null() {
            params["task"] = "work".into();
        }
        self.call_with(params)
    }

    fn call_with(&mut self, params: Value) -> Vec<Effect> {
        self.calls += 1;
        self.tell(Stimulus::Call(Call {
            call: CallId::from(format!("c{}", self.calls)),
            by: By::Run(self.by.clone()),
            method: "sessions_spawn".into(),
            params,
        }))
    }

    fn grant(&mut self, mut effects: Vec<Effect>) -> Spawned {
        let mut spawned = Spawned::default();
        while !effects.is_empty() {
            let mut next = Vec::new();
            for effect in effects {
                match effect {
                    Effect::OpenThread(open) => {
                        spawned.threaded = true;
                        self.threads += 1;
                        let thread = Some(format!("t{}", self.threads).into());
                        let at = Address { thread, ..alice() };
                        next.extend(self.tell(Stimulus::ThreadOpened(ThreadOpened {
                            request: open.request,
                            outcome: Opened::Opened { at },
                        })));
                    }
                    Effect::StartRun(start) => {
                        spawned.overrides = start.overrides;
                        next.extend(self.started(start.run));
                    }
                    Effect::Answer(answer) => spawned.answer = answer.result,
                    _ => (),
                }
            }
            effects = next;
        }
        spawned
    }
}

/// What came of a spawn.
#[derive(Debug, Default)]
struct Spawned {
    answer: Value,
    threaded: bool,
    overrides: Value,
}

impl Spawned {
    fn status(&self) -> &str {
        self.answer["status"].as_str().unwrap_or("none")
    }

    fn error(&self) -> &str {
        self.answer["error"].as_str().unwrap_or_default()
    }
}

/// A call that fails a check, by what is added to one that is in order.
fn fault(check: Check, play: &mut Play, caller: &mut super::Caller, params: &mut Value) {
    let config = &mut play.gateway.config;
    match check {
        Check::Caller => caller.key = None,
        Check::Names => params["replyTo"] = "".into(),
        Check::Task => params["task"] = " ".into(),
        Check::Values => params["thinking"] = 5.into(),
        Check::Runtime => params["context"] = "fork".into(),
        Check::Together => {
            params["expectsCompletionMessage"] = false.into();
            params["notifyParent"] = true.into();
        }
        Check::Acp => config.acp.enabled = Some(false),
        Check::Mode => {
            params["mode"] = "session".into();
            params["cleanup"] = "delete".into();
        }
        Check::Depth => {
            let key = caller.key.clone().unwrap_or_default();
            let key = play.gateway.state.sessions.keys().find(|own| **own == key);
            let key = key.cloned();
            let session = key.and_then(|key| play.gateway.state.sessions.get_mut(&key));
            if let Some(session) = session {
                session.child = Some(ChildOf {
                    number: 9,
                    parent: "agent:main:main".into(),
                    depth: 1,
                    mode: Mode::Run,
                    runtime: Runtime::Subagent,
                });
            }
        }
        Check::Children => config.agents.defaults.subagents.max_children_per_agent = Some(1),
        Check::Agent => params["agentId"] = "nobody".into(),
        Check::Thread => params["thread"] = true.into(),
        Check::Audience => {
            params["notifyUserOnComplete"] = true.into();
            caller.origin = None;
        }
        Check::Resume => params["resumeSessionId"] = "s-99".into(),
        Check::Label => params["label"] = "taken".into(),
    }
}

#[track_caller]
fn fails(checks: &[Check]) -> super::Refusal {
    let mut play = Play::new(json!({}));
    let first = play.spawn(json!({"label": "taken"}));
    assert_eq!(first.status(), "accepted");
    let by = moorline_spec::id::RunId::from(play.by.as_str());
    let mut caller = play.gateway.calling_run(&by).expect("it runs");
    let mut params = json!({"task": "work", "runtime": "acp"});
    // Who calls is changed last, for the others look at that.
    for &check in checks.iter().rev() {
        fault(check, &mut play, &mut caller, &mut params);
    }
    let admitted = play.gateway.check_spawn(&caller, &params);
    admitted.expect_err("it is refused")
}

#[test]
fn of_two_checks_that_fail_the_earlier_is_the_answer() {
    for (index, &first) in Check::ALL.iter().enumerate() {
        assert_eq!(fails(&[first]).check, first);
        for &second in &Check::ALL[index + 1..] {
            assert_eq!(fails(&[first, second]).check, first, "{second:?}");
        }
    }
}

/// The table in the text has a row for each check, in their order, with words that its refusal has.
#[test]
fn the_order_is_the_one_that_is_written_down() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/SPAWN.md");
    let text = std::fs::read_to_string(path).expect("spec/SPAWN.md is there");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells.len() > 5 && cells[1].parse::<u32>().is_ok())
        .collect();
    assert_eq!(rows.len(), Check::ALL.len());
    for (index, (&check, cells)) in Check::ALL.iter().zip(&rows).enumerate() {
        assert_eq!(cells[1], (index + 1).to_string());
        assert_eq!(cells[2], format!("{check:?}").to_lowercase());
        let refusal = fails(&[check]);
        assert_eq!(refusal.status, cells[4], "{check:?}");
        let words = cells[5].trim_matches('`');
        assert!(
            refusal.words.contains(words),
            "{check:?}: {}",
            refusal.words
        );
    }
}

const OPT_IN: &str =
    r#"{"channels": {"chat": {"threadBindings": {"spawnSubagentSessions": true}}}}"#;

fn opted_in() -> Value {
    serde_json::from_str(OPT_IN).expect("it is JSON")
}

/// Every row of {requires} x {injects} x {thread} x {mode} x {runtime}, through the whole gateway.
#[test]
fn each_row_of_the_policy_is_answered_as_the_table_says() {
    let bools = [false, true];
    for (requires, injects) in bools.into_iter().flat_map(|r| bools.map(|i| (r, i))) {
        for thread in [None, Some(false), Some(true)] {
            for mode in [None, Some("run"), Some("session")] {
                for runtime in [None, Some("subagent"), Some("acp")] {
                    let threading = Threading {
                        requires_thread_for_subagents: requires,
                        auto_inject_thread_params: injects,
                    };
                    let mut play = Play::with(Placement::Child, threading, opted_in());
                    let params = json!({"thread": thread, "mode": mode, "runtime": runtime});
                    let spawned = play.spawn(params.clone());
                    let ours = runtime != Some("acp");
                    let threaded = thread == Some(true) || (requires && ours);
                    let by_thread = if threaded { "session" } else { "run" };
                    let right = match mode {
                        _ if injects && ours => "session",
                        Some(mode) => mode,
                        None => by_thread,
                    };
                    let row = format!("{requires} {injects} {params}");
                    assert_eq!(spawned.status(), "accepted", "{row}");
                    assert_eq!(spawned.threaded, threaded, "{row}");
                    assert_eq!(spawned.answer["mode"], right, "{row}");
                }
            }
        }
    }
}

#[track_caller]
fn answers(params: Value, status: &str, words: &str) {
    let spawned = Play::new(json!({})).spawn(params.clone());
    assert_eq!(spawned.status(), status, "{params}: {}", spawned.error());
    assert!(
        spawned.error().contains(words),
        "{params}: {}",
        spawned.error()
    );
}

#[test]
fn values_at_their_boundaries() {
    for mode in [json!("SESSION"), json!(""), json!(1), json!("thread")] {
        answers(json!({"mode": mode, "thread": true}), "error", "`mode` is");
    }
    for thread in [json!("true"), json!(1)] {
        answers(
            json!({"mode": "session", "thread": thread}),
            "error",
            "`thread` is",
        );
    }
    answers(json!({"thread": false, "mode": "session"}), "accepted", "");
    for (length, status) in [(0, "accepted"), (512, "accepted"), (513, "error")] {
        answers(json!({"label": "é".repeat(length)}), status, "");
    }
    answers(json!({"label": " ".repeat(600)}), "accepted", "");
    for (seconds, status) in [(json!(0), "accepted"), (json!(86_401), "accepted")] {
        answers(json!({"runTimeoutSeconds": seconds}), status, "");
    }
    for seconds in [json!(0.9), json!(-1), json!("60")] {
        let words = "`runTimeoutSeconds` is a whole number";
        answers(json!({"runTimeoutSeconds": seconds}), "error", words);
    }
    for name in [
        "target",
        "transport",
        "channel",
        "to",
        "threadId",
        "thread_id",
        "replyTo",
        "reply_to",
    ] {
        let words = format!("sessions_spawn does not support \"{name}\"");
        answers(json!({name: ""}), "error", &words);
    }
    answers(
        json!({"timeoutSeconds": 5}),
        "error",
        "Use \"runTimeoutSeconds\"",
    );
    answers(json!({"cleanup": "delete"}), "accepted", "");
    answers(
        json!({"cleanup": "delete", "mode": "session"}),
        "error",
        "`cleanup` is \"keep\"",
    );
    answers(
        json!({"streamTo": "parent"}),
        "error",
        "streamTo is only supported for runtime=acp",
    );
    let fork = json!({"context": "fork", "agentId": "coder"});
    answers(fork, "forbidden", "agentId is not allowed");
}

#[test]
fn ids_of_agents_at_their_boundaries() {
    let long = "a".repeat(64);
    for (id, words) in [
        ("main", ""),
        ("MAIN", ""),
        ("main ", ""),
        ("a", "not allowed"),
        (long.as_str(), "not allowed"),
        ("coder", "allowed: main"),
    ] {
        let status = if words.is_empty() {
            "accepted"
        } else {
            "forbidden"
        };
        answers(json!({"agentId": id}), status, words);
    }
    let longer = "a".repeat(65);
    for id in [
        &longer,
        "-a",
        "_a",
        "x/../y",
        "Error: not found /x",
        "é",
        "",
    ] {
        answers(json!({"agentId": id}), "error", "Invalid agentId");
    }
}

#[track_caller]
fn names(config: Value, params: Value, words: &str) {
    let spawned = Play::new(config).spawn(params.clone());
    let error = spawned.error();
    assert!(error.contains(words), "{params}: {error}");
    assert_eq!(
        spawned.status() == "accepted",
        words.is_empty(),
        "{params}: {error}"
    );
}

#[test]
fn lists_of_agents_hold_for_whoever_is_named() {
    let allow = |list: Value| json!({"agents": {"defaults": {"subagents": {"allowAgents": list}}}});
    let (own, coder, none) = (
        json!({"agentId": "main"}),
        json!({"agentId": "coder"}),
        json!({}),
    );
    names(allow(json!(["coder"])), coder.clone(), "");
    names(allow(json!(["CODER"])), coder.clone(), "");
    names(allow(json!(["coder"])), own.clone(), "allowed: coder");
    names(allow(json!(["coder"])), none.clone(), "");
    names(allow(json!(["*"])), own.clone(), "");
    names(allow(json!([])), own, "allowed: none");
    let gone = json!({"agentId": "gone"});
    names(
        allow(json!(["gone"])),
        gone.clone(),
        "not in the configured agent registry",
    );
    names(
        allow(json!(["*"])),
        gone,
        "not in the configured agent registry",
    );
    let named =
        json!({"agents": {"list": [{"id": "main", "subagents": {"requireAgentId": true}}]}});
    names(named.clone(), none.clone(), "requires explicit agentId");
    names(named, json!({"agentId": "main"}), "");
    let acp = |params: Value| {
        let mut params = params;
        params["runtime"] = "acp".into();
        params
    };
    let config = json!({"acp": {"defaultAgent": "coder", "allowedAgents": ["coder"]}});
    names(config.clone(), acp(none), "");
    names(
        config,
        acp(json!({"agentId": "main"})),
        "ACP agent \"main\" is not allowed",
    );
    names(json!({}), acp(coder), "");
}

#[test]
fn a_model_is_an_override_of_the_first_run() {
    let spawned = Play::new(json!({})).spawn(json!({"model": "big", "thinking": "high"}));
    assert_eq!(
        spawned.overrides,
        json!({"model": "big", "thinking": "high"})
    );
}

fn value() -> BoxedStrategy<Value> {
    let plain = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i16>().prop_map(Value::from),
        prop::sample::select(vec![
            "run", "session", "acp", "subagent", "delete", "keep", "fork", "isolated", "parent",
            "main", "coder", "gone", "taken", "x y", "",
        ])
        .prop_map(Value::from),
    ];
    plain.boxed()
}

fn params() -> BoxedStrategy<Value> {
    let name = prop::sample::select(vec![
        "task",
        "label",
        "runtime",
        "agentId",
        "model",
        "thinking",
        "runTimeoutSeconds",
        "thread",
        "mode",
        "cleanup",
        "context",
        "expectsCompletionMessage",
        "notifyParent",
        "notifyUserOnComplete",
        "streamTo",
        "resumeSessionId",
        "sandbox",
        "replyTo",
        "cwd",
    ]);
    let given = prop::collection::btree_map(name, value(), 0..5);
    let given = given.prop_map(|given| {
        let mut params = json!({"task": "work"});
        for (name, value) in given {
            params[name] = value;
        }
        params
    });
    given.boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A refusal is the only effect, nothing is written down, and nothing is held that was not.
    #[test]
    fn a_refusal_changes_nothing(params in params(), binds: bool, opted: bool) {
        let config = if opted { opted_in() } else { json!({}) };
        let placement = if binds { Placement::Child } else { Placement::None };
        let mut play = Play::with(placement, Threading::default(), config);
        play.spawn(json!({"label": "taken"}));
        let before = format!("{:?}", play.gateway.state);
        let effects = play.call_with(params);
        let refused = effects.iter().any(|effect| {
            matches!(effect, Effect::Answer(answer) if answer.result["status"] != "accepted")
        });
        if refused {
            prop_assert_eq!(effects.len(), 1, "{:?}", effects);
            prop_assert_eq!(format!("{:?}", play.gateway.state), before);
        }
    }
}
