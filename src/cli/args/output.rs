//! The form of a report, and where it goes.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args as Flags, ValueEnum};

/// What every report has in common, whatever its form.
#[derive(Debug, Flags)]
#[command(next_help_heading = "Output")]
pub(in super::super) struct OutputOptions {
    /// Write the report to FILE, whole or not at all, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(in super::super) output: Option<PathBuf>,
    /// Print nothing when the exit status is 0
    #[arg(short, long)]
    pub(in super::super) quiet: bool,
    /// Show notes and every proof
    #[arg(short, long, action = ArgAction::Count)]
    pub(in super::super) verbose: u8,
    /// Colour the table
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(in super::super) color: Color,
}

#[derive(Debug, Flags)]
#[command(next_help_heading = "Output")]
pub(in super::super) struct Page {
    /// The form of the report
    #[arg(long, value_name = "FORM")]
    pub(in super::super) format: Option<Format>,
    /// The same as --format json
    #[arg(short = 'J', long)]
    pub(in super::super) json: bool,
    #[command(flatten)]
    pub(in super::super) output: OutputOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in super::super) enum Format {
    /// For a person (default)
    Table,
    /// The PCI hierarchy as `lspci -tv` draws it, each device with who has it and its status
    Tree,
    /// One JSON object, as schema/report-1.json describes it
    Json,
    /// A line for Nagios, Icinga, NRPE or Checkmk; with -v what was found below it
    Nagios,
    /// Metrics for the textfile collector of Prometheus' node exporter
    Prometheus,
}

impl Format {
    /// Whether the arguments ask for `nagios`: to be known even where they are otherwise bad, since such a caller hears
    /// only what is said on standard output.
    pub(in super::super) fn is_nagios(arguments: impl Iterator<Item = OsString>) -> bool {
        let arguments: Vec<OsString> = arguments.take_while(|argument| argument != "--").collect();
        let apart =
            arguments.windows(2).any(|two| matches!(two, [name, value] if name == "--format" && value == "nagios"));
        apart || arguments.iter().any(|argument| argument == "--format=nagios")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in super::super) enum Color {
    Auto,
    Always,
    Never,
}
