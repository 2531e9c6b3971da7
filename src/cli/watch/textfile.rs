//! The metrics of a watch, in a file that is never seen half written.

use std::path::Path;
use std::time::Duration;

use pciback_audit::render::prometheus;
use pciback_audit::report::Report;
use pciback_audit::source::{Access, replace};

use crate::cli::write;

/// How often the file is written although nothing changed: its time says that somebody still watches.
const EVERY: Duration = Duration::from_secs(60);

/// The same while it cannot be written.
const AGAIN: Duration = Duration::from_secs(5);

/// The file for the textfile collector.
pub(super) struct Textfile<'a> {
    path: &'a Path,
    /// Why it could not be written, once that was said.
    trouble: Option<String>,
}

impl<'a> Textfile<'a> {
    pub(super) const fn new(path: &'a Path) -> Self {
        Self { path, trouble: None }
    }

    /// How old the file may become.
    pub(super) const fn every(&self) -> Duration {
        if self.trouble.is_some() { AGAIN } else { EVERY }
    }

    /// Writes the metrics of a report that took so long. What goes wrong is said once, and tried again.
    pub(super) fn write(&mut self, report: &Report, took: Duration) {
        let text = prometheus(report, env!("CARGO_PKG_VERSION"), took);
        let trouble = replace(self.path, text.as_bytes(), Access::All).err().map(|error| error.to_string());
        if trouble != self.trouble {
            let name = write::safe(self.path);
            match &trouble {
                Some(why) => write::complain(&format!("--textfile {name}: {why}; will try again"), 0),
                None => write::complain(&format!("--textfile {name}: written again"), 0),
            };
            self.trouble = trouble;
        }
    }
}
