//! What differs between two reports of one host: what `watch` tells.

use std::collections::{BTreeMap, BTreeSet};

use super::{Code, Device, Finding, Report, Severity, Status, Verdict};
use crate::pci::Address;

/// One thing that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: Kind,
    /// The device it happened to.
    pub address: Option<Address>,
    /// Its status now; `None` where the request names it no more.
    pub status: Option<&'static str>,
    /// The driver that has it now, where that is known.
    pub driver: Option<String>,
    /// The finding, where it is one.
    pub code: Option<Code>,
    /// Its severity.
    pub severity: Option<Severity>,
    /// How many records were lost, or events left out.
    pub lost: Option<u64>,
    /// In plain words, one line.
    pub message: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// How a device stands when watching begins.
    State,
    /// pciback has it now.
    Seized,
    /// pciback tried to take it, and failed.
    Failed,
    /// pciback had it, and has it no more.
    Lost,
    /// Another driver has it than before, or none.
    DriverChanged,
    /// Its status is another one, in any other way.
    StatusChanged,
    /// Nothing asks for it any more, and pciback does not have it.
    Forgotten,
    /// Log records were lost before they could be read.
    RecordsLost,
    /// A finding that was not there before.
    Finding,
    /// A finding is there no more.
    FindingGone,
    /// The verdict is another one.
    Verdict,
    /// The host was started again since the last watch.
    NewBoot,
    /// Events could not be written, and were left out.
    EventsSkipped,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::State,
        Self::Seized,
        Self::Failed,
        Self::Lost,
        Self::DriverChanged,
        Self::StatusChanged,
        Self::Forgotten,
        Self::RecordsLost,
        Self::Finding,
        Self::FindingGone,
        Self::Verdict,
        Self::NewBoot,
        Self::EventsSkipped,
    ];

    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Seized => "seized",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::DriverChanged => "driver-changed",
            Self::StatusChanged => "status-changed",
            Self::Forgotten => "forgotten",
            Self::RecordsLost => "records-lost",
            Self::Finding => "finding",
            Self::FindingGone => "finding-gone",
            Self::Verdict => "verdict",
            Self::NewBoot => "new-boot",
            Self::EventsSkipped => "events-skipped",
        }
    }
}

/// What a report says that bears on changes: small, and what `watch --resume` remembers of the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The verdict; `None` before there was one.
    pub verdict: Option<Verdict>,
    /// Every device, by address.
    pub devices: Vec<Standing>,
    /// Every finding above info that says more than a device's status: its code, and its device.
    pub findings: Vec<(Code, Option<Address>)>,
    /// Log records known to be lost.
    pub lost: u64,
}

/// How one device stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it is.
    pub address: Address,
    /// The name of its status.
    pub status: &'static str,
    /// Who has it.
    pub driver: Option<String>,
    /// When it was seized last, in microseconds of the kernel's clock.
    pub seizing: Option<u64>,
}

impl Snapshot {
    /// What bears on changes in `report`.
    pub fn of(report: &Report) -> Self {
        let standing = |device: &Device| Standing {
            address: device.address,
            status: device.status.name(),
            driver: device.driver.clone(),
            seizing: device.seizing.and_then(|stamp| stamp.uptime),
        };
        let findings = report.findings.iter().filter(|finding| tells(finding));
        Self {
            verdict: Some(report.verdict),
            devices: report.devices.iter().map(standing).collect(),
            findings: findings.map(|finding| (finding.code, finding.address)).collect(),
            lost: report.logs.iter().map(|log| log.lost).sum(),
        }
    }
}

/// Whether a finding is worth a line of its own: it says more than the status of its device.
fn tells(finding: &Finding) -> bool {
    finding.severity != Severity::Info && !finding.code.states_a_device()
}

/// What changed from `old` to `new`: devices by address, then lost records, then findings, then the verdict.
pub fn changes(old: &Snapshot, new: &Report) -> Vec<Change> {
    let fresh = Snapshot::of(new);
    let mut changes = devices(old, new);
    let lost = fresh.lost.saturating_sub(old.lost);
    if lost > 0 {
        changes.push(records_lost(lost));
    }
    let appeared = new.findings.iter().filter(|finding| tells(finding));
    let known: BTreeSet<_> = old.findings.iter().collect();
    changes.extend(appeared.filter(|new| !known.contains(&(new.code, new.address))).map(finding));
    let still: BTreeSet<_> = fresh.findings.iter().collect();
    let gone = old.findings.iter().filter(|known| !still.contains(known));
    changes.extend(gone.map(|(code, address)| Change {
        address: *address,
        code: Some(*code),
        ..change(Kind::FindingGone, format!("{code} is over"))
    }));
    if old.verdict != Some(new.verdict) {
        changes.push(verdict(new));
    }
    changes
}

/// How everything stands when watching begins: every device, the findings, the verdict.
pub fn state(report: &Report) -> Vec<Change> {
    let device = |device: &Device| about(Kind::State, device, standing(device));
    let findings = report.findings.iter().filter(|finding| tells(finding)).map(finding);
    report.devices.iter().map(device).chain(findings).chain([verdict(report)]).collect()
}

/// That records were lost: `lost` of them.
pub fn records_lost(lost: u64) -> Change {
    let message = match lost {
        1 => "1 record of the log was lost before it could be read".to_owned(),
        _ => format!("{lost} records of the log were lost before they could be read"),
    };
    Change { lost: Some(lost), ..change(Kind::RecordsLost, message) }
}

/// That the host was started again since the last watch.
pub fn new_boot() -> Change {
    change(Kind::NewBoot, "the host was started again since the last watch".to_owned())
}

/// That so many events were left out, because nobody took them.
pub fn events_skipped(number: u64) -> Change {
    let events = if number == 1 { "1 event was".to_owned() } else { format!("{number} events were") };
    Change { lost: Some(number), ..change(Kind::EventsSkipped, format!("{events} left out: nobody took them")) }
}

fn change(kind: Kind, message: String) -> Change {
    Change { kind, address: None, status: None, driver: None, code: None, severity: None, lost: None, message }
}

fn about(kind: Kind, device: &Device, message: String) -> Change {
    Change {
        address: Some(device.address),
        status: Some(device.status.name()),
        driver: device.driver.clone(),
        ..change(kind, message)
    }
}

fn finding(finding: &Finding) -> Change {
    Change {
        address: finding.address,
        code: Some(finding.code),
        severity: Some(finding.severity),
        ..change(Kind::Finding, format!("{}: {}", finding.code, finding.message))
    }
}

/// The verdict, and how many requested devices are seized.
pub fn verdict(report: &Report) -> Change {
    let (requested, seized) = (report.requested(), report.count("seized"));
    change(Kind::Verdict, format!("{}: {seized} of {requested} requested devices seized", report.verdict.name()))
}

fn devices(old: &Snapshot, new: &Report) -> Vec<Change> {
    let mut before: BTreeMap<Address, &Standing> = BTreeMap::new();
    let mut changes = Vec::new();
    for known in &old.devices {
        before.entry(known.address).or_insert(known);
    }
    let now = |device: &Device| transition(before.get(&device.address).copied(), device);
    changes.extend(new.devices.iter().filter_map(now));
    let still: BTreeSet<Address> = new.devices.iter().map(|device| device.address).collect();
    let gone = old.devices.iter().filter(|known| !still.contains(&known.address));
    changes.extend(gone.map(|known| Change {
        address: Some(known.address),
        ..change(Kind::Forgotten, "no longer requested, and not pciback's".to_owned())
    }));
    changes.sort_by_key(|change| change.address);
    changes
}

fn transition(before: Option<&Standing>, device: &Device) -> Option<Change> {
    let (status, was) = (device.status.name(), before.map(|before| before.status));
    let again = before.and_then(|before| before.seizing).zip(device.seizing.and_then(|stamp| stamp.uptime));
    let again = again.is_some_and(|(before, now)| before < now);
    let (new, seized) = (was != Some(status), matches!(device.status, Status::Seized(_)));
    let gone = was == Some("seized") && matches!(device.status, Status::Held | Status::Unbound | Status::Absent);
    let kind = if seized && (new || again) {
        Kind::Seized
    } else if new && device.status == Status::Failed {
        Kind::Failed
    } else if gone || (new && matches!(device.status, Status::Lost { .. })) {
        Kind::Lost
    } else if new {
        Kind::StatusChanged
    } else if before.is_some_and(|before| before.driver != device.driver) {
        Kind::DriverChanged
    } else {
        return None;
    };
    let was = before.filter(|before| before.status != status || before.driver != device.driver);
    let was = was.map_or_else(String::new, |before| match &before.driver {
        Some(driver) => format!(" (was {}, {driver})", before.status),
        None => format!(" (was {})", before.status),
    });
    Some(about(kind, device, format!("{}{was}", standing(device))))
}

/// A device's status and driver in words.
fn standing(device: &Device) -> String {
    let status = device.status.name();
    match &device.driver {
        Some(driver) => format!("{status}, {driver} has it"),
        None => format!("{status}, no driver has it"),
    }
}
