//! Laws of sessions: they hold for every name and every moment, not for those we thought of.

use moorline_sim::reference::{Decisions, Reference, Right, Speaking};
use moorline_sim::world::{Stage, play};
use moorline_spec::address::{Address, Place};
use moorline_spec::calendar::Calendar;
use moorline_spec::channel::{Capabilities, Channel, IdCase, Threading};
use moorline_spec::config::{Config, DmScope};
use moorline_spec::effect::{Effect, Memory};
use moorline_spec::id::{AccountId, SessionKey};
use moorline_spec::judge::Judge;
use moorline_spec::key::Naming;
use moorline_spec::profile::Profile;
use moorline_spec::scenario::{Home, Say, Scenario, SessionRef, Step, Verb, When};
use moorline_spec::stimulus::InternalPath;
use moorline_spec::time::{Span, Time};
use moorline_spec::trace::What;
use moorline_spec::wire::Disk;
use proptest::prelude::*;
use serde_json::json;

/// What a name may be made of: letters in both cases, what reads as grammar, and worse.
const PARTS: [&str; 20] = [
    "a", "A", "b", ":", "::", "%", "%3A", "%41", " ", "thread", ":thread:", ":Thread:", "group",
    "direct", "channel", "main", "agent", "subagent", "é", "É",
];

fn name() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(&PARTS[..]), 1..6)
        .prop_map(|parts| parts.concat())
}

fn channels() -> Vec<Channel> {
    let channel = |id: &str, id_case| Channel {
        id: id.into(),
        accounts: ["default", "work", "group"].map(AccountId::from).to_vec(),
        capabilities: Capabilities {
            id_case,
            ..Capabilities::default()
        },
        threading: Threading::default(),
    };
    vec![
        channel("matrix", IdCase::Kept),
        channel("irc", IdCase::Folded),
        channel("cron", IdCase::Kept),
        channel("a:b", IdCase::Kept),
    ]
}

fn naming() -> Naming {
    Naming::of(&["main".into(), "coder".into()], &channels())
}

/// A conversation: channel, account, id, thread, and what it is.
fn conversation() -> impl Strategy<Value = (Address, Place)> {
    let channel = proptest::sample::select(vec!["matrix", "irc", "cron", "a:b"]);
    let account = proptest::sample::select(vec!["default", "work", "group"]);
    let thread = proptest::option::of(name());
    let group = any::<bool>();
    (channel, account, name(), thread, group).prop_map(
        |(channel, account, conversation, thread, group)| {
            let thread = thread.filter(|thread| !thread.trim().is_empty());
            let kind = match (&thread, group) {
                (Some(_), _) => Place::Thread,
                (None, true) => Place::Group,
                (None, false) => Place::Direct,
            };
            let at = Address {
                channel: channel.into(),
                account: account.into(),
                conversation: conversation.as_str().into(),
                thread: thread.map(|thread| thread.as_str().into()),
            };
            (at, kind)
        },
    )
}

/// The key of a conversation where every direct one has its own.
fn key_of((at, kind): &(Address, Place)) -> SessionKey {
    let mut config = Config::default();
    config.session.dm_scope = DmScope::PerAccountChannelPeer;
    Right.session_of(&Speaking {
        config: &config,
        agent: &"main".into(),
        at,
        kind: *kind,
        from: &at.conversation.as_str().into(),
        id_case: naming().case_of(&at.channel),
    })
}

/// What makes two conversations two.
fn identity((at, kind): &(Address, Place)) -> (String, String, String, Option<String>, bool) {
    let case = naming().case_of(&at.channel);
    let fold = |id: &str| case.fold(id.to_owned().into()).into_owned();
    (
        at.channel.to_string(),
        at.account.to_string(),
        fold(at.conversation.as_str()),
        at.thread.as_ref().map(|thread| fold(thread.as_str())),
        *kind == Place::Direct,
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever somebody writes, its spelling is spelled right.
    #[test]
    fn a_spelling_is_its_own_spelling(
        head in proptest::sample::select(vec!["", "agent:main:", "AGENT: Coder :", "agent:", ":"]),
        name in name(),
    ) {
        let naming = naming();
        if let Ok(once) = naming.canonical(&format!("{head}{name}")) {
            let twice = naming.canonical(once.as_str());
            prop_assert_eq!(twice.as_ref(), Ok(&once));
        }
    }

    /// A key that was given out comes back as itself.
    #[test]
    fn the_key_of_a_conversation_is_spelled_right(conversation in conversation()) {
        let key = key_of(&conversation);
        prop_assert_eq!(naming().canonical(key.as_str()), Ok(key));
    }

    #[test]
    fn two_conversations_have_two_keys(one in conversation(), other in conversation()) {
        let same = identity(&one) == identity(&other);
        prop_assert_eq!(key_of(&one) == key_of(&other), same, "{:?} {:?}", one, other);
    }

    /// Case is an accident of spelling where the channel says so, and nowhere else.
    #[test]
    fn case_makes_two_of_one_where_the_channel_keeps_it(conversation in conversation()) {
        let (at, kind) = &conversation;
        let upper = Address {
            conversation: at.conversation.as_str().to_ascii_uppercase().as_str().into(),
            ..at.clone()
        };
        let folds = naming().case_of(&at.channel) == IdCase::Folded;
        let same = folds || upper == *at;
        prop_assert_eq!(key_of(&(upper, *kind)) == key_of(&conversation), same);
    }
}

/// What happens in a story, and how long after the step before.
fn happening() -> impl Strategy<Value = (Span, bool)> {
    let gap = proptest::sample::select(vec![
        Span::mins(1),
        Span::mins(29),
        Span::mins(30),
        Span::mins(30) + Span::ms(1),
        Span::hours(5),
        Span::hours(24),
        Span::hours(49),
    ]);
    (gap, proptest::bool::weighted(0.7))
}

/// Alice writes, or the clockwork has its turn; a reset is due at two, and after half an hour.
fn story(happenings: &[(Span, bool)]) -> Scenario {
    let says = Step {
        when: When::After(Span::ZERO),
        verb: Verb::Says(Say {
            person: "alice".into(),
            text: "hello".to_owned(),
            ..Say::default()
        }),
    };
    let step = |&(gap, speaks): &(Span, bool)| Step {
        when: When::After(gap),
        verb: match speaks {
            true => says.verb.clone(),
            false => Verb::Beats {
                session: SessionRef("agent:main:main".to_owned()),
                path: InternalPath::Heartbeat,
                text: None,
                name: None,
                agent: None,
            },
        },
    };
    let home = Home {
        channel: "telegram".into(),
        account: "default".into(),
        conversation: None,
        thread: None,
        kind: Place::Direct,
    };
    Scenario {
        title: "a law".to_owned(),
        // The clocks go forward in the night after the first day.
        starts_at: "2026-03-28T12:00:00Z".to_owned(),
        timezone: "Europe/Berlin".to_owned(),
        people: [("alice".into(), home)].into(),
        agents: vec!["main".into()],
        config: json!({"session": {"reset": {"mode": "daily", "atHour": 2, "idleMinutes": 30}}}),
        steps: std::iter::once(says.clone())
            .chain(happenings.iter().map(step))
            .collect(),
        ..Scenario::default()
    }
}

/// Which of alice's messages found a fresh agent, and when each came.
fn answered(scenario: &Scenario) -> Vec<(Time, bool)> {
    let profile = Profile::target();
    let mut judge = Judge::new(&profile);
    let stage = Stage {
        profile: &profile,
        disk: Disk::Harness,
    };
    let played = play(scenario, &stage, &mut Reference::new(&profile), &mut judge);
    let entries = played.trace.entries.iter();
    let starts = entries.filter_map(|entry| match &entry.what {
        What::Effect(Effect::StartRun(start)) if start.input.contains("hello") => {
            Some((entry.at, start.memory == Memory::Fresh))
        }
        What::Stimulus(_) | What::Effect(_) | What::World(_) => None,
    });
    starts.collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// At most one rotation for each reset that is due, and none that is not: told by a model that
    /// knows nothing but the two times.
    #[test]
    fn each_due_reset_rotates_once(happenings in proptest::collection::vec(happening(), 1..12)) {
        let scenario = story(&happenings);
        let calendar = Calendar::new(&scenario.starts_at, &scenario.timezone).unwrap();
        let (mut began, mut spoke) = (None, Time::ZERO);
        for (at, fresh) in answered(&scenario) {
            let due = began.is_none_or(|began: Time| {
                let began = i64::try_from(began.0).unwrap();
                at > spoke + Span::mins(30) || began < calendar.last_daily(at, 2)
            });
            prop_assert_eq!(fresh, due, "at {}: {:?}", at, happenings);
            if due {
                began = Some(at);
            }
            spoke = at;
        }
    }
}
