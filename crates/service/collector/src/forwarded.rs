//! Whose request it is, when proxies stand in front: `X-Forwarded-For`, believed for a declared number of hops.
//!
//! Each hop appends the address it was reached from, so only the last entries are ours; what stands left of them
//! is the client's own writing. With too few hops all clients look like the proxy, with too many each client can
//! choose its address.

use http::header::HeaderMap;
use std::net::{IpAddr, SocketAddr};

const HEADER: &str = "x-forwarded-for";

/// Address of the client: `hops` places left of the peer, or the furthest that could be read on the way there.
pub(crate) fn client(headers: &HeaderMap, peer: Option<IpAddr>, hops: u8) -> Option<IpAddr> {
    if hops == 0 {
        return peer;
    }
    let chain = entries(headers);
    let seen = chain.iter().rev().take(usize::from(hops)).map_while(|entry| address(entry));
    seen.last().or(peer)
}

/// The entries that trusted hops are responsible for, and what they were told, for the next hop; empty if nobody
/// is trusted.
pub(crate) fn chain(headers: &HeaderMap, peer: Option<IpAddr>, hops: u8) -> String {
    let mut chain = if hops == 0 { Vec::new() } else { entries(headers) };
    chain.extend(peer.map(|peer| peer.to_string()));
    chain.join(", ")
}

/// All entries of all headers of this name, in order.
fn entries(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(HEADER).iter().filter_map(|line| line.to_str().ok());
    let entries = lines.flat_map(|line| line.split(',')).map(str::trim);
    entries.filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    bare.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn seen(lines: &[&str], hops: u8) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HEADER, HeaderValue::from_str(line).unwrap());
        }
        client(&headers, Some([10, 0, 0, 1].into()), hops).unwrap().to_string()
    }

    #[test]
    fn counts_from_the_right() {
        let lines = ["6.6.6.6, 192.0.2.9", "10.0.0.2"];
        assert_eq!(seen(&lines, 0), "10.0.0.1");
        assert_eq!(seen(&lines, 1), "10.0.0.2");
        assert_eq!(seen(&lines, 2), "192.0.2.9");
        assert_eq!(seen(&lines, 3), "6.6.6.6", "one hop too many: the client chooses");
        assert_eq!(seen(&lines, 9), "6.6.6.6");
        assert_eq!(seen(&[], 2), "10.0.0.1");
    }

    #[test]
    fn what_cannot_be_read_ends_the_chain() {
        assert_eq!(seen(&["1.1.1.1, unknown, 10.0.0.2"], 3), "10.0.0.2");
        assert_eq!(seen(&["junk"], 1), "10.0.0.1");
        assert_eq!(seen(&["192.0.2.9:4711"], 1), "192.0.2.9");
        assert_eq!(seen(&["[2001:db8::1]:80"], 1), "2001:db8::1");
        assert_eq!(seen(&["[2001:db8::1]"], 1), "2001:db8::1");
    }

    #[test]
    fn the_next_hop_sees_the_chain_only_if_somebody_is_trusted() {
        let mut headers = HeaderMap::new();
        headers.append(HEADER, HeaderValue::from_static("192.0.2.9"));
        let peer = Some([10, 0, 0, 1].into());
        assert_eq!(chain(&headers, peer, 0), "10.0.0.1");
        assert_eq!(chain(&headers, peer, 1), "192.0.2.9, 10.0.0.1");
    }
}
