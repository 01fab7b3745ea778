//! What people say to a binding: `/session idle 2h`, `/session max-age off`, `/unfocus`.

use crate::time::Span;

/// A command that changes the binding it is said in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingCommand {
    /// `/session idle <d>`; `None` is off.
    Idle(Option<Span>),
    /// `/session max-age <d>`; `None` is off.
    MaxAge(Option<Span>),
    /// `/unfocus`, and what else asks for the end of the binding.
    Unfocus,
    /// `/focus <target>`: the conversation is bound to something else, if that can be found.
    Focus,
}

impl BindingCommand {
    /// The command that a text is, markers left aside. A question, such as `/session idle` without
    /// a length of time, and a length that does not read change nothing.
    pub fn read(text: &str) -> Option<Self> {
        let said = text.split('⟦').next().unwrap_or_default();
        let mut words = said.split_whitespace().map(str::to_lowercase);
        let first = words.next()?;
        let second = words.next();
        let rest: String = words.collect();
        match (first.as_str(), second.as_deref()) {
            ("/session", Some("idle")) => duration(&rest).map(Self::Idle),
            ("/session", Some("max-age")) => duration(&rest).map(Self::MaxAge),
            ("/unfocus", _) | ("/session", Some("unbind")) | ("/acp", Some("close")) => {
                Some(Self::Unfocus)
            }
            ("/focus", Some(_)) => Some(Self::Focus),
            _ => None,
        }
    }
}

/// A length of time as people type it, its words glued together: a word for off, a plain number of
/// hours, or numbers with units. The outer `None` is a text that does not read.
fn duration(text: &str) -> Option<Option<Span>> {
    let on = |ms: f64| {
        // Far beyond any story, and still exact in a float.
        let ms = ms.round().min(9_007_199_254_740_992.0) as u64;
        (ms > 0).then_some(Span(ms))
    };
    match text {
        "" => return None,
        "off" | "disable" | "disabled" | "none" => return Some(None),
        _ => (),
    }
    if let Some(hours) = number(text) {
        return Some(on(hours * 3_600_000.0));
    }
    let mut ms = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (digits, tail) = rest.split_at(end);
        let letters = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, next) = tail.split_at(letters);
        let unit = match unit {
            "ms" => 1.0,
            "s" => 1_000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        };
        ms += number(digits)? * unit;
        rest = next;
    }
    Some(on(ms))
}

/// A plain decimal: digits, and perhaps a point with digits on both sides.
fn number(text: &str) -> Option<f64> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let plain = match text.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part),
        None => digits(text),
    };
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_as_people_type_them() {
        let rows: [(&str, Option<Option<u64>>); 15] = [
            ("24h", Some(Some(86_400_000))),
            ("24", Some(Some(86_400_000))),
            ("1.5", Some(Some(5_400_000))),
            ("1h 30m", Some(Some(5_400_000))),
            ("500ms", Some(Some(500))),
            ("30 1h", Some(Some(1_083_600_000))),
            ("OFF", Some(None)),
            ("0", Some(None)),
            ("0.0000001", Some(None)),
            ("", None),
            ("-1", None),
            ("1h30", None),
            (".5h", None),
            ("1w", None),
            ("off now", None),
        ];
        for (text, ms) in rows {
            let read = BindingCommand::read(&format!("/session idle {text} ⟦m1⟧"));
            assert_eq!(
                read,
                ms.map(|ms| BindingCommand::Idle(ms.map(Span))),
                "{text}"
            );
        }
    }

    #[test]
    fn other_texts_are_no_commands_to_a_binding() {
        for text in [
            "hello",
            "/new",
            "/session",
            "/session idle ⟦m2⟧",
            "/focus ⟦m3⟧",
        ] {
            assert_eq!(BindingCommand::read(text), None, "{text}");
        }
        assert_eq!(
            BindingCommand::read("/unfocus ⟦m4⟧"),
            Some(BindingCommand::Unfocus)
        );
    }
}
