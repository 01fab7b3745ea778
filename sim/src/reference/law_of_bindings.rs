//! A law: whatever happens, in whatever order, the bindings of the reference are those of a plain
//! list that is searched from front to back, and every end has the same reason. What else has to
//! hold of them holds after every step: one binding for a place, the index by session, accounts
//! apart, no end without a cause, nothing overdue after a pass, one farewell for a lapse, and a
//! disk that says what memory says.
//!
//! Time does not go backwards: the seam promises that, so a clock that is set back is one that
//! stands still.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use moorline_spec::address::{Address, Place};
use moorline_spec::channel::{Capabilities, Channel, Placement, Threading, Threads};
use moorline_spec::effect::{Effect, Report, UnboundBecause};
use moorline_spec::gateway::Gateway;
use moorline_spec::id::{RequestId, SessionKey, Text};
use moorline_spec::profile::Profile;
use moorline_spec::stimulus::{
    Author, Delivered, Inbound, Open, Receipt, Stimulus, ThreadChanged, ThreadProbed, ThreadState,
};
use moorline_spec::time::{Span, Time};
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::json;

use super::state::Purpose;
use super::{Reference, journal};

const PLACES: usize = 6;
const KEYS: usize = 3;
const IDLE: Span = Span::mins(10);
const AGE: Span = Span::mins(45);

/// Something that happens.
#[derive(Clone, Debug)]
enum Happens {
    /// A place is bound to a session, by a person or the system.
    Binds(usize, usize, Option<usize>),
    /// A person says something there; whether that is for the gateway.
    Says(usize, usize, bool),
    /// A person gives a command there.
    Commands(usize, usize, &'static str),
    /// A session's words arrive there.
    Speaks(usize, usize),
    /// A delivery there was refused: the gateway looks.
    Looks(usize),
    /// It is answered.
    Finds(ThreadState),
    /// The channel tells of a thread.
    Changes(usize, ThreadState),
    /// Time passes; the gateway wakes when it asked to.
    Passes(u64),
    /// The gateway stops or dies, and begins again.
    Restarts(bool),
}

fn happens() -> impl Strategy<Value = Happens> {
    let states = prop::sample::select(vec![
        ThreadState::Live,
        ThreadState::Archived,
        ThreadState::Locked,
        ThreadState::Gone,
        ThreadState::Unknown,
    ]);
    let commands = prop::sample::select(vec![
        "/session idle 5m",
        "/session idle off",
        "/session max-age 20m",
        "/session max-age off",
        "/session idle",
        "/session idle soon",
        "/unfocus",
        "/agents",
    ]);
    prop_oneof![
        4 => (0..PLACES, 0..KEYS, prop::option::of(0..2_usize)).prop_map(|(p, k, by)| Happens::Binds(p, k, by)),
        6 => (0..PLACES, 0..2_usize, prop::bool::weighted(0.8)).prop_map(|(p, who, heard)| Happens::Says(p, who, heard)),
        4 => (0..PLACES, 0..2_usize, commands).prop_map(|(p, who, what)| Happens::Commands(p, who, what)),
        2 => (0..PLACES, 0..KEYS).prop_map(|(p, k)| Happens::Speaks(p, k)),
        2 => (0..PLACES).prop_map(Happens::Looks),
        2 => states.clone().prop_map(Happens::Finds),
        1 => (0..PLACES, states).prop_map(|(p, state)| Happens::Changes(p, state)),
        6 => (1..900_u64).prop_map(Happens::Passes),
        1 => any::<bool>().prop_map(Happens::Restarts),
    ]
}

/// The first three places are threads of one account, the others the same threads of another.
fn place(index: usize) -> Address {
    Address {
        channel: "chat".into(),
        account: ["a", "b"][index / 3].into(),
        conversation: "general".into(),
        thread: Some(format!("t{}", index % 3).into()),
    }
}

fn key(index: usize) -> SessionKey {
    format!("agent:main:subagent:{index}").into()
}

fn person(index: usize) -> Text {
    ["carol", "dave"][index].into()
}

/// A binding in the list.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    name: u64,
    at: usize,
    key: usize,
    by: Option<usize>,
    bound: Time,
    touched: Time,
    idle: Option<Span>,
    age: Option<Span>,
}

impl Row {
    fn lapse(&self, now: Time) -> Option<UnboundBecause> {
        let idle = self.idle.map(|idle| self.touched + idle);
        let age = self.age.map(|age| self.bound + age);
        let by_age = |age: Time| idle.is_none_or(|idle| age < idle);
        match (idle, age) {
            (_, Some(age)) if by_age(age) && age <= now => Some(UnboundBecause::MaxAge),
            (Some(idle), _) if idle <= now && age.is_none_or(|age| idle <= age) => {
                Some(UnboundBecause::Idle)
            }
            (_, _) => None,
        }
    }
}

type End = (usize, usize, UnboundBecause);

/// The list.
#[derive(Default)]
struct List {
    rows: Vec<Row>,
    names: u64,
    ends: Vec<End>,
    now: Time,
    /// The binding that a probe was asked for, and where.
    looking: Option<(usize, u64)>,
}

impl List {
    fn at(&self, at: usize) -> Option<&Row> {
        self.rows.iter().find(|row| row.at == at)
    }

    fn end(&mut self, name: u64, reason: UnboundBecause) {
        if let Some(index) = self.rows.iter().position(|row| row.name == name) {
            let row = self.rows.remove(index);
            self.ends.push((row.at, row.key, reason));
        }
    }

    /// Whoever looks a place up finds what lapsed.
    fn look_up(&mut self, at: usize) -> Option<u64> {
        let row = self.at(at)?;
        let name = row.name;
        if let Some(reason) = row.lapse(self.now) {
            self.end(name, reason);
            return None;
        }
        Some(name)
    }

    fn row(&mut self, name: u64) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.name == name)
    }

    fn binds(&mut self, at: usize, key: usize, by: Option<usize>) {
        if let Some(old) = self.at(at).map(|row| row.name) {
            self.end(old, UnboundBecause::Replaced);
        }
        self.names += 1;
        self.rows.push(Row {
            name: self.names,
            at,
            key,
            by,
            bound: self.now,
            touched: self.now,
            idle: Some(IDLE),
            age: Some(AGE),
        });
    }

    fn says(&mut self, at: usize, heard: bool) {
        let found = self.look_up(at);
        let now = self.now;
        if let Some(row) = found.and_then(|name| self.row(name))
            && heard
        {
            row.touched = now;
        }
    }

    fn commands(&mut self, at: usize, who: usize, what: &str) {
        let found = self.look_up(at);
        let Some(row) = found.and_then(|name| self.row(name)) else {
            return;
        };
        let (name, key) = (row.name, row.key);
        if row.by.is_some_and(|by| by != who) {
            return;
        }
        let (idle, age) = match what {
            "/unfocus" => return self.end(name, UnboundBecause::Unfocus),
            "/session idle 5m" => (Some(Some(Span::mins(5))), None),
            "/session idle off" => (Some(None), None),
            "/session max-age 20m" => (None, Some(Some(Span::mins(20)))),
            "/session max-age off" => (None, Some(None)),
            _ => return,
        };
        let now = self.now;
        for row in &mut self.rows {
            if row.key != key || row.at / 3 != at / 3 {
                continue;
            }
            if let Some(idle) = idle {
                row.idle = idle;
                row.touched = now;
            }
            if let Some(age) = age {
                row.age = age;
            }
        }
    }

    fn speaks(&mut self, at: usize, key: usize) {
        let now = self.now;
        let found = self.rows.iter_mut().find(|row| row.at == at);
        if let Some(row) = found.filter(|row| row.key == key && row.lapse(now).is_none()) {
            row.touched = now;
        }
    }

    fn changes(&mut self, at: usize, state: ThreadState) {
        let reason = match state {
            ThreadState::Gone => UnboundBecause::ThreadGone,
            ThreadState::Locked => UnboundBecause::ThreadLocked,
            ThreadState::Archived => UnboundBecause::ThreadArchived,
            ThreadState::Live | ThreadState::Unknown => return,
        };
        if let Some(name) = self.at(at).map(|row| row.name) {
            self.end(name, reason);
        }
    }

    fn sweeps(&mut self) {
        let due: Vec<(u64, UnboundBecause)> = self
            .rows
            .iter()
            .filter_map(|row| Some((row.name, row.lapse(self.now)?)))
            .collect();
        for (name, reason) in due {
            self.end(name, reason);
        }
    }
}

/// The reference, and what it wrote and said.
struct Real {
    gateway: Reference,
    disk: Vec<Text>,
    ends: Vec<End>,
    farewells: BTreeMap<usize, usize>,
    /// Farewells by their keys: a restart may repeat one of them.
    said: BTreeSet<Text>,
    probe: Option<RequestId>,
    messages: usize,
    now: Time,
}

impl Real {
    fn begin() -> Self {
        let mut real = Self {
            gateway: Reference::new(&Profile::target()),
            disk: Vec::new(),
            ends: Vec::new(),
            farewells: BTreeMap::new(),
            said: BTreeSet::new(),
            probe: None,
            messages: 0,
            now: Time::ZERO,
        };
        real.open(false);
        for index in 0..KEYS {
            real.gateway.open_session(&key(index));
        }
        real.settle();
        real
    }

    fn open(&mut self, restored: bool) {
        let channel = Channel {
            id: "chat".into(),
            accounts: vec!["a".into(), "b".into()],
            capabilities: Capabilities {
                threads: Threads {
                    placement: Placement::Current,
                    in_direct: true,
                },
                ..Capabilities::default()
            },
            threading: Threading::default(),
        };
        let hours = |span: Span| span.0 as f64 / 3_600_000.0;
        let config = json!({"session": {"threadBindings":
            {"idleHours": hours(IDLE), "maxAgeHours": hours(AGE)}},
            "channels": {"chat": {"requireMention": true}}});
        self.told(Stimulus::Open(Box::new(Open {
            starts_at: "2026-03-02T09:00:00Z".into(),
            timezone: "UTC".into(),
            config: Arc::new(config),
            channels: vec![channel].into(),
            agents: vec!["main".into()].into(),
            restored,
            disk: self.disk.clone(),
            alive: Vec::new(),
            state_dir: None,
        })));
    }

    fn told(&mut self, stimulus: Stimulus) {
        let mut effects = Vec::new();
        let Ok(()) = self.gateway.handle(self.now, &[stimulus], &mut effects);
        self.note(effects);
    }

    /// Takes out what a direct call asked for.
    fn settle(&mut self) {
        self.gateway.now = self.now;
        let mut effects = Vec::new();
        self.gateway.commit(&mut effects);
        self.note(effects);
    }

    fn note(&mut self, effects: Vec<Effect>) {
        let index = |at: &Address| (0..PLACES).find(|&index| place(index) == *at);
        for effect in effects {
            match effect {
                Effect::Persist(persist) => self.disk.push(persist.record),
                Effect::Report(Report::Unbound {
                    address,
                    session_key,
                    reason,
                }) => {
                    let of = (0..KEYS).find(|&of| key(of) == session_key);
                    let (Some(at), Some(of)) = (index(&address), of) else {
                        panic!("{address} and {session_key} are ours");
                    };
                    self.ends.push((at, of, reason));
                }
                Effect::ProbeThread(probe) => self.probe = Some(probe.request),
                Effect::Deliver(deliver) => {
                    let of = deliver.key.filter(|key| key.starts_with("farewell-"));
                    if let (Some(of), Some(at)) = (of, index(&deliver.to))
                        && self.said.insert(of)
                    {
                        *self.farewells.entry(at).or_default() += 1;
                    }
                }
                _ => (),
            }
        }
    }

    fn inbound(&mut self, at: usize, who: usize, text: &str, mentioned: bool) {
        self.messages += 1;
        let message = format!("m{}", self.messages).into();
        self.told(Stimulus::Inbound(Inbound {
            message,
            at: place(at),
            kind: Place::Group,
            author: Author::Person,
            from: person(who).as_str().into(),
            mentioned,
            authorised: true,
            text: text.into(),
        }));
    }

    fn speaks(&mut self, at: usize, of: usize) {
        let stem = Text::from(format!("words-{}", self.messages));
        self.messages += 1;
        self.gateway.now = self.now;
        let purpose = Purpose::Output(key(of));
        let number = self
            .gateway
            .post(&place(at), "words".into(), stem, None, purpose);
        let delivery = self.gateway.state.posts[&number].delivery.clone();
        self.settle();
        let message = "posted".into();
        self.told(Stimulus::Receipt(Receipt {
            delivery: delivery.expect("it was asked for"),
            outcome: Delivered::Accepted { message },
        }));
    }

    fn restart(&mut self, clean: bool) {
        if clean {
            self.told(Stimulus::Stop {});
        }
        self.gateway = Reference::new(&Profile::target());
        self.probe = None;
        self.open(true);
    }

    /// What is bound where, by the index.
    fn bound(&self) -> BTreeMap<usize, usize> {
        let of = |number: u64| {
            let bound = &self.gateway.state.bindings[&number].key;
            (0..KEYS).find(|&index| key(index) == *bound)
        };
        (0..PLACES)
            .filter_map(|at| Some((at, of(self.gateway.number_at(&place(at))?)?)))
            .collect()
    }
}

fn play(steps: &[Happens]) -> Result<(), TestCaseError> {
    let (mut list, mut real) = (List::default(), Real::begin());
    for step in steps {
        let before = list.rows.clone();
        let mut account = None;
        match *step {
            Happens::Binds(at, of, by) => {
                account = Some(at / 3);
                list.binds(at, of, by);
                real.gateway.now = real.now;
                let by = by.map(|who| person(who).as_str().into());
                real.gateway.bind(place(at), key(of), by, None);
                real.settle();
            }
            Happens::Says(at, who, heard) => {
                account = Some(at / 3);
                list.says(at, heard);
                real.inbound(at, who, "hello", heard);
            }
            Happens::Commands(at, who, what) => {
                account = Some(at / 3);
                list.commands(at, who, what);
                real.inbound(at, who, what, true);
            }
            Happens::Speaks(at, of) => {
                account = Some(at / 3);
                list.speaks(at, of);
                real.speaks(at, of);
            }
            Happens::Looks(at) => {
                if list.looking.is_none()
                    && let Some(name) = list.at(at).map(|row| row.name)
                {
                    list.looking = Some((at, name));
                    real.gateway.now = real.now;
                    real.gateway.probe_after_refusal(&place(at));
                    real.settle();
                }
            }
            Happens::Finds(state) => {
                if let (Some((at, name)), Some(request)) = (list.looking.take(), real.probe.take())
                {
                    if list.at(at).map(|row| row.name) == Some(name) {
                        list.changes(at, state);
                    }
                    real.told(Stimulus::ThreadProbed(ThreadProbed { request, state }));
                }
            }
            Happens::Changes(at, state) => {
                account = Some(at / 3);
                list.changes(at, state);
                let at = place(at);
                real.told(Stimulus::ThreadChanged(ThreadChanged { at, state }));
            }
            Happens::Passes(seconds) => {
                let until = real.now + Span::secs(seconds);
                while let Some(at) = real.gateway.wake_at().filter(|at| *at <= until) {
                    real.now = real.now.max(at);
                    list.now = real.now;
                    let tick = real.gateway.tick;
                    real.told(Stimulus::Wake {});
                    if real.gateway.tick != tick {
                        list.sweeps();
                    }
                }
                real.now = until;
                list.now = until;
            }
            Happens::Restarts(clean) => {
                list.looking = None;
                real.restart(clean);
            }
        }
        agree(&mut list, &mut real, step)?;
        holds(&list, &real, &before, account)?;
    }
    Ok(())
}

/// Both say the same of what is bound, and of every end since the last step.
fn agree(list: &mut List, real: &mut Real, step: &Happens) -> Result<(), TestCaseError> {
    let listed: BTreeMap<usize, usize> = list.rows.iter().map(|row| (row.at, row.key)).collect();
    prop_assert_eq!(&real.bound(), &listed, "what is bound after {:?}", step);
    let mut ends = std::mem::take(&mut list.ends);
    let mut real_ends = std::mem::take(&mut real.ends);
    ends.sort();
    real_ends.sort();
    prop_assert_eq!(&real_ends, &ends, "the ends of {:?}", step);
    let mut farewells = BTreeMap::new();
    for (at, _, reason) in ends {
        if matches!(reason, UnboundBecause::Idle | UnboundBecause::MaxAge) {
            *farewells.entry(at).or_default() += 1;
        }
    }
    let told = std::mem::take(&mut real.farewells);
    prop_assert_eq!(told, farewells, "the farewells of {:?}", step);
    Ok(())
}

/// What holds after every step.
fn holds(
    list: &List,
    real: &Real,
    before: &[Row],
    account: Option<usize>,
) -> Result<(), TestCaseError> {
    let state = &real.gateway.state;
    prop_assert_eq!(
        state.bound.len(),
        state.bindings.len(),
        "one binding for a place"
    );
    let indexed: usize = state.bound_to.values().map(Vec::len).sum();
    prop_assert_eq!(
        indexed,
        state.bindings.len(),
        "the index by session is the inverse"
    );
    for (of, numbers) in &state.bound_to {
        for number in numbers {
            prop_assert_eq!(&state.bindings[number].key, of);
        }
    }
    if let Some(account) = account {
        let others = |rows: &[Row]| -> Vec<Row> {
            let rows = rows.iter().filter(|row| row.at / 3 != account);
            rows.cloned().collect()
        };
        prop_assert_eq!(others(before), others(&list.rows), "accounts are apart");
    }
    for row in &list.rows {
        let binding = &state.bindings[&real.gateway.number_at(&place(row.at)).unwrap_or_default()];
        prop_assert_eq!(
            binding.times.touched_at,
            row.touched,
            "the activity in place {}",
            row.at
        );
        prop_assert_eq!(
            binding.times.bound_at,
            row.bound,
            "the age of place {}",
            row.at
        );
    }
    let (stored, _) = journal::fold(&real.disk);
    let on_disk: Vec<_> = stored
        .bindings
        .values()
        .map(|b| (&b.address, b.times))
        .collect();
    let in_memory: Vec<_> = state
        .bindings
        .values()
        .map(|b| (&b.address, b.times))
        .collect();
    prop_assert_eq!(on_disk, in_memory, "the disk says what memory says");
    Ok(())
}

proptest! {
    #![proptest_config(Config { cases: 400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn bindings_are_those_of_a_plain_list(steps in prop::collection::vec(happens(), 1..80)) {
        play(&steps)?;
    }
}
