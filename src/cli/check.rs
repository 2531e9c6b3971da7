//! `check`: gathers the evidence, and has it judged.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use pciback_audit::audit::{Asked, Case, conclude};
use pciback_audit::host::LSPCI;
use pciback_audit::report::{Code, Report};
use pciback_audit::source::{Logs, hypervisor, hypervisor_below, keep, keep_archive, whole};
use pciback_audit::tree::{Node, Tree};
use pciback_audit::xen;

use super::listen::Listener;
use super::plan::{self, Check, HostSource, LogSource};
use super::rights::Heard;
use super::watchdog::Stage;
use super::{wait, write};

/// What an audit comes to, and what went wrong on the way.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) report: Report,
    /// Lines for standard error.
    pub(super) complaints: Vec<String>,
}

/// How long pciback gets to finish with a device that was caught in the middle of its set-up.
const STEADY: Duration = Duration::from_secs(1);

/// Reads the evidence and judges it, as often as it takes.
pub(super) fn audit(check: &Check, heard: Heard, stage: &Stage) -> Outcome {
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

/// Reads what a tree is kept of.
pub(super) type Keep = fn(&Path) -> io::Result<Tree>;

/// Reads the evidence: the files of this machine by the first of two ways, those of another one by the second.
pub(super) fn gather(check: &Check, asked: &Asked, ways: &[Keep; 2], stage: &Stage) -> (Case, Vec<String>) {
    let [keep, keep_archive] = *ways;
    let mut complaints = Vec::new();
    let mut logs = Logs::of(check.options.window);
    for log in &check.logs {
        complaints.extend(read(log, check, &mut logs, stage));
    }
    let mut tree = match &check.host {
        HostSource::Nowhere => None,
        HostSource::Here => Some(files(Path::new("/"), keep, stage, &mut complaints)),
        HostSource::Below(root) => Some(files(root, keep_archive, stage, &mut complaints)),
    };
    if let Some(path) = &check.lspci {
        let node = lspci(path, stage, &mut complaints);
        tree.get_or_insert_default().insert(LSPCI, node);
    }
    let xen_logs = xen_logs(check, stage, &mut complaints);
    let case = Case {
        asked: asked.clone(),
        tree,
        logs: logs.into_inner(),
        xen_logs,
        guest: None,
        options: check.options.clone(),
        now: Some(now()),
        listening: None,
    };
    (case, complaints)
}

/// Reads one log. Says what is wrong with it when the user named it; of the others the report says it.
fn read(log: &LogSource, check: &Check, logs: &mut Logs, stage: &Stage) -> Option<String> {
    match log {
        LogSource::Ring => {
            stage.enter("reading /dev/kmsg");
            logs.ring();
            None
        }
        LogSource::Journal => {
            stage.enter("reading the journal");
            let why = logs.journal(plan::needs_other_boots(check))?;
            Some(format!("--log journal: {why}"))
        }
        LogSource::File(path) => {
            let name = write::safe(path);
            stage.enter(&format!("reading the log {name}"));
            let why = logs.file(path)?;
            Some(format!("log {name}: {why}"))
        }
        LogSource::Below(root) => {
            stage.enter(&format!("reading the log below {}", write::safe(root)));
            logs.below(root);
            None
        }
    }
}

/// The hypervisor's logs: those that were named, and those of a root.
fn xen_logs(check: &Check, stage: &Stage, complaints: &mut Vec<String>) -> Vec<xen::XenLog> {
    let mut logs = Vec::new();
    if let HostSource::Below(root) = &check.host {
        stage.enter(&format!("reading the hypervisor's logs below {}", write::safe(root)));
        logs = hypervisor_below(root);
    }
    for path in &check.xen_logs {
        let name = write::safe(path);
        stage.enter(&format!("reading the hypervisor's log {name}"));
        let log = hypervisor(path);
        complaints.extend(log.failure.iter().map(|why| format!("--xen-log {name}: {why}")));
        logs.push(log);
    }
    logs
}

/// Longer than the text about any machine.
const LONGEST_LSPCI: u64 = 4 << 20;

fn lspci(path: &Path, stage: &Stage, complaints: &mut Vec<String>) -> Node {
    let name = write::safe(path);
    stage.enter(&format!("reading {name}"));
    whole(path, LONGEST_LSPCI).map_or_else(
        |why| {
            complaints.push(format!("--lspci {why}"));
            Node::Unreadable(why.to_string())
        },
        Node::File,
    )
}

pub(super) fn files(root: &Path, keep: Keep, stage: &Stage, complaints: &mut Vec<String>) -> Tree {
    let name = write::safe(root);
    stage.enter(&format!("reading the host's files below {name}"));
    keep(root).unwrap_or_else(|error| {
        complaints.push(format!("--root {name}: {error}"));
        closed(&error.to_string())
    })
}

/// A host of which nothing can be known, which is not the same as a host that has nothing.
pub(super) fn closed(why: &str) -> Tree {
    let mut tree = Tree::default();
    for part in ["sys", "proc", "etc"] {
        tree.insert(part, Node::Unreadable(why.to_owned()));
    }
    tree
}

#[expect(clippy::disallowed_methods, reason = "an edge: the time of the audit")]
pub(super) fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// The outcome of an audit that did not come to its end.
pub(super) fn unfinished(why: &str) -> Outcome {
    Outcome::without(Code::LogUnreadable, why.to_owned())
}

impl Outcome {
    /// Of an audit that came to nothing, and the one finding that says why.
    fn without(code: Code, why: String) -> Self {
        Self { report: Report::without(code, why.clone(), Some(now())), complaints: vec![why] }
    }
}
