//! Words in place of words: the same one for the same one, and never the same for two.
//!
//! A word is permuted among the words of its shape (so many letters and digits at the same places)
//! by a secret that is drawn when the log is read and kept nowhere. So nothing has to be
//! remembered, a log of any length takes no memory, and nobody can read it backwards.

use std::hash::{BuildHasher as _, RandomState};

use super::vocabulary::is_known;

/// So often both halves of a word are mixed into each other.
const ROUNDS: usize = 8;

/// The secret that a log is rewritten by.
#[derive(Debug, Default)]
pub(super) struct Pseudonyms {
    secret: RandomState,
}

impl Pseudonyms {
    /// What stands in the place of a word: letters and digits only. A word that everybody knows
    /// stays.
    pub(super) fn word(&self, word: &str) -> String {
        if is_known(word) {
            return word.to_owned();
        }
        let lower: Vec<char> = word.chars().map(|c| c.to_ascii_lowercase()).collect();
        let mut other = lower.clone();
        // Walks on where it would arrive at a word that stays, or at no word at all. It comes to
        // an end: the word it began with is one that may be arrived at.
        loop {
            self.permute(&mut other);
            let found: String = other.iter().collect();
            if !is_known(&found) && found.chars().all(char::is_alphanumeric) {
                break;
            }
        }
        let cased = word.chars().zip(other).map(|(was, is)| match was {
            'A'..='Z' => is.to_ascii_uppercase(),
            _ => is,
        });
        cased.collect()
    }

    /// A one-to-one map of all words of a shape onto each other: each half is moved on in turn by
    /// what the other says.
    fn permute(&self, word: &mut [char]) {
        let middle = word.len() / 2;
        let (left, right) = word.split_at_mut(middle);
        for round in 0..ROUNDS {
            let (moved, by) = match round % 2 {
                0 => (&mut *right, &*left),
                _ => (&mut *left, &*right),
            };
            let mut stream = Stream::of(self, &(round, by));
            for letter in moved {
                let (first, count) = class(*letter);
                let place = (*letter as u32 - first + stream.next() % count) % count;
                *letter = char::from_u32(first + place).unwrap_or(*letter);
            }
        }
    }

    /// Letters in place of letters, drawn for this text alone: the same ones for the same text,
    /// and other ones for the same word in another text.
    pub(super) fn letters(&self, text: &str) -> Letters {
        Letters(Stream::of(self, text))
    }
}

/// Draws a letter for a letter.
pub(super) struct Letters(Stream);

impl Letters {
    /// One that takes as much room, of the same kind.
    pub(super) fn draw(&mut self, letter: char) -> char {
        /// Where a block has few letters, one that has as many bytes will do.
        const TRIES: usize = 16;
        let (first, count) = class(letter.to_ascii_lowercase());
        for _ in 0..TRIES {
            let drawn = char::from_u32(first + self.0.next() % count);
            if let Some(drawn) = drawn.filter(|drawn| drawn.is_alphanumeric()) {
                return match letter {
                    'A'..='Z' => drawn.to_ascii_uppercase(),
                    _ => drawn,
                };
            }
        }
        match letter.len_utf8() {
            1 => 'x',
            2 => 'é',
            3 => '中',
            _ => '𠀀',
        }
    }
}

/// Where the letters of a kind begin, and how many there are. All of them take the same room.
fn class(letter: char) -> (u32, u32) {
    match letter as u32 {
        0x30..0x3A => (0x30, 10),
        0x61..0x7B => (0x61, 26),
        0x80..0x800 => (0x80, 0x780),
        0x4E00..0xA000 => (0x4E00, 0x5200),
        0xAC00..0xD7A4 => (0xAC00, 0x2BA4),
        // A letter of another script: those around it.
        other => (other & !0xFF, 0x100),
    }
}

/// Numbers that follow from a secret and a value.
struct Stream {
    secret: RandomState,
    seed: u64,
    drawn: u64,
}

impl Stream {
    fn of(names: &Pseudonyms, value: &(impl std::hash::Hash + ?Sized)) -> Self {
        Self {
            secret: names.secret.clone(),
            seed: names.secret.hash_one(value),
            drawn: 0,
        }
    }

    fn next(&mut self) -> u32 {
        self.drawn += 1;
        // The upper half is as good as the lower, and no number here is near its size.
        (self.secret.hash_one((self.seed, self.drawn)) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_words_have_the_same_pseudonym() {
        let names = Pseudonyms::default();
        let mut seen = BTreeSet::new();
        for a in 'a'..='z' {
            for b in 'a'..='z' {
                for word in [format!("{a}{b}"), format!("{a}"), format!("{a}7")] {
                    let first = !seen.contains(&(word.clone(), names.word(&word)));
                    let other = seen.iter().any(|(known, pseudonym)| {
                        *known != word && *pseudonym == names.word(&word)
                    });
                    assert!(!other, "{word}");
                    if first {
                        seen.insert((word.clone(), names.word(&word)));
                    }
                }
            }
        }
    }

    #[test]
    fn a_pseudonym_has_the_shape_of_its_word() {
        let names = Pseudonyms::default();
        for word in [
            "alice",
            "Alice",
            "4915112345",
            "Zoë",
            "小明",
            "Алиса",
            "a1B2",
        ] {
            let other = names.word(word);
            assert_eq!(other, names.word(word), "the same again");
            assert_ne!(other, word);
            let shape = |text: &str| -> Vec<(usize, bool, bool)> {
                let kinds = text.chars();
                kinds
                    .map(|c| (c.len_utf8(), c.is_ascii_digit(), c.is_ascii_uppercase()))
                    .collect()
            };
            assert_eq!(shape(&other), shape(word), "{word} {other}");
            assert!(other.chars().all(char::is_alphanumeric), "{word} {other}");
        }
        // Case alone tells two words apart where a channel says so, and only there.
        assert_eq!(
            names.word("ALICE").to_lowercase(),
            names.word("alice").to_lowercase()
        );
    }

    #[test]
    fn words_of_the_contract_stay() {
        let names = Pseudonyms::default();
        for word in ["main", "agent", "Thread", "idleHours", "NO"] {
            assert_eq!(names.word(word), word);
        }
    }

    #[test]
    fn every_log_has_its_own_secret() {
        let word = "confidential";
        assert_ne!(
            Pseudonyms::default().word(word),
            Pseudonyms::default().word(word)
        );
    }
}
