//! Which boot, of which host, each fact of each log belongs to.
//!
//! A [`Log`] takes the records of one log as they come, in the order of their own times, keeps the facts, and cuts them into
//! boots. [`Identity`] answers whether two stretches are of one boot; [`hosts()`] lays logs over each other by it, and
//! [`Story`] picks the boot that is asked for.

mod alike;
mod boot;
mod bounds;
mod direction;
mod forged;
mod hosts;
mod identity;
mod joined;
mod lanes;
mod levels;
mod log;
mod merge;
mod moment;
mod not_dom0;
mod repeats;
mod story;
mod window;
mod years;

pub use boot::Boot;
pub(crate) use boot::LONGEST_LINE;
pub use bounds::{Beyond, Bounds, trim};
pub use forged::{Forged, Imitation};
pub use hosts::{Host, Hosts, Parts, hosts, hosts_of_case, is_nameless, is_same_name};
pub use identity::{Identity, Sameness};
pub use log::{Keeps, Log, LogKind, Unheeded};
pub use moment::Moment;
pub use not_dom0::NotDom0;
pub use story::{BootChoice, Doubt, Running, Story, Wanted};
pub use window::{Window, end_of};
pub use years::Dates;

/// How far the kernel's clock may seem to go backwards between two events of one boot, in microseconds: records of
/// several processors are stamped before they are put in order (kernel/printk/printk.c, `vprintk_store`).
pub(crate) const JITTER: u64 = 100_000;
