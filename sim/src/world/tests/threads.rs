//! Threads: opened, changed, archived.

use serde_json::json;

use super::*;

fn opens_a_thread() -> Echo {
    Echo::with(|echo, _, stimulus, effects| match stimulus {
        Stimulus::Inbound(inbound) => effects.push(Effect::OpenThread(OpenThread {
            request: "q1".into(),
            parent: inbound.at.clone(),
            name: "work".into(),
            session_key: "agent:main:work".into(),
        })),
        Stimulus::ThreadOpened(opened) => {
            if let Opened::Opened { at } = &opened.outcome {
                let deliver = echo.deliver(at.clone(), "welcome");
                effects.push(Effect::Deliver(deliver));
            }
        }
        Stimulus::ThreadChanged(changed) => {
            let (request, address) = ("q2".into(), changed.at.clone());
            effects.push(Effect::ProbeThread(ProbeThread { request, address }));
        }
        _ => (),
    })
}

#[test]
fn threads_are_opened_refused_or_nobody_knows() {
    let bob = |faults: Value| {
        let steps = json!([
            {"says": "bob", "text": "hi"},
            {"at": "1s", "thread_becomes": "locked", "in": {"thread": 1}}]);
        json!({"steps": steps, "faults": faults})
    };
    let row = |value: Value, expected: &[&str]| {
        check_within(value, &mut opens_a_thread(), Disk::None, expected);
    };
    let opened = [
        "200 opened discord/general#t1",
        "225 posted post-1 at discord/general#t1",
        "1050 probed Locked",
    ];
    row(bob(json!([])), &opened);
    row(
        bob(json!([{"thread": {"refused": true}}])),
        &["200 no thread: refused by the channel"],
    );
    let unknown = ["200 thread unknown", "1050 probed Locked"];
    row(bob(json!([{"thread": {"unknown": true}}])), &unknown);
    let alice = json!({"steps": [{"says": "alice", "text": "hi"}]});
    row(alice, &["200 no thread: the channel opens no threads"]);
}

#[test]
fn a_thread_archives_and_a_message_brings_it_back() {
    let steps = json!({"steps": [
        {"says": "bob", "text": "hi"},
        {"at": "30h", "thread_becomes": "archived", "in": {"thread": 1}},
        {"at": "31h", "says": "bob", "in": {"thread": 1}, "text": "still there?"},
    ]});
    let back = [
        "108000050 probed Archived",
        "111600000 {\"thread\":{\"at\":{\"channel\":\"discord\",\"account\":\"default\",\
         \"conversation\":\"general\",\"thread\":\"t1\"},\"state\":\"live\"}}",
        "111600000 inbound m3",
    ];
    check_within(steps, &mut opens_a_thread(), Disk::None, &back);
}
