//! Scenarios by chance. They are made with numbers where names are referred to; a second pass
//! names what is named and turns the numbers into those names.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each function looks at what has a name"
)]

use std::collections::BTreeSet;

use moorline_spec::scenario::{
    Action, AdminVerb, Anchor, Crash, Ending, Expect, Expectation, Fault, InboundFault, MethodCall,
    ProbeFault, ReceiptFault, ReceiptOutcome, RunsAfterCrash, Say, Scenario, SendText, SendTo,
    SessionRef, Spawn, StartFault, SteerFault, Step, ThreadFault, Verb, When, Where,
};
use moorline_spec::stimulus::{Author, InternalPath, Outcome, ThreadState};
use moorline_spec::time::Span;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

pub(crate) fn scenario() -> impl Strategy<Value = Scenario> {
    let first = say().prop_map(|say| Verb::Says(Say { place: None, ..say }));
    let steps = prop::collection::vec((when(), verb()), 0..8);
    let expect = prop::collection::vec(expectation(), 0..5);
    let faults = prop::collection::vec(fault(), 0..3);
    (words(), config(), first, steps, expect, faults).prop_map(
        |(title, config, first, steps, expect, faults)| {
            let base = json!({"title": title, "steps": [], "config": config,
                "channels": {"desk/1~": {"like": "discord", "accounts": ["work"]}},
                "people": {"alice": {"channel": "telegram"},
                    "bob": {"channel": "discord", "account": "work", "kind": "group"}},
                "places": {"team": {"channel": "desk/1~", "conversation": "general",
                    "thread": "t9", "kind": "thread"}}});
            let mut scenario: Scenario = serde_json::from_value(base).expect("a scenario");
            let first = Step {
                when: When::After(Span::ZERO),
                verb: first,
            };
            let steps = steps.into_iter().map(|(when, verb)| Step { when, verb });
            scenario.steps = [first].into_iter().chain(steps).collect();
            scenario.expect = expect;
            scenario.faults = faults;
            give_names(&mut scenario);
            scenario
        },
    )
}

fn words() -> BoxedStrategy<String> {
    "[a-zé\"\\\\\n⟦⟧ ]{0,12}".boxed()
}

/// The number of a name, until names are given.
fn name() -> BoxedStrategy<String> {
    "[0-9]{1,2}".boxed()
}

fn span() -> BoxedStrategy<Span> {
    (0..400_000_000_u64).prop_map(Span).boxed()
}

fn when() -> BoxedStrategy<When> {
    prop_oneof![span().prop_map(When::At), span().prop_map(When::After)].boxed()
}

fn config() -> BoxedStrategy<Value> {
    select(vec![
        Value::Null,
        json!({"session": {"dmScope": "main"}}),
        json!({"channels": {"discord": {"threadBindings": {"idleHours": 0.1}}}}),
    ])
    .boxed()
}

fn place() -> BoxedStrategy<Where> {
    let named = select(vec!["alice", "bob", "team"]).prop_map(|name| Where::Named(name.into()));
    prop_oneof![
        named,
        (1..4_usize).prop_map(|thread| Where::Thread { thread })
    ]
    .boxed()
}

fn session() -> BoxedStrategy<SessionRef> {
    let known = select(vec!["agent:main:main", "alice", "team"]).prop_map(String::from);
    prop_oneof![known, name()].prop_map(SessionRef).boxed()
}

fn outcome() -> BoxedStrategy<Outcome> {
    use Outcome::{Error, Killed, Lost, Ok, Timeout};
    select(vec![Ok, Error, Timeout, Killed, Lost]).boxed()
}

fn state() -> BoxedStrategy<ThreadState> {
    use ThreadState::{Archived, Gone, Live, Locked, Unknown};
    select(vec![Live, Archived, Locked, Gone, Unknown]).boxed()
}

fn script() -> BoxedStrategy<Option<Vec<Action>>> {
    let plain = plain_action();
    let inner = of(prop::collection::vec(plain.clone(), 0..3));
    let spawn = (words(), of(words()), of(any::<bool>()), inner.clone());
    let spawn = spawn.prop_map(|(task, label, thread, agent)| {
        Action::Spawn(Spawn {
            task,
            label,
            mode: Some("session".into()),
            thread,
            agent,
            ..Spawn::default()
        })
    });
    let to = prop_oneof![
        session().prop_map(SendTo::Session),
        words().prop_map(|label| SendTo::Label { label }),
    ];
    let send = (to, words(), of(span()), inner).prop_map(|(to, text, timeout, agent)| {
        Action::Send(SendText {
            name: String::new(),
            to,
            text,
            timeout,
            agent,
        })
    });
    of(prop::collection::vec(prop_oneof![plain, spawn, send], 0..4)).boxed()
}

fn plain_action() -> BoxedStrategy<Action> {
    let end = (outcome(), of(words()), of(0..3_000_usize)).prop_map(|(outcome, text, length)| {
        Action::End(Ending {
            outcome,
            text,
            length,
        })
    });
    let call = words().prop_map(|key| {
        Action::Call(MethodCall {
            name: String::new(),
            method: "sessions.patch".into(),
            params: [("key".to_owned(), key.into())].into_iter().collect(),
        })
    });
    prop_oneof![
        end,
        call,
        span().prop_map(Action::Wait),
        words().prop_map(Action::Progress),
        any::<bool>().prop_map(Action::Recall),
        any::<bool>().prop_map(Action::Reword),
        any::<bool>().prop_map(Action::Stay),
    ]
    .boxed()
}

fn say() -> BoxedStrategy<Say> {
    let author = select(vec![
        Author::Person,
        Author::Bot,
        Author::Own,
        Author::Webhook,
    ]);
    let person = select(vec!["alice", "bob"]);
    (
        (person, of(place()), words(), of(name())),
        (
            of(words()),
            script(),
            of(author),
            of(any::<bool>()),
            of(any::<bool>()),
        ),
    )
        .prop_map(
            |((person, place, text, name), (message, agent, author, mentioned, may))| Say {
                person: person.into(),
                place,
                text,
                name,
                message: message.map(Into::into),
                agent,
                author,
                mentioned,
                authorised: may,
            },
        )
        .boxed()
}

fn crash() -> BoxedStrategy<Crash> {
    use Anchor::{Accepted, Answered, Deliver, Ended, Receipt, Started};
    let anchor = || select(vec![Started, Answered, Ended, Deliver, Accepted, Receipt]);
    let down = of(span());
    let runs = select(vec![RunsAfterCrash::Lost, RunsAfterCrash::Kept]);
    let point = prop_oneof![
        Just(Crash::default()),
        (0..50_usize).prop_map(|effects| Crash {
            effects: Some(effects),
            ..Crash::default()
        }),
        Just(Crash {
            reply_withheld: true,
            ..Crash::default()
        }),
        (anchor(), of(anchor()), name()).prop_map(|(after, before, of)| Crash {
            after: Some(after),
            before,
            of: Some(of),
            ..Crash::default()
        }),
    ];
    (point, down, runs)
        .prop_map(|(point, down, runs)| Crash {
            down,
            runs,
            ..point
        })
        .boxed()
}

fn part() -> BoxedStrategy<Verb> {
    let ends = (name(), outcome(), of(words()), of(0..3_000_usize), script());
    let runs = (words(), of(name()), script());
    let path = select(vec![InternalPath::Heartbeat, InternalPath::Cron]);
    let beats = (session(), path, of(words()), of(name()), script());
    let admin = select(vec![AdminVerb::Reset, AdminVerb::Delete]);
    prop_oneof![
        say().prop_map(Verb::Says),
        ends.prop_map(|(run, outcome, text, length, agent)| Verb::Ends {
            run,
            outcome,
            text,
            length,
            agent,
            again: false
        }),
        (name(), words()).prop_map(|(run, text)| Verb::Posts { run, text }),
        runs.prop_map(|(text, name, agent)| Verb::Runs {
            key: "agent:main:desk".into(),
            text,
            with: serde_json::Map::default(),
            name,
            agent
        }),
        beats.prop_map(|(session, path, text, name, agent)| Verb::Beats {
            session,
            path,
            text,
            name,
            agent
        }),
        (admin, session()).prop_map(|(what, session)| Verb::Admin {
            what,
            session: Some(session),
            with: serde_json::Map::default(),
            name: None,
        }),
        (state(), place()).prop_map(|(state, place)| Verb::ThreadBecomes { state, place }),
        (place(), place()).prop_map(|(place, to)| Verb::Moves { place, to }),
        crash().prop_map(Verb::Crash),
        span().prop_map(Verb::Restarts),
        session().prop_map(Verb::Compacts),
        Just(Verb::Configures(json!({"session": {}}))),
        words().prop_map(Verb::Note),
    ]
    .boxed()
}

fn verb() -> BoxedStrategy<Verb> {
    let several = prop::collection::vec(part(), 0..4).prop_map(Verb::AtOnce);
    prop_oneof![5 => part(), 1 => several].boxed()
}

fn expectation() -> BoxedStrategy<Expect> {
    let times = || of(0..4_usize);
    let memory = of(select(vec!["fresh".to_owned(), "continue".to_owned()]));
    let given = (
        (name(), of(session()), of(session())),
        (memory, of(name()), of(name())),
    );
    let what = prop_oneof![
        (place(), name(), times(), times()).prop_map(|(place, of, times, marked)| {
            Expectation::Told {
                place,
                of,
                times,
                marked,
            }
        }),
        (place(), name()).prop_map(|(place, of)| Expectation::NeverTold { place, of }),
        (name(), of(words()), of(words()))
            .prop_map(|(call, status, says)| { Expectation::Answered { call, status, says } }),
        given.prop_map(|((text, to, not_to), (memory, remembers, forgets))| {
            Expectation::Given {
                text,
                to,
                not_to,
                memory,
                remembers,
                forgets,
            }
        }),
        name().prop_map(|text| Expectation::NeverGiven { text }),
        (place(), words(), of(span()), times()).prop_map(|(place, says, at, times)| {
            Expectation::Posted {
                place,
                says,
                at,
                times,
            }
        }),
        name().prop_map(|run| Expectation::Failed { run }),
        (0..3_usize).prop_map(|count| Expectation::Threads { count }),
    ];
    (what, any::<bool>())
        .prop_map(|(what, guarded)| Expect {
            what,
            where_dials: guarded
                .then(|| ("probe".to_owned(), json!("each_pass")))
                .into_iter()
                .collect(),
        })
        .boxed()
}

fn fault() -> BoxedStrategy<Fault> {
    use ReceiptOutcome::{Permanent, Transient, UnknownHappened, UnknownLost};
    let receipt = of(select(vec![
        Permanent,
        Transient,
        UnknownHappened,
        UnknownLost,
    ]));
    let receipt = (
        of(name()),
        of(place()),
        1..4_u32,
        receipt,
        of(span()),
        of(span()),
    );
    let start = (of(name()), 1..4_u32, any::<bool>(), of(span()));
    prop_oneof![
        receipt.prop_map(|(of, to, times, outcome, retry_after, delay)| {
            Fault::Receipt(ReceiptFault {
                of,
                to,
                times,
                outcome,
                retry_after,
                delay,
            })
        }),
        start
            .clone()
            .prop_map(|(of, times, unknown, delay)| Fault::Start(StartFault {
                of,
                times,
                unknown,
                delay
            })),
        start.prop_map(|(of, times, refused, delay)| Fault::Steer(SteerFault {
            of,
            times,
            refused,
            delay
        })),
        thread_fault(),
        (of(place()), 1..4_u32, of(state()), of(span())).prop_map(|(at, times, finds, delay)| {
            Fault::Probe(ProbeFault {
                at,
                times,
                finds,
                delay,
            })
        }),
        (name(), of(span()), 0..3_u32).prop_map(|(of, delay, repeats)| {
            Fault::Inbound(InboundFault { of, delay, repeats })
        }),
    ]
    .boxed()
}

fn thread_fault() -> BoxedStrategy<Fault> {
    (1..4_u32, 0..3_u8, of(span()))
        .prop_map(|(times, outcome, delay)| {
            Fault::Thread(ThreadFault {
                times,
                refused: outcome == 1,
                unknown: outcome == 2,
                delay,
            })
        })
        .boxed()
}

/// Names what is named, and turns each number into a name that was given.
fn give_names(scenario: &mut Scenario) {
    leave_enough_to_end(scenario);
    let mut count = 0;
    let mut fresh = || {
        count += 1;
        format!("n{count}")
    };
    for step in &mut scenario.steps {
        name_verb(&mut step.verb, &mut fresh);
    }
    let names = scenario.names().into_iter();
    let mut given = Given {
        names: names.map(|name| name.to_string()).collect(),
        ended: BTreeSet::new(),
    };
    for step in &mut scenario.steps {
        given.verb(&mut step.verb);
    }
    for expect in &mut scenario.expect {
        given.expectation(&mut expect.what);
    }
    for fault in &mut scenario.faults {
        match fault {
            Fault::Receipt(fault) => given.maybe(&mut fault.of),
            Fault::Start(fault) => given.maybe(&mut fault.of),
            Fault::Steer(fault) => given.maybe(&mut fault.of),
            Fault::Inbound(fault) => given.name(&mut fault.of),
            Fault::Thread(_) | Fault::Probe(_) => (),
        }
    }
}

/// A run ends once: of more ends than there are other names, the rest say nothing. What is named in
/// them goes with them, so that is settled before anything refers to a name.
fn leave_enough_to_end(scenario: &mut Scenario) {
    let mut without = scenario.clone();
    let mut none = 0;
    for step in &mut without.steps {
        silence_ends(&mut step.verb, &mut none);
    }
    let mut left = without.names().len();
    for step in &mut scenario.steps {
        silence_ends(&mut step.verb, &mut left);
    }
}

fn silence_ends(verb: &mut Verb, left: &mut usize) {
    match verb {
        Verb::Ends { .. } if *left == 0 => *verb = Verb::Note(String::new()),
        Verb::Ends { .. } => *left -= 1,
        Verb::AtOnce(verbs) => {
            for verb in verbs {
                silence_ends(verb, left);
            }
        }
        _ => (),
    }
}

fn name_verb(verb: &mut Verb, fresh: &mut impl FnMut() -> String) {
    let agent = match verb {
        Verb::Says(say) => {
            say.name = say.name.as_ref().map(|_| fresh());
            &mut say.agent
        }
        Verb::Runs { name, agent, .. } | Verb::Beats { name, agent, .. } => {
            *name = name.as_ref().map(|_| fresh());
            agent
        }
        Verb::Ends { agent, .. } => agent,
        Verb::AtOnce(verbs) => {
            for verb in verbs {
                name_verb(verb, fresh);
            }
            return;
        }
        _ => return,
    };
    name_script(agent, fresh);
}

fn name_script(script: &mut Option<Vec<Action>>, fresh: &mut impl FnMut() -> String) {
    for action in script.iter_mut().flatten() {
        match action {
            Action::Spawn(spawn) => {
                spawn.name = fresh();
                name_script(&mut spawn.agent, fresh);
            }
            Action::Send(send) => {
                send.name = fresh();
                name_script(&mut send.agent, fresh);
            }
            Action::Call(call) => call.name = fresh(),
            _ => (),
        }
    }
}

struct Given {
    names: Vec<String>,
    ended: BTreeSet<String>,
}

impl Given {
    fn name(&self, number: &mut String) {
        if let Ok(index) = number.parse::<usize>() {
            number.clone_from(&self.names[index % self.names.len()]);
        }
    }

    fn maybe(&self, number: &mut Option<String>) {
        number.iter_mut().for_each(|number| self.name(number));
    }

    fn verb(&mut self, verb: &mut Verb) {
        match verb {
            Verb::Says(say) => self.script(&mut say.agent),
            Verb::Ends { run, agent, .. } => {
                self.name(run);
                self.script(agent);
                // What has not ended is ended in its place.
                if !self.ended.insert(run.clone())
                    && let Some(other) = self.unended()
                {
                    self.ended.insert(other.clone());
                    *run = other;
                }
            }
            Verb::Posts { run, .. } => self.name(run),
            Verb::Runs { agent, .. } => self.script(agent),
            Verb::Beats { session, agent, .. } => {
                self.name(&mut session.0);
                self.script(agent);
            }
            Verb::Admin {
                session: Some(session),
                ..
            }
            | Verb::Compacts(session) => self.name(&mut session.0),
            Verb::Crash(crash) => self.maybe(&mut crash.of),
            Verb::AtOnce(verbs) => verbs.iter_mut().for_each(|verb| self.verb(verb)),
            _ => (),
        }
    }

    fn unended(&self) -> Option<String> {
        let names = self.names.iter();
        let mut names = names;
        names.rfind(|name| !self.ended.contains(*name)).cloned()
    }

    fn script(&self, script: &mut Option<Vec<Action>>) {
        for action in script.iter_mut().flatten() {
            match action {
                Action::Spawn(spawn) => self.script(&mut spawn.agent),
                Action::Send(send) => {
                    if let SendTo::Session(session) = &mut send.to {
                        self.name(&mut session.0);
                    }
                    self.script(&mut send.agent);
                }
                _ => (),
            }
        }
    }

    fn expectation(&self, what: &mut Expectation) {
        match what {
            Expectation::Told { of, .. } | Expectation::NeverTold { of, .. } => self.name(of),
            Expectation::Answered { call, .. } => self.name(call),
            Expectation::Given {
                text,
                to,
                not_to,
                remembers,
                forgets,
                ..
            } => {
                self.name(text);
                for session in [to, not_to].into_iter().flatten() {
                    self.name(&mut session.0);
                }
                self.maybe(remembers);
                self.maybe(forgets);
            }
            Expectation::NeverGiven { text } => self.name(text),
            Expectation::Failed { run } => self.name(run),
            _ => (),
        }
    }
}
