//! `check`: one audit, as often as it takes.

use std::time::Duration;

use pciback_audit::audit::{Asked, conclude};
use pciback_audit::report::Code;
use pciback_audit::source::{keep, keep_archive};

use super::evidence::gather;
use super::listen::Listener;
use super::outcome::Outcome;
use super::plan::{Check, HostSource, LogSource};
use super::rights::OpenUevents;
use super::wait;
use super::watchdog::Stage;

/// How long pciback gets to finish with a device that was caught in the middle of its set-up.
const STEADY: Duration = Duration::from_secs(1);

/// Reads the evidence and judges it, as often as it takes.
pub(super) fn audit(check: &Check, heard: OpenUevents, stage: &Stage) -> Outcome {
    stage.enter("reading the policy");
    let asked = match check.request.read() {
        Ok(asked) => asked,
        Err(why) => return Outcome::without(Code::PolicyUnreadable, why),
    };
    if let Some(limit) = check.wait {
        return wait::audit(Listener::begin(check, asked, heard), limit, stage);
    }
    let outcome = once(check, &asked, stage);
    if outcome.report.waiting.unsteady && check.host == HostSource::Here && check.logs == [LogSource::Ring] {
        stage.enter("waiting for pciback to set a device up");
        std::thread::sleep(STEADY);
        return once(check, &asked, stage);
    }
    outcome
}

/// Reads the logs, then the host, which decides what is so now, and judges.
fn once(check: &Check, asked: &Asked, stage: &Stage) -> Outcome {
    let (case, complaints) = gather(check, asked, &[keep, keep_archive], stage);
    stage.enter("judging");
    Outcome { report: conclude(&case), complaints }
}
