//! Numbers with bounds. An error says what would be right.

use serde::{Deserialize, Deserializer};

use crate::time::Span;

pub(super) fn hours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    let Some(hours) = Option::<f64>::deserialize(deserializer)? else {
        return Ok(None);
    };
    Span::from_hours(hours).map(Some).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "{hours} is no number of hours; write 0 or more, 0 disables"
        ))
    })
}

pub(super) fn minutes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match Option::<u64>::deserialize(deserializer)? {
        Some(0) => Err(serde::de::Error::custom(
            "0 is no idle time; write 1 or more, or leave it out and nothing resets by idling",
        )),
        minutes => Ok(minutes),
    }
}

pub(super) fn hour<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    match Option::<u8>::deserialize(deserializer)? {
        Some(hour) if hour > 23 => Err(serde::de::Error::custom(format!(
            "{hour} is no hour; write 0 to 23"
        ))),
        hour => Ok(hour),
    }
}

pub(super) fn at_least_one<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    within(deserializer, 1, u32::MAX)
}

pub(super) fn depth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    within(deserializer, 1, 5)
}

pub(super) fn children<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    within(deserializer, 1, 20)
}

pub(super) fn turns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    within(deserializer, 0, 5)
}

fn within<'de, D: Deserializer<'de>>(
    deserializer: D,
    least: u32,
    most: u32,
) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<u32>::deserialize(deserializer)? else {
        return Ok(None);
    };
    if (least..=most).contains(&number) {
        return Ok(Some(number));
    }
    let right = match most {
        u32::MAX => format!("{least} or more"),
        most => format!("{least} to {most}"),
    };
    Err(serde::de::Error::custom(format!(
        "{number} is out of range; write {right}"
    )))
}
