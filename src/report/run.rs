//! What there is to say of many reports at once.

use super::{Changes, Report, Verdict};
use crate::record::Stamp;

/// One boot of a host, as the logs hold it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// How many boots of the host came later: 0 is its last one.
    pub back: usize,
    /// When its first record was made.
    pub first: Option<Stamp>,
    /// When its last record was made.
    pub last: Option<Stamp>,
}

/// Which boots of each host count for the exit status of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// All of them.
    All,
    /// The one that so many later ones follow. With 0, the last one, the others are told as well; with any other, they are left out.
    Back(usize),
}

impl Counted {
    /// Whether a boot counts.
    pub const fn has(self, run: &Run) -> bool {
        matches!(self, Self::All) || run.back == self.newest()
    }

    /// How many boots of a host came later than the newest one that counts.
    pub const fn newest(self) -> usize {
        match self {
            Self::All => 0,
            Self::Back(back) => back,
        }
    }
}

/// How many of each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// [`Verdict::Critical`].
    pub critical: u64,
    /// [`Verdict::Unknown`].
    pub unknown: u64,
    /// [`Verdict::Warning`].
    pub warning: u64,
    /// [`Verdict::Ok`].
    pub ok: u64,
}

impl Verdicts {
    /// Counts one more.
    pub const fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Critical => self.critical += 1,
            Verdict::Unknown => self.unknown += 1,
            Verdict::Warning => self.warning += 1,
            Verdict::Ok => self.ok += 1,
        }
    }

    /// Each verdict with its number, worst first.
    pub const fn worst_first(&self) -> [(Verdict, u64); 4] {
        [
            (Verdict::Critical, self.critical),
            (Verdict::Unknown, self.unknown),
            (Verdict::Warning, self.warning),
            (Verdict::Ok, self.ok),
        ]
    }
}

/// What a scan of logs came to. Counts only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Hosts of which there is a boot.
    pub hosts: u64,
    /// Boots of all hosts.
    pub boots: u64,
    /// Verdicts of all boots.
    pub all: Verdicts,
    /// Verdicts of each host's last boot, or of the one that was asked for.
    pub last: Verdicts,
    /// Devices that are requested and no bridges, boot by boot.
    pub requested: u64,
    /// Those of them that are seized.
    pub seized: u64,
    /// Hosts of which no boot says anything of pciback: they have no report.
    pub silent_hosts: u64,
    /// Boots that say nothing of it, and have none.
    pub silent_boots: u64,
    /// Files that were read.
    pub files: u64,
    /// Bytes that were read of them, as they are stored.
    pub bytes: u64,
    /// Files that were found and hold no text.
    pub passed_over: u64,
    /// Records about pciback that could not be given to any host or boot.
    pub unattributed: u64,
    /// Files that could not be read, and pieces of files.
    pub unreadable: u64,
    /// What became of the problems of the baseline, where there is one.
    pub changes: Option<Changes>,
    /// Whether it was interrupted: then all of this is of what had been read.
    pub partial: bool,
}

impl Totals {
    /// Counts the report of one boot. One without a log is of what could not be read, and of no boot.
    pub fn count(&mut self, report: &Report, run: &Run, counted: Counted) {
        if report.logs.is_empty() {
            return;
        }
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.boots += 1;
        self.all.count(report.verdict);
        // Every host has one such boot at the most.
        if run.back == counted.newest() {
            self.hosts += 1;
            self.last.count(report.verdict);
        }
        self.requested += number(report.wanted());
        self.seized += number(report.count("seized"));
    }
}
