use serde_json::{Value, json};

use crate::address::Place;
use crate::effect::Memory::Fresh;
use crate::rule::tale::Tale;
use crate::time::Span;

const KEY: &str = "agent:main:main";
const CHILD: &str = "agent:main:subagent:1";
const ORDER: &str = "config.one-precedence";
const ACCEPTED: &str = "config.accepted-means-effect";

fn configured(config: Value) -> Tale {
    let mut tale = Tale::new(json!({}));
    tale.configures(config);
    tale
}

/// A child is asked for with a model or without, and started with one.
#[track_caller]
fn child(own: Option<&str>, all: Option<&str>, given: Option<&str>, found: &str) -> Tale {
    let mut tale = configured(json!({"agents": {
        "defaults": {"subagents": {"model": all}},
        "list": [{"id": "main", "subagents": {"model": own}}],
    }}));
    let mut params = json!({});
    if let Some(given) = given {
        params["model"] = given.into();
    }
    tale.says("chat", "alice", "m1")
        .start("a", KEY, Fresh, &["m1"])
        .call("r1", "a", "sessions_spawn", params)
        .start_with("b", CHILD, "r1", json!({"model": found}));
    tale
}

#[test]
fn the_model_of_a_child_is_the_parameter_s_then_the_agent_s() {
    child(Some("own"), Some("all"), Some("given"), "given").keeps(ORDER);
    child(Some("own"), Some("all"), None, "own").keeps(ORDER);
    child(None, Some("all"), Some("given"), "given").keeps(ORDER);
    // Where all agree, or one speaks, no order is put to the test.
    child(Some("all"), Some("all"), None, "all").says_nothing(ORDER);
    child(None, Some("all"), None, "all").says_nothing(ORDER);
    child(None, Some("all"), None, "all").keeps(ACCEPTED);
    child(None, Some("all"), None, "other").breaks(ACCEPTED, "run b has the model \"other\"");
    child(None, None, None, "any").says_nothing(ORDER);
    child(Some("own"), Some("all"), None, "all").breaks(ORDER, "run b has the model \"all\"");
    child(Some("own"), None, Some("given"), "own").breaks(ORDER, "run b has the model \"own\"");
}

/// A message in a group mentions nobody.
fn group(account: Option<bool>, channel: Option<bool>) -> Tale {
    let mut tale = configured(json!({"channels": {"chat": {
        "requireMention": channel,
        "accounts": {"work": {"requireMention": account}},
    }}}));
    tale.hears("m1", |message| {
        message.kind = Place::Group;
        message.mentioned = false;
        message.at.account = "work".into();
        message.at.conversation = "g".into();
    });
    tale
}

#[test]
fn an_account_outranks_its_channel() {
    let heard = |mut tale: Tale| {
        tale.start("a", "agent:main:chat:group:g", Fresh, &["m1"]);
        tale
    };
    let dropped = |mut tale: Tale| {
        tale.drops("m1");
        tale
    };
    heard(group(Some(false), Some(true))).keeps(ORDER);
    dropped(group(Some(true), Some(false))).keeps(ORDER);
    heard(group(None, None)).says_nothing(ORDER);
    heard(group(None, Some(false))).keeps(ACCEPTED);
    heard(group(None, Some(true))).breaks(
        ACCEPTED,
        "what alice wrote in chat:work/g ⟦m1⟧ is given to a run, and mentions nobody",
    );
    heard(group(Some(true), Some(false))).breaks(
        ORDER,
        "what alice wrote in chat:work/g ⟦m1⟧ is given to a run, and mentions nobody",
    );
    dropped(group(Some(false), Some(true)))
        .breaks(ORDER, "what alice wrote in chat:work/g ⟦m1⟧ is dropped");
}

#[test]
fn what_is_wrong_is_refused_at_its_path() {
    let wrong = json!({"session": {"reset": {"idleMinutes": 0}, "dmScop": "main"}});
    let path = "session.reset.idleMinutes";
    let mut tale = configured(wrong.clone());
    tale.refuses_config(path).rests();
    tale.keeps(ACCEPTED);
    // One of several is enough, and all are as good.
    tale.refuses_config("session.dmScop");
    tale.keeps(ACCEPTED);

    let accepted = "a configuration is accepted that is wrong at session.dmScop";
    configured(wrong.clone()).rests().breaks(ACCEPTED, accepted);
    configured(wrong.clone())
        .after(Span::secs(1))
        .says("chat", "alice", "m1")
        .start("a", KEY, Fresh, &["m1"])
        .breaks(ACCEPTED, accepted);
    configured(wrong)
        .refuses_config("session.reset")
        .breaks(ACCEPTED, "the configuration is refused at session.reset");
}

#[test]
fn what_is_right_is_not_refused() {
    let right = json!({"session": {"reset": {"idleMinutes": 1}}});
    configured(right.clone()).rests().says_nothing(ACCEPTED);
    configured(right)
        .refuses_config("session.reset.idleMinutes")
        .breaks(
            ACCEPTED,
            "the configuration is refused at session.reset.idleMinutes, where nothing is wrong",
        );
}

#[test]
fn who_dies_as_it_is_told_has_refused_nothing() {
    let mut tale = configured(json!({"sesion": {}}));
    tale.crash_at_once(&[]).rests();
    tale.says_nothing(ACCEPTED);
}
