//! A fixture that is wrong says where, and what would be right.

use std::fmt::Write;

use moorline_spec::scenario::Fixture;

const CHANNELS: [&str; 3] = ["discord", "telegram", "webchat"];

const RIGHT: &str = r#"{
  "title": "A run tells whoever asked",
  "people": {
    "alice": { "channel": "telegram" },
    "bob": { "channel": "telegram" }
  },
  "steps": [
    { "says": "alice", "text": "refactor it", "agent": [
      { "spawn": { "as": "r1", "mode": "run", "task": "refactor" } }
    ] },
    { "after": "2h", "ends": "r1", "text": "refactored" },
    { "crash": { "after": "accepted", "before": "receipt", "of": "r1" } }
  ],
  "expect": [
    { "told": "alice", "of": "r1", "times": 1 },
    { "never_told": "bob", "of": "r1", "where": { "probe": "on_refusal" } }
  ]
}
"#;

/// What is wrong, the words that are replaced, and by what.
const WRONG: [(&str, &str, &str); 28] = [
    ("no JSON", "\"steps\": [", "\"steps\": "),
    ("the end is missing", "  ]\n}\n", ""),
    ("a misspelt key of the story", "\"people\"", "\"peeple\""),
    (
        "a misspelt key of a step",
        "\"text\": \"refactor it\"",
        "\"txet\": \"refactor it\"",
    ),
    ("a misspelt key of an action", "\"task\"", "\"tusk\""),
    ("a misspelt action", "\"spawn\"", "\"spwan\""),
    (
        "a key that is missing",
        "\"title\": \"A run tells whoever asked\",",
        "",
    ),
    (
        "a key that stands twice",
        "\"ends\": \"r1\",",
        "\"ends\": \"r1\", \"ends\": \"r1\",",
    ),
    ("a person who stands twice", "\"bob\": {", "\"alice\": {"),
    ("a wrong time", "\"2h\"", "\"2 hours\""),
    ("a number for a time", "\"2h\"", "7200"),
    (
        "two times in a step",
        "\"after\": \"2h\"",
        "\"at\": \"1h\", \"after\": \"2h\"",
    ),
    (
        "an unknown person",
        "\"says\": \"alice\"",
        "\"says\": \"alise\"",
    ),
    (
        "an unknown place",
        "\"never_told\": \"bob\"",
        "\"never_told\": \"bobby tables\"",
    ),
    (
        "an unknown channel",
        "\"bob\": { \"channel\": \"telegram\"",
        "\"bob\": { \"channel\": \"telegran\"",
    ),
    (
        "an unknown run",
        "\"ends\": \"r1\"",
        "\"ends\": \"refactoring\"",
    ),
    (
        "an unknown run of an anchor",
        "\"of\": \"r1\" } }",
        "\"of\": \"r2\" } }",
    ),
    (
        "a run that is named twice",
        "\"ends\": \"r1\"",
        "\"says\": \"bob\", \"as\": \"r1\"",
    ),
    (
        "two verbs in a step",
        "\"ends\": \"r1\"",
        "\"ends\": \"r1\", \"note\": \"at last\"",
    ),
    ("no verb in a step", "\"ends\": \"r1\", ", ""),
    (
        "a key that its verb does not take",
        "\"ends\": \"r1\"",
        "\"ends\": \"r1\", \"mentioned\": true",
    ),
    (
        "a verb without what it needs",
        "\"text\": \"refactor it\", ",
        "",
    ),
    (
        "a step wrong in a step",
        "\"after\": \"2h\", \"ends\": \"r1\", \"text\": \"refactored\"",
        "\"at_once\": [\n      { \"ends\": \"r1\" },\n      { \"after\": \"1s\", \"note\": \"x\" }\n    ]",
    ),
    (
        "an unknown anchor",
        "\"before\": \"receipt\"",
        "\"before\": \"reciept\"",
    ),
    ("a crash without a run", ", \"of\": \"r1\" } }", " } }"),
    ("an expectation without a verb", "\"told\": \"alice\", ", ""),
    ("an unknown dial", "\"probe\"", "\"prode\""),
    (
        "an unknown word for a dial",
        "\"on_refusal\"",
        "\"sometimes\"",
    ),
];

#[test]
fn a_right_fixture_reads() {
    Fixture::parse("right.json", RIGHT, &CHANNELS).unwrap();
}

#[test]
fn a_wrong_fixture_says_where_and_what_would_be_right() {
    let mut told = String::new();
    for (what, words, instead) in WRONG {
        assert!(RIGHT.contains(words), "{what}");
        let text = RIGHT.replacen(words, instead, 1);
        let error = Fixture::parse("story.json", &text, &CHANNELS).expect_err(what);
        writeln!(told, "{what}").unwrap();
        for (line, column, _) in &error.problems {
            let found = text.lines().nth(line - 1).unwrap_or_default();
            writeln!(told, "    {found}\n    {:>column$}", "^").unwrap();
        }
        writeln!(told, "{error}\n").unwrap();
    }
    insta::assert_snapshot!(told);
}

#[test]
fn every_problem_of_sense_is_told_at_once_in_order() {
    let text = RIGHT.replace("\"says\": \"alice\"", "\"says\": \"carol\"");
    let text = text.replace("\"of\": \"r1\", \"times\"", "\"of\": \"r7\", \"times\"");
    let error = Fixture::parse("story.json", &text, &CHANNELS).unwrap_err();
    insta::assert_snapshot!(error, @r#"
    story.json:8:15: there is no person "carol"; there are "alice", "bob"
    story.json:15:30: there is no message or run "r7"; did you mean "r1"?
    "#);
}
