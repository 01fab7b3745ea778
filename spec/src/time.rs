//! Virtual time: an instant, and the span between two.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant, in milliseconds since the scenario's `starts_at`. On the wire: that number.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Time(pub u64);

/// A length of time in milliseconds. In fixtures it is text for people, such as `"1h30m"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub u64);

impl Time {
    /// The start of a scenario.
    pub const ZERO: Self = Self(0);

    /// How long it is since `earlier`; zero if that lies ahead.
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// `n` milliseconds.
    pub const fn ms(n: u64) -> Self {
        Self(n)
    }

    /// `n` seconds.
    pub const fn secs(n: u64) -> Self {
        Self(n * 1_000)
    }

    /// `n` minutes.
    pub const fn mins(n: u64) -> Self {
        Self(n * 60_000)
    }

    /// `n` hours.
    pub const fn hours(n: u64) -> Self {
        Self(n * 3_600_000)
    }

    /// Hours as configuration has them: fractions are allowed, the result is rounded down to a
    /// millisecond. None where the value is negative, not finite, or too large to be a span.
    pub fn from_hours(hours: f64) -> Option<Self> {
        let ms = (hours * 3_600_000.0).floor();
        // 2^53 milliseconds are 285 000 years; above it a float no longer counts milliseconds.
        (0.0..=9_007_199_254_740_992.0)
            .contains(&ms)
            .then_some(Self(ms as u64))
    }

    /// Whether it is no time at all.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl Add<Span> for Time {
    type Output = Self;

    /// Saturates: a deadline beyond all time is never reached.
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Time {
    type Output = Self;

    /// Saturates at the start of the scenario.
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// As a clock that runs on past 24 hours: `26:03:00.040`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, ms) = (self.0 / 1_000, self.0 % 1_000);
        write!(
            f,
            "{}:{:02}:{:02}.{ms:03}",
            secs / 3_600,
            secs / 60 % 60,
            secs % 60
        )
    }
}

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The shortest text that reads back as the same span: `1d2h`, `90s` is `1m30s`, zero is `0s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, size) in UNITS {
            if rest >= size {
                write!(f, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

/// Why a text is no span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no length of time; write a number and a unit (ms, s, m, h, d), as in \"1h30m\" or \"40ms\""
)]
pub struct SpanError {
    text: String,
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        parse_span(text).ok_or_else(|| SpanError {
            text: text.to_owned(),
        })
    }
}

fn parse_span(text: &str) -> Option<Span> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = 0_u64;
    let mut largest_left = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, next) = tail.split_at(letters);
        let (_, size) = UNITS.into_iter().find(|&(name, _)| name == unit)?;
        // Units fall from large to small, each once: "1h30m", never "30m1h".
        if size >= largest_left {
            return None;
        }
        largest_left = size;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(size)?)?;
        rest = next;
    }
    (largest_left < u64::MAX).then_some(Span(total))
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ReadSpan)
    }
}

struct ReadSpan;

impl Visitor<'_> for ReadSpan {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time as text, such as \"1h30m\" or \"40ms\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Span, E> {
        text.parse().map_err(E::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A length of time for people: numbers with units from large to small, as in 1h30m, 40ms, 2d.",
            "pattern": r"^\+?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$",
            "examples": ["40ms", "1h30m", "2d"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, ms: Option<u64>) {
        assert_eq!(text.parse::<Span>().ok(), ms.map(Span), "{text}");
    }

    #[test]
    fn spans_read_as_people_write_them() {
        check("40ms", Some(40));
        check("+1h30m", Some(5_400_000));
        check("2d", Some(172_800_000));
        check("0s", Some(0));
        for wrong in [
            "", "+", "1", "h", "1w", "30m1h", "1h1h", "1.5h", "-2h", "1h 30m", "1 h",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_span_reads_back_as_written() {
        for ms in [
            0, 1, 999, 1_000, 61_001, 90_000, 5_400_000, 86_400_000, 93_784_005,
        ] {
            check(&Span(ms).to_string(), Some(ms));
        }
    }

    #[test]
    fn hours_become_milliseconds_rounded_down() {
        let rows = [
            (0.0, Some(0)),
            (0.5, Some(1_800_000)),
            (24.000001, Some(86_400_003)),
        ];
        let odd = [
            (2.8e-7, Some(1)),
            (2e-7, Some(0)),
            (-1.0, None),
            (1e308, None),
            (f64::NAN, None),
        ];
        for (hours, ms) in rows.into_iter().chain(odd) {
            assert_eq!(Span::from_hours(hours), ms.map(Span), "{hours}");
        }
    }

    #[test]
    fn time_reads_as_a_clock() {
        assert_eq!(Time(93_784_005).to_string(), "26:03:04.005");
        assert_eq!(Time(40).to_string(), "0:00:00.040");
    }
}
