//! The status page: what it says, and in which forms.
//!
//! Guarantees: everything on it comes from the watch's database; by default it names no project and no count; it
//! says when the watch itself is silent; "no data was lost" is said only by the ledger's numbers.
//! Deliberately not here: HTML, routes.

mod component;
mod estimates;
mod feeds;
mod loss;
mod page;
mod report;
mod statuspage;
mod time;
mod uptime;

pub use component::{ComponentState, Indicator};
pub use estimates::{EtaPointView, EtaRunView, EtaView};
pub use feeds::{atom, rss};
pub use loss::{LossAnswer, judge};
pub use page::{ComponentView, IncidentView, STALE_AFTER, StatusPage, UpdateView};
pub use report::report;
pub use statuspage::{
    components, incidents, maintenances, maintenances_active, maintenances_upcoming, status, summary,
    unresolved,
};
pub use time::{day, duration_text, rfc2822, rfc3339, time_text};
pub use uptime::{DAYS_SHOWN, Uptime, uptime};
