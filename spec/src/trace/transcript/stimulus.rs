//! What the gateway is told, in words.

use serde_json::Value;

use super::words::{listed, members, quoted, value};
use super::{config_before, state};
use crate::address::Place;
use crate::channel::Channel;
use crate::stimulus::{
    Author, Call, Caller, Delivered, Inbound, InternalPath, Open, Opened, Receipt, Start, Steering,
    Stimulus, ThreadOpened,
};
use crate::trace::Entry;

pub(super) fn line(stimulus: &Stimulus, entry: &Entry, before: &[Entry]) -> String {
    match stimulus {
        Stimulus::Open(opens) => open(opens, before),
        Stimulus::Inbound(message) => inbound(message, entry),
        Stimulus::InternalTurn(turn) => {
            let path = match turn.path {
                InternalPath::Heartbeat => "heartbeat",
                InternalPath::Cron => "cron",
            };
            format!("{path} gives {} {}", turn.session, quoted(&turn.text))
        }
        Stimulus::Call(calls) => call(calls),
        Stimulus::RunStarted(started) => {
            let outcome = match started.outcome {
                Start::Started => "started",
                Start::Refused => "refused",
                Start::Unknown => "may have started",
            };
            format!("run {} {outcome}", started.run)
        }
        Stimulus::RunProgress(progress) => {
            format!("run {} says {}", progress.run, quoted(&progress.text))
        }
        Stimulus::RunEnded(ended) => {
            let words = match ended.text.as_str() {
                "" => "without a word".to_owned(),
                text => quoted(text),
            };
            format!("run {} ends {} {words}", ended.run, ended.outcome.as_str())
        }
        Stimulus::Steered(steered) => match steered.outcome {
            Steering::Taken => format!("steer {} taken", steered.steer),
            Steering::Refused => format!("steer {} refused", steered.steer),
        },
        Stimulus::Receipt(answer) => receipt(answer),
        Stimulus::ThreadOpened(answer) => opened(answer),
        Stimulus::ThreadProbed(answer) => {
            format!(
                "request {}: thread is {}",
                answer.request,
                state(answer.state)
            )
        }
        Stimulus::ThreadChanged(changed) => {
            let becomes = state(changed.state);
            format!("the gateway hears that thread {} is {becomes}", changed.at)
        }
        Stimulus::ConversationMoved(moved) => {
            format!("the gateway hears that {} is {} now", moved.from, moved.to)
        }
        Stimulus::Compacted(compacted) => {
            format!("the transcript of {} is compacted", compacted.session)
        }
        Stimulus::ConfigChanged(changed) => {
            format!("the configuration becomes {}", value(&changed.config))
        }
        Stimulus::Wake {} => "the gateway wakes".to_owned(),
        Stimulus::Stop {} => "the gateway is stopped cleanly".to_owned(),
    }
}

fn opened(answer: &ThreadOpened) -> String {
    let request = &answer.request;
    match &answer.outcome {
        Opened::Opened { at } => format!("request {request}: thread {at} opened"),
        Opened::Refused { why } => format!("request {request}: thread refused, {}", quoted(why)),
        Opened::Unknown {} => format!("request {request}: there may be a thread"),
    }
}

/// The text in which its markers stand.
pub(super) fn text(stimulus: &Stimulus) -> Option<String> {
    match stimulus {
        Stimulus::Inbound(message) => Some(message.text.to_string()),
        Stimulus::InternalTurn(turn) => Some(turn.text.to_string()),
        Stimulus::Call(call) => Some(call.params.to_string()),
        Stimulus::RunProgress(progress) => Some(progress.text.to_string()),
        Stimulus::RunEnded(ended) => Some(ended.text.to_string()),
        Stimulus::Open(_)
        | Stimulus::RunStarted(_)
        | Stimulus::Steered(_)
        | Stimulus::Receipt(_)
        | Stimulus::ThreadOpened(_)
        | Stimulus::ThreadProbed(_)
        | Stimulus::ThreadChanged(_)
        | Stimulus::ConversationMoved(_)
        | Stimulus::Compacted(_)
        | Stimulus::ConfigChanged(_)
        | Stimulus::Wake {}
        | Stimulus::Stop {} => None,
    }
}

fn open(open: &Open, before: &[Entry]) -> String {
    let again = if open.restored { " again" } else { "" };
    let mut line = format!(
        "the gateway opens{again} at {} ({})",
        open.starts_at, open.timezone
    );
    if !open.restored {
        let channels: Vec<String> = open.channels.iter().map(channel).collect();
        line += &format!(" with {}", channels.join(", "));
        line += &format!(", agents {}", listed(&open.agents));
    }
    let empty = match &*open.config {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    };
    if !empty && config_before(before) != Some(&*open.config) {
        line += &format!(", config {}", value(&open.config));
    }
    match open.disk.len() {
        0 => (),
        1 => line += ", 1 record on its disk",
        count => line += &format!(", {count} records on its disk"),
    }
    match open.alive.as_slice() {
        [] => (),
        [run] => line += &format!(", run {run} alive"),
        runs => line += &format!(", runs {} alive", listed(runs)),
    }
    if let Some(dir) = &open.state_dir {
        line += &format!(", its state in {dir}");
    }
    line
}

fn channel(channel: &Channel) -> String {
    match channel.accounts.as_slice() {
        [] => channel.id.to_string(),
        [only] if only.as_str() == "default" => channel.id.to_string(),
        accounts => format!("{} ({})", channel.id, listed(accounts)),
    }
}

fn inbound(message: &Inbound, entry: &Entry) -> String {
    let author = match message.author {
        Author::Person => "",
        Author::Bot => "bot ",
        Author::Own => "own account ",
        Author::Webhook => "webhook ",
    };
    let place = match message.kind {
        Place::Direct => "",
        Place::Group => "group ",
        Place::Thread => "thread ",
    };
    let mut line = format!(
        "{author}{} in {place}{} says {}",
        message.from,
        message.at,
        quoted(&message.text)
    );
    let marker = entry.own.first().map(|marker| marker.as_str());
    if marker != Some(message.message.as_str()) {
        line += &format!(" (message {})", message.message);
    }
    if !message.mentioned {
        line += ", without a mention";
    }
    if !message.authorised {
        line += ", without authority";
    }
    line
}

fn call(call: &Call) -> String {
    let caller = match &call.by {
        Caller::Run(run) => format!("run {run}"),
        Caller::Admin => "the administrator".to_owned(),
        Caller::Plugin => "a plugin".to_owned(),
    };
    let params = match &call.params {
        Value::Object(object) => members(object, " ", &[]),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            format!(" {}", value(&call.params))
        }
    };
    format!(
        "{caller} calls {}{params} (call {})",
        call.method, call.call
    )
}

fn receipt(receipt: &Receipt) -> String {
    let delivery = &receipt.delivery;
    match &receipt.outcome {
        Delivered::Accepted { message } => format!("delivery {delivery} accepted as {message}"),
        Delivered::Refused {
            permanent,
            retry_after,
            why,
        } => {
            let kind = if *permanent { "for good" } else { "this time" };
            let retry = retry_after.map_or(String::new(), |wait| {
                format!(", retry after {}", crate::time::Span(wait.0))
            });
            let why = match why.as_str() {
                "" => String::new(),
                why => format!(", {}", quoted(why)),
            };
            format!("delivery {delivery} refused {kind}{retry}{why}")
        }
        Delivered::Unknown {} => format!("delivery {delivery} unknown: it may have happened"),
    }
}
