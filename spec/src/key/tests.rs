//! Rows of the grammar.

use super::*;
use crate::channel::Capabilities;

fn naming() -> Naming {
    let channel = |id: &str, accounts: &[&str], id_case| Channel {
        id: id.into(),
        accounts: accounts.iter().map(|&account| account.into()).collect(),
        capabilities: Capabilities {
            id_case,
            ..Capabilities::default()
        },
        threading: crate::channel::Threading::default(),
    };
    let channels = [
        channel("matrix", &["default", "Work"], IdCase::Kept),
        channel("irc", &["default"], IdCase::Folded),
    ];
    Naming::of(&["main".into(), "Coder".into()], &channels)
}

#[track_caller]
fn check(raw: &str, right: &str) {
    let naming = naming();
    let key = naming.canonical(raw).map(|key| key.to_string());
    assert_eq!(key.as_deref(), Ok(right), "{raw:?}");
    let again = naming.canonical(right).map(|key| key.to_string());
    assert_eq!(again.as_deref(), Ok(right), "{right:?} again");
}

#[track_caller]
fn refused(raw: &str, why: Malformed) {
    assert_eq!(naming().canonical(raw), Err(why), "{raw:?}");
}

/// The rows of S-49, read strictly.
#[test]
fn a_key_of_an_agent_has_an_agent_and_a_name() {
    check("agent:main:x", "agent:main:x");
    check("AGENT:Main:Foo", "agent:main:foo");
    check(" agent: main :x", "agent:main:x");
    check("agent:main:a::b", "agent:main:a::b");
    check("agent:coder:x", "agent:Coder:x");
    check("agent:other:x", "agent:other:x");
    refused("agent", Malformed::Agent);
    refused("agent:main", Malformed::Agent);
    refused("agent:main:", Malformed::Agent);
    refused("agent:main: ", Malformed::Agent);
    refused("agent::main:x", Malformed::Agent);
    refused(":agent:main:x", Malformed::Agent);
    refused("agent:main::b", Malformed::Agent);
    refused("agent:no agent!:x", Malformed::Agent);
    refused("agent:main:agent:main:main", Malformed::Nested);
    refused("  ", Malformed::Empty);
}

#[test]
fn a_name_alone_is_one_of_the_default_agent() {
    check("main", "agent:main:main");
    check("MAIN", "agent:main:main");
    check("Job-1", "agent:main:job-1");
    check("cron:Nightly:run:7", "agent:main:cron:nightly:run:7");
    check("Global", "global");
    check("unknown", "unknown");
}

#[test]
fn an_id_keeps_its_case_where_the_channel_does() {
    check(
        "agent:main:matrix:channel:!AbC:Srv",
        "agent:main:matrix:group:!AbC:Srv",
    );
    check(
        "agent:main:Matrix:Group:!abc:Srv",
        "agent:main:matrix:group:!abc:Srv",
    );
    check("agent:main:irc:group:#Ops", "agent:main:irc:group:#ops");
    check("agent:main:irc:direct:Bob", "agent:main:irc:direct:bob");
    check("agent:main:direct:Bob", "agent:main:direct:Bob");
    check(
        "agent:main:elsewhere:group:AbC=",
        "agent:main:elsewhere:group:AbC=",
    );
    check("agent:main:SUBAGENT:2-7", "agent:main:subagent:2-7");
}

#[test]
fn an_account_stands_where_it_is_not_the_default_one() {
    check(
        "agent:main:matrix:default:group:r",
        "agent:main:matrix:group:r",
    );
    check(
        "agent:main:matrix:work:group:r",
        "agent:main:matrix:Work:group:r",
    );
    check(
        "agent:main:matrix:default:direct:U",
        "agent:main:matrix:default:direct:U",
    );
}

#[test]
fn a_thread_is_what_follows_the_last_word_for_it() {
    check(
        "agent:main:matrix:group:r:Thread: 17.5A",
        "agent:main:matrix:group:r:thread:17.5A",
    );
    check(
        "agent:main:irc:group:r:thread:A",
        "agent:main:irc:group:r:thread:a",
    );
    check(
        "agent:main:matrix:group:a:thread:b:thread:c",
        "agent:main:matrix:group:a%3Athread:b:thread:c",
    );
    check(
        "agent:main:matrix:group:r:thread:",
        "agent:main:matrix:group:r%3Athread:",
    );
    check(
        "agent:main:main:thread:chat:5",
        "agent:main:main:thread:chat:5",
    );
}

#[test]
fn what_reads_as_grammar_is_written_otherwise() {
    assert_eq!(segment("group"), "%67roup");
    assert_eq!(segment("a:b"), "a%3Ab");
    assert_eq!(segment("main"), "main");
    assert_eq!(opaque(" x% "), "%20x%25%20");
    assert_eq!(opaque("a:b"), "a:b");
    assert_eq!(opaque("thread:x"), "%74hread:x");
    check(
        "agent:main:matrix:%67roup:group:x",
        "agent:main:matrix:%67roup:group:x",
    );
    check(
        "agent:main:matrix:group:100%",
        "agent:main:matrix:group:100%25",
    );
    check(
        "agent:main:matrix:group:%FF",
        "agent:main:matrix:group:%25FF",
    );
}

#[test]
fn a_key_tells_the_kind_of_its_conversation() {
    let place = |raw: &str| naming().read(raw).map(|key| key.place());
    assert_eq!(place("main"), Ok(Place::Direct));
    // A person may be called like a word of the grammar.
    assert_eq!(place("agent:main:direct:channel:x"), Ok(Place::Direct));
    assert_eq!(place("agent:main:matrix:group:r"), Ok(Place::Group));
    assert_eq!(
        place("agent:main:matrix:group:r:thread:t"),
        Ok(Place::Thread)
    );
}
