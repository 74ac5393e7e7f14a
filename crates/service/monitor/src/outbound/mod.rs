//! The one way by which this product makes requests to addresses that somebody typed in.
//!
//! Guarantees: the name is resolved once, every address it has is checked, and the connection goes to an address
//! that was checked, so a name that changes its mind in between gains nothing; no redirect is followed, no proxy
//! from the environment is used; private, loopback, link-local and metadata addresses are refused unless they are
//! listed. A client that resolves by itself would not give this.
//! Deliberately not here: what is sent, retries.

mod address;
mod client;
mod tls;
mod url;

pub use address::AllowList;
pub use client::{Answer, Outbound, Resolve, SendError};
pub use url::Url;
