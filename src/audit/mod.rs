//! The one judge: from a case to its report.
//!
//! [`conclude`] reads like the contract: which list is in force and what it asks for (`demand`), what became of each
//! device (`statuses`, the one order), what is wrong (one file per family of findings), and what it comes to (`verdict`,
//! the one rule). Every command calls it; they differ in where the evidence comes from.

mod claims;
mod demand;
mod devices;
mod driver;
mod evidence;
mod expected;
mod facts;
mod forecast;
mod guest;
mod handover;
mod in_force;
mod incidents;
mod list;
mod next_list;
mod outlook;
mod overlaps;
mod places;
mod remedy;
mod siblings;
mod statuses;
mod story;
mod unsettled;
mod verdict;
mod vital;
mod xen_log;

pub use guest::{CONFIG, conclude_guest};
pub use remedy::families;
pub use story::explain_device;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::history::History;
use crate::host::Host;
use crate::pci::{Address, AddressError, Era, KernelVersion};
use crate::record::Stamp;
use crate::report::{Code, Finding, Log as LogReport, Moment, Report, UnknownCode};
use crate::request::hide::Grammar;
use crate::request::policy::{self, Policy};
use crate::request::{self, Source, Written};
use crate::timeline::{BootChoice, Log, LogKind, Running, Story, Wanted, Window};
use crate::tree::{Known, Tree};
use crate::xen;
use claims::Claims;
use demand::Demand;
pub use forecast::{Forecast, after_load, next_boot};

/// Everything an audit rests on. Made with `..Case::default()`: there may be more of it in a later version.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// What the user asked for.
    pub asked: Asked,
    /// The files of the host, or `None` to judge by the log alone.
    pub tree: Option<Tree>,
    /// The logs, numbered by their position.
    pub logs: Vec<Log>,
    /// The hypervisor's logs.
    pub xen_logs: Vec<xen::XenLog>,
    /// The configuration of the guest, where one is audited.
    pub guest: Option<request::guests::Guest>,
    /// How to judge.
    pub options: Options,
    /// When.
    pub now: Option<DateTime<Utc>>,
    /// How more evidence is waited for; `None` where this is all there will be.
    pub listening: Option<Listening>,
}

/// How evidence keeps coming.
#[derive(Clone, Debug, Default)]
pub struct Listening {
    /// The log's last record when it began: what is later happened while somebody listened.
    pub since: Stamp,
    /// Why the kernel's uevents cannot be heard: nothing else says when a driver takes or leaves a device.
    pub deaf: Option<String>,
}

/// Where the request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asked {
    /// From where the host or its log holds a list: the first place that does, or only from this one.
    Found {
        /// The only place to look at.
        from: Option<Source>,
    },
    /// `--hide`: exactly what the kernel would get.
    List(Vec<u8>),
    /// `--device`: these, and no list.
    Devices(Vec<Address>),
    /// `--policy`: what a site wrote down, and no list.
    Policy(Policy),
}

impl Asked {
    /// The policy, where there is one.
    const fn policy(&self) -> Option<&Policy> {
        match self {
            Self::Policy(policy) => Some(policy),
            Self::Found { .. } | Self::List(_) | Self::Devices(_) => None,
        }
    }
}

impl Default for Asked {
    fn default() -> Self {
        Self::Found { from: None }
    }
}

/// How to judge. Made with `..Options::default()`, as a [`Case`].
#[derive(Clone, Debug)]
pub struct Options {
    /// Which boot.
    pub boot: BootChoice,
    /// The time that is asked about.
    pub window: Window,
    /// The name of the host that is judged, where a log holds records of several hosts (RFC 3164 and RFC 5424, HOSTNAME).
    /// Without it such a log is never judged for one of them.
    pub log_host: Option<String>,
    /// Take logs whose form does not say who wrote each line as the kernel's.
    pub trust_log: bool,
    /// The kernel, when neither log nor host can say.
    pub kernel: Option<KernelVersion>,
    /// Findings that are known and accepted.
    pub ignore: Vec<Ignore>,
    /// End with 0 where nothing is requested.
    pub if_requested: bool,
    /// From which verdict on the exit status is not 0.
    pub fail_on: FailOn,
    /// Make the findings that only confirm as well.
    pub verbose: bool,
    /// How long events count.
    pub event_window: Duration,
    /// Of which moment the files are a forecast; `None` where they are what is.
    pub foretold: Option<Moment>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            boot: BootChoice::default(),
            window: Window::default(),
            log_host: None,
            trust_log: false,
            kernel: None,
            ignore: Vec::new(),
            if_requested: false,
            fail_on: FailOn::Warning,
            verbose: false,
            event_window: Duration::from_secs(24 * 60 * 60),
            foretold: None,
        }
    }
}

/// A finding that is known and accepted: it becomes info.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ignore {
    /// Which finding.
    pub code: Code,
    /// On this device only.
    pub address: Option<Address>,
}

impl Ignore {
    fn covers(self, finding: &Finding) -> bool {
        self.code == finding.code && self.address.is_none_or(|address| Some(address) == finding.address)
    }
}

impl FromStr for Ignore {
    type Err = IgnoreError;

    /// Reads `CODE` or `CODE@ADDRESS`.
    fn from_str(text: &str) -> Result<Self, IgnoreError> {
        let (code, address) = match text.split_once('@') {
            Some((code, address)) => {
                let wrong = |error| IgnoreError::Address(address.to_owned(), error);
                (code, Some(address.parse().map_err(wrong)?))
            }
            None => (text, None),
        };
        Ok(Self { code: code.parse().map_err(IgnoreError::Code)?, address })
    }
}

/// What is wrong with the text of an [`Ignore`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IgnoreError {
    /// It names no finding.
    Code(UnknownCode),
    /// Behind the `@` stands no address of a device: the text there, and what is wrong with it.
    Address(String, AddressError),
}

impl fmt::Display for IgnoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(error) => error.fmt(f),
            Self::Address(text, error) => write!(f, "`{text}`: {error}"),
        }
    }
}

impl std::error::Error for IgnoreError {}

/// From which verdict on the exit status is not 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailOn {
    /// Warnings end with 1.
    #[default]
    Warning,
    /// Warnings end with 0; unknown still ends with 3.
    Critical,
}

/// All that the families of findings look at.
struct Context<'a> {
    case: &'a Case,
    host: Option<Host>,
    /// What a tree that does not show its devices says all the same, of the machine as such: it is judged by its log.
    partial: Option<Host>,
    story: Story<'a>,
    /// Whether the story is all that the kernel said: it takes a look at every record of it.
    is_complete: bool,
    history: History,
    demand: Demand,
    /// What a policy says of each device.
    expected: BTreeMap<Address, &'a policy::PolicyDevice>,
}

/// The list in force of a case, and the grammar it is read by.
pub fn list_in_force(case: &Case) -> (Option<Written>, Grammar) {
    let context = context(case, Wanted::Dom0);
    (context.demand.list.map(|(written, _)| written), context.demand.grammar)
}

/// Lays out all that is known of a case, for the boot of a kernel of this kind.
fn context(case: &Case, wanted: Wanted) -> Context<'_> {
    let (host, partial) =
        case.tree.as_ref().map(Host::read).map_or((None, None), |host| {
            if shows_devices(case, &host) { (Some(host), None) } else { (None, Some(host)) }
        });
    let machine = host.as_ref().or(partial.as_ref());
    let running = Running {
        id: machine.and_then(|host| host.boot_id.is().copied()),
        release: machine.and_then(|host| host.release.is().map(String::as_str)),
        hostname: machine.and_then(|host| host.hostname.is().map(String::as_str)),
        chosen: case.options.log_host.as_deref(),
        wanted,
        window: case.options.window,
    };
    let story = Story::tell(&case.logs, case.options.boot, &running);
    let history = story.history();
    let is_complete = story.is_complete() && history.is_whole();
    let grammar = grammar(case, &story, host.as_ref());
    let demand = Demand::of(case, host.as_ref(), is_complete, &history, grammar);
    let expected = case.asked.policy().into_iter().flat_map(|policy| &policy.devices);
    let expected = expected.map(|device| (device.address, device)).collect();
    Context { case, host, partial, story, is_complete, history, demand, expected }
}

/// Judges a case.
pub fn conclude(case: &Case) -> Report {
    let context = context(case, Wanted::Dom0);
    let mut findings = Vec::new();
    let devices = statuses::judge(&context, &mut findings);
    list::find(&context, &devices, &mut findings);
    driver::find(&context, &mut findings);
    devices::find(&context, &devices, &mut findings);
    expected::find(&context, &devices, &mut findings);
    vital::find(&context, &devices, &mut findings);
    siblings::find(&context, &devices, &mut findings);
    handover::find(&context, &devices, &mut findings);
    let configured = case.tree.as_ref().map(request::guests::read).unwrap_or_default();
    let claims = Claims::of(&configured, &context);
    claims::find(&context, &claims, &devices, &mut findings);
    incidents::find(&context, &devices, &mut findings);
    xen_log::find(&context, &mut findings);
    evidence::find(&context, &devices, &mut findings);
    findings.extend(outlook::deaf(&context));
    let report = verdict::report(&context, &claims, devices, findings);
    Report { request: context.demand.request, ..report }
}

/// Whether a tree is to show who has each device. A support archive does not, and is judged by its log; a running machine does,
/// and where it cannot be read there, nothing is known of its devices.
fn shows_devices(case: &Case, host: &Host) -> bool {
    let runs = case.listening.is_some() || case.logs.iter().any(|log| log.kind == LogKind::Ring);
    let sysfs = || case.tree.as_ref().is_some_and(|tree| !tree.holds_nothing_below("sys"));
    !matches!(host.devices, Known::Absent) || (runs && sysfs())
}

/// Which grammar the list is read by: that of `--kernel`, of the log's banner, or of the host's `/proc/version`.
fn grammar(case: &Case, story: &Story<'_>, host: Option<&Host>) -> Grammar {
    let logged = story.release.as_deref().and_then(KernelVersion::of_release);
    let kernel = case.options.kernel.or(logged).or_else(|| host.and_then(Host::kernel));
    kernel.map_or_else(|| Era::default().into(), Grammar::from)
}

impl Context<'_> {
    /// What was read of each log.
    fn logs(&self) -> Vec<LogReport> {
        let complete = |log: &Log| {
            self.history.is_whole()
                && self.story.parts.iter().any(|(index, boot)| *index == log.index && boot.is_complete())
        };
        let trusted = |log: &Log| {
            let seen: Vec<(bool, bool)> = log.boots.iter().map(|boot| boot.trusted).collect();
            seen.iter().any(|(kernel, _)| *kernel) && !seen.iter().any(|(_, unstated)| *unstated)
        };
        let report = |log: &Log| LogReport {
            source: log.name.clone(),
            records: log.records,
            recognised: log.recognised,
            unrecognised: log.unrecognised,
            first_sequence: log.first_sequence,
            lost: log.lost,
            unparsed: log.unparsed.1,
            complete: complete(log),
            trusted: trusted(log),
        };
        self.case.logs.iter().map(report).collect()
    }
}
