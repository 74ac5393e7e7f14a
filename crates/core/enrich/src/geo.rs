//! Where an address is, by a database in MaxMind's format that the operator supplies.
//!
//! The database is part of the decision: a record that is decided again (replay, reprocess, rebuild) gets the places
//! of the database at hand then, and rows that come out different are restated as such.

use core::net::IpAddr;
use serde_json::Value;
use std::fmt;
use tallymark_model::Properties;

const PREFIX: &str = "$geoip_";

/// A database of places.
pub struct GeoDatabase {
    reader: maxminddb::Reader<Vec<u8>>,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("not a database of places in MaxMind's format: {0}")]
pub struct GeoError(String);

impl GeoDatabase {
    /// The database in these bytes.
    pub fn read(bytes: Vec<u8>) -> Result<GeoDatabase, GeoError> {
        let reader = maxminddb::Reader::from_source(bytes).map_err(|e| GeoError(e.to_string()))?;
        Ok(GeoDatabase { reader })
    }

    /// Its type and the day it was built, for logs.
    pub fn name(&self) -> String {
        let metadata = self.reader.metadata();
        format!("{} of epoch {}", metadata.database_type, metadata.build_epoch)
    }

    /// Adds where `address` is, unless the event says itself.
    pub(crate) fn describe(
        &self,
        address: &str,
        properties: &Properties,
        found: &mut Vec<(&'static str, Value)>,
    ) {
        if properties
            .iter()
            .any(|(name, value)| name.starts_with(PREFIX) && name != "$geoip_disable" && !value.is_null())
        {
            return;
        }
        let Ok(address) = address.trim().parse::<IpAddr>() else { return };
        // What the database cannot say of one address is no reason to lose the event.
        let Ok(place) = self.reader.lookup(address.to_canonical()) else { return };
        let Ok(Some(city)) = place.decode::<maxminddb::geoip2::City<'_>>() else { return };
        let mut add = |name, value: Option<Value>| found.extend(value.map(|value| (name, value)));
        let region = city.subdivisions.first();
        add("$geoip_country_code", city.country.iso_code.map(Value::from));
        add("$geoip_country_name", city.country.names.english.map(Value::from));
        add("$geoip_continent_code", city.continent.code.map(Value::from));
        add("$geoip_continent_name", city.continent.names.english.map(Value::from));
        add("$geoip_subdivision_1_code", region.and_then(|r| r.iso_code).map(Value::from));
        add("$geoip_subdivision_1_name", region.and_then(|r| r.names.english).map(Value::from));
        add("$geoip_city_name", city.city.names.english.map(Value::from));
        add("$geoip_postal_code", city.postal.code.map(Value::from));
        add("$geoip_time_zone", city.location.time_zone.map(Value::from));
        add("$geoip_latitude", city.location.latitude.map(Value::from));
        add("$geoip_longitude", city.location.longitude.map(Value::from));
    }
}

impl fmt::Debug for GeoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeoDatabase").field("name", &self.name()).finish()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A database that knows one /8 network.
    pub(crate) fn database(first_octet: u8, country: &str, city: &str) -> Vec<u8> {
        const NODES: u32 = 8;
        const SEPARATOR: usize = 16;
        let mut bytes = Vec::new();
        for bit in 0..NODES {
            // The network's side leads on, and at last into the data; the other side knows nothing.
            let next = if bit + 1 == NODES { NODES + SEPARATOR as u32 } else { bit + 1 };
            let sides = if first_octet >> (7 - bit) & 1 == 0 { [next, NODES] } else { [NODES, next] };
            bytes.extend(sides.iter().flat_map(|side| side.to_be_bytes()[1..].to_vec()));
        }
        bytes.extend([0; SEPARATOR]);
        let named = |name: &str| map(&[("names", map(&[("en", text(name))]))]);
        bytes.extend(map(&[
            ("country", map(&[("iso_code", text(country)), ("names", map(&[("en", text("Somewhere"))]))])),
            ("city", named(city)),
        ]));
        bytes.extend(b"\xab\xcd\xefMaxMind.com");
        bytes.extend(map(&[
            ("binary_format_major_version", uint(5, 2)),
            ("binary_format_minor_version", uint(5, 0)),
            ("build_epoch", [vec![0x04, 0x02], 1_700_000_000u32.to_be_bytes().to_vec()].concat()),
            ("database_type", text("Test-City")),
            ("description", map(&[])),
            ("ip_version", uint(5, 4)),
            ("languages", vec![0x01, 0x04, 0x42, b'e', b'n']),
            ("node_count", uint(6, NODES as u8)),
            ("record_size", uint(5, 24)),
        ]));
        bytes
    }

    fn text(text: &str) -> Vec<u8> {
        [vec![2 << 5 | text.len() as u8], text.as_bytes().to_vec()].concat()
    }

    fn uint(kind: u8, value: u8) -> Vec<u8> {
        vec![kind << 5 | 1, value]
    }

    fn map(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let head = vec![7 << 5 | members.len() as u8];
        members.iter().fold(head, |bytes, (key, value)| [bytes, text(key), value.clone()].concat())
    }

    fn told(database: &GeoDatabase, address: &str) -> Vec<(&'static str, Value)> {
        let mut found = Vec::new();
        database.describe(address, &Properties::new(), &mut found);
        found
    }

    #[test]
    fn knows_its_network_and_no_other() {
        let database = GeoDatabase::read(database(203, "AU", "Sydney")).unwrap();
        let sydney = vec![
            ("$geoip_country_code", Value::from("AU")),
            ("$geoip_country_name", Value::from("Somewhere")),
            ("$geoip_city_name", Value::from("Sydney")),
        ];
        assert_eq!(told(&database, "203.0.113.7"), sydney);
        assert_eq!(
            told(&database, "::ffff:203.0.113.7"),
            sydney,
            "the same address as a dual stack writes it"
        );
        for address in ["204.0.113.7", "127.0.0.1", "::1", "", "unknown", "203.0.113.7:80"] {
            assert_eq!(told(&database, address), vec![], "{address}");
        }
        assert_eq!(database.name(), "Test-City of epoch 1700000000");
    }

    #[test]
    fn anything_else_is_refused() {
        let short = database(203, "AU", "Sydney")[..60].to_vec();
        for bytes in [vec![], b"not a database".to_vec(), short] {
            assert!(GeoDatabase::read(bytes).is_err());
        }
    }
}
