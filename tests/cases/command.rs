//! A line of `cmd`: its words, without a shell, and what came of running it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit};
use serde_json::Value;

/// As much address space as a run may take, so that a fault does not take the whole machine's.
const MOST_BYTES: u64 = 4 << 30;
/// Looks for the end of a run, and the pause between two: some twenty seconds in all.
const LOOKS: usize = 4_000;
const PAUSE: Duration = Duration::from_millis(5);

/// One run: how it ended (`None`: by a signal), and what it printed.
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) struct Command {
    line: String,
    words: Option<Vec<String>>,
    folder: PathBuf,
    runs: RefCell<BTreeMap<&'static [&'static str], Rc<Run>>>,
}

impl Command {
    /// `inputs` is what the line calls `$T`.
    pub(crate) fn new(line: &str, folder: &Path, inputs: &Path) -> Self {
        let words = words(line, &inputs.to_string_lossy());
        Self { line: line.to_owned(), words, folder: folder.to_owned(), runs: RefCell::default() }
    }

    /// Whether it is a plain run of the program.
    pub(crate) fn can_run(&self) -> bool {
        self.words.is_some()
    }

    pub(crate) fn is_scan(&self) -> bool {
        self.line.contains(" scan ")
    }

    /// The run of the line as it stands.
    pub(crate) fn run(&self) -> Rc<Run> {
        self.run_with(&[])
    }

    fn has(&self, options: &[&str]) -> bool {
        let is_one =
            |word: &String| options.iter().any(|option| word == option || word.starts_with(&format!("{option}=")));
        self.words.iter().flatten().any(is_one)
    }

    /// As JSON, unless the line asks for that itself.
    pub(crate) fn json(&self) -> Rc<Run> {
        let is_json = self.has(&["--json", "-J", "--format=json"]) || self.line.contains("--format json");
        self.run_with(if is_json { &[] } else { &["--format", "json"] })
    }

    /// With `-v`, unless the line asks for a form of its own: everything printed, white space as one blank.
    pub(crate) fn text(&self) -> String {
        let has_form = self.has(&["--format", "--json", "-J", "--summary", "--quiet", "-q"]);
        let run = self.run_with(if has_form { &[] } else { &["-v"] });
        format!("{}{}", run.out, run.err).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn reports(&self) -> Vec<Value> {
        let run = self.json();
        let parts: Vec<&str> = if self.is_scan() { run.out.lines().collect() } else { vec![run.out.as_str()] };
        let read = |part: &&str| serde_json::from_str(part).ok();
        let written: Vec<&str> = parts.into_iter().filter(|part| !part.trim().is_empty()).collect();
        written.iter().map(read).collect::<Option<_>>().unwrap_or_default()
    }

    /// The report of the last boot (of that host).
    pub(crate) fn last(&self, host: Option<&str>) -> Option<Value> {
        let of_host = |report: &Value| host.is_none_or(|host| report["host"] == host);
        let reports: Vec<Value> = self.reports().into_iter().filter(of_host).collect();
        let last = reports.iter().rfind(|report| report["boot"]["last"] == true).or(reports.last());
        last.cloned()
    }

    /// All runs so far, each with what was added to the line.
    pub(crate) fn runs(&self) -> Vec<(String, Rc<Run>)> {
        self.runs.borrow().iter().map(|(more, run)| (more.join(" "), Rc::clone(run))).collect()
    }

    fn run_with(&self, more: &'static [&'static str]) -> Rc<Run> {
        let known = self.runs.borrow().get(more).cloned();
        // What had to be stopped once would have to be stopped each time.
        let stopped = || self.runs.borrow().values().find(|run| run.status.is_none()).cloned();
        if let Some(run) = known.or_else(stopped) {
            return run;
        }
        let run = Rc::new(self.start(more));
        self.runs.borrow_mut().insert(more, Rc::clone(&run));
        run
    }

    fn start(&self, more: &[&str]) -> Run {
        let streams = tempfile::tempdir().unwrap();
        let (out, err) = (streams.path().join("out"), streams.path().join("err"));
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pciback-audit"));
        command.args(self.words.iter().flatten()).args(more).current_dir(&self.folder).env_clear();
        command.envs([("NO_COLOR", "1"), ("COLUMNS", "1000"), ("TZ", "UTC"), ("LC_ALL", "C.UTF-8")]);
        command.stdin(Stdio::null()).stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let mut child = command.spawn().unwrap();
        let limit = Rlimit { current: Some(MOST_BYTES), maximum: Some(MOST_BYTES) };
        // It may be over already.
        let _ = rustix::process::prlimit(Some(Pid::from_child(&child)), Resource::As, limit);
        let mut ended = None;
        for _ in 0..LOOKS {
            ended = child.try_wait().unwrap();
            if ended.is_some() {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        if ended.is_none() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let read = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        Run { status: ended.and_then(|status| status.code()), out: read(out), err: read(err) }
    }
}

/// The arguments that a shell would make of the line; `None` where it takes a shell, or runs something else.
fn words(line: &str, inputs: &str) -> Option<Vec<String>> {
    let mut rest = line.strip_prefix("pciback-audit ")?.chars().peekable();
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    while let Some(letter) = rest.next() {
        match letter {
            ' ' => words.extend(word.take()),
            '\'' => word.get_or_insert_default().extend(rest.by_ref().take_while(|letter| *letter != '\'')),
            '"' => {
                let quoted: String = rest.by_ref().take_while(|letter| *letter != '"').collect();
                word.get_or_insert_default().push_str(&quoted.replace("$T", inputs));
            }
            '$' if rest.next_if_eq(&'\'').is_some() => {
                let quoted: String = rest.by_ref().take_while(|letter| *letter != '\'').collect();
                word.get_or_insert_default().push_str(&quoted.replace("\\t", "\t").replace("\\n", "\n"));
            }
            '$' | ';' | '|' | '&' | '<' | '>' | '`' | '\\' | '*' | '(' => return None,
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

#[test]
fn words_are_those_of_a_shell() {
    let parted = |line| words(line, "/t").map(|words| words.join("|"));
    assert_eq!(
        parted("pciback-audit check  --hide '(00:1d.0)' \"$T/log\""),
        Some("check|--hide|(00:1d.0)|/t/log".into())
    );
    assert_eq!(parted("pciback-audit --hide $'(a)\\t(b)' ''"), Some("--hide|(a)\t(b)|".into()));
    assert_eq!(parted("pciback-audit check log; echo $?"), None);
    assert_eq!(parted("./try"), None);
}
