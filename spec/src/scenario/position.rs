//! Where in a text of JSON a value stands.

use super::check::Problem;

/// A value of a JSON text, by where it begins.
#[derive(Debug, Default)]
pub(super) struct Spot {
    /// The offset of the value.
    value: usize,
    /// The offset of its key; of itself where it has none.
    key: usize,
    /// Its members by key, its elements by number.
    children: Vec<(String, Self)>,
}

/// Whether the value itself is meant, or the key it stands under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Key,
    Value,
}

impl Spot {
    /// Reads a text that is known to be JSON; with the keys that stand twice in one object.
    pub(super) fn read(text: &str) -> (Self, Vec<Problem>) {
        let mut reader = Reader {
            text,
            offset: 0,
            twice: Vec::new(),
        };
        let spot = reader.value("").unwrap_or_default();
        (spot, reader.twice)
    }

    /// The offset of the value at a JSON pointer; of its nearest ancestor where there is none.
    pub(super) fn offset(&self, pointer: &str, part: Part) -> usize {
        let mut here = self;
        let mut part = part;
        for name in pointer.split('/').skip(1).map(unescape) {
            // The last of equal keys is the one that is read.
            let child = here.children.iter().rev().find(|(key, _)| *key == name);
            let Some((_, child)) = child else {
                part = Part::Value;
                break;
            };
            here = child;
        }
        match part {
            Part::Key => here.key,
            Part::Value => here.value,
        }
    }
}

/// A name as a part of a JSON pointer.
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// Line and column, from 1, of an offset; columns count characters.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before[start..].chars().count() + 1)
}

struct Reader<'a> {
    text: &'a str,
    offset: usize,
    twice: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.offset..]
    }

    /// Passes over space, commas and colons; in JSON they tell nothing about where values are.
    fn skip(&mut self) -> Option<char> {
        let rest = self.rest();
        let next = rest.trim_start_matches([' ', '\t', '\r', '\n', ',', ':']);
        self.offset += rest.len() - next.len();
        next.chars().next()
    }

    fn value(&mut self, pointer: &str) -> Option<Spot> {
        let first = self.skip()?;
        let mut spot = Spot {
            value: self.offset,
            key: self.offset,
            children: Vec::new(),
        };
        match first {
            '{' => {
                self.offset += 1;
                while self.skip()? != '}' {
                    let key = self.offset;
                    let name: String = serde_json::from_str(self.string()?).ok()?;
                    let inner = format!("{pointer}/{}", escape(&name));
                    let child = self.value(&inner)?;
                    if spot.children.iter().any(|(known, _)| *known == name) {
                        self.twice.push(Problem {
                            what: format!("{name:?} stands here a second time; write it once"),
                            pointer: inner,
                        });
                    }
                    spot.children.push((name, Spot { key, ..child }));
                }
                self.offset += 1;
            }
            '[' => {
                self.offset += 1;
                while self.skip()? != ']' {
                    let name = spot.children.len().to_string();
                    let child = self.value(&format!("{pointer}/{name}"))?;
                    spot.children.push((name, child));
                }
                self.offset += 1;
            }
            '"' => {
                self.string()?;
            }
            _ => {
                let rest = self.rest();
                let end = rest.find([',', ']', '}', ' ', '\t', '\r', '\n']);
                self.offset += end.unwrap_or(rest.len());
            }
        }
        Some(spot)
    }

    /// A text with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let mut escaped = false;
        for (index, character) in rest.char_indices().skip(1) {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    self.offset += index + 1;
                    return Some(&rest[..=index]);
                }
                _ => (),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\"a\": 1,\n \"é/\\\"\": [true, {\"b\" : \"x, }\"}],\n  \"c\":[]}";

    #[track_caller]
    fn check(pointer: &str, part: Part, line: usize, column: usize) {
        let (spot, twice) = Spot::read(TEXT);
        assert_eq!(twice, []);
        let offset = spot.offset(pointer, part);
        assert_eq!(line_and_column(TEXT, offset), (line, column), "{pointer}");
    }

    #[test]
    fn values_and_keys_are_found_by_pointer() {
        check("", Part::Value, 1, 1);
        check("/a", Part::Value, 1, 7);
        check("/a", Part::Key, 1, 2);
        check("/é~1\"/0", Part::Value, 2, 11);
        check("/é~1\"/1/b", Part::Value, 2, 24);
        check("/é~1\"/1/b", Part::Key, 2, 18);
        check("/c", Part::Key, 3, 3);
    }

    #[test]
    fn what_is_not_there_is_found_at_its_nearest_ancestor() {
        check("/é~1\"/1/d/e", Part::Key, 2, 17);
        check("/x", Part::Value, 1, 1);
    }

    #[test]
    fn a_key_that_stands_twice_is_told() {
        let (_, twice) = Spot::read("{\"a\": {\"b\": 1, \"b\": 2}}");
        assert_eq!(twice.len(), 1);
        assert_eq!(twice[0].pointer, "/a/b");
    }
}
