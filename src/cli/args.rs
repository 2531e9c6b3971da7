//! What can be typed. Only this file, [`plan`](super::plan) and [`manual`](super::manual) know clap.

mod forecast;
mod guest;
mod output;
mod scan;
mod times;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Flags, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use pciback_audit::audit::Ignore;
use pciback_audit::pci::{Address, KernelVersion};

pub(super) use forecast::{PlanFlags, PlanFormat, PlanMoment};
pub(super) use guest::Guest;
pub(super) use output::{Color, Format, OutputOptions, Page};
pub(super) use scan::{Choice, FailOn as ScanFailOn, Scan, ScanFormat, ScanPage, Verdict as ScanVerdict};
pub(super) use times::{BootNumber, Times};
pub(super) use watch::{EventFormat, Watch};

const STATUSES: &str = "\
Exit status:
  0  ok: every requested device is pciback's, and the evidence suffices
  1  warning: nothing requested is missing, but something needs attention
  2  critical: a requested device is not pciback's, or the list is void
  3  unknown: the evidence does not suffice, nothing is requested, or the
     arguments or the input cannot be used";

/// Says which PCI devices Xen's pciback really took from dom0, which it silently ignored, and why.
///
/// Compares what was requested (the hide list) with the kernel log and with sysfs. Reads only; the commands that would
/// mend what it finds are printed, never run.
#[derive(Debug, Parser)]
#[command(name = "pciback-audit", version, after_help = STATUSES, max_term_width = 80)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true, propagate_version = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) check: Check,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Audit once (also when no command is given)
    #[command(after_help = STATUSES)]
    Check(Box<Check>),
    /// Print how things stand, then a line for every change, until stopped
    Watch(Box<Watch>),
    /// Audit every boot of every host in saved logs: archives, central log servers
    #[command(after_help = STATUSES)]
    Scan(Box<Scan>),
    /// Inside a guest, or on its saved log: does it have the PCI devices that it was given?
    #[command(after_help = STATUSES)]
    Guest(Box<Guest>),
    /// Say what a list would come to, by modprobe now and at the next boot, before either happens
    #[command(after_help = STATUSES)]
    Plan(Box<PlanFlags>),
    /// Audit a real captured dom0 that is built in
    Demo {
        /// Which one
        #[arg(default_value = "held", hide_default_value = true)]
        name: Demo,
        /// Name all that are built in, and what happened on each
        #[arg(long, conflicts_with_all = ["name", "format", "json", "output"])]
        list: bool,
        #[command(flatten)]
        page: Page,
    },
    /// Say what a finding means and what to do, or tell the whole story of one device
    Explain(Box<Explain>),
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page of the program, or of one of its commands
    Man {
        /// The command
        command: Option<String>,
    },
}

/// A dom0 that is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Demo {
    /// Other drivers have five of six devices: they were silently ignored
    Held,
    /// Another driver took a device that pciback had seized
    Lost,
    /// pciback has a device whose set-up failed: no guest can have it
    Failed,
    /// The list has an error, so that nothing of it was taken
    Malformed,
}

#[derive(Debug, Flags)]
pub(super) struct Check {
    /// Logs to read instead of the kernel's ring buffer: as --log
    #[arg(value_name = "LOG")]
    pub(super) logs: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) request: Request,
    #[command(flatten)]
    pub(super) evidence: Evidence,
    #[command(flatten)]
    pub(super) judgement: Judgement,
    #[command(flatten)]
    pub(super) page: Page,
}

/// What is requested. By default the list in force is found.
#[derive(Debug, Flags)]
#[command(next_help_heading = "Request")]
pub(super) struct Request {
    /// The hide list, exactly as the kernel would get it: "(0000:00:1d.0)(00:1d.1)"
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, conflicts_with = "hide_from")]
    pub(super) hide: Option<OsString>,
    /// A device that should be pciback's: 0000:00:1d.0 or 00:1d.0 (repeatable)
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["hide", "hide_from"])]
    pub(super) device: Vec<Address>,
    /// The devices that a policy file names (TOML), and what it expects of each
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hide", "device", "hide_from"])]
    pub(super) policy: Option<PathBuf>,
    /// Take the list from this place only
    #[arg(long, value_name = "PLACE")]
    pub(super) hide_from: Option<Place>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Place {
    /// The parameter of the loaded module
    Module,
    /// The running kernel's command line
    Cmdline,
    /// The options lines of modprobe.d
    Modprobe,
    /// Arguments behind the module's name in /etc/modules and the like
    Modules,
    /// Qubes' `rd.qubes.hide_pci`
    Qubes,
    /// SUSE's /etc/sysconfig/pciback
    Sysconfig,
    /// What XCP-ng's xen-cmdline wrote for the next boot
    Xapi,
    /// pciback's own list
    Slots,
    /// The "Command line:" record of the log
    Log,
    /// What the configurations of guests name
    Guests,
}

#[derive(Debug, Flags)]
#[command(next_help_heading = "Evidence")]
pub(super) struct Evidence {
    /// A saved log, `-` for standard input, or `journal` (repeatable). Implies --no-host, except for `journal`
    #[arg(long = "log", value_name = "PATH|-|journal")]
    pub(super) named_logs: Vec<PathBuf>,
    /// The hypervisor's log: what `xl dmesg` printed, hypervisor.log, a serial capture (repeatable)
    #[arg(long, value_name = "PATH")]
    pub(super) xen_log: Vec<PathBuf>,
    /// Audit the machine whose files are below DIR, and nothing of this one
    #[arg(long, value_name = "DIR", conflicts_with = "host")]
    pub(super) root: Option<PathBuf>,
    /// What `lspci -nnk` or `lspci -nnvv` printed on the audited machine: who has each device, where sysfs is not at hand
    #[arg(long, value_name = "FILE", conflicts_with_all = ["host", "no_host", "wait", "until"])]
    pub(super) lspci: Option<PathBuf>,
    /// Judge by the log alone, as --until does
    #[arg(long, conflicts_with = "host")]
    pub(super) no_host: bool,
    /// Judge by this machine's sysfs although the log is a file
    #[arg(long, conflicts_with = "until")]
    pub(super) host: bool,
    /// Listen until every requested device is settled, but no longer than this: 10s, 2m
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with_all = ["named_logs", "logs", "boot", "xen_log", "since", "until"])]
    pub(super) wait: Option<Duration>,
    /// Which boot of the logs: 0 is the last one, -1 the one before; `all`: a report for each
    #[arg(long, value_name = "N|all", default_value = "0", allow_hyphen_values = true)]
    pub(super) boot: BootNumber,
    #[command(flatten)]
    pub(super) times: Times,
    /// The host to judge, in a log of several hosts
    #[arg(long, value_name = "NAME")]
    pub(super) log_host: Option<String>,
    /// Believe logs whose form does not say who wrote each line
    #[arg(long)]
    pub(super) trust_log: bool,
    /// The kernel's version, when neither log nor host says it
    #[arg(long, value_name = "X.Y")]
    pub(super) kernel: Option<KernelVersion>,
}

#[derive(Debug, Flags)]
#[command(next_help_heading = "Judgement")]
pub(super) struct Judgement {
    /// Accept a known finding, everywhere or on one device (repeatable)
    #[arg(long, value_name = "CODE[@ADDRESS]")]
    pub(super) ignore: Vec<Ignore>,
    /// End with 0 and say nothing where nothing is requested
    #[arg(long)]
    pub(super) if_requested: bool,
    /// From which verdict on the exit status is not 0; unknown always ends with 3
    #[arg(long, value_name = "VERDICT", default_value = "warning")]
    pub(super) fail_on: FailOn,
    /// How long an event counts: 30s, 90m, 24h, 7d
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    pub(super) event_window: Duration,
    /// Give up after so many seconds, with exit status 3
    #[arg(short, long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) timeout: Option<u64>,
}

#[derive(Debug, Flags)]
pub(super) struct Explain {
    /// The finding, or the address of a device; without it, all findings are listed
    #[arg(value_name = "CODE|ADDRESS")]
    pub(super) what: Option<String>,
    /// Logs to read for the story of a device: as --log
    #[arg(value_name = "LOG")]
    pub(super) logs: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) evidence: Evidence,
    /// Give up after so many seconds, with exit status 3
    #[arg(short, long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) timeout: Option<u64>,
    #[command(flatten)]
    pub(super) output: OutputOptions,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum FailOn {
    Warning,
    Critical,
}

/// Reads `90m`: a whole number and its unit.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a number and s, m, h or d, such as 24h".to_owned();
    let unit = match text.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 60 * 60,
        Some(b'd') => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    if digits.len() + 1 != text.len() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn nagios_is_heard_whatever_else_is_wrong() {
        let asks = |line: &str| Format::is_nagios(line.split(' ').map(OsString::from));
        assert!(asks("check --bogus --format nagios") && asks("--format=nagios --help"));
        assert!(!asks("check nagios --format json") && !asks("check -- --format nagios") && !asks("--format"));
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("90m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for wrong in ["", "24", "h", "1.5h", "-1h", "1w", "1hm", "99999999999999999999d", "9999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
