//! Laws of texts: what was written reads back as the same, and what is wrong is told, never
//! panicked at.

mod stories;

use moorline_spec::scenario::Fixture;
use moorline_spec::time::Span;
use moorline_spec::trace::Trace;
use proptest::prelude::*;

const CHANNELS: [&str; 2] = ["discord", "telegram"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_fixture_reads_back_as_the_same_scenario(scenario in stories::scenario()) {
        let fixture = Fixture::from_scenario(scenario, &CHANNELS);
        let fixture = fixture.map_err(|wrong| TestCaseError::fail(format!("{wrong:?}")))?;
        let text = fixture.to_json();
        let again = Fixture::parse("law.json", &text, &CHANNELS);
        let again = again.map_err(|wrong| TestCaseError::fail(format!("{wrong}\n{text}")))?;
        prop_assert_eq!(&again, &fixture);
        prop_assert_eq!(again.to_json(), text);
    }

    #[test]
    fn a_wrong_fixture_says_a_place_that_is_there(
        scenario in stories::scenario(),
        cut in any::<prop::sample::Index>(),
        length in 0..12_usize,
        instead in "[\\PC]{0,3}|[{}\\[\\]\",:0-9a-z ]{0,4}",
    ) {
        let fixture = Fixture::from_scenario(scenario, &CHANNELS);
        let text = fixture.map_err(|wrong| TestCaseError::fail(format!("{wrong:?}")))?.to_json();
        let characters: Vec<char> = text.chars().collect();
        let start = cut.index(characters.len());
        let end = (start + length).min(characters.len());
        let head: String = characters[..start].iter().collect();
        let tail: String = characters[end..].iter().collect();
        told_at_a_place(&format!("{head}{instead}{tail}"))?;
    }

    #[test]
    fn any_text_reads_or_says_where_it_is_wrong(text in ".{0,60}") {
        told_at_a_place(&text)?;
        prop_assert!(Trace::from_lines(&text).is_ok() || !text.trim().is_empty());
    }

    #[test]
    fn a_trace_reads_back_from_its_lines(trace in stories::trace()) {
        let lines = trace.to_lines();
        let again = Trace::from_lines(&lines);
        let again = again.map_err(|wrong| TestCaseError::fail(format!("{wrong}\n{lines}")))?;
        prop_assert_eq!(again.to_lines(), lines);
        prop_assert_eq!(again, trace);
    }

    #[test]
    fn every_entry_is_one_line_that_people_read(trace in stories::trace()) {
        let told = trace.transcript();
        prop_assert!(told.lines().count() <= trace.len());
        for index in 0..trace.len() {
            let line = trace.transcript_line(index);
            prop_assert!(!line.is_empty() && !line.chars().any(char::is_control), "{line:?}");
        }
    }

    #[test]
    fn a_span_reads_back_as_the_same(ms in any::<u64>()) {
        prop_assert_eq!(Span(ms).to_string().parse(), Ok(Span(ms)));
    }

    #[test]
    fn a_text_that_is_no_span_is_refused_with_itself(text in ".{0,12}") {
        match text.parse::<Span>() {
            Ok(span) => prop_assert_eq!(span.to_string().parse(), Ok(span)),
            Err(wrong) => {
                let quoted = format!("{text:?}");
                prop_assert!(wrong.to_string().contains(&quoted));
            }
        }
    }
}

/// A text is a fixture, or each of its problems has a line and a column in it.
fn told_at_a_place(text: &str) -> Result<(), TestCaseError> {
    let Err(wrong) = Fixture::parse("law.json", text, &CHANNELS) else {
        return Ok(());
    };
    prop_assert!(!wrong.problems.is_empty());
    let lines: Vec<&str> = text.split('\n').collect();
    for (line, column, what) in &wrong.problems {
        prop_assert!(
            (1..=lines.len()).contains(line),
            "line {} of {:?}",
            line,
            text
        );
        let end = lines[line - 1].chars().count() + 1;
        prop_assert!(
            (1..=end).contains(column),
            "column {} of {:?}",
            column,
            text
        );
        prop_assert!(!what.is_empty());
    }
    Ok(())
}
