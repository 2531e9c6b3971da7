//! A scenario: request, log, host and expected report in one text file.
//!
//! Sections begin with `== `: `arguments` (one a line; `guest` has it judged as `guest` does), `policy NAME` (its text), `xen-log NAME` (the hypervisor's lines), `log NAME` (its lines, or `< FILE` below
//! testdata), `host` (a manifest, or `< FILE` and lines that change it), `expect`.

use pciback_audit::audit::{Asked, Case, FailOn, Listening, Options, conclude, conclude_guest};
use pciback_audit::record::{Place, Record};
use pciback_audit::report::Report;
use pciback_audit::request::policy;
use pciback_audit::tree::Tree;
use pciback_audit::xen;

use super::{log, read, tree};

pub struct Scenario {
    pub case: Case,
    /// Whether it is a guest's.
    guest: bool,
    /// The file up to and without what is expected.
    pub question: String,
    pub expected: String,
}

impl Scenario {
    /// What the judge says of it.
    pub fn report(&self) -> Report {
        if self.guest { conclude_guest(&self.case) } else { conclude(&self.case) }
    }
}

#[track_caller]
pub fn parse(text: &str) -> Scenario {
    let (question, expected) = text.split_once("== expect\n").expect("a section `== expect`");
    let mut case = Case::default();
    let mut guest = false;
    for section in question.split("\n== ").skip(1) {
        let (title, body) = section.split_once('\n').unwrap_or((section, ""));
        match title.split_once(' ').unwrap_or((title, "")) {
            ("arguments", "") => {
                let (own, others): (Vec<&str>, Vec<&str>) =
                    body.lines().filter(|line| !line.is_empty()).partition(|line| *line == "guest");
                guest = !own.is_empty();
                for line in others {
                    argument(&mut case, line);
                }
            }
            ("policy", name) => case.asked = Asked::Policy(policy::read(name, body.as_bytes()).unwrap()),
            ("log", name) => {
                let bytes = match body.strip_prefix("< ") {
                    Some(file) => read(file.trim()),
                    None => body.trim_end_matches('\n').as_bytes().iter().chain(b"\n").copied().collect(),
                };
                case.logs.push(log(case.logs.len(), name, &bytes));
            }
            ("xen-log", name) => case.xen_logs.push(xen_log(name, body)),
            ("host", "") => case.tree = Some(host(body)),
            other => panic!("unknown section {other:?}"),
        }
    }
    Scenario { case, guest, question: question.to_owned(), expected: expected.to_owned() }
}

/// The hypervisor's log, line by line.
pub fn xen_log(name: &str, body: &str) -> xen::XenLog {
    let mut hypervisor = xen::Hypervisor::default();
    for (line, text) in (1..).zip(body.lines().filter(|line| !line.is_empty())) {
        hypervisor.take(&Record::bare(Place { line, ..Place::default() }, text.as_bytes()));
    }
    xen::XenLog { name: name.to_owned(), origin: xen::XenOrigin::Named, failure: None, hypervisor }
}

fn argument(case: &mut Case, line: &str) {
    let options: &mut Options = &mut case.options;
    match line.split_once(' ').unwrap_or((line, "")) {
        ("--hide", list) => case.asked = Asked::List(list.as_bytes().to_vec()),
        ("--device", address) => match &mut case.asked {
            Asked::Devices(known) => known.push(address.parse().unwrap()),
            other => *other = Asked::Devices(vec![address.parse().unwrap()]),
        },
        ("--trust-log", "") => options.trust_log = true,
        ("--if-requested", "") => options.if_requested = true,
        ("--fail-on", "critical") => options.fail_on = FailOn::Critical,
        ("--ignore", what) => options.ignore.push(what.parse().unwrap()),
        ("--kernel", version) => options.kernel = Some(version.parse().unwrap()),
        ("--since", time) => options.window.since = Some(time.parse().unwrap()),
        ("--boot", boot) => options.boot = boot.parse().unwrap(),
        ("-v", "") => options.verbose = true,
        ("--deaf", why) => case.listening = Some(Listening { deaf: Some(why.to_owned()), ..Listening::default() }),
        _ => panic!("unknown argument {line}"),
    }
}

/// A tree from a manifest; `- PATH` takes a node and all below it out again.
fn host(body: &str) -> Tree {
    let mut manifest = String::new();
    let mut changes = String::new();
    let mut removed = Vec::new();
    for line in body.lines() {
        if let Some(file) = line.strip_prefix("< ") {
            manifest.push_str(std::str::from_utf8(&read(file.trim())).unwrap());
        } else if let Some(path) = line.strip_prefix("- ") {
            removed.push(path.to_owned());
        } else {
            changes.push_str(line);
            changes.push('\n');
        }
    }
    let is_gone = |path: &str| removed.iter().any(|gone| path == gone || path.starts_with(&format!("{gone}/")));
    let mut kept = Tree::default();
    for (path, node) in tree(manifest.as_bytes()).nodes().filter(|(path, _)| !is_gone(path)) {
        kept.insert(path, node.clone());
    }
    for (path, node) in tree(changes.as_bytes()).nodes() {
        if kept.list(path).is().is_none() {
            kept.insert(path, node.clone());
        }
    }
    kept
}
