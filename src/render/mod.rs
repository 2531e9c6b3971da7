//! Writes reports: one file per form. A form is a function of the [`Report`] alone; nothing here
//! writes to a stream, reads a clock or judges anything.

mod brief;
mod event;
mod findings;
mod guest;
mod json;
mod layout;
mod nagios;
mod plain;
mod plan;
mod prometheus;
mod repair;
#[cfg(test)]
mod sample;
mod scan;
mod screen;
mod story;
mod style;
mod table;
mod text;
mod time;
mod tree;

pub use event::{event_json, event_text};
pub use json::{json, json_line};
pub use nagios::{nagios, nagios_unknown};
pub use plain::plain;
pub use plan::{plan_json, plan_table};
pub use prometheus::prometheus;
pub use scan::{CSV_HEADING, Overview, Sheet, csv, scan_metrics, scan_summary};
pub use story::device_story;
pub use style::Style;
pub use table::table;
pub use text::escape;
pub use tree::tree;

use crate::report::Report;

/// Whether the audit came as far as to read anything. Where it did not, a count of 0 would be a claim.
fn looked_at_anything(report: &Report) -> bool {
    let says_something = !report.devices.is_empty() || !report.request.entries.is_empty();
    says_something || !report.logs.is_empty() || report.kernel.is_some()
}
