//! Which boot, of which host, each fact of each log belongs to.
//!
//! A [`Log`] takes the records of one log as they come, keeps the facts, and cuts them into boots; only events cut
//! (banners, boot ids, uptime going backwards from one event to the next), so that a search that skips all other records
//! would cut at the same places. [`Story`] then lays the logs of a case over each other and picks the asked boot.

mod boot;
mod forged;
mod log;
mod story;

pub use boot::{Boot, Moment};
pub use forged::{Forged, Imitation};
pub use log::{Keeps, Log, LogKind, Unheeded, is_nameless};
pub use story::{BootChoice, Running, Story, together};

/// How far the kernel's clock may seem to go backwards between two events of one boot, in microseconds: records of
/// several processors are stamped before they are put in order (kernel/printk/printk.c, `vprintk_store`).
pub(crate) const JITTER: u64 = 100_000;
