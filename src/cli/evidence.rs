//! The evidence of an audit: logs, the host's files, the hypervisor's logs, the text of `lspci`.

use std::io;
use std::path::Path;

use pciback_audit::audit::{Asked, Case};
use pciback_audit::host::LSPCI;
use pciback_audit::source::{Logs, hypervisor, hypervisor_below, whole};
use pciback_audit::tree::{Node, Tree};
use pciback_audit::xen;

use super::plan::{self, Check, HostSource, LogSource};
use super::watchdog::Stage;
use super::{when, write};

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
        now: Some(when::now()),
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
