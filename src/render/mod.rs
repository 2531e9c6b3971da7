//! Writes reports: one file per form. A form is a function of the [`Report`](crate::report::Report) alone; nothing here
//! writes to a stream, reads a clock or judges anything.

mod event;
mod findings;
mod json;
mod layout;
mod table;
mod text;
mod time;

pub use event::{event_json, event_text};
pub use json::json;
pub use table::{Style, table};
pub use text::escape;
