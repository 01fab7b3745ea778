//! Texts of a log as a scenario has them: without the markers that the world adds by itself.

use std::collections::BTreeMap;

use moorline_spec::id::Marker;
use moorline_spec::trace::Entry;

/// The markers of the log by what they are called in the fixture.
#[derive(Debug, Default)]
pub(super) struct Markers {
    by_log: BTreeMap<Marker, String>,
}

impl Markers {
    pub(super) fn note(&mut self, log: &Marker, name: String) {
        self.by_log.insert(log.clone(), name);
    }

    pub(super) fn name(&self, log: &Marker) -> Option<&str> {
        self.by_log.get(log).map(String::as_str)
    }

    /// Those markers that the fixture knows.
    pub(super) fn names(&self, all: &[Marker]) -> Vec<String> {
        let known = all.iter().filter_map(|marker| self.name(marker));
        known.map(str::to_owned).collect()
    }

    /// The words of a text, and of its markers those that are repeated without the world's help.
    pub(super) fn words(&self, text: &str, entry: &Entry, repeated: &[String]) -> String {
        let mut words = bare(text, &entry.markers);
        for marker in repeated {
            words.push_str(&format!(" ⟦{marker}⟧"));
        }
        words.trim_start().to_owned()
    }

    /// The same with everything that the text repeats.
    pub(super) fn quoting(&self, text: &str, entry: &Entry) -> String {
        let others = entry
            .markers
            .iter()
            .filter(|marker| !entry.own.contains(marker));
        let others: Vec<Marker> = others.cloned().collect();
        self.words(text, entry, &self.names(&others))
    }
}

/// A text without its markers, and without the blanks before them.
pub(super) fn bare(text: &str, markers: &[Marker]) -> String {
    let mut bare = text.to_owned();
    for marker in markers {
        let marker = marker.in_text().to_string();
        bare = bare.replace(&format!(" {marker}"), "").replace(&marker, "");
    }
    bare.trim_end().to_owned()
}
