//! What is to be scanned, judged and shown.

use std::path::PathBuf;
use std::time::Duration;

use pciback_audit::audit::{FailOn, Options};
use pciback_audit::report::{Choice, Counted, Verdict};
use pciback_audit::timeline::BootChoice;

use super::super::request::Request;
use super::super::when;
use super::super::write::{Form, Page};
use super::{BootNumber, Check, Plan, Work, args, conflict, output};

/// A scan of saved logs.
#[derive(Debug)]
pub(in super::super) struct Scan {
    /// The work, but for what is requested.
    pub(in super::super) work: pciback_audit::scan::Scan,
    pub(in super::super) request: Request,
    pub(in super::super) form: ScanForm,
    /// Which reports are told.
    pub(in super::super) choice: Choice,
    /// Whether every row of the table is shown, ok or not.
    pub(in super::super) all: bool,
    /// Which boots count for the exit status.
    pub(in super::super) counted: Counted,
    pub(in super::super) baseline: Option<PathBuf>,
    /// Whether the exit status is that of what the baseline does not have.
    pub(in super::super) only_new_fails: bool,
    pub(in super::super) timeout: Option<Duration>,
}

/// How a scan is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum ScanForm {
    /// What is not ok, for a person.
    Table,
    /// An object for each boot.
    Json,
    /// A line for each device of each boot.
    Csv,
    /// Counts for Prometheus.
    Prometheus,
    /// Counts.
    Summary,
}

pub(super) fn plan(scan: args::Scan) -> Result<Plan, clap::Error> {
    let now = when::now();
    let window = super::window(scan.times, now)?;
    if scan.paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(conflict("standard input (`-`) can be read only once"));
    }
    let form = form(&scan.page)?;
    let judgement = scan.judgement;
    let only_new_fails = judgement.fail_on == args::ScanFailOn::New;
    let baseline = scan.baseline.baseline;
    if only_new_fails && baseline.is_none() {
        return Err(conflict("--fail-on new: new since which scan? --baseline FILE names it"));
    }
    let options = Options {
        window,
        log_host: scan.log_host,
        trust_log: scan.trust_log,
        kernel: scan.kernel,
        verbose: scan.page.output.verbose > 0,
        ignore: judgement.ignore,
        if_requested: judgement.if_requested,
        fail_on: if judgement.fail_on == args::ScanFailOn::Critical { FailOn::Critical } else { FailOn::Warning },
        event_window: judgement.event_window,
        ..Options::default()
    };
    let request = args::Request { hide: scan.hide, device: scan.device, policy: scan.policy, hide_from: None };
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    let work = pciback_audit::scan::Scan {
        paths: scan.paths,
        options,
        now: Some(now),
        threads: scan.threads.map_or_else(processors, usize::from),
        every_line: scan.every_line,
        ..pciback_audit::scan::Scan::default()
    };
    let scan_plan = Scan {
        work,
        request: super::request(request),
        form,
        all: scan.choice.all,
        choice: choice(scan.choice),
        counted: match scan.boot {
            BootNumber::All => Counted::All,
            BootNumber::One(BootChoice::FromLast(back)) => Counted::Back(back),
        },
        baseline,
        only_new_fails,
        timeout: judgement.timeout.map(Duration::from_secs),
    };
    // What node_exporter reads is for everybody.
    let written = if form == ScanForm::Prometheus { Form::Prometheus } else { Form::Table };
    Ok(Plan { work: Work::Scan(scan_plan), page: output(scan.page.output, written) })
}

/// The plan of an audit of every boot in the logs of a check, told as a scan tells it.
pub(super) fn every_boot(check: Check, page: Page) -> Result<Plan, clap::Error> {
    let form = match page.form {
        Form::Table => ScanForm::Table,
        Form::Json => ScanForm::Json,
        Form::Tree | Form::Nagios | Form::Prometheus => {
            return Err(conflict("--boot all has --format table and json only: the other forms tell of one boot"));
        }
    };
    if check.wait.is_some() {
        return Err(conflict("--wait listens to the running boot, not to all"));
    }
    let work = pciback_audit::scan::Scan {
        options: check.options.clone(),
        now: Some(when::now()),
        ..pciback_audit::scan::Scan::default()
    };
    let told = Scan {
        work,
        request: check.request.clone(),
        form,
        all: true,
        choice: Choice::default(),
        counted: Counted::All,
        baseline: None,
        only_new_fails: false,
        timeout: check.timeout,
    };
    Ok(Plan { work: Work::EveryBoot(check, Box::new(told)), page })
}

fn form(page: &args::ScanPage) -> Result<ScanForm, clap::Error> {
    match (page.format, page.json) {
        (None | Some(args::ScanFormat::Json), true) | (Some(args::ScanFormat::Json), false) => Ok(ScanForm::Json),
        (Some(_), true) => Err(conflict("--json and --format ask for two forms")),
        (Some(args::ScanFormat::Csv), false) => Ok(ScanForm::Csv),
        (Some(args::ScanFormat::Prometheus), false) => Ok(ScanForm::Prometheus),
        (Some(args::ScanFormat::Table) | None, false) if page.summary => Ok(ScanForm::Summary),
        (Some(args::ScanFormat::Table) | None, false) => Ok(ScanForm::Table),
    }
}

fn choice(choice: args::Choice) -> Choice {
    let verdict = |verdict| match verdict {
        args::ScanVerdict::Ok => Verdict::Ok,
        args::ScanVerdict::Warning => Verdict::Warning,
        args::ScanVerdict::Unknown => Verdict::Unknown,
        args::ScanVerdict::Critical => Verdict::Critical,
    };
    Choice { hosts: choice.host, verdicts: choice.verdict.into_iter().map(verdict).collect(), only: choice.only }
}
