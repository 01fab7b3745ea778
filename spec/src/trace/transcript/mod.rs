//! The form of a trace that people read: one line for each entry, the time only where it changes.

mod effect;
mod stimulus;
mod words;

use std::fmt::Write;

use super::{Entry, Rest, Trace, What, World};
use crate::effect::Effect;
use crate::id::{DeliveryId, Marker, RunId};
use crate::marker::markers_in;
use crate::stimulus::{Stimulus, ThreadState};
use words::{listed, one_line, quoted};

impl Trace {
    /// The story as a transcript that reads aloud, each line with its end.
    ///
    /// Records that were persisted are left out: they are the gateway's own business.
    pub fn transcript(&self) -> String {
        let width = self
            .entries
            .last()
            .map_or(0, |entry| entry.at.to_string().len());
        let mut text = String::new();
        let mut clock = None;
        for (index, entry) in self.entries.iter().enumerate() {
            if entry.is_persist() {
                continue;
            }
            let time = match clock.replace(entry.at) {
                Some(same) if same == entry.at => String::new(),
                Some(_) | None => entry.at.to_string(),
            };
            let line = self.transcript_line(index);
            writeln!(text, "{time:>width$}  {line}").expect("memory takes everything");
        }
        text
    }

    /// One entry as a line without its time and its end. Empty where there is no such entry.
    pub fn transcript_line(&self, index: usize) -> String {
        let Some(entry) = self.entries.get(index) else {
            return String::new();
        };
        let before = &self.entries[..index];
        let line = match &entry.what {
            What::Stimulus(stimulus) => stimulus::line(stimulus, entry, before),
            What::Effect(effect) => effect::line(effect),
            What::World(world) => world_line(world, before),
        };
        one_line(&format!("{line}{}", entry.carried()))
    }
}

impl Entry {
    fn is_persist(&self) -> bool {
        matches!(self.what, What::Effect(Effect::Persist(_)))
    }

    /// Markers that its text does not show: those that began in an earlier piece, or that a
    /// recorder knows of.
    fn carried(&self) -> String {
        let shown = self.text().as_deref().map(markers_in).unwrap_or_default();
        let mut hidden: Vec<&Marker> = Vec::new();
        for marker in self.own.iter().chain(&self.markers) {
            if !shown.contains(marker) && !hidden.contains(&marker) {
                hidden.push(marker);
            }
        }
        if hidden.is_empty() {
            return String::new();
        }
        let list: Vec<String> = hidden
            .into_iter()
            .map(|marker| marker.in_text().to_string())
            .collect();
        format!(", carrying {}", list.join(" "))
    }

    /// The text in which its markers stand.
    fn text(&self) -> Option<String> {
        match &self.what {
            What::Stimulus(stimulus) => stimulus::text(stimulus),
            What::Effect(effect) => effect::text(effect),
            What::World(World::Posted { text, .. }) => Some(text.to_string()),
            What::World(
                World::Recognised { .. }
                | World::Thread { .. }
                | World::Fault { .. }
                | World::Crashed { .. }
                | World::Unable { .. }
                | World::Note { .. }
                | World::Healing {}
                | World::Rest(_),
            ) => None,
        }
    }
}

/// What a thread is like, after "is".
fn state(state: ThreadState) -> &'static str {
    match state {
        ThreadState::Live => "live",
        ThreadState::Archived => "archived",
        ThreadState::Locked => "locked",
        ThreadState::Gone => "gone",
        ThreadState::Unknown => "in a state nobody knows",
    }
}

fn world_line(world: &World, before: &[Entry]) -> String {
    match world {
        World::Posted {
            delivery,
            at,
            message,
            text,
            repeat,
        } => {
            let asked = delivered_text(before, delivery);
            let words = match asked {
                Some(asked) if asked == text => String::new(),
                Some(_) | None => format!(": {}", quoted(text)),
            };
            let repeat = if *repeat { ", marked as a repeat" } else { "" };
            format!("delivery {delivery} stands in {at} as message {message}{repeat}{words}")
        }
        World::Recognised { delivery, message } => {
            format!("delivery {delivery} recognised as message {message}, nothing posted")
        }
        World::Thread { at, state: becomes } => format!("thread {at} is {}", state(*becomes)),
        World::Fault { what } => format!("fault: {what}"),
        World::Crashed { lost, kept } => format!(
            "the gateway crashes{}{}",
            runs(lost, "lost"),
            runs(kept, "kept")
        ),
        World::Unable { run, why } => format!("run {run} is unable to act: {why}"),
        World::Note { text } => format!("note: {text}"),
        World::Healing {} => "the steps are over, the world heals".to_owned(),
        World::Rest(rest) => format!("the play {}", rest_words(*rest)),
    }
}

fn delivered_text<'a>(before: &'a [Entry], delivery: &DeliveryId) -> Option<&'a str> {
    before.iter().rev().find_map(|entry| match &entry.what {
        What::Effect(Effect::Deliver(deliver)) if deliver.delivery == *delivery => {
            Some(deliver.text.as_str())
        }
        What::Effect(_) | What::Stimulus(_) | What::World(_) => None,
    })
}

fn runs(runs: &[RunId], fate: &str) -> String {
    match runs {
        [] => String::new(),
        [run] => format!(", run {run} is {fate}"),
        several => format!(", runs {} are {fate}", listed(several)),
    }
}

fn rest_words(rest: Rest) -> &'static str {
    match rest {
        Rest::Settled => "rests: nothing is owed, nothing in flight",
        Rest::Stuck => "is stuck: something is owed, and nothing more will happen",
        Rest::Overdue => "ends: something is owed for longer than the profile allows",
        Rest::OutOfWakes => "ends: the gateway woke too often",
    }
}

/// The configuration that was in force before.
fn config_before(before: &[Entry]) -> Option<&serde_json::Value> {
    before.iter().rev().find_map(|entry| match &entry.what {
        What::Stimulus(Stimulus::Open(open)) => Some(&*open.config),
        What::Stimulus(Stimulus::ConfigChanged(changed)) => Some(&*changed.config),
        What::Effect(_) | What::Stimulus(_) | What::World(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY_KIND: &str = include_str!("every_kind.jsonl");

    #[test]
    fn every_kind_of_entry_reads_aloud() {
        let trace = Trace::from_lines(EVERY_KIND).unwrap();
        insta::assert_snapshot!(trace.transcript());
    }

    #[test]
    fn the_trace_of_every_kind_has_every_kind() {
        let schema = serde_json::to_value(schemars::schema_for!(Entry)).unwrap();
        for kind in ["Stimulus", "Effect", "World", "Report"] {
            for variant in schema["$defs"][kind]["oneOf"].as_array().unwrap() {
                let name = variant["required"][0].as_str().unwrap();
                let found = EVERY_KIND.contains(&format!("\"{name}\":"));
                assert!(found, "{kind} {name} is missing");
            }
        }
    }

    #[test]
    fn a_line_that_is_not_there_is_empty() {
        assert_eq!(Trace::default().transcript_line(0), "");
        assert_eq!(Trace::default().transcript(), "");
    }
}
