//! From the tree to the config: a serde format whose errors keep what serde knows, and where it knows it.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::tree::{Node, Origin, Value};

/// The keys that a section knows; what serde tells of a key that no section has.
pub(super) fn keys_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let nothing = Node {
        origin: Origin::Set(String::new()),
        value: Value::Boolean(true),
    };
    let section = Node {
        value: Value::Table(vec![(String::new(), nothing.clone())]),
        ..nothing
    };
    match read::<T>(&section).map_err(|fault| fault.kind) {
        Err(Kind::UnknownKey { known, .. }) => known,
        _ => &[],
    }
}

/// Reads a config, or a part of one, from its tree.
pub(super) fn read<T: DeserializeOwned>(root: &Node) -> Result<T, Fault> {
    T::deserialize(root)
}

/// What serde found wrong, and the keys that lead there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    pub path: Vec<String>,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    UnknownKey {
        key: String,
        known: &'static [&'static str],
    },
    UnknownValue {
        value: String,
        known: &'static [&'static str],
    },
    Missing {
        key: &'static str,
    },
    Mismatch {
        found: String,
        expected: String,
    },
    Other(String),
}

impl Fault {
    fn new(kind: Kind) -> Self {
        Self { path: vec![], kind }
    }

    fn under(mut self, key: &str) -> Self {
        self.path.insert(0, key.into());
        self
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.path.join("."), self.kind)
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Other(message.to_string()))
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(Kind::Mismatch {
            found: found.to_string(),
            expected: expected.to_string(),
        })
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownKey { key: key.into(), known })
    }

    fn unknown_variant(value: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownValue {
            value: value.into(),
            known,
        })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Kind::Missing { key })
    }
}

impl Node {
    /// The value as serde's own errors name it.
    pub(super) fn unexpected(&self) -> de::Unexpected<'_> {
        match &self.value {
            Value::String(text) => de::Unexpected::Str(text),
            Value::Integer(number) => de::Unexpected::Signed(*number),
            Value::Float(number) => de::Unexpected::Float(*number),
            Value::Boolean(value) => de::Unexpected::Bool(*value),
            Value::Datetime => de::Unexpected::Other("a date or time"),
            Value::Array(_) => de::Unexpected::Seq,
            Value::Table(_) => de::Unexpected::Map,
        }
    }
}

impl<'de> Deserializer<'de> for &Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::String(text) => visitor.visit_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Datetime => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
            Value::Array(items) => visitor.visit_seq(Items { items, next: 0 }),
            Value::Table(entries) => visitor.visit_map(Entries { entries, next: 0 }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.value {
            Value::String(text) => visitor.visit_enum(StrDeserializer::new(text)),
            _ => {
                let expected = format!("one of \"{}\"", names.join("\", \""));
                Err(de::Error::invalid_type(self.unexpected(), &expected.as_str()))
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

struct Items<'a> {
    items: &'a [Node],
    next: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(item) = self.items.get(self.next) else {
            return Ok(None);
        };
        let index = self.next;
        self.next += 1;
        seed.deserialize(item)
            .map(Some)
            .map_err(|fault| fault.under(&index.to_string()))
    }
}

struct Entries<'a> {
    entries: &'a [(String, Node)],
    next: usize,
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, _)) = self.entries.get(self.next) else {
            return Ok(None);
        };
        let key: StrDeserializer<'_, Fault> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (key, node) = &self.entries[self.next];
        self.next += 1;
        seed.deserialize(node).map_err(|fault| fault.under(key))
    }
}
