//! What the arguments mean: plain values, checked against each other before anything is done.

use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::CommandFactory as _;
use clap::error::ErrorKind;
use clap_complete::Shell;
use pciback_audit::audit::{Asked, FailOn, Options};
use pciback_audit::pci::Address;
use pciback_audit::report::Moment;
use pciback_audit::request::Source;
use pciback_audit::timeline::{BootChoice, Window};

use super::args::{self, Args, BootNumber, Command, Times};
use super::request::Request;
use super::when;
use super::write::{Form, Page};

mod scan;

pub(super) use scan::{Scan, ScanForm};

/// What is to be done, and how it is to be written.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) work: Work,
    pub(super) page: Page,
}

/// The command.
#[derive(Debug)]
pub(super) enum Work {
    Check(Check),
    /// An audit of every boot in the logs.
    EveryBoot(Check, Box<Scan>),
    Watch(Watch),
    Scan(Scan),
    /// A dom0 that is built in; none: their list.
    Demo(Option<args::Demo>),
    /// One audit of a guest.
    Guest(Check),
    Forecast(Forecast),
    Explain(Option<String>),
    Completions(Shell),
    Man(Option<String>),
    /// The story of one device.
    Story(Check, Address),
}

/// One audit.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) request: Request,
    pub(super) logs: Vec<LogSource>,
    pub(super) host: HostSource,
    /// The hypervisor's logs.
    pub(super) xen_logs: Vec<PathBuf>,
    /// The text of `lspci` on the audited machine.
    pub(super) lspci: Option<PathBuf>,
    /// The configuration of the audited guest.
    pub(super) guest_config: Option<PathBuf>,
    pub(super) options: Options,
    pub(super) timeout: Option<Duration>,
    /// Whether every boot in the logs is audited, not the chosen one alone.
    pub(super) every_boot: bool,
    /// For how long to wait until all is settled.
    pub(super) wait: Option<Duration>,
}

/// A watch.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) check: Check,
    pub(super) json: bool,
    pub(super) output: Option<PathBuf>,
    pub(super) textfile: Option<PathBuf>,
    pub(super) resume: Option<PathBuf>,
}

/// A forecast of a load and of the next boot.
#[derive(Debug)]
pub(super) struct Forecast {
    /// The list; the one in force or written down without it.
    pub(super) list: Option<Vec<u8>>,
    /// The moment that decides; `None` where the host does.
    pub(super) moment: Option<Moment>,
    pub(super) host: HostSource,
    pub(super) options: Options,
    pub(super) timeout: Option<Duration>,
}

/// Where a log comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LogSource {
    /// The running kernel's ring buffer.
    Ring,
    /// journald.
    Journal,
    /// A file, or `-`.
    File(PathBuf),
    /// Whatever a root keeps.
    Below(PathBuf),
}

/// Whose files are the host's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HostSource {
    /// This machine's.
    Here,
    /// Those below a directory.
    Below(PathBuf),
    /// Nobody's: the log alone.
    Nowhere,
}

impl Plan {
    pub(super) fn of(args: Args) -> Result<Self, clap::Error> {
        match args.command {
            Some(Command::Demo { name, list, page }) => {
                Ok(Self { work: Work::Demo((!list).then_some(name)), page: self::page(page)? })
            }
            Some(Command::Explain(explain)) => self::explain(*explain),
            Some(Command::Completions { shell }) => Ok(Self { work: Work::Completions(shell), page: Page::default() }),
            Some(Command::Man { command }) => Ok(Self { work: Work::Man(command), page: Page::default() }),
            Some(Command::Watch(watch)) => self::watch(*watch),
            Some(Command::Scan(scan)) => scan::plan(*scan),
            Some(Command::Guest(guest)) => self::guest(*guest),
            Some(Command::Plan(flags)) => forecast(*flags),
            Some(Command::Check(flags)) => audit(*flags),
            None => audit(args.check),
        }
    }
}

fn audit(check: args::Check) -> Result<Plan, clap::Error> {
    let (check, page) = check_plan(check)?;
    if check.every_boot {
        return scan::every_boot(check, page);
    }
    Ok(Plan { work: Work::Check(check), page })
}

fn check_plan(check: args::Check) -> Result<(Check, Page), clap::Error> {
    let args::Check { logs, request, evidence, judgement, page } = check;
    let named: Vec<PathBuf> = evidence.named_logs.iter().cloned().chain(logs).collect();
    if named.iter().chain(&evidence.xen_log).filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(conflict("standard input (`-`) can be read only once: --log"));
    }
    let mut logs: Vec<LogSource> = named.into_iter().map(log).collect();
    if evidence.root.is_some() && logs.contains(&LogSource::Journal) {
        return Err(conflict("--log journal is of this machine, and --root is of another one"));
    }
    let window = window(evidence.times.clone(), when::now())?;
    let host = if window.until.is_some() { HostSource::Nowhere } else { host(&evidence, &logs) };
    if evidence.lspci.is_some() && host == HostSource::Here {
        return Err(conflict("--lspci is of another machine: name its log as well, or its --root"));
    }
    if logs.is_empty() {
        logs.push(evidence.root.clone().map_or(LogSource::Ring, LogSource::Below));
    }
    let page = self::page(page)?;
    let (boot, every_boot) = match evidence.boot {
        BootNumber::One(boot) => (boot, false),
        BootNumber::All => (BootChoice::default(), true),
    };
    let options = Options {
        boot,
        window,
        log_host: evidence.log_host,
        trust_log: evidence.trust_log,
        kernel: evidence.kernel,
        verbose: page.verbose,
        ignore: judgement.ignore,
        if_requested: judgement.if_requested,
        fail_on: match judgement.fail_on {
            args::FailOn::Warning => FailOn::Warning,
            args::FailOn::Critical => FailOn::Critical,
        },
        event_window: judgement.event_window,
        foretold: None,
    };
    let timeout = judgement.timeout.map(Duration::from_secs);
    let (wait, lspci, xen_logs) = (evidence.wait, evidence.lspci, evidence.xen_log);
    let request = self::request(request);
    let guest_config = None;
    Ok((Check { request, logs, host, xen_logs, lspci, guest_config, options, timeout, every_boot, wait }, page))
}

/// A guest is read as a host is: most of the evidence is the same.
fn guest(guest: args::Guest) -> Result<Plan, clap::Error> {
    let args::Guest {
        logs,
        device,
        config,
        named_logs,
        root,
        no_host,
        host,
        times,
        boot,
        log_host,
        trust_log,
        judgement,
        page,
    } = guest;
    let evidence = args::Evidence {
        named_logs,
        xen_log: Vec::new(),
        root,
        lspci: None,
        no_host,
        host,
        wait: None,
        boot: BootNumber::One(boot),
        times,
        log_host,
        trust_log,
        kernel: None,
    };
    let request = args::Request { hide: None, device, policy: None, hide_from: None };
    let (mut check, page) = check_plan(args::Check { logs, request, evidence, judgement, page })?;
    check.guest_config = config;
    if matches!(page.form, Form::Prometheus | Form::Tree) {
        return Err(conflict("guest has --format table, json and nagios only"));
    }
    Ok(Plan { work: Work::Guest(check), page })
}

/// An address asks for the story of a device; anything else is the name of a finding.
fn explain(explain: args::Explain) -> Result<Plan, clap::Error> {
    let args::Explain { what, logs, evidence, timeout, output } = explain;
    let Some(address) = what.as_deref().and_then(|what| what.parse::<Address>().ok()) else {
        if let Some(log) = logs.first() {
            let message = format!("{}: logs are for the story of a device: explain ADDRESS LOG", log.display());
            return Err(conflict(&message));
        }
        return Ok(Plan { work: Work::Explain(what), page: self::output(output, Form::Table) });
    };
    let request = args::Request { hide: None, device: Vec::new(), policy: None, hide_from: None };
    let judgement = args::Judgement {
        ignore: Vec::new(),
        if_requested: false,
        fail_on: args::FailOn::Warning,
        event_window: Options::default().event_window,
        timeout,
    };
    let page = args::Page { format: None, json: false, output };
    if evidence.wait.is_some() {
        return Err(conflict("explain does not listen: --wait is for check"));
    }
    if evidence.boot == BootNumber::All {
        return Err(conflict("explain tells of one boot: --boot all is for check and scan"));
    }
    let (check, page) = check_plan(args::Check { logs, request, evidence, judgement, page })?;
    Ok(Plan { work: Work::Story(check, address), page })
}

fn forecast(flags: args::PlanFlags) -> Result<Plan, clap::Error> {
    let form = match (flags.format, flags.json) {
        (Some(args::PlanFormat::Table), true) => return Err(conflict("--json and --format ask for two forms")),
        (Some(args::PlanFormat::Json), _) | (None, true) => Form::Json,
        (Some(args::PlanFormat::Table) | None, false) => Form::Table,
    };
    let page = output(flags.output, form);
    let devices: Vec<String> = flags.device.iter().map(|device| format!("({device})")).collect();
    let forecast = Forecast {
        list: flags
            .hide
            .map(std::ffi::OsString::into_vec)
            .or((!devices.is_empty()).then(|| devices.concat().into_bytes())),
        moment: flags.moment.map(|moment| match moment {
            args::PlanMoment::Now => Moment::Now,
            args::PlanMoment::Boot => Moment::Boot,
        }),
        host: flags.root.map_or(HostSource::Here, HostSource::Below),
        options: Options { kernel: flags.kernel, verbose: page.verbose, ..Options::default() },
        timeout: flags.timeout.map(Duration::from_secs),
    };
    Ok(Plan { work: Work::Forecast(forecast), page })
}

fn watch(watch: args::Watch) -> Result<Plan, clap::Error> {
    let args::Watch { request, root, ignore, event_window, timeout, format, json, output, textfile, resume } = watch;
    if json && format == Some(args::EventFormat::Text) {
        return Err(conflict("--json and --format text ask for two forms"));
    }
    let check = Check {
        request: self::request(request),
        logs: vec![root.clone().map_or(LogSource::Ring, LogSource::Below)],
        host: root.map_or(HostSource::Here, HostSource::Below),
        xen_logs: Vec::new(),
        lspci: None,
        guest_config: None,
        options: Options { ignore, event_window, ..Options::default() },
        timeout: timeout.map(Duration::from_secs),
        every_boot: false,
        wait: None,
    };
    let json = json || format == Some(args::EventFormat::Json);
    Ok(Plan { work: Work::Watch(Watch { check, json, output, textfile, resume }), page: Page::default() })
}

fn log(path: PathBuf) -> LogSource {
    if path.as_os_str() == "journal" { LogSource::Journal } else { LogSource::File(path) }
}

/// A log from elsewhere is never judged against this machine's sysfs unless that is asked for.
fn host(evidence: &args::Evidence, logs: &[LogSource]) -> HostSource {
    let from_elsewhere = logs.iter().any(|log| matches!(log, LogSource::File(_)));
    match &evidence.root {
        _ if evidence.no_host => HostSource::Nowhere,
        Some(root) => HostSource::Below(root.clone()),
        None if from_elsewhere && !evidence.host => HostSource::Nowhere,
        None => HostSource::Here,
    }
}

fn request(request: args::Request) -> Request {
    if let Some(list) = request.hide {
        return Request::Typed(Asked::List(list.into_vec()));
    }
    if !request.device.is_empty() {
        return Request::Typed(Asked::Devices(request.device));
    }
    if let Some(path) = request.policy {
        return Request::Policy(path);
    }
    let from = request.hide_from.map(|place| match place {
        args::Place::Module => Source::Module,
        args::Place::Cmdline => Source::CommandLine,
        args::Place::Modprobe => Source::Modprobe,
        args::Place::Modules => Source::Modules,
        args::Place::Qubes => Source::Qubes,
        args::Place::Sysconfig => Source::Sysconfig,
        args::Place::Xapi => Source::Xapi,
        args::Place::Slots => Source::Slots,
        args::Place::Log => Source::Log,
        args::Place::Guests => Source::Guests,
    });
    Request::Typed(Asked::Found { from })
}

fn page(page: args::Page) -> Result<Page, clap::Error> {
    let form = match page.format {
        None if page.json => Form::Json,
        None | Some(args::Format::Table) => Form::Table,
        Some(args::Format::Tree) => Form::Tree,
        Some(args::Format::Json) => Form::Json,
        Some(args::Format::Nagios) => Form::Nagios,
        Some(args::Format::Prometheus) => Form::Prometheus,
    };
    if page.json && form != Form::Json {
        return Err(conflict("--json and --format ask for two forms"));
    }
    Ok(output(page.output, form))
}

fn output(output: args::OutputOptions, form: Form) -> Page {
    let args::OutputOptions { output, quiet, verbose, color } = output;
    Page { form, file: output, quiet, verbose: verbose > 0, colour: colour(color), preface: None }
}

/// Whether to colour; none where the surroundings decide.
const fn colour(colour: args::Color) -> Option<bool> {
    match colour {
        args::Color::Auto => None,
        args::Color::Always => Some(true),
        args::Color::Never => Some(false),
    }
}

fn conflict(message: &str) -> clap::Error {
    Args::command().error(ErrorKind::ArgumentConflict, message)
}

/// The time that is asked about.
fn window(times: Times, now: DateTime<Utc>) -> Result<Window, clap::Error> {
    let when = |name: &str, text: Option<String>| {
        let read = |text: String| when::when(&text, now).map_err(|why| conflict(&format!("{name} {text}: {why}")));
        text.map(read).transpose()
    };
    let window =
        Window { since: when("--since", times.since)?, until: when("--until", times.until)?, zone: times.log_zone };
    if matches!((window.since, window.until), (Some(since), Some(until)) if since > until) {
        return Err(conflict("--since is later than --until: no time is between them"));
    }
    Ok(window)
}

/// Whether the journal must be read beyond the running boot.
pub(super) fn needs_other_boots(check: &Check) -> bool {
    check.every_boot || check.options.boot != BootChoice::default() || check.options.window.until.is_some()
}
