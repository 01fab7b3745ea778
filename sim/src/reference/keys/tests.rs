//! From a conversation to its key.

use moorline_spec::address::{Address, Place};
use moorline_spec::channel::IdCase;
use moorline_spec::config::Config;
use serde_json::{Value, json};

use super::super::decisions::{Decisions, Right, Speaking};

/// Where a message comes from: `channel account conversation thread person`, `-` for none.
#[track_caller]
fn check(session: Value, kind: Place, from: &str, right: &str) {
    folding(IdCase::Kept, session, kind, from, right);
}

#[track_caller]
fn folding(id_case: IdCase, session: Value, kind: Place, from: &str, right: &str) {
    let config = Config::read(&json!({"session": session})).unwrap();
    let parts: Vec<&str> = from.split(' ').collect();
    let [channel, account, conversation, thread, person] = parts[..] else {
        panic!("five parts: {from:?}");
    };
    let at = Address {
        channel: channel.into(),
        account: account.into(),
        conversation: conversation.into(),
        thread: (thread != "-").then(|| thread.into()),
    };
    let person = if person == "-" { "" } else { person };
    let found = Right.session_of(&Speaking {
        config: &config,
        agent: &"main".into(),
        at: &at,
        kind,
        from: &person.into(),
        id_case,
    });
    assert_eq!(found.as_str(), right, "{from:?}");
}

fn scope(name: &str) -> Value {
    json!({ "dmScope": name })
}

/// The rows of S-53 and S-54, with ids kept as they are.
#[test]
fn a_direct_conversation_has_the_key_of_its_scope() {
    let direct = Place::Direct;
    check(
        json!({}),
        direct,
        "telegram default U1 - U1",
        "agent:main:main",
    );
    check(
        scope("per-peer"),
        direct,
        "telegram default U1 - U1",
        "agent:main:direct:U1",
    );
    let channel = "per-channel-peer";
    check(
        scope(channel),
        direct,
        "telegram work U1 - U1",
        "agent:main:telegram:direct:U1",
    );
    let account = "per-account-channel-peer";
    let named = "agent:main:telegram:work:direct:U1";
    check(scope(account), direct, "telegram work U1 - U1", named);
    let default = "agent:main:telegram:default:direct:U1";
    check(scope(account), direct, "telegram default U1 - U1", default);
    // Nameless people are told apart by where they write.
    check(
        scope("per-peer"),
        direct,
        "telegram default C1 - -",
        "agent:main:direct:C1",
    );
    let folded = "agent:main:irc:direct:u1";
    folding(
        IdCase::Folded,
        scope(channel),
        direct,
        "irc default U1 - U1",
        folded,
    );
}

#[test]
fn an_identity_link_names_a_person() {
    let linked =
        |scope: &str, peer: &str| json!({"dmScope": scope, "identityLinks": {"alice": [peer]}});
    let from = "telegram default C1 - U1";
    let direct = Place::Direct;
    let alice = "agent:main:telegram:direct:alice";
    check(
        linked("per-channel-peer", "TELEGRAM:u1"),
        direct,
        from,
        alice,
    );
    check(
        linked("per-peer", "U1"),
        direct,
        from,
        "agent:main:direct:alice",
    );
    // Under the main scope there is nothing to link.
    check(linked("main", "U1"), direct, from, "agent:main:main");
    let other = linked("per-peer", "discord:U1");
    check(other, direct, from, "agent:main:direct:U1");
}

#[test]
fn a_group_is_known_by_channel_account_and_id() {
    let group = Place::Group;
    let check = |from: &str, right: &str| check(scope("per-peer"), group, from, right);
    check(
        "telegram default -100:topic:7 - U1",
        "agent:main:telegram:group:-100:topic:7",
    );
    check("telegram work C1 - U1", "agent:main:telegram:work:group:C1");
    check("slack default C0A - U1", "agent:main:slack:group:C0A");
    // One id, told apart by what is an account and what is not.
    check(
        "telegram default group:x - U1",
        "agent:main:telegram:group:group:x",
    );
    check(
        "telegram group x - U1",
        "agent:main:telegram:%67roup:group:x",
    );
}

#[test]
fn a_thread_is_known_by_its_conversation_too() {
    let thread = Place::Thread;
    let base = "agent:main:slack:group:c1";
    check(
        json!({}),
        thread,
        "slack default c1 17.5A U1",
        &format!("{base}:thread:17.5A"),
    );
    check(json!({}), Place::Group, "slack default c1 - U1", base);
    let odd = "agent:main:slack:group:c1%3Athread:2:thread:3";
    check(json!({}), thread, "slack default c1:thread:2 3 U1", odd);
    let topic = "agent:main:main:thread:C1:5";
    check(json!({}), Place::Direct, "telegram default C1 5 U1", topic);
    let scoped = "agent:main:telegram:direct:U1:thread:C1:5";
    check(
        scope("per-channel-peer"),
        Place::Direct,
        "telegram default C1 5 U1",
        scoped,
    );
}
