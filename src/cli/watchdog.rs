//! Ends what does not end, and turns a defect of this program into "cannot say".

use std::io::Write as _;
use std::panic::PanicHookInfo;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::check::{Outcome, unfinished};

/// What an audit is doing, for whoever waits for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Stage(Arc<Mutex<String>>);

impl Stage {
    pub(super) fn enter(&self, what: &str) {
        what.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn name(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Runs `audit` on a thread of its own, and waits for it no longer than `limit`.
pub(super) fn within(limit: Option<Duration>, audit: impl FnOnce(&Stage) -> Outcome + Send + 'static) -> Outcome {
    let stage = Stage::default();
    let (sender, outcome) = mpsc::channel();
    let theirs = stage.clone();
    // Nobody is left to hear an outcome that comes too late. The thread ends with the process.
    let thread = move || sender.send(audit(&theirs)).unwrap_or_default();
    if let Err(error) = std::thread::Builder::new().spawn(thread) {
        return unfinished(&format!("the audit could not be started: {error}"));
    }
    let ended = match limit {
        Some(limit) => outcome.recv_timeout(limit),
        None => outcome.recv().map_err(|_gone| RecvTimeoutError::Disconnected),
    };
    match ended {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => {
            let seconds = limit.unwrap_or_default().as_secs();
            unfinished(&format!("not done within the time limit of {seconds} s (--timeout), while {}", stage.name()))
        }
        Err(RecvTimeoutError::Disconnected) => unfinished("a defect of pciback-audit ended the audit"),
    }
}

/// Has every panic say that it is a defect of this program, and where.
pub(super) fn name_defects() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let what =
            payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let what = what.unwrap_or("no message");
        // Standard error may be closed; there is nowhere else to say it.
        writeln!(std::io::stderr(), "pciback-audit: defect at {place}: {what}; please report it").unwrap_or_default();
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use pciback_audit::report::Verdict;

    #[test]
    fn a_defect_is_unknown_and_never_ok() {
        let outcome = within(None, |_| panic!("defect"));
        assert_eq!((outcome.report.verdict, outcome.report.exit_status), (Verdict::Unknown, 3));
    }

    #[test]
    fn an_audit_that_does_not_end_is_unknown() {
        let outcome = within(Some(Duration::from_millis(20)), |stage| {
            stage.enter("sleeping");
            std::thread::sleep(Duration::from_secs(20));
            unfinished("never")
        });
        assert!(outcome.complaints[0].ends_with("while sleeping"), "{:?}", outcome.complaints);
        assert_eq!(outcome.report.exit_status, 3);
    }
}
