//! JSON Schemas, derived from the types, for editors and for other languages. They are checked in
//! under `spec/schema`, and a test compares them.

use schemars::{JsonSchema, Schema, schema_for};

use crate::profile::Profile;
use crate::scenario::Scenario;
use crate::wire::{Reply, Request};

/// A line of the wire, whoever writes it.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is wanted")]
enum Frame {
    /// What the harness writes.
    Request(Request),
    /// What a gateway writes.
    Reply(Reply),
}

/// Of a fixture: a scenario on disk.
pub fn fixture_schema() -> Schema {
    schema_for!(Scenario)
}

/// Of the lines of the wire, both ways.
pub fn frame_schema() -> Schema {
    schema_for!(Frame)
}

/// Of a profile.
pub fn profile_schema() -> Schema {
    schema_for!(Profile)
}

/// The files under `spec/schema`: their names and their text.
///
/// # Panics
///
/// Never: a schema is plain data.
pub fn files() -> [(&'static str, String); 3] {
    let text = |schema: Schema| {
        let mut text = serde_json::to_string_pretty(&schema).expect("plain data");
        text.push('\n');
        text
    };
    [
        ("fixture.schema.json", text(fixture_schema())),
        ("frames.schema.json", text(frame_schema())),
        ("profile.schema.json", text(profile_schema())),
    ]
}
