//! Who is asking, and whether they may: the one choke point of the API (S1, S4).
//!
//! Guarantees: no handler runs before [`guard`] has decided by (principal, project, action); a handler learns its
//! project from [`Access`] only. What a caller may not know of answers like what does not exist.
//! Deliberately not here: the routes.

mod cookies;
mod guard;
mod logins;
mod passwords;
mod policy;
mod principal;
mod standby;

pub(crate) use cookies::{clear_cookie, csrf_of, new_session_token, session_cookie};
pub(crate) use guard::{Access, guard};
pub(crate) use logins::{Attempt, LoginLimits};
pub(crate) use passwords::{Passwords, Verdict};
pub use policy::Action;
pub(crate) use principal::Principal;
pub(crate) use standby::Standby;
