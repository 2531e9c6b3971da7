//! What can be typed for `scan`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Flags, ValueEnum};
use pciback_audit::audit::Ignore;
use pciback_audit::pci::{Address, KernelVersion};
use pciback_audit::report::Glob;
use pciback_audit::timeline::BootChoice;

use super::{BootNumber, OutputOptions, Times, duration};

/// Reads files of any size, packed (gzip, zstd, xz) or not, and directories with all that is below them. Each boot is held
/// against the list on its own command line unless another one is given. The exit status is that of each host's last boot.
#[derive(Debug, Flags)]
pub(in super::super) struct Scan {
    /// Logs, directories, or `-` for standard input
    #[arg(value_name = "PATH", required = true)]
    pub(in super::super) paths: Vec<PathBuf>,
    /// The hide list for every boot, exactly as the kernel would get it: "(0000:00:1d.0)(00:1d.1)"
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub(in super::super) hide: Option<OsString>,
    /// A device that should be pciback's in every boot: 0000:00:1d.0 or 00:1d.0 (repeatable)
    #[arg(long, value_name = "ADDRESS", conflicts_with = "hide")]
    pub(in super::super) device: Vec<Address>,
    /// The devices that a policy file names (TOML), for every boot
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hide", "device"])]
    pub(in super::super) policy: Option<PathBuf>,
    /// Which boots of a host count for the exit status: the last one (0), all, or only the one before it (-1), and so on
    #[arg(long, value_name = "last|-N|all", default_value = "last", allow_hyphen_values = true, value_parser = counted)]
    pub(in super::super) boot: BootNumber,
    #[command(flatten)]
    pub(in super::super) times: Times,
    /// Judge this host only, of the hosts in the logs
    #[arg(long, value_name = "NAME")]
    pub(in super::super) log_host: Option<String>,
    /// Believe logs whose form does not say who wrote each line
    #[arg(long)]
    pub(in super::super) trust_log: bool,
    /// The kernel's version, where a log does not say it
    #[arg(long, value_name = "X.Y")]
    pub(in super::super) kernel: Option<KernelVersion>,
    /// How many files, or parts of a file, to read at a time; as many as there are processors by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(in super::super) threads: Option<u16>,
    /// Decode every line instead of searching for those that matter: slower by far, with the same outcome
    #[arg(long, hide = true)]
    pub(in super::super) every_line: bool,
    #[command(flatten)]
    pub(in super::super) judgement: Judgement,
    #[command(flatten)]
    pub(in super::super) choice: Choice,
    #[command(flatten)]
    pub(in super::super) baseline: Baseline,
    #[command(flatten)]
    pub(in super::super) page: ScanPage,
}

#[derive(Debug, Flags)]
#[command(next_help_heading = "Judgement")]
pub(in super::super) struct Judgement {
    /// Accept a known finding, everywhere or on one device (repeatable)
    #[arg(long, value_name = "CODE[@ADDRESS]")]
    pub(in super::super) ignore: Vec<Ignore>,
    /// End with 0 and say nothing where nothing is requested
    #[arg(long)]
    pub(in super::super) if_requested: bool,
    /// From which verdict on the exit status is not 0; unknown always ends with 3. `new`: what the baseline does not have
    #[arg(long, value_name = "VERDICT", default_value = "warning")]
    pub(in super::super) fail_on: FailOn,
    /// How long an event counts: 30s, 90m, 24h, 7d
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    pub(in super::super) event_window: Duration,
    /// Give up after so many seconds, with exit status 3
    #[arg(short, long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in super::super) timeout: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in super::super) enum FailOn {
    Warning,
    Critical,
    New,
}

/// Which rows are shown. The verdicts and the exit status are those of everything.
#[derive(Debug, Flags)]
#[command(next_help_heading = "Rows")]
pub(in super::super) struct Choice {
    /// Show these hosts only: a name, whole or short, with * and ? (repeatable). A single one is shown as `check` shows it
    #[arg(long, value_name = "GLOB")]
    pub(in super::super) host: Vec<Glob>,
    /// Show boots of this verdict only (repeatable, or several with commas)
    #[arg(long, value_name = "VERDICT", value_delimiter = ',')]
    pub(in super::super) verdict: Vec<Verdict>,
    /// Show what is said of this device only (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    pub(in super::super) only: Vec<Address>,
    /// Show every row, ok or not
    #[arg(long)]
    pub(in super::super) all: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in super::super) enum Verdict {
    Ok,
    Warning,
    Unknown,
    Critical,
}

#[derive(Debug, Flags)]
#[command(next_help_heading = "Comparison")]
pub(in super::super) struct Baseline {
    /// Show what is new, gone and as before since an earlier scan, of which FILE holds what --format json printed
    #[arg(long, value_name = "FILE")]
    pub(in super::super) baseline: Option<PathBuf>,
}

#[derive(Debug, Flags)]
#[command(next_help_heading = "Output")]
pub(in super::super) struct ScanPage {
    /// The form of the report
    #[arg(long, value_name = "FORM")]
    pub(in super::super) format: Option<ScanFormat>,
    /// The same as --format json
    #[arg(short = 'J', long)]
    pub(in super::super) json: bool,
    /// Print only how many hosts, boots and devices there are, and how they stand
    #[arg(long, conflicts_with_all = ["json", "format"])]
    pub(in super::super) summary: bool,
    #[command(flatten)]
    pub(in super::super) output: OutputOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in super::super) enum ScanFormat {
    /// For a person: what is not ok, worst first (default)
    Table,
    /// One JSON object a line for each host and boot, as schema/report-1.json describes it
    Json,
    /// A line for each host, boot and device
    Csv,
    /// Counts for the textfile collector of Prometheus' node exporter
    Prometheus,
}

fn counted(text: &str) -> Result<BootNumber, &'static str> {
    if text == "last" { Ok(BootNumber::One(BootChoice::default())) } else { text.parse() }
}
