//! Laws of sessions: they hold for every name and every moment, not for those we thought of.

use moorline_sim::reference::{Decisions, Right, Speaking};
use moorline_spec::address::{Address, Place};
use moorline_spec::channel::{Capabilities, Channel, IdCase, Threading};
use moorline_spec::config::{Config, DmScope};
use moorline_spec::id::{AccountId, SessionKey};
use moorline_spec::key::Naming;
use proptest::prelude::*;

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
