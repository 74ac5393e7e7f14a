//! The settings of the identity state machine; the default is the default preset of chapter 12.4.

use serde::{Deserialize, Serialize};

/// Settings of a project's identity graph. Changing them refolds history: same operations, other rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    /// Who owns a device on which a second identified user appears.
    pub shared_device: SharedDevice,
    /// A device with more distinct users than this is shared: its anonymous history merges into nobody.
    pub max_users_per_device: u32,
    /// A person never gets more user ids than this; what would add one is refused.
    pub max_ids_per_person: u32,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        IdentityConfig {
            shared_device: SharedDevice::LastUser,
            max_users_per_device: 20,
            max_ids_per_person: 1000,
        }
    }
}

/// Owner of a device's anonymous events once several identified users were seen on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedDevice {
    /// The user known last at that point of the log.
    #[default]
    LastUser,
    /// The first identified user, until a reset.
    FirstUser,
}
