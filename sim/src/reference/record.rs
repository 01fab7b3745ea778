//! How records are written: as JSON in which a struct is the list of its fields, without their
//! names. There are many records, and one is read only after a crash, so half its length is worth
//! more than its looks. serde reads such lists into structs as they are; a field that is left
//! out stands as `null`, so only an `Option` may be left out.

use serde::ser::{self, Serialize};

/// Appends a value as the text of a record.
pub(super) fn write(value: &impl Serialize, to: &mut String) {
    let mut out = std::mem::take(to).into_bytes();
    let written = value.serialize(Fields(&mut out));
    written.expect("state is plain data");
    *to = String::from_utf8(out).expect("JSON is UTF-8");
}

/// Writes everything but structs as `serde_json` does.
struct Fields<'a>(&'a mut Vec<u8>);

/// A list, or what stands in its place, that goes on.
struct Rest<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
    end: &'static [u8],
}

impl<'a> Fields<'a> {
    fn plain(self, value: &impl Serialize) -> Result<(), serde_json::Error> {
        serde_json::to_writer(self.0, value)
    }

    fn begin(self, begin: &[u8], end: &'static [u8]) -> Rest<'a> {
        self.0.extend_from_slice(begin);
        Rest {
            out: self.0,
            is_first: true,
            end,
        }
    }

    fn variant(&mut self, name: &str) {
        self.0.extend_from_slice(b"{\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }
}

impl Rest<'_> {
    fn part(&mut self, part: &(impl Serialize + ?Sized)) -> Result<(), serde_json::Error> {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
        part.serialize(Fields(self.out))
    }

    fn ends(self) {
        self.out.extend_from_slice(self.end);
    }
}

macro_rules! plain {
    ($($method:ident: $type:ty,)*) => {$(
        fn $method(self, value: $type) -> Result<(), Self::Error> {
            self.plain(&value)
        }
    )*};
}

impl<'a> ser::Serializer for Fields<'a> {
    type Ok = ();
    type Error = serde_json::Error;
    type SerializeSeq = Rest<'a>;
    type SerializeTuple = Rest<'a>;
    type SerializeTupleStruct = Rest<'a>;
    type SerializeTupleVariant = Rest<'a>;
    type SerializeMap = Rest<'a>;
    type SerializeStruct = Rest<'a>;
    type SerializeStructVariant = Rest<'a>;

    plain! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
        serialize_bytes: &[u8],
    }

    fn serialize_str(self, text: &str) -> Result<(), Self::Error> {
        let needs_escape = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
        // Every byte is looked at: without a way out it is done in a few steps.
        if text
            .bytes()
            .fold(false, |any, byte| any | needs_escape(byte))
        {
            return self.plain(&text);
        }
        self.0.reserve(text.len() + 2);
        self.0.push(b'"');
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(b'"');
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Self::Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Self::Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Self::Error> {
        self.0.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Self::Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Self::Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Self::Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Self::Error> {
        self.variant(variant);
        value.serialize(Fields(self.0))?;
        self.0.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Rest<'a>, Self::Error> {
        Ok(self.begin(b"[", b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Rest<'a>, Self::Error> {
        Ok(self.begin(b"[", b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Rest<'a>, Self::Error> {
        Ok(self.begin(b"[", b"]"))
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Rest<'a>, Self::Error> {
        self.variant(variant);
        Ok(self.begin(b"[", b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Rest<'a>, Self::Error> {
        Ok(self.begin(b"{", b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Rest<'a>, Self::Error> {
        Ok(self.begin(b"[", b"]"))
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Rest<'a>, Self::Error> {
        self.variant(variant);
        Ok(self.begin(b"[", b"]}"))
    }
}

macro_rules! lists {
    ($($trait:ident, $method:ident;)*) => {$(
        impl ser::$trait for Rest<'_> {
            type Ok = ();
            type Error = serde_json::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, part: &T) -> Result<(), Self::Error> {
                self.part(part)
            }

            fn end(self) -> Result<(), Self::Error> {
                self.ends();
                Ok(())
            }
        }
    )*};
}

lists! {
    SerializeSeq, serialize_element;
    SerializeTuple, serialize_element;
    SerializeTupleStruct, serialize_field;
    SerializeTupleVariant, serialize_field;
}

macro_rules! structs {
    ($($trait:ident;)*) => {$(
        impl ser::$trait for Rest<'_> {
            type Ok = ();
            type Error = serde_json::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                field: &T,
            ) -> Result<(), Self::Error> {
                self.part(field)
            }

            fn skip_field(&mut self, _: &'static str) -> Result<(), Self::Error> {
                self.part(&())
            }

            fn end(self) -> Result<(), Self::Error> {
                self.ends();
                Ok(())
            }
        }
    )*};
}

structs! {
    SerializeStruct;
    SerializeStructVariant;
}

impl ser::SerializeMap for Rest<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Self::Error> {
        self.part(key)?;
        self.out.push(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Self::Error> {
        value.serialize(Fields(self.out))
    }

    fn end(self) -> Result<(), Self::Error> {
        self.ends();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::write;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Thing {
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gone: Option<u64>,
        shape: Shape,
        all: BTreeMap<String, Vec<Shape>>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Point,
        Round(u64),
        Edges(u64, String),
        Named { name: String, size: Option<u64> },
    }

    #[track_caller]
    fn check(thing: &Thing, text: &str) {
        let mut written = String::new();
        write(thing, &mut written);
        assert_eq!(written, text);
        assert_eq!(serde_json::from_str::<Thing>(text).unwrap(), *thing);
    }

    #[test]
    fn a_struct_is_the_list_of_its_fields_and_reads_back() {
        let mut thing = Thing {
            name: "a \"b\"\n⟦m1⟧".to_owned(),
            gone: None,
            shape: Shape::Point,
            all: BTreeMap::new(),
        };
        check(&thing, r#"["a \"b\"\n⟦m1⟧",null,"Point",{}]"#);
        let shapes = vec![
            Shape::Round(7),
            Shape::Edges(3, "flat".to_owned()),
            Shape::Named {
                name: "x".to_owned(),
                size: Some(2),
            },
        ];
        thing.gone = Some(1);
        thing.all.insert("k".to_owned(), shapes);
        let text = r#"["a \"b\"\n⟦m1⟧",1,"Point",{"k":[{"Round":7},{"Edges":[3,"flat"]},{"Named":["x",2]}]}]"#;
        check(&thing, text);
    }
}
