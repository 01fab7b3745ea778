//! How texts and values stand in a line.

use std::fmt::{Display, Write};

use serde_json::{Map, Value};

use crate::marker::markers_in;

/// Texts up to this many characters are shown whole.
const WHOLE_MAX: usize = 160;
/// Of longer ones so many from the beginning, and half as many from the end.
const HEAD: usize = 80;

/// A text in quotes. The markers at its end stand behind the quotes: `"refactor it" ⟦m1⟧`.
pub(super) fn quoted(text: &str) -> String {
    let (words, markers) = split_markers(text);
    let (shown, length) = cut(words);
    format!("\"{}\"{length}{markers}", escaped(&shown))
}

/// A text and the markers at its end, each with the one space before it.
fn split_markers(text: &str) -> (&str, &str) {
    let mut words = text;
    while let Some(open) = words.rfind(" ⟦") {
        let last = &words[open + 1..];
        if markers_in(last)
            .first()
            .map(|marker| marker.in_text().to_string())
            .as_deref()
            != Some(last)
        {
            break;
        }
        words = &words[..open];
    }
    text.split_at(words.len())
}

/// A text with its middle left out where it is long, and how long it was. Markers that fell into
/// the gap are told.
fn cut(text: &str) -> (String, String) {
    let length = text.chars().count();
    if length <= WHOLE_MAX {
        return (text.to_owned(), String::new());
    }
    let offset = |nth: usize| {
        text.char_indices()
            .nth(nth)
            .map_or(text.len(), |(at, _)| at)
    };
    let (mut head, mut tail) = (offset(HEAD), offset(length - HEAD / 2));
    // A marker is shown whole or told whole.
    if let Some(open) = text[..head].rfind('⟦')
        && !text[open..head].contains('⟧')
    {
        head = open;
    }
    if let Some(close) = text[tail..].find('⟧')
        && !text[tail..tail + close].contains('⟦')
    {
        tail += close + '⟧'.len_utf8();
    }
    let told: Vec<String> = markers_in(&text[head..tail])
        .iter()
        .map(|marker| marker.in_text().to_string())
        .collect();
    let told = if told.is_empty() {
        String::new()
    } else {
        format!(", in the gap {}", told.join(" "))
    };
    let shown = format!("{}…{}", &text[..head], &text[tail..]);
    (shown, format!(" ({length} characters{told})"))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    one_line(&out)
}

/// A text without line breaks and other control characters.
pub(super) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// A value: plain words bare, other texts in quotes, the rest as JSON.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::String(text) => quoted(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            let (shown, length) = cut(&value.to_string());
            format!("{shown}{length}")
        }
    }
}

/// Whether a text stands for itself without quotes, and for nothing else.
fn is_plain(text: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || "-_.:/#@+".contains(c);
    !text.is_empty() && text.chars().all(letter) && serde_json::from_str::<Value>(text).is_err()
}

/// Members of an object: `mode=run task="refactor" ⟦r1⟧`, each behind `before`.
pub(super) fn members(object: &Map<String, Value>, before: &str, without: &[&str]) -> String {
    let mut out = String::new();
    for (name, member) in object {
        if !without.contains(&name.as_str()) {
            write!(out, "{before}{name}={}", value(member)).expect("memory takes everything");
        }
    }
    out
}

/// Things in a row: `a, b, c`.
pub(super) fn listed<T: Display>(things: &[T]) -> String {
    let texts: Vec<String> = things.iter().map(T::to_string).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: &str) {
        assert_eq!(quoted(text), shown);
    }

    #[test]
    fn markers_at_the_end_stand_behind_the_quotes() {
        check("refactor it ⟦m1⟧", "\"refactor it\" ⟦m1⟧");
        check("done ⟦m1⟧ ⟦m1.1⟧", "\"done\" ⟦m1⟧ ⟦m1.1⟧");
        check("a ⟦m1⟧ b", "\"a ⟦m1⟧ b\"");
        check("a⟦m1⟧", "\"a⟦m1⟧\"");
        check("cut ⟦m", "\"cut ⟦m\"");
        check("odd ⟦⟧", "\"odd ⟦⟧\"");
        check("odd ⟦a⟦b⟧", "\"odd ⟦a⟦b⟧\"");
        check("", "\"\"");
    }

    #[test]
    fn a_line_stays_one_line() {
        check("say \"hi\"\nand \\ go", "\"say \\\"hi\\\"\\nand \\\\ go\"");
    }

    #[test]
    fn a_long_text_is_cut_in_the_middle_and_keeps_its_markers() {
        let long = format!("{} ⟦m1+1⟧ {} ⟦m1⟧", "a".repeat(100), "b".repeat(100));
        let shown = format!(
            "\"{}…{}\" (208 characters, in the gap ⟦m1+1⟧) ⟦m1⟧",
            "a".repeat(80),
            "b".repeat(40)
        );
        check(&long, &shown);
        let astride = format!("{} ⟦m1+1⟧ {}", "a".repeat(77), "b".repeat(100));
        let shown = format!(
            "\"{} …{}\" (185 characters, in the gap ⟦m1+1⟧)",
            "a".repeat(77),
            "b".repeat(40)
        );
        check(&astride, &shown);
    }

    #[test]
    fn a_value_is_bare_only_where_it_can_be_nothing_else() {
        for (json, shown) in [
            ("\"run\"", "run"),
            ("\"agent:main:main\"", "agent:main:main"),
            ("\"two words\"", "\"two words\""),
            ("\"true\"", "\"true\""),
            ("true", "true"),
            ("\"1\"", "\"1\""),
            ("{\"a\":[1]}", "{\"a\":[1]}"),
        ] {
            assert_eq!(value(&serde_json::from_str(json).unwrap()), shown);
        }
    }
}
