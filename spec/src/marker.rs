//! Markers in texts: `⟦m1⟧`. Information is followed by them, whoever rewords what is around.

use std::fmt;

use crate::id::Marker;

const OPEN: char = '⟦';
const CLOSE: char = '⟧';

impl Marker {
    /// As it stands in a text. It is put together where it is written: most rules are kept.
    pub fn in_text(&self) -> impl fmt::Display {
        fmt::from_fn(move |f| write!(f, "{OPEN}{self}{CLOSE}"))
    }
}

/// The markers in a text, in order, each once.
pub fn markers_in(text: &str) -> Vec<Marker> {
    Scan::of(text).markers
}

/// What a text shows of markers, whole and cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The whole markers, in order, each once.
    pub markers: Vec<Marker>,
    /// Whether a marker may begin in it at all.
    pub opens: bool,
    /// Whether it ends in the middle of a marker.
    pub dangles: bool,
    /// Whether it begins in the middle of one.
    pub begins_inside: bool,
}

impl Scan {
    /// Reads a text once.
    pub fn of(text: &str) -> Self {
        let mut scan = Self::default();
        // Where the name begins that may be going on.
        let mut begin = None;
        let mut from = 0;
        while let Some((at, bracket)) = next_bracket(text, from) {
            from = at + bracket.len_utf8();
            if bracket == OPEN {
                scan.opens = true;
                // A second opening: the first was no marker.
                begin = Some(from);
                continue;
            }
            match begin.take() {
                Some(begin) if begin < at => {
                    let name = &text[begin..at];
                    if scan.markers.is_empty() {
                        scan.markers = Vec::with_capacity(4);
                    }
                    if !scan.markers.iter().any(|known| known.as_str() == name) {
                        scan.markers.push(Marker::from(name));
                    }
                }
                Some(_) => (),
                None => scan.begins_inside |= !scan.opens,
            }
        }
        scan.dangles = begin.is_some();
        scan
    }
}

/// The next bracket at or after a place in a text. Both begin with the same byte, which is looked
/// for alone: texts are read at every step of a play.
fn next_bracket(text: &str, mut from: usize) -> Option<(usize, char)> {
    const LEAD: u8 = 0xE2;
    loop {
        let at = from + text.as_bytes()[from..].iter().position(|&b| b == LEAD)?;
        match text[at..].chars().next() {
            Some(bracket @ (OPEN | CLOSE)) => return Some((at, bracket)),
            Some(other) => from = at + other.len_utf8(),
            None => return None,
        }
    }
}

/// The pieces of one conversation read as one stream, so that a marker cut in pieces is whole
/// again.
#[derive(Clone, Debug, Default)]
pub struct Seam {
    /// What the beginning of a marker at the end of an earlier piece may have become: a piece
    /// without brackets and blanks is its middle, or another message that came between.
    open: Vec<String>,
}

impl Seam {
    /// So many readings of what came between are kept.
    const OPEN_MAX: usize = 16;

    /// The markers that this piece completes: those inside it, and the one whose beginning stood
    /// at the end of an earlier piece.
    pub fn markers(&mut self, piece: &str) -> Vec<Marker> {
        let continues = !self.open.is_empty()
            && piece
                .find(CLOSE)
                .is_some_and(|end| piece.find(OPEN).is_none_or(|open| end < open));
        let mut found = Vec::new();
        if continues {
            for open in &self.open {
                let whole = markers_in(&format!("{open}{piece}"));
                found.extend(whole.into_iter().take(1));
            }
        }
        for marker in markers_in(piece) {
            if !found.contains(&marker) {
                found.push(marker);
            }
        }
        match piece.rfind(OPEN) {
            Some(open) if !piece[open..].contains(CLOSE) => {
                self.open = vec![piece[open..].to_owned()];
            }
            _ if continues => self.open.clear(),
            // A piece of another message came between, or the middle of a long marker: its rest
            // may still follow.
            _ if piece.contains([OPEN, CLOSE]) || piece.contains(char::is_whitespace) => (),
            _ => {
                let longer = self.open.iter().map(|open| format!("{open}{piece}"));
                let longer: Vec<_> = longer.collect();
                self.open.extend(longer);
                self.open.truncate(Self::OPEN_MAX);
            }
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
        check("“⟦⟧” ⟧⟦c⟧ … ⟦d⟧", &["c", "d"]);
    }

    #[test]
    fn a_cut_text_shows_on_which_side() {
        let cut = |text| {
            let Scan {
                opens,
                dangles,
                begins_inside,
                ..
            } = Scan::of(text);
            (opens, dangles, begins_inside)
        };
        assert_eq!(cut("whole ⟦m1⟧"), (true, false, false));
        assert_eq!(cut("nothing"), (false, false, false));
        assert_eq!(cut("cut ⟦m"), (true, true, false));
        assert_eq!(cut("1⟧ and ⟦m2⟧"), (true, false, true));
        assert_eq!(cut("⟦m2⟧ and 1⟧"), (true, false, false));
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

    #[test]
    fn a_marker_cut_in_three_is_whole_again() {
        let mut seam = Seam::default();
        assert_eq!(seam.markers("said ⟦a_long"), []);
        assert_eq!(seam.markers("_marker"), []);
        assert!(
            seam.markers("_name⟧")
                .contains(&"a_long_marker_name".into())
        );
    }
}
