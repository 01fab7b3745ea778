//! The texts of agents: words, the markers they repeat, and markers of their own.

use std::fmt::Write as _;

use moorline_spec::id::{Marker, Text};
use moorline_spec::marker::{Scan, Seam, markers_in};
use rustc_hash::FxHashMap;
use serde_json::Value;

use moorline_spec::address::Address;

/// Something that was said, with its markers.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    /// The whole text.
    pub(super) text: Text,
    /// The markers born in it.
    pub(super) own: Vec<Marker>,
    /// All its markers.
    pub(super) markers: Vec<Marker>,
}

/// How many characters of a long text lie between two of its own markers.
const INTERVAL: usize = 500;

/// What long texts are filled with.
const FILLER: &str = " and so on";

impl Said {
    /// Words with a marker of their own.
    pub(super) fn with_own(words: &str, own: Marker) -> Self {
        Self::repeating(words, &[], own, 0)
    }

    /// Words that repeat markers and have one of their own, made `length` characters long by
    /// filling, with a further own marker at intervals.
    pub(super) fn repeating(words: &str, repeated: &[Marker], own: Marker, length: usize) -> Self {
        let mut markers = if words.contains('⟦') {
            markers_in(words)
        } else {
            Vec::with_capacity(repeated.len() + 1)
        };
        // A space, and two brackets.
        let length_of = |marker: &Marker| marker.as_str().len() + " ⟦⟧".len();
        let all = || repeated.iter().chain([&own]);
        let whole = words.len() + all().map(length_of).sum::<usize>();
        let mut text = String::with_capacity(whole);
        text.push_str(words);
        for marker in all() {
            text.push_str(" ⟦");
            text.push_str(marker.as_str());
            text.push('⟧');
            if !markers.contains(marker) {
                markers.push(marker.clone());
            }
        }
        let mut said = Self {
            text: text.into(),
            own: vec![own],
            markers,
        };
        if length > 0 {
            said.fill(length);
        }
        said
    }

    fn fill(&mut self, length: usize) {
        let mut text = self.text.to_string();
        let mut count = text.chars().count();
        let mut next = INTERVAL;
        while count < length {
            let marker = Marker::from(format!("{}+{}", self.own[0], self.own.len()));
            // A space, and two brackets.
            let size = marker.as_str().chars().count() + 3;
            if next <= count && count + size <= length {
                let _ = write!(text, " {}", marker.in_text());
                self.own.push(marker.clone());
                self.markers.push(marker);
                count += size;
                next += INTERVAL;
            } else {
                let rest = &FILLER[..FILLER.len().min(length - count)];
                text.push_str(rest);
                count += rest.len();
            }
        }
        self.text = text.into();
    }
}

/// Every marker in the texts of a value, in order.
pub(super) fn markers_in_value(value: &Value, found: &mut Vec<Marker>) {
    match value {
        Value::String(text) => {
            if text.contains('⟦') {
                found.extend(markers_in(text));
            }
        }
        Value::Array(values) => {
            for value in values {
                markers_in_value(value, found);
            }
        }
        Value::Object(members) => {
            for value in members.values() {
                markers_in_value(value, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => (),
    }
}

/// Whether a text has markers, and all of them whole: what others wrote there means nothing to it.
pub(super) fn is_whole(scan: &Scan) -> bool {
    scan.opens && !scan.dangles && !scan.begins_inside
}

/// The pieces that go to each address, read as one stream.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_address: FxHashMap<Address, Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    seam: Seam,
    /// What pieces completed that began in the middle of a marker: a repetition says the same.
    completed: Vec<(Text, Vec<Marker>)>,
}

impl Streams {
    /// The markers that the next piece to an address completes, by what was read in it.
    pub(super) fn markers(&mut self, to: &Address, piece: &Text, scan: Scan) -> Vec<Marker> {
        let Scan {
            markers,
            opens,
            dangles,
            begins_inside,
        } = scan;
        if !dangles && !begins_inside {
            if !opens && let Some(stream) = self.by_address.get_mut(to) {
                // It may be the middle of a marker that is longer than any piece.
                stream.seam.markers(piece);
            }
            return markers;
        }
        let stream = self.by_address.entry(to.clone()).or_default();
        let known = stream
            .completed
            .iter()
            .find(|(text, _)| begins_inside && text == piece);
        if let Some((_, markers)) = known {
            let markers = markers.clone();
            if dangles && let Some(open) = piece.rfind('⟦') {
                stream.seam.markers(&piece[open..]);
            }
            return markers;
        }
        let markers = stream.seam.markers(piece);
        if begins_inside {
            stream.completed.push((piece.clone(), markers.clone()));
        }
        markers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_has_its_length_and_markers_at_intervals() {
        let said = Said::repeating("report", &["r1".into()], "r1.1".into(), 1_700);
        assert_eq!(said.text.chars().count(), 1_700);
        let own = ["r1.1", "r1.1+1", "r1.1+2", "r1.1+3"].map(Marker::from);
        assert_eq!(said.own, own);
        assert_eq!(said.markers, markers_in(&said.text));
        assert!(said.text.starts_with("report ⟦r1⟧ ⟦r1.1⟧ and so on"));
    }

    #[test]
    fn a_repeated_piece_completes_what_it_completed_at_first() {
        let to = Address {
            channel: "telegram".into(),
            account: "default".into(),
            conversation: "alice".into(),
            thread: None,
        };
        let mut streams = Streams::default();
        let mut read = |piece: &str| streams.markers(&to, &piece.into(), Scan::of(piece));
        assert_eq!(read("one ⟦r"), []);
        let both = ["r1", "r2"].map(Marker::from);
        assert_eq!(read("1⟧ two ⟦r2⟧ ⟦r"), both);
        assert_eq!(read("1⟧ two ⟦r2⟧ ⟦r"), both);
        assert_eq!(read("whole ⟦r4⟧"), [Marker::from("r4")]);
        assert_eq!(read("3⟧"), [Marker::from("r3")]);
        assert_eq!(read("3⟧"), [Marker::from("r3")]);
    }
}
