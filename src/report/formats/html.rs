//! One page that a person looks at: it holds the report as data, draws it in the browser, and asks
//! nothing of any network.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::json;

use super::text_of;
use crate::report::Report;
use crate::report::text::{clock_sentence, give_or_take};

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/page.js");

/// Writes a report as a page.
pub(super) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let texts = report.rules.iter();
    let texts: BTreeMap<&str, &str> = texts
        .map(|rule| (rule.rule.as_str(), text_of(&rule.rule)))
        .collect();
    let exact = report.rules.iter();
    let exact: BTreeMap<&str, String> = exact
        .filter_map(|rule| Some((rule.rule.as_str(), give_or_take(rule)?)))
        .collect();
    let clock = clock_sentence(report);
    let data = json!({ "report": report, "texts": texts, "clock": clock, "exact": exact });
    let data = data.to_string();
    // Inside a script nothing may look like its end; in JSON an escaped bracket is the same text.
    let data = data.replace('<', "\\u003c");
    let mut rest = PAGE;
    for (place, part) in [("@STYLE@", STYLE), ("@DATA@", &data), ("@SCRIPT@", SCRIPT)] {
        let (before, after) = rest.split_once(place).unwrap_or((rest, ""));
        out.write_all(before.as_bytes())?;
        out.write_all(part.trim_end().as_bytes())?;
        rest = after;
    }
    out.write_all(rest.as_bytes())
}
