//! What a gateway writes on its disk.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::id::Text;

/// What a record says: opaque to everybody but the gateway that wrote it.
///
/// A play that nobody crashes reads no record, so a gateway in memory may leave the text to whoever
/// reads it. It is the same text whenever that is.
#[derive(Clone)]
pub struct Record(Form);

#[derive(Clone)]
enum Form {
    Text(Text),
    /// A JSON string as it stands in a file, quotes and all.
    Standing(Text),
    Later(Arc<dyn Written>),
}

/// Something that is written as a record when somebody reads it.
pub trait Written: Send + Sync {
    /// Appends its text, always the same.
    fn write(&self, to: &mut String);
}

impl Record {
    /// A record whose text is put together when somebody reads it.
    pub fn later(written: impl Written + 'static) -> Self {
        Self(Form::Later(Arc::new(written)))
    }

    /// A record as it stands in a JSON text, read when somebody wants to know what it says.
    ///
    /// # Errors
    ///
    /// Where that is not a string, or no text.
    pub fn standing(json: &RawValue) -> serde_json::Result<Self> {
        let json = json.get();
        // Half a character is found by reading alone.
        if json.starts_with('"') && !json.contains(r"\u") {
            return Ok(Self(Form::Standing(json.into())));
        }
        serde_json::from_str::<Text>(json).map(Self::from)
    }

    /// What it says.
    ///
    /// # Panics
    ///
    /// Never: what stands in a file was looked at when it was read.
    pub fn text(&self) -> Text {
        match &self.0 {
            Form::Text(text) => text.clone(),
            Form::Standing(json) => serde_json::from_str(json).expect("a JSON string"),
            Form::Later(written) => {
                let mut text = String::new();
                written.write(&mut text);
                text.into()
            }
        }
    }

    /// Appends what it says, as to the end of a journal: nothing is put together beside it.
    pub fn write(&self, to: &mut String) {
        match &self.0 {
            Form::Text(text) => to.push_str(text),
            Form::Standing(_) => to.push_str(&self.text()),
            Form::Later(written) => written.write(to),
        }
    }
}

impl<T: Into<Text>> From<T> for Record {
    fn from(text: T) -> Self {
        Self(Form::Text(text.into()))
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Record {}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text(), f)
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(Self::from)
    }
}

impl JsonSchema for Record {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Record".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Text::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Late;

    impl Written for Late {
        fn write(&self, to: &mut String) {
            to.push_str("[1]");
        }
    }

    #[test]
    fn a_record_that_is_written_later_is_as_good_as_its_text() {
        let late = Record::later(Late);
        assert_eq!(late, Record::from("[1]"));
        let mut journal = "[0]".to_owned();
        late.write(&mut journal);
        Record::from("[2]").write(&mut journal);
        assert_eq!(journal, "[0][1][2]");
        let json = serde_json::to_string(&late).unwrap();
        assert_eq!(json, r#""[1]""#);
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), late);
    }
}
