//! Making findings and their evidence.

use chrono::{DateTime, Utc};

use super::Context;
use crate::event::Fact;
use crate::pci::Address;
use crate::record::{Author, Place, Stamp, Wall, between};
use crate::report::{Code, Evidence, Finding, Severity};
use crate::request::overrides::Override;
use crate::request::{Source, Written};
use crate::timeline::LogKind;
use crate::tree::Obstacle;

impl Context<'_> {
    /// A record as evidence.
    pub(super) fn shown(&self, fact: &Fact) -> Evidence {
        self.record(fact.place, fact.stamp, &fact.text)
    }

    /// A record as evidence, by its parts.
    pub(super) fn record(&self, place: Place, stamp: Stamp, text: &[u8]) -> Evidence {
        let log = self.case.logs.iter().find(|log| log.index == place.log);
        let ring = log.is_some_and(|log| log.kind == LogKind::Ring);
        Evidence::Log {
            source: log.map(|log| log.name.clone()).unwrap_or_default(),
            sequence: place.sequence,
            line: (!ring && place.line > 0).then_some(place.line),
            offset: (!ring && place.line == 0 && place.sequence.is_none()).then_some(place.offset),
            stamp,
            text: String::from_utf8_lossy(text).into_owned(),
        }
    }

    /// What an alarm that rests on a single record has to say of its author.
    pub(super) fn whose_hand(&self, fact: &Fact) -> &'static str {
        if fact.author == Author::Unstated && !self.case.options.trust_log {
            "; the log does not say who wrote that line: any local user could have"
        } else {
            ""
        }
    }

    /// The date of a stamp: by its own wall clock where that has a zone, else from the running machine's uptime.
    pub(super) fn date(&self, stamp: &Stamp) -> Option<DateTime<Utc>> {
        if let Some(Wall { local, offset: Some(offset) }) = stamp.wall {
            return local.and_local_timezone(offset).single().map(|date| date.to_utc());
        }
        let live = self.case.logs.iter().any(|log| log.kind == LogKind::Ring);
        let uptime = self.host.as_ref()?.uptime.is().filter(|_| live)?;
        let ago = between(stamp, &Stamp { uptime: Some(*uptime), wall: None })?;
        self.case.now?.checked_sub_signed(chrono::TimeDelta::microseconds(ago))
    }
}

/// A finding to be filled in.
pub(super) fn finding(code: Code, severity: Severity, message: impl Into<String>) -> Finding {
    Finding {
        code,
        severity,
        address: None,
        time: None,
        stamp: Stamp::default(),
        message: message.into(),
        evidence: Vec::new(),
        remedy: Vec::new(),
    }
}

/// The same about a device.
pub(super) fn about(address: Address, code: Code, severity: Severity, message: impl Into<String>) -> Finding {
    Finding { address: Some(address), ..finding(code, severity, message) }
}

/// A file of the host as evidence.
pub(super) fn file(path: impl Into<String>, value: Option<&str>) -> Evidence {
    Evidence::Host { path: format!("/{}", path.into()), value: value.map(str::to_owned) }
}

/// A file that could not be read as evidence.
pub(super) fn unread(obstacle: &Obstacle) -> Evidence {
    file(obstacle.path.clone(), Some(&obstacle.why))
}

/// A list as evidence.
pub(super) fn written(written: &Written) -> Evidence {
    Evidence::Request {
        source: written.source,
        location: written.location.clone(),
        text: String::from_utf8_lossy(&written.text).into_owned(),
    }
}

/// A setting that forces a driver on a device, as evidence.
pub(super) fn setting(setting: &Override) -> Evidence {
    let location = Some(setting.location.clone());
    Evidence::Request { source: Source::Override, location, text: setting.text.clone() }
}

/// The path of a device's file in sysfs.
pub(super) fn device_file(address: Address, name: &str) -> String {
    format!("sys/bus/pci/devices/{address}/{name}")
}

/// A few of many, by name: "a, b, c and 5 more".
pub(super) fn some_of<T: ToString>(all: &[T]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    match all.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// "1 record", "2 records".
pub(super) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
