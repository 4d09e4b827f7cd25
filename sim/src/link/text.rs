//! A link in a file: a name, or a table.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Link, LinkPlan};

/// A link as a table.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Table {
    up: LinkPlan,
    down: LinkPlan,
}

struct NameOrTable;

impl<'de> Visitor<'de> for NameOrTable {
    type Value = Link;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("the name of a link, or a table of up and down")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Link, E> {
        Link::named(name).ok_or_else(|| {
            let known = Link::NAMES.join(", ");
            E::custom(format!("no link is called {name}: there are {known}"))
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Link, A::Error> {
        let Table { up, down } = Table::deserialize(MapAccessDeserializer::new(table))?;
        Ok(Link { up, down })
    }
}

impl<'de> Deserialize<'de> for Link {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NameOrTable)
    }
}
