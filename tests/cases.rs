//! Every case below `testdata/cases`: its commands are run with the program, and what comes out is held against the truth in `expected.txt`.
//!
//! What needs a shell or its tools is held by `tests/cases/run` alone, and named here: `needs_a_shell`, and makers that have no
//! function in `generate.rs`. A case that does not pass yet stands in `tests/cases/open.txt` with the reason; one that
//! stands there and passes is a failure too, so that the list stays true.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

#[path = "cases/command.rs"]
mod command;
#[path = "cases/generate.rs"]
mod generate;
#[path = "cases/held.rs"]
mod held;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use command::Command;

/// Cases whose input only their `make` writes: it is large, and what it shows is the time and the memory that it takes.
const MADE_BY_A_SCRIPT: [&str; 4] = [
    "adversary/time-of-many-boots",
    "house/a-flood-of-addresses",
    "house/one-line-of-many-messages",
    "house/time-by-the-square",
];

/// Commands of all cases that only a shell can run: scripts (`try`), signals, several commands in a line.
const NEED_A_SHELL: usize = 7;

const OPEN: &str = include_str!("cases/open.txt");

/// The cases that do not pass yet: name and reason. Those marked `(run)` fail only in what `tests/cases/run` alone holds.
fn open() -> BTreeMap<&'static str, &'static str> {
    let lines = OPEN.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(": ")).filter(|(_, reason)| !reason.starts_with("(run)")).collect()
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cases").join(name)
}

fn names(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<String> =
        entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// `GROUP/CASE` of all cases.
fn cases() -> Vec<String> {
    let within = |group: String| names(&folder(&group)).into_iter().map(move |case| format!("{group}/{case}"));
    let all: Vec<String> = names(&folder("")).into_iter().flat_map(within).collect();
    assert!(all.len() >= 70, "the cases are missing: {}", all.len());
    all
}

fn lines(case: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder(case).join("cmd")).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// What is wrong with a case, a line each.
fn faults(case: &str) -> Vec<String> {
    let inputs = tempfile::tempdir().unwrap();
    if folder(case).join("make").exists() {
        generate::inputs(case, inputs.path());
    }
    let commands: Vec<Command> =
        lines(case).iter().map(|line| Command::new(line, &folder(case), inputs.path())).collect();
    let wanted = held::sections(&std::fs::read_to_string(folder(case).join("expected.txt")).unwrap());
    let mut faults = Vec::new();
    let numbers: Vec<usize> = wanted.keys().copied().collect();
    if !numbers.iter().copied().eq(1..=commands.len()) {
        faults.push(format!("cmd has {} lines, expected.txt is about {numbers:?}", commands.len()));
    }
    for (number, command) in (1..).zip(&commands).filter(|(_, command)| command.can_run()) {
        let wanted = wanted.get(&number).map_or(&[][..], Vec::as_slice);
        let wrong = held::wrong(command, &commands, wanted);
        faults.extend(wrong.map(|fault| format!("[{number}] {fault}")));
    }
    faults
}

#[test]
fn every_case_comes_to_the_truth_or_is_known_to_be_open() {
    let open = open();
    let cases: Vec<String> = cases().into_iter().filter(|case| !MADE_BY_A_SCRIPT.contains(&case.as_str())).collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let faults = faults(case);
                    if faults.is_empty() == open.contains_key(case.as_str()) {
                        wrong.lock().unwrap().insert(case.as_str(), faults);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    let said: Vec<String> = wrong
        .iter()
        .map(|(case, faults)| match faults.as_slice() {
            [] => format!("{case} passes: take it out of tests/cases/open.txt"),
            faults => format!("{case}\n    {}", faults.join("\n    ")),
        })
        .collect();
    assert!(said.is_empty(), "{} cases:\n{}", said.len(), said.join("\n"));
}

#[test]
fn open_cases_exist_and_have_a_reason() {
    let known: BTreeSet<String> = cases().into_iter().collect();
    for line in OPEN.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (case, reason) = line.split_once(": ").unwrap_or((line, ""));
        assert!(known.contains(case) && reason.len() > 5, "{line}");
        assert!(
            !MADE_BY_A_SCRIPT.contains(&case) || reason.starts_with("(run)"),
            "{line}: is held by tests/cases/run alone"
        );
    }
}

#[test]
fn what_only_a_shell_can_run_is_counted() {
    let made: Vec<String> = cases().into_iter().filter(|case| folder(case).join("make").exists()).collect();
    let by_script: Vec<&str> = made.iter().map(String::as_str).filter(|case| !generate::is_known(case)).collect();
    assert_eq!(by_script, MADE_BY_A_SCRIPT, "makers without a function in tests/cases/generate.rs");
    let nowhere = Path::new("");
    let commands = cases().into_iter().flat_map(|case| lines(&case).into_iter().map(move |line| (case.clone(), line)));
    let left: Vec<(String, String)> =
        commands.filter(|(_, line)| !Command::new(line, nowhere, nowhere).can_run()).collect();
    assert_eq!(left.len(), NEED_A_SHELL, "{left:#?}");
}
