//! What the gateway asks for, in words.

use serde_json::Value;

use super::words::{members, quoted, value};
use crate::effect::{Answer, Deliver, Effect, Memory, Report, StartRun};

pub(super) fn line(effect: &Effect) -> String {
    match effect {
        Effect::StartRun(start) => start_run(start),
        Effect::SteerRun(steer) => {
            format!(
                "steer {} gives run {} {}",
                steer.steer,
                steer.run,
                quoted(&steer.input)
            )
        }
        Effect::CancelRun(cancel) => format!("run {} is told to stop", cancel.run),
        Effect::Deliver(delivery) => deliver(delivery),
        Effect::OpenThread(open) => format!(
            "request {}: open a thread in {} for {}, named {}",
            open.request,
            open.parent,
            open.session_key,
            quoted(&open.name)
        ),
        Effect::ProbeThread(probe) => {
            format!(
                "request {}: is thread {} there?",
                probe.request, probe.address
            )
        }
        Effect::Answer(answers) => answer(answers),
        Effect::Persist(persist) => format!(
            "a record of {} bytes persisted",
            persist.record.text().len()
        ),
        Effect::Report(reports) => format!("the gateway reports: {}", report(reports)),
        Effect::Drop(drop) => format!("message {} dropped: {}", drop.message, quoted(&drop.why)),
        Effect::RefuseConfig(refuse) => {
            format!("config refused at {}: {}", refuse.path, quoted(&refuse.why))
        }
    }
}

/// The text in which its markers stand.
pub(super) fn text(effect: &Effect) -> Option<String> {
    match effect {
        Effect::StartRun(start) => Some(start.input.to_string()),
        Effect::SteerRun(steer) => Some(steer.input.to_string()),
        Effect::Deliver(deliver) => Some(deliver.text.to_string()),
        Effect::OpenThread(open) => Some(open.name.to_string()),
        Effect::Answer(answer) => Some(answer.result.to_string()),
        Effect::CancelRun(_)
        | Effect::ProbeThread(_)
        | Effect::Persist(_)
        | Effect::Report(_)
        | Effect::Drop(_)
        | Effect::RefuseConfig(_) => None,
    }
}

fn start_run(start: &StartRun) -> String {
    let key = &start.session_key;
    let memory = match &start.memory {
        Memory::Fresh => "fresh".to_owned(),
        Memory::Continue => "continued".to_owned(),
        Memory::Fork(from) => format!("forked from {from}"),
    };
    let mut line = format!(
        "run {} starts in {key} (session {}), {memory}",
        start.run, start.session_id
    );
    // A key mostly begins with its agent; the agent is told where it doesn't.
    if !key.as_str().starts_with(&format!("agent:{}:", start.agent)) {
        line += &format!(", by agent {}", start.agent);
    }
    if let Some(run) = &start.resumes {
        line += &format!(", in place of run {run}");
    }
    if !start.overrides.is_null() {
        line += &format!(", with {}", value(&start.overrides));
    }
    format!("{line}, given {}", quoted(&start.input))
}

fn deliver(deliver: &Deliver) -> String {
    let mut line = format!(
        "delivery {} to {} {}",
        deliver.delivery,
        deliver.to,
        quoted(&deliver.text)
    );
    if let Some(key) = &deliver.key {
        line += &format!(" key {key}");
    }
    if deliver.repeat {
        line += ", marked as a repeat";
    }
    line
}

fn answer(answer: &Answer) -> String {
    let call = &answer.call;
    let Value::Object(result) = &answer.result else {
        return format!("call {call}: {}", value(&answer.result));
    };
    let text = |name: &str| result.get(name).and_then(Value::as_str);
    let mut told = Vec::new();
    let mut parts = Vec::new();
    if let Some(status) = text("status") {
        told.push("status");
        parts.push(status.to_owned());
    }
    if let Some(run) = text("runId") {
        told.push("runId");
        parts.push(format!("run {run}"));
    }
    if let Some(key) = text("childSessionKey") {
        told.push("childSessionKey");
        parts.push(format!("in {key}"));
    }
    let parts = parts.join(", ").replacen(", in ", " in ", 1);
    let others = members(result, ", ", &told);
    match parts.is_empty() {
        true => format!("call {call}: {}", others.trim_start_matches(", ")),
        false => format!("call {call}: {parts}{others}"),
    }
}

fn report(report: &Report) -> String {
    match report {
        Report::Bound {
            address,
            session_key,
        } => format!("{address} is bound to {session_key}"),
        Report::Unbound {
            address,
            session_key,
            reason,
        } => format!(
            "{address} is unbound from {session_key}: {}",
            reason.as_str()
        ),
        Report::Failed { run, address, why } => {
            let place = address
                .as_ref()
                .map_or(String::new(), |address| format!(" to {address}"));
            let why = quoted(why);
            format!("the completion of run {run} could not be told{place}: {why}")
        }
    }
}
