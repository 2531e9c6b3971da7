//! Which boot, of which host, each fact of each log belongs to.
//!
//! A [`Log`] takes the records of one log as they come, keeps the facts, and cuts them into boots; only events cut
//! (banners, boot ids, uptime going backwards from one event to the next), so that a search that skips all other records
//! would cut at the same places. [`Story`] then lays the logs of a case over each other and picks the asked boot.

mod boot;
mod log;
mod story;

pub use boot::{Boot, Moment};
pub use log::{Log, LogKind};
pub use story::{BootChoice, Running, Story};

use crate::record::{Stamp, Wall};

/// How far the kernel's clock may seem to go backwards between two events of one boot, in microseconds: records of
/// several processors are stamped before they are put in order (kernel/printk/printk.c, `vprintk_store`).
const JITTER: u64 = 100_000;

/// Microseconds from `earlier` to `later` by whichever clock both have; negative when it goes backwards.
pub fn between(earlier: &Stamp, later: &Stamp) -> Option<i64> {
    if let (Some(earlier), Some(later)) = (earlier.uptime, later.uptime) {
        return i64::try_from(i128::from(later) - i128::from(earlier)).ok();
    }
    let (earlier, later) = (earlier.wall?, later.wall?);
    let (from, to) = match (earlier.offset, later.offset) {
        (Some(from), Some(to)) => (earlier.local - from, later.local - to),
        _ => (earlier.local, later.local),
    };
    let micros = (to - from).num_microseconds()?;
    // A log without years runs from December into January.
    let year = 366 * 86_400 * 1_000_000;
    let yearless = |wall: &Wall| chrono::Datelike::year(&wall.local) == Wall::NO_YEAR;
    if yearless(&earlier) && yearless(&later) && micros < -year / 2 {
        return Some(micros + year);
    }
    Some(micros)
}
