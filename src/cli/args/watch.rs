//! The arguments of `watch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Flags, ValueEnum};
use pciback_audit::audit::Ignore;

use super::Request;

/// Ends with 0 when it is stopped by SIGTERM or SIGINT. SIGHUP has it open --output anew and look at everything again.
#[derive(Debug, Flags)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub(crate) request: Request,
    /// Accept a known finding, everywhere or on one device (repeatable)
    #[arg(long, value_name = "CODE[@ADDRESS]")]
    pub(crate) ignore: Vec<Ignore>,
    /// How long an event counts: 30s, 90m, 24h, 7d
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = super::duration)]
    pub(crate) event_window: Duration,
    /// Give up when it does not watch after so many seconds, with exit status 3
    #[arg(short, long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: Option<u64>,
    /// The form of the events
    #[arg(long, value_name = "FORM")]
    pub(crate) format: Option<EventFormat>,
    /// The same as --format json
    #[arg(short = 'J', long)]
    pub(crate) json: bool,
    /// Append the events to FILE instead of printing them
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Keep the metrics in FILE current, for the textfile collector of Prometheus' node exporter
    #[arg(long, value_name = "FILE")]
    pub(crate) textfile: Option<PathBuf>,
    /// Remember in FILE how far the log was read, and begin with what happened since
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventFormat {
    /// A line for a person (default)
    Text,
    /// One JSON object a line, as schema/event-1.json describes it
    Json,
}
