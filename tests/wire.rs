//! The public text of the wire is true: each of its examples is a frame, and reads back as itself.

use std::collections::BTreeSet;

use serde_json::Value;

use moorline_spec::wire::{Reply, Request};

const TEXT: &str = include_str!("../spec/WIRE.md");

/// The examples, their lines joined: who writes (`->` or `<-`), and what.
fn examples() -> Vec<(String, String)> {
    let mut examples: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in TEXT.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            match line.split_once(' ') {
                Some((who @ ("->" | "<-"), frame)) => {
                    examples.push((who.to_owned(), frame.to_owned()));
                }
                _ => {
                    if let Some((_, frame)) = examples.last_mut() {
                        frame.push_str(line.trim_start());
                    }
                }
            }
        }
    }
    examples
}

/// Every field of the example is in what was read; fields with their default value may be added.
#[track_caller]
fn assert_kept(example: &Value, read: &Value, frame: &str) {
    match (example, read) {
        (Value::Object(example), Value::Object(read)) => {
            for (name, value) in example {
                match read.get(name) {
                    Some(kept) => assert_kept(value, kept, frame),
                    // Left out because it is the default.
                    None => assert!(
                        matches!(value, Value::Null | Value::Bool(_)),
                        "{name} is lost: {frame}"
                    ),
                }
            }
        }
        (Value::Array(example), Value::Array(read)) => {
            assert_eq!(example.len(), read.len(), "{frame}");
            for (value, kept) in example.iter().zip(read) {
                assert_kept(value, kept, frame);
            }
        }
        (example, read) => assert_eq!(example, read, "{frame}"),
    }
}

#[test]
fn every_example_is_a_frame_and_reads_back_as_itself() {
    let examples = examples();
    assert!(20 < examples.len());
    for (who, frame) in &examples {
        let value: Value = serde_json::from_str(frame).unwrap_or_else(|e| panic!("{e}: {frame}"));
        let (read, again) = if who == "->" {
            let request: Request =
                serde_json::from_str(frame).unwrap_or_else(|e| panic!("{e}: {frame}"));
            let text = serde_json::to_string(&request).expect("plain data");
            assert_eq!(
                serde_json::from_str::<Request>(&text).expect("itself"),
                request
            );
            (serde_json::to_value(&request), text)
        } else {
            let reply: Reply =
                serde_json::from_str(frame).unwrap_or_else(|e| panic!("{e}: {frame}"));
            let text = serde_json::to_string(&reply).expect("plain data");
            assert_eq!(serde_json::from_str::<Reply>(&text).expect("itself"), reply);
            (serde_json::to_value(&reply), text)
        };
        assert_kept(&value, &read.expect("plain data"), &again);
    }
}

/// The names of the variants of an enum, as its JSON Schema tells them.
fn variants<T: schemars::JsonSchema>() -> BTreeSet<String> {
    let schema = schemars::schema_for!(T);
    let one_of = schema
        .get("oneOf")
        .and_then(Value::as_array)
        .expect("an enum");
    let names = one_of.iter().map(|variant| {
        let required = &variant["required"][0];
        required.as_str().expect("a tagged variant").to_owned()
    });
    names.collect()
}

#[test]
fn every_stimulus_and_effect_stands_in_a_table_and_in_an_example() {
    let stimuli = variants::<moorline_spec::stimulus::Stimulus>();
    let effects = variants::<moorline_spec::effect::Effect>();
    let examples: String = examples().into_iter().map(|(_, frame)| frame).collect();
    for name in stimuli.iter().chain(&effects) {
        assert!(
            examples.contains(&format!("{{\"{name}\":")),
            "no example of {name}"
        );
        let is_frame = ["open", "stop"].contains(&name.as_str());
        assert!(
            is_frame || TEXT.contains(&format!("\n| `{name}` |")),
            "no row for {name}"
        );
    }
}

#[test]
fn a_frame_is_exactly_one_thing() {
    let wrong = r#"{"effects":[],"unsupported":"wake"}"#;
    let error = serde_json::from_str::<Reply>(wrong).expect_err("two things");
    assert!(error.to_string().contains("exactly one of"), "{error}");
    let error = serde_json::from_str::<Request>(r#"{"stimuli":[]}"#).expect_err("no time");
    assert!(error.to_string().contains("missing field `now`"), "{error}");
}
