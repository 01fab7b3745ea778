//! A law: whatever happens, in whatever order, the bindings of the reference are those of a plain
//! list that is searched from front to back, and every end has the same reason. What else has to
//! hold of them holds after every step: one binding for a place, the index by session, accounts
//! apart, no end without a cause, nothing overdue after a pass, one farewell for a lapse, and a
//! disk that says what memory says, but for touches of the last 15 seconds.
//!
//! Time does not go backwards: the seam promises that, so a clock that is set back is one that
//! stands still.

mod list;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use moorline_spec::address::{Address, Place};
use moorline_spec::channel::{Capabilities, Channel, Placement, Threading, Threads};
use moorline_spec::effect::{Effect, Report, UnboundBecause};
use moorline_spec::gateway::Gateway;
use moorline_spec::id::{RequestId, SessionKey, Text};
use moorline_spec::profile::Profile;
use moorline_spec::stimulus::{
    Author, ConversationMoved, Delivered, Inbound, Open, Receipt, Stimulus, ThreadChanged,
    ThreadProbed, ThreadState,
};
use moorline_spec::time::{Span, Time};
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::json;

use self::list::{End, List, Row};
use super::state::{Purpose, State};
use super::{Reference, journal};

const PLACES: usize = 6;
const KEYS: usize = 3;
const IDLE: Span = Span::mins(10);
const AGE: Span = Span::mins(45);
/// A crash may take touches of so long.
const LOST: Span = Span::secs(15);

/// Something that happens.
#[derive(Clone, Copy, Debug)]
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
    /// A place goes by another id: that of a place in the same account.
    Moves(usize, usize),
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
        1 => (0..PLACES, 0..3_usize).prop_map(|(p, to)| Happens::Moves(p, p / 3 * 3 + to)),
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
                Effect::Persist(persist) => self.disk.push(persist.record.text()),
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
                Effect::StartRun(_)
                | Effect::SteerRun(_)
                | Effect::CancelRun(_)
                | Effect::OpenThread(_)
                | Effect::Answer(_)
                | Effect::Report(_)
                | Effect::Drop(_)
                | Effect::RefuseConfig(_) => (),
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
        let post = self.gateway.state.posts.get(&number);
        let delivery = post.and_then(|post| post.delivery.clone());
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
        let account = step.place().map(|at| at / 3);
        happen(*step, &mut list, &mut real);
        if matches!(step, Happens::Restarts(false)) {
            forget(&mut list, &real)?;
        }
        agree(&mut list, &mut real, step)?;
        holds(&list, &real, &before, account)?;
    }
    Ok(())
}

impl Happens {
    /// The place it concerns, where it concerns one alone.
    fn place(&self) -> Option<usize> {
        match *self {
            Self::Binds(at, ..)
            | Self::Says(at, ..)
            | Self::Commands(at, ..)
            | Self::Speaks(at, _)
            | Self::Changes(at, _)
            | Self::Moves(at, _) => Some(at),
            Self::Looks(_) | Self::Finds(_) | Self::Passes(_) | Self::Restarts(_) => None,
        }
    }
}

/// One thing happens to both.
fn happen(step: Happens, list: &mut List, real: &mut Real) {
    match step {
        Happens::Binds(at, of, by) => {
            list.binds(at, of, by);
            real.gateway.now = real.now;
            let by = by.map(|who| person(who).as_str().into());
            real.gateway.bind(place(at), key(of), by, None);
            real.settle();
        }
        Happens::Says(at, who, heard) => {
            list.says(at, heard);
            real.inbound(at, who, "hello", heard);
        }
        Happens::Commands(at, who, what) => {
            list.commands(at, who, what);
            real.inbound(at, who, what, true);
        }
        Happens::Speaks(at, of) => {
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
            if let (Some((at, name)), Some(request)) = (list.looking.take(), real.probe.take()) {
                if list.at(at).map(|row| row.name) == Some(name) {
                    list.changes(at, state);
                }
                real.told(Stimulus::ThreadProbed(ThreadProbed { request, state }));
            }
        }
        Happens::Changes(at, state) => {
            list.changes(at, state);
            let at = place(at);
            real.told(Stimulus::ThreadChanged(ThreadChanged { at, state }));
        }
        Happens::Moves(at, to) => {
            list.moves(at, to);
            let (from, to) = (place(at), place(to));
            real.told(Stimulus::ConversationMoved(ConversationMoved { from, to }));
        }
        Happens::Passes(seconds) => passes(Span::secs(seconds), list, real),
        Happens::Restarts(clean) => {
            list.looking = None;
            real.restart(clean);
        }
    }
}

/// A crash took the touches of late, and those alone.
fn forget(list: &mut List, real: &Real) -> Result<(), TestCaseError> {
    for row in &mut list.rows {
        let number = real.gateway.number_at(&place(row.at)).unwrap_or_default();
        let touched = real.gateway.state.bindings[&number].times.touched_at;
        prop_assert!(
            row.may_be_known(touched, real.now),
            "{touched} in place {} is what a crash at {} leaves of {:?}",
            row.at,
            real.now,
            row.touches
        );
        row.touched = touched;
        row.touches.retain(|at| *at <= touched);
    }
    Ok(())
}

/// Time passes, and the gateway wakes whenever it wants to.
fn passes(span: Span, list: &mut List, real: &mut Real) {
    let until = real.now + span;
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
    for binding in state.bindings.values() {
        let number = binding.number;
        let at = state.bindings.at(&binding.address);
        prop_assert_eq!(at, Some(number), "one binding for a place");
    }
    for of in (0..KEYS).map(key) {
        let bound = state.bindings.values().filter(|binding| binding.key == of);
        let numbers: Vec<u64> = bound.map(|binding| binding.number).collect();
        prop_assert_eq!(state.bindings.first_of(&of), numbers.first().copied());
        let indexed = state.bindings.of(&of);
        prop_assert_eq!(indexed, numbers, "the index by session is the inverse");
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
    on_disk(list, real)
}

/// The disk says what memory says, but for touches of late.
fn on_disk(list: &List, real: &Real) -> Result<(), TestCaseError> {
    let state = &real.gateway.state;
    let (stored, _) = journal::fold(&real.disk);
    let without_touches = |state: &State| -> Vec<_> {
        let all = state.bindings.values();
        all.map(|b| (b.address.clone(), b.times.bound_at, b.times.aged_from))
            .collect()
    };
    prop_assert_eq!(
        without_touches(&stored),
        without_touches(state),
        "the disk says what memory says"
    );
    for row in &list.rows {
        let number = real.gateway.number_at(&place(row.at)).unwrap_or_default();
        let touched = stored.bindings[&number].times.touched_at;
        let waits = state.bindings[&number].unwritten;
        prop_assert!(
            touched == row.touched || waits && row.may_be_known(touched, real.now),
            "the disk knows the activity in place {} at {touched}",
            row.at
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config { cases: 400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn bindings_are_those_of_a_plain_list(steps in prop::collection::vec(happens(), 1..80)) {
        play(&steps)?;
    }
}
