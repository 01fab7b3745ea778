//! Traces by chance: every kind of entry.

use std::sync::Arc;

use moorline_spec::address::{Address, Place};
use moorline_spec::channel::Channel;
use moorline_spec::effect::{
    Answer, CancelRun, Deliver, Drop, Effect, Memory, OpenThread, Persist, ProbeThread,
    RefuseConfig, Report, StartRun, SteerRun, UnboundBecause,
};
use moorline_spec::id::{Marker, RunId, Text};
use moorline_spec::stimulus::{
    Author, Call, Caller, Compacted, ConfigChanged, ConversationMoved, Delivered, Inbound,
    InternalPath, InternalTurn, Millis, Open, Opened, Outcome, Receipt, RunEnded, RunProgress,
    RunStarted, Start, Steered, Steering, Stimulus, ThreadChanged, ThreadOpened, ThreadProbed,
    ThreadState,
};
use moorline_spec::time::Time;
use moorline_spec::trace::{Entry, Rest, Trace, What, World};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

pub(crate) fn trace() -> impl Strategy<Value = Trace> {
    prop::collection::vec(entry(), 0..12).prop_map(|entries| Trace { entries })
}

fn entry() -> BoxedStrategy<Entry> {
    let what = prop_oneof![
        stimulus().prop_map(What::Stimulus),
        effect().prop_map(What::Effect),
        world().prop_map(What::World),
    ];
    let markers = || prop::collection::vec("[a-z+.0-9]{1,4}".prop_map(Marker::from), 0..3);
    (any::<u64>(), what, markers(), markers())
        .prop_map(|(at, what, own, markers)| Entry {
            at: Time(at),
            what,
            own,
            markers,
        })
        .boxed()
}

fn text() -> BoxedStrategy<Text> {
    prop_oneof![
        "[a-z\"\\\\\n⟦⟧1 ]{0,12}",
        "\\PC{0,20}",
        "[a-z⟦⟧1 ]{150,400}",
    ]
    .prop_map(Text::from)
    .boxed()
}

fn id<T: From<Text> + std::fmt::Debug + 'static>() -> BoxedStrategy<T> {
    "[a-z:]{1,4}".prop_map(|id| T::from(Text::from(id))).boxed()
}

fn address() -> BoxedStrategy<Address> {
    (id(), id(), id(), of(id()))
        .prop_map(|(channel, account, conversation, thread)| Address {
            channel,
            account,
            conversation,
            thread,
        })
        .boxed()
}

fn value() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        text().prop_map(|text| Value::from(text.as_str())),
    ];
    let members = prop::collection::btree_map("[a-zA-Z]{1,6}|status|runId", leaf.clone(), 0..4);
    let object = members.prop_map(|members| Value::Object(members.into_iter().collect()));
    prop_oneof![leaf, object].boxed()
}

fn runs() -> BoxedStrategy<Vec<RunId>> {
    prop::collection::vec(id(), 0..3).boxed()
}

fn state() -> BoxedStrategy<ThreadState> {
    use ThreadState::{Archived, Gone, Live, Locked, Unknown};
    select(vec![Live, Archived, Locked, Gone, Unknown]).boxed()
}

fn stimulus() -> BoxedStrategy<Stimulus> {
    prop_oneof![started_by_others(), answers(), other_stimuli()].boxed()
}

fn started_by_others() -> BoxedStrategy<Stimulus> {
    let place = select(vec![Place::Direct, Place::Group, Place::Thread]);
    let author = select(vec![
        Author::Person,
        Author::Bot,
        Author::Own,
        Author::Webhook,
    ]);
    let inbound = (
        (id(), address(), place, author),
        (id(), any::<bool>(), any::<bool>(), text()),
    );
    let caller = prop_oneof![
        id().prop_map(Caller::Run),
        Just(Caller::Admin),
        Just(Caller::Plugin)
    ];
    let path = select(vec![InternalPath::Heartbeat, InternalPath::Cron]);
    prop_oneof![
        inbound.prop_map(
            |((message, at, kind, author), (from, mentioned, authorised, text))| {
                Stimulus::Inbound(Inbound {
                    message,
                    at,
                    kind,
                    author,
                    from,
                    mentioned,
                    authorised,
                    text,
                })
            }
        ),
        (id(), caller, text(), value()).prop_map(|(call, by, method, params)| {
            Stimulus::Call(Call {
                call,
                by,
                method,
                params,
            })
        }),
        (path, id(), text()).prop_map(|(path, session, text)| {
            Stimulus::InternalTurn(InternalTurn {
                path,
                session,
                text,
            })
        }),
    ]
    .boxed()
}

fn answers() -> BoxedStrategy<Stimulus> {
    let start = select(vec![Start::Started, Start::Refused, Start::Unknown]);
    let steering = select(vec![Steering::Taken, Steering::Refused]);
    let refused = (any::<bool>(), of(any::<u64>().prop_map(Millis)), text());
    let delivered = prop_oneof![
        id().prop_map(|message| Delivered::Accepted { message }),
        refused.prop_map(|(permanent, retry_after, why)| Delivered::Refused {
            permanent,
            retry_after,
            why
        }),
        Just(Delivered::Unknown {}),
    ];
    let opened = prop_oneof![
        address().prop_map(|at| Opened::Opened { at }),
        text().prop_map(|why| Opened::Refused { why }),
        Just(Opened::Unknown {}),
    ];
    prop_oneof![
        (id(), start)
            .prop_map(|(run, outcome)| { Stimulus::RunStarted(RunStarted { run, outcome }) }),
        (id(), steering)
            .prop_map(|(steer, outcome)| { Stimulus::Steered(Steered { steer, outcome }) }),
        (id(), delivered)
            .prop_map(|(delivery, outcome)| { Stimulus::Receipt(Receipt { delivery, outcome }) }),
        (id(), opened).prop_map(|(request, outcome)| {
            Stimulus::ThreadOpened(ThreadOpened { request, outcome })
        }),
        (id(), state()).prop_map(|(request, state)| {
            Stimulus::ThreadProbed(ThreadProbed { request, state })
        }),
    ]
    .boxed()
}

fn other_stimuli() -> BoxedStrategy<Stimulus> {
    use Outcome::{Error, Killed, Lost, Ok, Timeout};
    let outcome = select(vec![Ok, Error, Timeout, Killed, Lost]);
    let disk = prop::collection::vec(text(), 0..3);
    let open = (value(), any::<bool>(), disk, runs(), of(text()));
    prop_oneof![
        open.prop_map(|(config, restored, disk, alive, state_dir)| {
            let channel = json!({"id": "chat", "accounts": ["default"],
                "capabilities": {"threads": {"placement": "child"},
                    "text_limit": {"max": 2000, "unit": "utf16"}, "reply_window": "1d"}});
            let channel: Channel = serde_json::from_value(channel).expect("a channel");
            Stimulus::Open(Box::new(Open {
                starts_at: "2026-03-02T09:00:00Z".into(),
                timezone: "UTC".into(),
                config: Arc::new(config),
                channels: Arc::new([channel]),
                agents: Arc::new(["main".into()]),
                restored,
                disk,
                alive,
                state_dir,
            }))
        }),
        (id(), text()).prop_map(|(run, text)| Stimulus::RunProgress(RunProgress { run, text })),
        (id(), outcome, text()).prop_map(|(run, outcome, text)| {
            Stimulus::RunEnded(RunEnded { run, outcome, text })
        }),
        (address(), state())
            .prop_map(|(at, state)| { Stimulus::ThreadChanged(ThreadChanged { at, state }) }),
        (address(), address())
            .prop_map(|(from, to)| { Stimulus::ConversationMoved(ConversationMoved { from, to }) }),
        id().prop_map(|session| Stimulus::Compacted(Compacted { session })),
        value().prop_map(|config| {
            let config = Arc::new(config);
            Stimulus::ConfigChanged(ConfigChanged { config })
        }),
        Just(Stimulus::Wake {}),
        Just(Stimulus::Stop {}),
    ]
    .boxed()
}

fn effect() -> BoxedStrategy<Effect> {
    prop_oneof![requests(), other_effects()].boxed()
}

fn requests() -> BoxedStrategy<Effect> {
    let memory = prop_oneof![
        Just(Memory::Fresh),
        Just(Memory::Continue),
        id().prop_map(Memory::Fork)
    ];
    let start = (
        (id(), id(), id(), memory),
        (id(), text(), value(), of(id())),
    );
    let deliver = (id(), address(), text(), of(text()), any::<bool>());
    prop_oneof![
        start.prop_map(
            |((run, session_key, session_id, memory), (agent, input, overrides, resumes))| {
                Effect::StartRun(StartRun {
                    run,
                    session_key,
                    session_id,
                    memory,
                    agent,
                    input,
                    overrides,
                    resumes,
                })
            }
        ),
        (id(), id(), text())
            .prop_map(|(steer, run, input)| { Effect::SteerRun(SteerRun { steer, run, input }) }),
        id().prop_map(|run| Effect::CancelRun(CancelRun { run })),
        deliver.prop_map(|(delivery, to, text, key, repeat)| {
            Effect::Deliver(Deliver {
                delivery,
                to,
                text,
                key,
                repeat,
            })
        }),
        (id(), address(), text(), id()).prop_map(|(request, parent, name, session_key)| {
            Effect::OpenThread(OpenThread {
                request,
                parent,
                name,
                session_key,
            })
        }),
        (id(), address()).prop_map(|(request, address)| {
            Effect::ProbeThread(ProbeThread { request, address })
        }),
    ]
    .boxed()
}

fn other_effects() -> BoxedStrategy<Effect> {
    use UnboundBecause::{Idle, MaxAge, Replaced, ThreadGone};
    let reason = select(vec![Idle, MaxAge, Replaced, ThreadGone]);
    let report = prop_oneof![
        (address(), id()).prop_map(|(address, session_key)| Report::Bound {
            address,
            session_key
        }),
        (address(), id(), reason).prop_map(|(address, session_key, reason)| Report::Unbound {
            address,
            session_key,
            reason
        }),
        (id(), of(address()), text()).prop_map(|(run, address, why)| Report::Failed {
            run,
            address,
            why
        }),
    ];
    prop_oneof![
        (id(), value()).prop_map(|(call, result)| Effect::Answer(Answer { call, result })),
        text().prop_map(|record| {
            let record = record.into();
            Effect::Persist(Persist { record })
        }),
        report.prop_map(Effect::Report),
        (id(), text()).prop_map(|(message, why)| Effect::Drop(Drop { message, why })),
        (text(), text())
            .prop_map(|(path, why)| { Effect::RefuseConfig(RefuseConfig { path, why }) }),
    ]
    .boxed()
}

fn world() -> BoxedStrategy<World> {
    let posted = (id(), address(), id(), text(), any::<bool>());
    let rest = vec![Rest::Settled, Rest::Stuck, Rest::Overdue, Rest::OutOfWakes];
    prop_oneof![
        posted.prop_map(|(delivery, at, message, text, repeat)| World::Posted {
            delivery,
            at,
            message,
            text,
            repeat
        }),
        (id(), id()).prop_map(|(delivery, message)| World::Recognised { delivery, message }),
        (address(), state()).prop_map(|(at, state)| World::Thread { at, state }),
        text().prop_map(|what| World::Fault { what }),
        (runs(), runs()).prop_map(|(lost, kept)| World::Crashed { lost, kept }),
        (id(), text()).prop_map(|(run, why)| World::Unable { run, why }),
        text().prop_map(|text| World::Note { text }),
        Just(World::Healing {}),
        select(rest).prop_map(World::Rest),
    ]
    .boxed()
}
