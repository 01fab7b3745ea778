//! The endpoint form of shields.io: <https://shields.io/badges/endpoint-badge>.

use serde_json::{Value, json};

use crate::report::{Overall, Report, Standing};

/// What a badge says of a report.
pub(super) fn endpoint(report: &Report) -> Value {
    let kept = report.standing(Standing::Pass).count();
    let broken = report.standing(Standing::Fail).count();
    let (message, color) = match report.verdict {
        Overall::Conforms => (format!("{kept} rules kept"), "brightgreen"),
        Overall::DoesNotConform if broken == 0 => ("does not conform".to_owned(), "red"),
        Overall::DoesNotConform => (format!("{broken} of {} broken", kept + broken), "red"),
        Overall::Inconclusive => (format!("inconclusive, {kept} rules kept"), "yellow"),
        Overall::Undriven => ("could not be driven".to_owned(), "lightgrey"),
    };
    json!({
        "schemaVersion": 1,
        "label": format!("moorline {}", report.profile),
        "message": message,
        "color": color,
    })
}
