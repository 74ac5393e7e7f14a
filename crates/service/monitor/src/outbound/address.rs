//! Which addresses may be reached.
//!
//! Guarantees: addresses that hide another one (mapped, NAT64, 6to4) are judged by the one they hide.
//! Deliberately not here: names.

use crate::MonitorError;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks that may be reached although they are not public.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowList(Vec<(IpAddr, u8)>);

impl AllowList {
    /// Reads networks as `10.1.0.0/16`, `fd00::/8` or `127.0.0.1`.
    pub fn parse(networks: &[String]) -> Result<AllowList, MonitorError> {
        let read = |text: &String| {
            let (address, bits) = text.split_once('/').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
            let address: IpAddr = address.parse().ok()?;
            let whole = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.map_or(Some(whole), |b| b.parse().ok()).filter(|b| *b <= whole)?;
            Some((address, bits))
        };
        let networks = networks.iter().map(|text| {
            read(text)
                .ok_or_else(|| MonitorError::config("allow_networks", format!("`{text}` is not a network")))
        });
        Ok(AllowList(networks.collect::<Result<_, _>>()?))
    }

    /// True if the address may be reached.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.0.iter().any(|(network, bits)| contains(*network, *bits, address))
    }
}

fn contains(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    let prefix = |value: u128, width: u8| value.checked_shr(u32::from(width - bits)).unwrap_or(0);
    match (network, address) {
        (IpAddr::V4(n), IpAddr::V4(a)) => {
            prefix(u128::from(u32::from(n)), 32) == prefix(u128::from(u32::from(a)), 32)
        }
        (IpAddr::V6(n), IpAddr::V6(a)) => prefix(n.into(), 128) == prefix(a.into(), 128),
        _ => false,
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = v4.is_loopback()
        || v4.is_private()
        || v4.is_link_local() // and with it the metadata service of most clouds
        || v4.is_multicast()
        || v4.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b)) // shared by carriers; also a cloud's metadata service
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let s = v6.segments();
    let inner = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        // Unspecified, loopback, and the old way of writing an IPv4 address (also with a mapped prefix).
        [0, 0, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => false,
        // NAT64 and 6to4: the packet ends at the IPv4 address inside.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(inner(high, low)),
        [0x64, 0xff9b, ..] => false,
        [0x2002, high, low, ..] => is_public_v4(inner(high, low)),
        // Teredo, documentation, discard-only.
        [0x2001, 0, ..] | [0x2001, 0xdb8, ..] | [0x100, 0, 0, 0, ..] => false,
        // Only 2000::/3 is given out; unique local, link-local, site-local and multicast are outside.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(networks: &[&str]) -> AllowList {
        AllowList::parse(&networks.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn only_public_addresses_may_be_reached() {
        let list = AllowList::default();
        for refused in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001:0:1::",
            "2001:db8::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:0:7f00:1",
            "100::1",
        ] {
            assert!(!list.permits(refused.parse().unwrap()), "{refused}");
        }
        for fine in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "198.20.0.1",
            "::ffff:8.8.8.8",
            "2606:4700::1111",
            "64:ff9b::101:101",
        ] {
            assert!(list.permits(fine.parse().unwrap()), "{fine}");
        }
    }

    #[test]
    fn listed_networks_may_be_reached() {
        let list = allow(&["10.1.0.0/16", "127.0.0.1", "fd12::/32"]);
        for fine in ["10.1.0.0", "10.1.255.255", "127.0.0.1", "::ffff:127.0.0.1", "fd12::5"] {
            assert!(list.permits(fine.parse().unwrap()), "{fine}");
        }
        for refused in ["10.2.0.0", "127.0.0.2", "::1", "fd13::1"] {
            assert!(!list.permits(refused.parse().unwrap()), "{refused}");
        }
        assert!(allow(&["0.0.0.0/0"]).permits("192.168.0.1".parse().unwrap()));
        assert!(!allow(&["0.0.0.0/0"]).permits("fe80::1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for wrong in ["10.0.0.0/33", "::/129", "10.0.0", "localhost", "10.0.0.0/x", ""] {
            assert!(AllowList::parse(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
