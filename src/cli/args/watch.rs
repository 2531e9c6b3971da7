//! The arguments of `watch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Flags, ValueEnum};
use pciback_audit::audit::Ignore;

use super::{Request, duration};

/// Ends with 0 when a signal stops it (SIGTERM, SIGINT). SIGHUP has it open --output anew and look at everything again.
#[derive(Debug, Flags)]
pub(in super::super) struct Watch {
    #[command(flatten)]
    pub(in super::super) request: Request,
    /// Watch the machine whose files are below DIR, by looking at them again and again, and nothing of this one
    #[arg(long, value_name = "DIR", help_heading = "Evidence")]
    pub(in super::super) root: Option<PathBuf>,
    /// Accept a known finding, everywhere or on one device (repeatable)
    #[arg(long, value_name = "CODE[@ADDRESS]")]
    pub(in super::super) ignore: Vec<Ignore>,
    /// How long an event counts: 30s, 90m, 24h, 7d
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    pub(in super::super) event_window: Duration,
    /// Give up when it does not watch after so many seconds, with exit status 3
    #[arg(short, long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in super::super) timeout: Option<u64>,
    /// The form of the events
    #[arg(long, value_name = "FORM")]
    pub(in super::super) format: Option<EventFormat>,
    /// The same as --format json
    #[arg(short = 'J', long)]
    pub(in super::super) json: bool,
    /// Append the events to FILE instead of printing them
    #[arg(long, value_name = "FILE")]
    pub(in super::super) output: Option<PathBuf>,
    /// Keep the metrics in FILE current, for the textfile collector of Prometheus' node exporter
    #[arg(long, value_name = "FILE")]
    pub(in super::super) textfile: Option<PathBuf>,
    /// Remember in FILE how far the log was read, and begin with what happened since
    #[arg(long, value_name = "FILE")]
    pub(in super::super) resume: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in super::super) enum EventFormat {
    /// A line for a person (default)
    Text,
    /// One JSON object a line, as schema/event-1.json describes it
    Json,
}
