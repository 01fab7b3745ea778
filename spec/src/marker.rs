//! Markers in texts: `⟦m1⟧`. Information is followed by them, whoever rewords what is around.

use crate::id::Marker;

const OPEN: char = '⟦';
const CLOSE: char = '⟧';

impl Marker {
    /// As it stands in a text.
    pub fn in_text(&self) -> String {
        format!("{OPEN}{self}{CLOSE}")
    }
}

/// The markers in a text, in order, each once.
pub fn markers_in(text: &str) -> Vec<Marker> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((marker, tail)) = next_marker(rest) {
        if !found.contains(&marker) {
            found.push(marker);
        }
        rest = tail;
    }
    found
}

fn next_marker(text: &str) -> Option<(Marker, &str)> {
    let mut rest = text;
    loop {
        let (_, after_open) = rest.split_once(OPEN)?;
        let end = after_open.find([OPEN, CLOSE])?;
        let tail = &after_open[end..];
        match tail.strip_prefix(CLOSE) {
            Some(next) if end > 0 => return Some((Marker::from(&after_open[..end]), next)),
            Some(next) => rest = next,
            // A second opening: the first was no marker.
            None => rest = tail,
        }
    }
}

/// The pieces of one conversation read as one stream, so that a marker cut in two is whole again.
#[derive(Clone, Debug, Default)]
pub struct Seam {
    open: String,
}

impl Seam {
    /// The markers that this piece completes: those inside it, and the one whose beginning stood
    /// at the end of an earlier piece.
    pub fn markers(&mut self, piece: &str) -> Vec<Marker> {
        let continues = !self.open.is_empty()
            && piece
                .find(CLOSE)
                .is_some_and(|end| piece.find(OPEN).is_none_or(|open| end < open));
        let found = if continues {
            markers_in(&format!("{}{piece}", self.open))
        } else {
            markers_in(piece)
        };
        match piece.rfind(OPEN) {
            Some(open) if !piece[open..].contains(CLOSE) => self.open = piece[open..].to_owned(),
            _ if continues => self.open.clear(),
            // A piece of another message came between: the rest of the marker may still follow.
            _ => (),
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, markers: &[&str]) {
        let names: Vec<Marker> = markers.iter().map(|&name| name.into()).collect();
        assert_eq!(markers_in(text), names, "{text}");
    }

    #[test]
    fn markers_stand_between_double_brackets() {
        check("refactor it ⟦m1⟧ and ⟦r1.1⟧ and ⟦m1⟧", &["m1", "r1.1"]);
        check("nothing, ⟦⟧, ⟦cut", &[]);
        check("⟦a⟦b⟧", &["b"]);
    }

    #[test]
    fn a_marker_cut_in_two_is_whole_again() {
        let mut seam = Seam::default();
        assert_eq!(seam.markers("first ⟦m"), []);
        assert_eq!(seam.markers("another message"), []);
        assert_eq!(
            seam.markers("1⟧ second ⟦m2⟧"),
            [Marker::from("m1"), Marker::from("m2")]
        );
        assert_eq!(seam.markers("1⟧"), []);
    }
}
