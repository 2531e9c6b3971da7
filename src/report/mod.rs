//! What an audit concludes: a status per device, findings with their proof, one verdict. Data only; `render` writes it.

mod baseline;
mod change;
mod choice;
mod code;
mod evidence;
mod forecast;
mod guest;
mod repair;
mod run;
mod status;
mod story;
mod verdict;

pub use baseline::{Baseline, Changed, Changes, FoundBefore, JudgedBefore, Since, Subject};
pub use change::{Change, Kind, Snapshot, Standing, changes, events_skipped, new_boot, records_lost, state, verdict};
pub use choice::{Choice, EmptyGlob, Glob};
pub use code::{Code, UnknownCode};
pub use evidence::Evidence;
pub use forecast::{Expectation, Moment, Plan};
pub use guest::{Frontend, Guest, GuestDevice, GuestState};
pub use repair::{File, Measure, Promise, Repair};
pub use run::{Counted, Run, Totals, Verdicts};
pub use status::{Basis, Proof, Stated, Status};
pub use story::{DeviceStory, Step};
pub use verdict::{Severity, Verdict};

use chrono::{DateTime, Utc};

use crate::pci::{Address, Ids};
use crate::record::{BootId, Stamp};
use crate::request::{Location, Source};
pub use crate::timeline::Window;

/// The conclusion of one audit. Arrays are in a fixed order: devices by address, findings by severity, address, code.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The worst that counts.
    pub verdict: Verdict,
    /// The verdict as the process ends: `--fail-on` and `--if-requested` change this, and never the verdict.
    pub exit_status: u8,
    /// Whether nothing is to be said: nothing is requested, and the user asked for silence then.
    pub silent: bool,
    /// Name of the audited host, where it is known.
    pub host: Option<String>,
    /// Its kernel release, where it is known.
    pub kernel: Option<String>,
    /// The boot that was audited, where it is known.
    pub boot_id: Option<BootId>,
    /// When the audit was made.
    pub time: Option<DateTime<Utc>>,
    /// When things were as it says.
    pub seen: EvidenceTime,
    /// The time that was asked about.
    pub window: Window,
    /// What was asked for.
    pub request: Request,
    /// What was read of each log.
    pub logs: Vec<Log>,
    /// Every requested device, and every other one that pciback holds without being asked.
    pub devices: Vec<Device>,
    /// What is wrong, or worth knowing.
    pub findings: Vec<Finding>,
    /// How to mend it.
    pub plan: Repair,
    /// Every PCI device of the host, by address, where its files show them.
    pub hierarchy: Vec<Node>,
    /// A guest's end, where a guest was audited: then there are no devices of dom0.
    pub guest: Option<Guest>,
    /// Whether waiting can change this.
    pub waiting: Waiting,
}

/// When the evidence was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceTime {
    /// As the audit was made, on the machine itself.
    Now,
    /// When the last record of a saved log was made.
    At(Stamp),
    /// Nothing says when.
    Unknown,
}

/// What waiting can still bring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Whether it can change the report.
    pub outlook: Outlook,
    /// How many requested devices need not be waited for.
    pub settled: usize,
    /// Whether a device was caught while pciback was setting it up: it looks failed, and may be seized in a moment.
    pub unsteady: bool,
}

/// Whether waiting can change what a report says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outlook {
    /// Every requested device is settled: seized, or finally not.
    #[default]
    Final,
    /// The same, unless something happens within a second: the log does not say that the driver is done.
    WhenQuiet,
    /// Something is still to come.
    Open,
}

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Whether the kernel of that era takes the list.
    pub accepted: bool,
    /// Every entry that can be read, in the order written.
    pub entries: Vec<Entry>,
}

/// One entry of the list in force.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As written.
    pub text: String,
    /// The kind of place it was found in.
    pub source: Source,
    /// The file and line, where there is one.
    pub location: Option<Location>,
    /// What the kernel would add to `slots` for it.
    pub addresses: Vec<Address>,
}

/// What was read of one log.
#[derive(Clone, Debug)]
pub struct Log {
    /// `kmsg`, or the file's name as given.
    pub source: String,
    /// Records decoded, of every boot in it.
    pub records: u64,
    /// Records that say something known about pciback.
    pub recognised: u64,
    /// Records of pciback that this program does not know.
    pub unrecognised: u64,
    /// Sequence number of the first record, in formats that number them.
    pub first_sequence: Option<u64>,
    /// Records known to be missing.
    pub lost: u64,
    /// Pieces that are no record, or a damaged one.
    pub unparsed: u64,
    /// Whether it holds all that the kernel said at level info or above since the audited boot began.
    pub complete: bool,
    /// Whether the format says of each record that the kernel wrote it.
    pub trusted: bool,
}

/// One device.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Device {
    /// Where it is.
    pub address: Address,
    /// Whether the request names or covers it.
    pub requested: bool,
    /// The entry that names or covers it.
    pub covered_by: Option<String>,
    /// What became of it.
    pub status: Status,
    /// Which witness says so.
    pub basis: Basis,
    /// Who holds it now, where that is known.
    pub driver: Option<String>,
    /// How many microseconds before pciback's load its holder first spoke, where the log knows both.
    pub before_load: Option<i64>,
    /// What kind of device it is, by its class.
    pub kind: Option<&'static str>,
    /// Its ids, where they are known.
    pub id: Option<Ids>,
    /// Its name by the system's `pci.ids`: the maker's, and the device's.
    pub name: Option<String>,
    /// The device's part of that.
    pub model: Option<String>,
    /// A site's own name for it, from a policy.
    pub label: Option<String>,
    /// The guests whose configurations name it.
    pub guests: Vec<String>,
    /// The guest that last had it, and when.
    pub last_guest: Option<LastGuest>,
    /// When it was seized, where that can be said as a date.
    pub seized_at: Option<DateTime<Utc>>,
    /// The same by the clocks of the log, to tell one seizing from another.
    pub seizing: Option<Stamp>,
    /// The findings about it.
    pub findings: Vec<Code>,
}

/// A device in the host's hierarchy, requested or not.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it is.
    pub address: Address,
    /// The bridge that it is behind.
    pub parent: Option<Address>,
    /// Who holds it now, where that is known.
    pub driver: Option<String>,
    /// Its ids, where they are known.
    pub id: Option<Ids>,
    /// Its name by the system's `pci.ids`.
    pub name: Option<String>,
}

/// The guest that was last given a device. That it still has it is not logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastGuest {
    /// Its domain number.
    pub domid: u32,
    /// When, where that can be said as a date.
    pub at: Option<DateTime<Utc>>,
}

/// One thing that is wrong or worth knowing. Made once, on the device it is about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// What it is.
    pub code: Code,
    /// How bad it is here.
    pub severity: Severity,
    /// The device it is about.
    pub address: Option<Address>,
    /// When it happened, for events.
    pub time: Option<DateTime<Utc>>,
    /// The same by the clocks of the log.
    pub stamp: Stamp,
    /// In plain words, one line.
    pub message: String,
    /// What shows it.
    pub evidence: Vec<Evidence>,
    /// Its own part of the plan: commands, in order, quoted for the shell. A line that starts with `#` is advice.
    pub remedy: Vec<String>,
}

impl Report {
    /// Of an audit that could not be made, or of something that could not be read.
    pub fn unreadable(why: String, time: Option<DateTime<Utc>>) -> Self {
        Self::without(Code::LogUnreadable, why, time)
    }

    /// Of an audit that came to nothing for what this finding says.
    pub fn without(code: Code, why: String, time: Option<DateTime<Utc>>) -> Self {
        let finding = Finding {
            code,
            severity: Severity::Unknown,
            address: None,
            time: None,
            stamp: Stamp::default(),
            message: why,
            evidence: Vec::new(),
            remedy: Vec::new(),
        };
        Self {
            verdict: Verdict::Unknown,
            exit_status: Verdict::Unknown.exit_status(),
            silent: false,
            host: None,
            kernel: None,
            boot_id: None,
            time,
            seen: EvidenceTime::Now,
            window: Window::default(),
            request: Request::default(),
            logs: Vec::new(),
            devices: Vec::new(),
            findings: vec![finding],
            plan: Repair::default(),
            hierarchy: Vec::new(),
            guest: None,
            waiting: Waiting::default(),
        }
    }

    /// How many devices have each status, in the fixed order of [`Status::NAMES`], and how many are requested.
    pub fn count(&self, status: &str) -> usize {
        self.devices.iter().filter(|device| device.status.name() == status).count()
    }

    /// How many devices are requested.
    pub fn requested(&self) -> usize {
        self.devices.iter().filter(|device| device.requested).count()
    }

    /// How many of them pciback can have: a bridge is judged by what is behind it.
    pub fn wanted(&self) -> usize {
        self.devices.iter().filter(|device| device.requested && device.status != Status::Bridge).count()
    }
}
