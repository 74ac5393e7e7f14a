//! The analyses: each binds a query's meaning to scans and operators and shapes its part of the answer.

mod actors;
mod funnel;
mod gather;
mod groups;
mod retention;
mod segmentation;
mod sets;
mod table;

pub(crate) use funnel::Funnel;
pub(crate) use retention::Retention;
pub(crate) use segmentation::Segmentation;
