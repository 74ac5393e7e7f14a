//! Who sent an event, as far as its own ids say: what throttling judges by, and what routes it.
//!
//! Guarantees: only ids that name somebody; a garbage id that thousands of clients share is nobody's.
//! Deliberately not here: who that person is (`identity`).

use crate::ids::{self, Id};

/// The ids of one event of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sender {
    /// Its index in the request as sent.
    pub index: usize,
    /// Usable device id.
    pub device: Option<String>,
    /// Usable user id.
    pub user: Option<String>,
}

impl Sender {
    /// The usable ones of these raw ids.
    pub(crate) fn of(index: usize, device: Option<&str>, user: Option<&str>, min_length: usize) -> Sender {
        let usable = |raw| match ids::usable(raw, min_length) {
            Id::Usable(id) => Some(id),
            _ => None,
        };
        Sender { index, device: usable(device), user: usable(user) }
    }

    /// Nobody in particular.
    pub(crate) fn nobody(index: usize) -> Sender {
        Sender { index, ..Sender::default() }
    }

    /// The key by which the log keeps one person's events together: the device id, else the user id.
    pub(crate) fn routing_key(&self) -> String {
        self.device.as_ref().or(self.user.as_ref()).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_names_nobody_and_the_device_routes() {
        let sender = Sender::of(3, Some("null"), Some(" user-1 "), 1);
        assert_eq!(sender, Sender { index: 3, device: None, user: Some("user-1".into()) });
        assert_eq!(sender.routing_key(), "user-1");
        assert_eq!(Sender::of(0, Some("d"), Some("u"), 1).routing_key(), "d");
        assert_eq!(Sender::of(0, Some("d"), None, 5), Sender::nobody(0));
        assert_eq!(Sender::nobody(0).routing_key(), "");
    }
}
