//! What an audit comes to.

use pciback_audit::report::{Code, Report};

use super::when;

/// What an audit comes to, and what went wrong on the way.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) report: Report,
    /// Lines for standard error.
    pub(super) complaints: Vec<String>,
}

impl Outcome {
    /// Of an audit that did not come to its end.
    pub(super) fn unfinished(why: &str) -> Self {
        Self::without(Code::LogUnreadable, why.to_owned())
    }

    /// Of an audit that came to nothing, and the one finding that says why.
    pub(super) fn without(code: Code, why: String) -> Self {
        Self { report: Report::without(code, why.clone(), Some(when::now())), complaints: vec![why] }
    }
}
