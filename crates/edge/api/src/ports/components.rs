//! Health of the instance's parts.
//!
//! Guarantees: plain data. Deliberately not here: finding it out.

use async_trait::async_trait;

/// How a part of the instance is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComponentStatus {
    /// Works.
    Up,
    /// Does not.
    Down,
    /// Not known here.
    Unknown,
}

/// A part of the instance, such as a process.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Component {
    /// Which part.
    pub name: String,
    /// How it is doing.
    pub status: ComponentStatus,
    /// More for people; may be empty.
    pub detail: String,
}

/// Health of the instance's parts.
#[async_trait]
pub trait Components: Send + Sync {
    /// Every part, in a fixed order.
    async fn components(&self) -> Vec<Component>;
}
