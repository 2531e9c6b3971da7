//! How bad: verdicts, severities, and the exit status that follows.

use std::fmt;

/// The conclusion of an audit, from best to worst: warning outranks ok, unknown outranks warning, critical outranks all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Every requested device is seized, and the evidence is enough to say so.
    Ok,
    /// Nothing requested is missing, but something needs attention.
    Warning,
    /// The evidence does not allow a verdict, or nothing is requested.
    Unknown,
    /// A requested device is not pciback's, or the list is void.
    Critical,
}

impl Verdict {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Critical => "critical",
        }
    }

    /// The verdict of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Ok, Self::Warning, Self::Unknown, Self::Critical].into_iter().find(|verdict| verdict.name() == name)
    }

    /// The exit status, as the Monitoring Plugins number them. Their order is not the order of badness.
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How bad a finding is. Sorted as reports list them, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A requested device is not pciback's, or cannot be used.
    Critical,
    /// The evidence does not allow a verdict.
    Unknown,
    /// Needs attention.
    Warning,
    /// Worth knowing; never counts for the verdict.
    Info,
}

impl Severity {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }

    /// The severity of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Critical, Self::Unknown, Self::Warning, Self::Info].into_iter().find(|severity| severity.name() == name)
    }

    /// What it does to the verdict.
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Critical => Verdict::Critical,
            Self::Unknown => Verdict::Unknown,
            Self::Warning => Verdict::Warning,
            Self::Info => Verdict::Ok,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
