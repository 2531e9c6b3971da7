//! How a scan differs from an earlier one: what is wrong with which host, now and then.
//!
//! Only the last boot of each host counts. A host of the baseline that the logs do not hold any more is neither well nor
//! ill: it is unseen, and so is what was wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Code, Report, Severity, Status, Verdict};

/// What a report says, of this scan or of an earlier one: the part of it that is compared.
#[derive(Clone, Debug, Default)]
pub struct JudgedBefore {
    /// The host; none for what could not be read.
    pub host: Option<String>,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// Requested devices and the names of their statuses.
    pub devices: Vec<(String, String)>,
    /// Findings.
    pub findings: Vec<FoundBefore>,
}

/// A finding, in the words of the JSON report.
#[derive(Clone, Debug)]
pub struct FoundBefore {
    /// The name of its code. A later version has more of them.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// The device it is about.
    pub address: Option<String>,
    /// What it says.
    pub message: String,
}

/// What a problem is told by: the host, and the device or the code and what could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The host; none for what could not be read.
    pub host: Option<String>,
    /// The device, where it is one.
    pub address: Option<String>,
    /// The code of a finding that is no device's status.
    pub code: Option<String>,
}

/// The doubt that is as old as the form of a log.
const DOUBT: &str = Code::AuthorUnstated.name();

/// What is the matter with a subject, and how bad it is. What is ok is told to nobody.
type Problems = BTreeMap<Subject, (String, Verdict)>;

/// An earlier scan.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// Its hosts, and whether this scan has them.
    hosts: BTreeMap<String, bool>,
    problems: Problems,
    /// Those that this scan has as well, as they were or otherwise.
    met: BTreeSet<Subject>,
}

/// What became of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Since {
    /// It was not there, or was another one.
    New,
    /// It is not there any more.
    Gone,
    /// It is as it was.
    Same,
    /// These logs do not hold its host.
    Unseen,
}

impl Since {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Same => "as before",
            Self::Unseen => "unseen",
        }
    }
}

/// A problem, and what became of it.
#[derive(Clone, Debug)]
pub struct Changed {
    /// What became of it.
    pub since: Since,
    /// Whose it is.
    pub subject: Subject,
    /// What is the matter, or was.
    pub what: String,
    /// What was the matter before, where that is another problem.
    pub before: Option<String>,
    /// How bad it is.
    pub verdict: Verdict,
}

/// How many problems are new, gone and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// [`Since::New`].
    pub new: u64,
    /// [`Since::Gone`].
    pub gone: u64,
    /// [`Since::Same`].
    pub same: u64,
    /// [`Since::Unseen`].
    pub unseen: u64,
}

impl Changes {
    /// Those of a list.
    pub fn of(changes: &[Changed]) -> Self {
        let count = |since| changes.iter().map(|change| u64::from(change.since == since)).sum();
        Self {
            new: count(Since::New),
            gone: count(Since::Gone),
            same: count(Since::Same),
            unseen: count(Since::Unseen),
        }
    }

    /// Each with its name.
    pub const fn named(&self) -> [(&'static str, u64); 4] {
        [
            (Since::New.name(), self.new),
            (Since::Gone.name(), self.gone),
            (Since::Same.name(), self.same),
            (Since::Unseen.name(), self.unseen),
        ]
    }
}

impl JudgedBefore {
    /// Of a report.
    pub fn of(report: &Report) -> Self {
        let requested = report.devices.iter().filter(|device| device.requested);
        let found = |finding: &super::Finding| FoundBefore {
            code: finding.code.name().to_owned(),
            severity: finding.severity,
            address: finding.address.map(|address| address.to_string()),
            message: finding.message.clone(),
        };
        Self {
            host: report.host.clone(),
            verdict: Some(report.verdict),
            devices: requested.map(|device| (device.address.to_string(), device.status.name().to_owned())).collect(),
            findings: report.findings.iter().map(found).collect(),
        }
    }

    /// What is wrong. What explains every device is the only problem; a finding that says why a device has its status is told
    /// as that status.
    fn problems(&self) -> Problems {
        let mut problems = Problems::new();
        let mut add = |address: Option<&String>, code: Option<&str>, what: &str, verdict: Verdict| {
            let (host, address, code) = (self.host.clone(), address.cloned(), code.map(str::to_owned));
            let known = problems.entry(Subject { host, address, code }).or_insert_with(|| (what.to_owned(), verdict));
            known.1 = known.1.max(verdict);
        };
        let code = |found: &FoundBefore| found.code.parse::<Code>().ok();
        let counts = |found: &&FoundBefore| found.severity != Severity::Info;
        let explains = |found: &&FoundBefore| {
            found.severity < Severity::Warning && code(found).is_some_and(Code::explains_devices)
        };
        if let Some(cause) = self.findings.iter().find(explains) {
            add(None, Some(&cause.code), &cause.code, cause.severity.verdict());
            return problems;
        }
        let states = |found: &FoundBefore| found.address.is_some() && code(found).is_some_and(Code::states_a_device);
        let mut stated: BTreeMap<&str, Verdict> = BTreeMap::new();
        for found in self.findings.iter().filter(|found| states(found)) {
            let verdict = found.severity.verdict();
            let worst = stated.entry(found.address.as_deref().unwrap_or_default()).or_insert(verdict);
            *worst = verdict.max(*worst);
        }
        for (address, status) in &self.devices {
            let verdict = stated.get(address.as_str()).copied().unwrap_or_else(|| Status::verdict_named(status));
            if verdict != Verdict::Ok && Status::verdict_named(status) != Verdict::Ok {
                add(Some(address), None, status, verdict);
            }
        }
        // Who wrote the lines is not known of the log of an ill host either, where it is no more than a note.
        let doubts = |found: &&FoundBefore| counts(found) || found.code == DOUBT;
        for found in self.findings.iter().filter(doubts).filter(|found| !states(found)) {
            // Without a host, only the message says what it is about.
            let what = if self.host.is_none() { &found.message } else { &found.code };
            add(found.address.as_ref(), Some(what), &found.code, found.severity.verdict());
        }
        if let Some(verdict) = self
            .verdict
            .filter(|verdict| *verdict != Verdict::Ok && problems.values().all(|(_, of)| *of == Verdict::Ok))
        {
            let subject = Subject { host: self.host.clone(), address: None, code: Some(verdict.name().to_owned()) };
            problems.insert(subject, (verdict.name().to_owned(), verdict));
        }
        problems
    }
}

impl Baseline {
    /// Takes the report of the last boot of a host of the earlier scan, or of what it could not read.
    pub fn remember(&mut self, judged: &JudgedBefore) {
        self.hosts.extend(judged.host.iter().map(|host| (host.clone(), false)));
        self.problems.append(&mut judged.problems());
    }

    /// Compares the last boot of a host of this scan, or what could not be read. Hosts without a name are one.
    pub fn compare(&mut self, report: &Report) -> Vec<Changed> {
        let mut changes = Vec::new();
        for (subject, (what, verdict)) in JudgedBefore::of(report).problems() {
            let before = self.problems.get(&subject).map(|(before, _)| before.clone());
            if before.is_some() {
                self.met.insert(subject.clone());
            }
            let since = if before.as_ref() == Some(&what) { Since::Same } else { Since::New };
            let before = before.filter(|_| since == Since::New);
            let is_old_doubt = since == Since::Same && subject.code.as_deref() == Some(DOUBT);
            if verdict == Verdict::Ok || is_old_doubt {
                continue;
            }
            changes.push(Changed { since, subject, what, before, verdict });
        }
        if let Some(host) = &report.host {
            self.hosts.insert(host.clone(), true);
        }
        changes
    }

    /// The problems of the earlier scan that this one does not have, by host; and how many hosts it does not have.
    pub fn rest(&self) -> (Vec<Changed>, usize) {
        let change = |(subject, (what, verdict)): (&Subject, &(String, Verdict))| {
            let is_seen = |host: &String| self.hosts.get(host).copied().unwrap_or_default();
            let since = if subject.host.as_ref().is_none_or(is_seen) { Since::Gone } else { Since::Unseen };
            Changed { since, subject: subject.clone(), what: what.clone(), before: None, verdict: *verdict }
        };
        let is_left = |subject: &Subject, verdict| verdict != Verdict::Ok && !self.met.contains(subject);
        let problems = self.problems.iter().filter(|(subject, (_, verdict))| is_left(subject, *verdict));
        (problems.map(change).collect(), self.hosts.values().filter(|seen| !**seen).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(host: &str, devices: &[(&str, &str)], findings: &[(&str, Severity, Option<&str>)]) -> JudgedBefore {
        let owned = |text: &str| text.to_owned();
        let found = |(code, severity, address): &(&str, Severity, Option<&str>)| FoundBefore {
            code: owned(code),
            severity: *severity,
            address: address.map(owned),
            message: "x".to_owned(),
        };
        JudgedBefore {
            host: Some(owned(host)).filter(|host| !host.is_empty()),
            verdict: Some(Verdict::Ok),
            devices: devices.iter().map(|(address, status)| (owned(address), owned(status))).collect(),
            findings: findings.iter().map(found).collect(),
        }
    }

    fn told(judged: &JudgedBefore) -> Vec<String> {
        let line = |(subject, (what, verdict)): (&Subject, &(String, Verdict))| {
            format!(
                "{}{}{what} {verdict}",
                subject.address.as_deref().unwrap_or_default(),
                subject.code.as_deref().unwrap_or("/")
            )
        };
        judged.problems().iter().map(line).collect()
    }

    #[test]
    fn a_problem_is_said_once() {
        let missing = ("missing", Severity::Critical, Some("a"));
        assert_eq!(told(&judged("h", &[("a", "missing"), ("b", "seized")], &[missing])), ["a/missing critical"]);
        let accepted = ("missing", Severity::Info, Some("a"));
        assert!(told(&judged("h", &[("a", "missing")], &[accepted])).is_empty());
        let cause = ("list-malformed", Severity::Critical, None);
        let with_cause = judged("h", &[("a", "missing")], &[missing, cause]);
        assert_eq!(told(&with_cause), ["list-malformedlist-malformed critical"]);
        let later = ("unheard-of", Severity::Warning, None);
        assert_eq!(told(&judged("h", &[], &[later])), ["unheard-ofunheard-of warning"]);
        let worse = JudgedBefore { verdict: Some(Verdict::Unknown), ..judged("h", &[], &[]) };
        assert_eq!(told(&worse), ["unknownunknown unknown"]);
    }

    #[test]
    fn a_doubt_that_was_a_note_is_not_new() {
        let doubt = |severity| [("author-unstated", severity, None)];
        let mut report = Report::without(Code::AuthorUnstated, "x".to_owned(), None);
        report.host = Some("a".to_owned());
        for (severity, new) in [(Some(Severity::Info), 0), (Some(Severity::Warning), 0), (None, 1)] {
            let mut baseline = Baseline::default();
            let findings = severity.map(doubt);
            baseline.remember(&judged("a", &[], findings.as_ref().map_or(&[], |findings| findings.as_slice())));
            assert_eq!(baseline.compare(&report).len(), new, "{severity:?}");
            assert!(baseline.rest().0.is_empty());
        }
    }

    #[test]
    fn a_host_that_is_not_there_any_more_is_not_well() {
        let mut baseline = Baseline::default();
        baseline.remember(&judged("a", &[("1", "held")], &[]));
        baseline.remember(&judged("b", &[("1", "held")], &[]));
        baseline.remember(&judged("", &[], &[("log-unreadable", Severity::Unknown, None)]));
        let mut report = Report::unreadable("y".to_owned(), None);
        report.host = Some("a".to_owned());
        let new = baseline.compare(&report);
        assert_eq!(new.len(), baseline.compare(&report).len());
        assert_eq!(new.iter().map(|change| change.since).collect::<Vec<_>>(), [Since::New]);
        let (rest, unseen) = baseline.rest();
        let rest: Vec<_> = rest.iter().map(|change| (change.subject.host.as_deref(), change.since)).collect();
        assert_eq!(
            (rest, unseen),
            (vec![(None, Since::Gone), (Some("a"), Since::Gone), (Some("b"), Since::Unseen)], 1)
        );
    }
}
