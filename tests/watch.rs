//! `watch` and `check --wait` as a user or a service manager runs them, on whatever machine this is.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]
#![expect(clippy::disallowed_methods, reason = "a test that waits must give up some day")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use common::{Folder, audit};
use pciback_audit::report::{Kind, Status};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Long enough for the slowest machine; only a test that fails waits for it.
const LONG: Duration = Duration::from_secs(60);

/// A running watch, stopped when the test is over.
struct Watch {
    child: Child,
    lines: Option<BufReader<ChildStdout>>,
    complaints: BufReader<ChildStderr>,
}

impl Watch {
    fn start(args: &str, paths: &[(&str, &Path)]) -> Self {
        Self::start_with(args, paths, &[])
    }

    fn start_with(args: &str, paths: &[(&str, &Path)], env: &[(&str, &str)]) -> Self {
        let mut command = audit(&format!("watch {args}")).command();
        for (flag, path) in paths {
            command.arg(flag).arg(path);
        }
        let mut child = command.envs(env.iter().copied()).stdin(Stdio::null()).spawn().unwrap();
        let lines = child.stdout.take().map(BufReader::new);
        let complaints = BufReader::new(child.stderr.take().unwrap());
        Self { child, lines, complaints }
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.as_mut().unwrap().read_line(&mut line).unwrap();
        line
    }

    /// The next line that it says on standard error.
    fn complaint(&mut self) -> String {
        let mut line = String::new();
        self.complaints.read_line(&mut line).unwrap();
        line
    }

    /// Everything up to the first verdict: it watches by then.
    fn state(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let ends = |line: &String| line.contains(" verdict: ") || line.contains("\"kind\":\"verdict\"");
        while !lines.last().is_some_and(ends) {
            lines.push(self.line());
            assert_ne!(lines.last().unwrap(), "", "{lines:?}");
        }
        lines
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it, and returns its exit status and what it said on standard error.
    fn end(mut self, signal: Signal) -> (Option<i32>, String) {
        self.signal(signal);
        self.ended()
    }

    fn ended(&mut self) -> (Option<i32>, String) {
        let mut err = String::new();
        self.complaints.read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), err)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended as it should.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "{what} never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn it_prints_the_state_and_ends_well_on_any_signal_that_ends_a_process() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::USR1] {
        if common::is_ignored(signal) && signal == Signal::QUIT {
            continue;
        }
        let mut watch = Watch::start("--device 00:1f.7", &[]);
        let state = watch.state();
        assert!(state[0].contains(" state 0000:00:1f.7: "), "{state:?}");
        assert_eq!(watch.end(signal), (Some(0), String::new()));
    }
}

#[test]
fn its_json_is_as_the_schema_says() {
    let schema: Value = serde_json::from_str(include_str!("../schema/event-1.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let mut watch = Watch::start("--device 00:1f.7 --device 01:00.0 -J", &[]);
    let state: Vec<Value> = watch.state().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &state {
        let errors: Vec<String> = validator.iter_errors(event).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{event}");
    }
    assert_eq!((&state[0]["kind"], &state[0]["address"]), (&"state".into(), &"0000:00:1f.7".into()));
    let verdict = &state[state.len() - 1];
    assert_eq!(verdict["kind"], "verdict");
    let mut other = verdict.clone();
    other["kind"] = "anything".into();
    assert!(!validator.is_valid(&other));
}

/// The kinds of what is told from now on, up to the verdict or the first line where there is none, with device and driver.
fn told(watch: &mut Watch, ends: &str) -> Vec<String> {
    let mut kinds = Vec::new();
    loop {
        let event: Value = serde_json::from_str(&watch.line()).unwrap();
        let word = |field: &str| event[field].as_str().unwrap_or("-").to_owned();
        kinds.push(format!("{} {} {}", word("kind"), word("address"), word("driver")));
        if word("kind") == ends {
            assert!(chrono::DateTime::parse_from_rfc3339(&word("time")).is_ok(), "{event}");
            return kinds;
        }
    }
}

#[test]
fn the_files_of_another_machine_are_looked_at_again_and_every_change_is_told() {
    let folder = Folder::of("all-seized");
    let driver = folder.at("sys/devices/pci0000:00/0000:00:1d.0/driver");
    let handlers = "sys/bus/pci/drivers/pciback/irq_handlers";
    let listed = text(&folder.at(handlers));
    let others: String = listed.split_inclusive('\n').filter(|line| !line.contains("1d.0:")).collect();
    let give = |name: &str, handlers_now: &str| {
        fs::remove_file(&driver).unwrap();
        folder.file(handlers, handlers_now.as_bytes());
        std::os::unix::fs::symlink(format!("../../../bus/pci/drivers/{name}"), &driver).unwrap();
    };
    let mut watch = Watch::start("-J", &[("--root", folder.path())]);
    assert_eq!(watch.state().len(), 5);
    give("uhci_hcd", &others);
    assert_eq!(told(&mut watch, "verdict"), ["lost 0000:00:1d.0 uhci_hcd", "verdict - -"]);
    give("ehci-pci", &others);
    assert_eq!(told(&mut watch, "driver-changed"), ["driver-changed 0000:00:1d.0 ehci-pci"]);
    give("pciback", &listed);
    assert_eq!(told(&mut watch, "verdict"), ["seized 0000:00:1d.0 pciback", "verdict - -"]);
    folder.file(handlers, others.as_bytes());
    assert_eq!(told(&mut watch, "verdict"), ["failed 0000:00:1d.0 pciback", "verdict - -"]);
    let log = text(&folder.at("dev/kmsg"));
    folder.file("dev/kmsg", format!("{log}6,9000,99000000,-;random: crng init done\n").as_bytes());
    assert_eq!(told(&mut watch, "records-lost"), ["records-lost - -"]);
    assert_eq!(watch.end(Signal::TERM), (Some(0), String::new()));
}

#[test]
fn a_copy_can_be_waited_for_until_it_is_settled() {
    for (name, status) in [("all-seized", 0), ("silently-ignored", 2)] {
        let folder = Folder::of(name);
        let began = Instant::now();
        audit("check --wait 50s --root").with(folder.path()).run().ends_with(status);
        assert!(began.elapsed() < Duration::from_secs(40), "{name}");
    }
    audit("check --wait 1s --device 00:1d.0 --root /nowhere").run().ends_with(3).complains("--root /nowhere");
}

#[test]
fn a_policy_is_watched_over() {
    let folder = Folder::new();
    folder.file("site.toml", b"[[device]]\naddress = '00:1f.7'\nlabel = 'a'\n[[device]]\naddress = '01:00.0'\n");
    let mut watch = Watch::start("", &[("--policy", &folder.at("site.toml"))]);
    let state = watch.state();
    assert!(state.iter().any(|line| line.contains("0000:00:1f.7")), "{state:?}");
    assert!(state.last().unwrap().contains("of 2 requested devices"), "{state:?}");
    assert_eq!(watch.end(Signal::TERM), (Some(0), String::new()));
}

#[test]
fn the_schema_names_every_kind_and_status() {
    let schema: Value = serde_json::from_str(include_str!("../schema/event-1.json")).unwrap();
    let named = |part: &str| -> Vec<String> {
        let names = schema["properties"][part]["enum"].as_array().unwrap();
        names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    assert_eq!(named("kind"), Kind::ALL.map(Kind::name));
    assert_eq!(named("status"), Status::NAMES);
}

#[test]
fn the_file_of_events_is_appended_to_and_opened_anew_on_sighup() {
    let folder = Folder::new();
    let (path, old) = (folder.at("events"), folder.at("events.1"));
    folder.file("events", b"before\n");
    let watch = Watch::start("--device 00:1f.7", &[("--output", &path)]);
    until("the state", || text(&path).contains("verdict"));
    assert!(text(&path).starts_with("before\n"), "{}", text(&path));
    fs::rename(&path, &old).unwrap();
    watch.signal(Signal::HUP);
    until("the new file", || path.exists());
    assert_eq!(watch.end(Signal::TERM), (Some(0), String::new()));
}

#[test]
fn a_full_disk_is_said_once_and_ends_nothing() {
    let mut watch = Watch::start("--device 00:1f.7", &[("--output", Path::new("/dev/full"))]);
    let said = watch.complaint();
    assert!(said.contains("--output /dev/full: No space left") && said.contains("will try again"), "{said}");
    watch.signal(Signal::HUP);
    let (status, said) = watch.end(Signal::TERM);
    assert!(status == Some(0) && said.contains("events are left out") && said.lines().count() == 1, "{said}");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly_though_nothing_happens() {
    let mut watch = Watch::start("--device 00:1f.7", &[]);
    watch.state();
    drop(watch.lines.take());
    assert_eq!(watch.ended(), (Some(0), String::new()));
}

#[test]
fn with_metrics_to_keep_a_reader_may_go_away() {
    let folder = Folder::new();
    let path = folder.at("pciback.prom");
    let mut watch = Watch::start("--device 00:1f.7", &[("--textfile", &path)]);
    watch.state();
    drop(watch.lines.take());
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(watch.child.try_wait().unwrap(), None);
    assert_eq!(watch.end(Signal::TERM), (Some(0), String::new()));
}

#[test]
fn the_metrics_are_there_whole_and_readable_by_all() {
    let folder = Folder::new();
    let path = folder.at("pciback.prom");
    let mut watch = Watch::start("--device 00:1f.7", &[("--textfile", &path)]);
    watch.state();
    until("the file", || path.exists());
    assert!(text(&path).contains("\npciback_audit_verdict "), "{}", text(&path));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(folder.names(), ["pciback.prom"]);
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    watch.signal(Signal::HUP);
    until("a new one", || fs::metadata(&path).unwrap().modified().unwrap() > before);
    watch.end(Signal::TERM);
}

#[test]
fn metrics_that_cannot_be_written_are_said_once_and_end_nothing() {
    let mut watch = Watch::start("--device 00:1f.7", &[("--textfile", Path::new("/nowhere/pciback.prom"))]);
    let said = watch.complaint();
    assert!(said.contains("--textfile /nowhere/pciback.prom: No such file"), "{said}");
    watch.signal(Signal::HUP);
    assert_eq!(watch.end(Signal::TERM), (Some(0), String::new()));
}

#[test]
fn what_was_told_is_remembered_and_a_damaged_memory_is_said() {
    let folder = Folder::new();
    let path = folder.at("state");
    let mut watch = Watch::start("--device 00:1f.7", &[("--resume", &path)]);
    watch.state();
    watch.end(Signal::TERM);
    let memory: Value = serde_json::from_str(&text(&path)).unwrap();
    assert_eq!(memory["devices"][0]["address"], "0000:00:1f.7");
    let mut again = Watch::start("--device 00:1f.7", &[("--resume", &path)]);
    let told = again.state();
    assert!(!told.iter().any(|line| line.contains("lost 0000:00:1f.7")), "nothing happened to it in between: {told:?}");
    again.end(Signal::TERM);
    let mut memory = memory;
    memory["devices"][0]["status"] = "seized".into();
    folder.file("state", memory.to_string().as_bytes());
    let mut changed = Watch::start("--device 00:1f.7", &[("--resume", &path)]);
    let told = changed.state();
    assert!(told.iter().any(|line| line.contains(" lost 0000:00:1f.7: ")), "{told:?}");
    changed.end(Signal::TERM);
    memory["boot_id"] = "0".repeat(32).into();
    folder.file("state", memory.to_string().as_bytes());
    let mut rebooted = Watch::start("--device 00:1f.7", &[("--resume", &path)]);
    assert!(rebooted.state()[0].contains(" new-boot: "));
    rebooted.end(Signal::TERM);
    folder.file("state", b"{");
    let mut damaged = Watch::start("--device 00:1f.7", &[("--resume", &path)]);
    damaged.state();
    let (status, err) = damaged.end(Signal::TERM);
    assert!(status == Some(0) && err.contains("is damaged") && err.contains("beginning anew"), "{err}");
}

/// How many devices the next watch finds to be gone, at once.
const MANY: usize = 3_000;

/// The memory of a watch that knew [`MANY`] devices of which nothing is left.
fn memory_of_many(folder: &Folder) -> String {
    let path = folder.at("state");
    let mut watch = Watch::start("--device 00:1f.7", &[("--resume", &path)]);
    watch.state();
    watch.end(Signal::TERM);
    let mut memory: Value = serde_json::from_str(&text(&path)).unwrap();
    let device = |number: usize| {
        let address = format!("00{:02x}:{:02x}:00.{}", number / 2048, number / 8 % 256, number % 8);
        serde_json::json!({ "address": address, "status": "seized", "driver": "pciback", "seizing": number })
    };
    memory["devices"] = (0..MANY).map(device).collect();
    memory.to_string()
}

#[test]
fn a_burst_of_events_loses_none_into_a_file_and_none_to_a_reader() {
    let folder = Folder::new();
    let path = folder.at("state");
    let memory = memory_of_many(&folder);
    let forgotten = |text: &str| text.lines().filter(|line| line.contains("\"kind\":\"forgotten\"")).count();

    folder.file("state", memory.as_bytes());
    let events = folder.at("events");
    let watch = Watch::start("-J --device 00:1f.7", &[("--resume", &path), ("--output", &events)]);
    until("the verdict", || text(&events).contains("\"kind\":\"verdict\""));
    assert_eq!(watch.end(Signal::TERM), (Some(0), String::new()));
    assert_eq!(forgotten(&text(&events)), MANY);

    folder.file("state", memory.as_bytes());
    let mut watch = Watch::start("-J --device 00:1f.7", &[("--resume", &path)]);
    let told = watch.state().concat();
    assert_eq!((forgotten(&told), told.contains("events-skipped")), (MANY, false));
    assert_eq!(watch.end(Signal::TERM), (Some(0), String::new()));
}

#[test]
fn a_reader_that_does_not_read_holds_nothing_up_and_is_told_the_truth_at_the_end() {
    let folder = Folder::new();
    let path = folder.at("state");
    let memory = memory_of_many(&folder);
    folder.file("state", memory.as_bytes());
    let metrics = folder.at("metrics");
    let mut watch = Watch::start("-J --device 00:1f.7", &[("--resume", &path), ("--textfile", &metrics)]);
    until("the metrics", || metrics.exists());
    watch.signal(Signal::TERM);
    let (status, said) = watch.ended();
    let mut told = String::new();
    watch.lines.as_mut().unwrap().read_to_string(&mut told).unwrap();
    let whole = told.lines().filter(|line| line.ends_with('}')).count();
    let lost: usize = said.split("the last ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert_eq!(status, Some(0));
    // Behind the devices that are gone: the one that is watched over, and the findings and the verdict of how it stands.
    assert!((MANY + 2..MANY + 50).contains(&(whole + lost)), "{whole} were read, {lost} are said to be lost");
}

#[test]
fn what_could_hold_it_or_was_planted_is_refused_at_once() {
    let folder = Folder::new();
    let fifo = folder.at("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for flag in ["--textfile", "--output", "--resume"] {
        let ran = audit("watch --device 00:1f.7").with(flag).with(&fifo).run().ends_with(3);
        assert!(ran.err.contains(flag) && ran.err.contains("is a fifo"), "{}", ran.err);
    }
    audit("watch --policy").with(&fifo).run().ends_with(3).complains("is not a regular file");
    assert_eq!(folder.names(), ["fifo"]);
}

#[test]
fn the_state_is_for_this_user_only_whatever_the_umask_says() {
    let folder = Folder::new();
    let path = folder.at("state");
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", "umask 0; exec \"$0\" watch --device 00:1f.7 --resume \"$1\""]);
    shell.arg(env!("CARGO_BIN_EXE_pciback-audit")).arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = shell.spawn().unwrap();
    until("the state", || path.exists());
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn a_time_limit_is_for_the_start_only() {
    let mut watch = Watch::start("--device 00:1f.7 --timeout 1", &[]);
    watch.state();
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(watch.child.try_wait().unwrap(), None);
    assert_eq!(watch.end(Signal::TERM), (Some(0), String::new()));
}

#[test]
fn systemd_is_told_that_it_is_ready_alive_and_about_to_end() {
    let folder = Folder::new();
    let path = folder.at("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    let hear = || {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let until = |wanted: &str| while !hear().lines().any(|line| line.starts_with(wanted)) {};
    let env = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "200000")];
    let watch = Watch::start_with("--device 00:1f.7", &[], &env);
    until("READY=1");
    until("STATUS=");
    until("WATCHDOG=1");
    until("WATCHDOG=1");
    watch.signal(Signal::HUP);
    until("RELOADING=1");
    until("READY=1");
    watch.signal(Signal::TERM);
    until("STOPPING=1");
    assert_eq!({ watch }.ended(), (Some(0), String::new()));
}

#[test]
fn while_nothing_happens_it_does_not_run() {
    let mut watch = Watch::start("--device 00:1f.7", &[]);
    watch.state();
    let switches = || -> u64 {
        let threads = fs::read_dir(format!("/proc/{}/task", watch.child.id())).unwrap();
        let switches = |thread: &Path| -> u64 {
            let status = text(&thread.join("status"));
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
            line.rsplit('\t').next().unwrap().parse().unwrap()
        };
        threads.map(|thread| switches(&thread.unwrap().path())).sum()
    };
    // The kernel of this machine may print something now and then, which wakes it. A timer of ours would go off always.
    until("a second without work", || {
        let before = switches();
        std::thread::sleep(Duration::from_secs(1));
        switches() == before
    });
}

#[test]
fn bad_usage_is_no_verdict() {
    for args in ["watch --format table", "watch --json --format text", "watch --wait 1s", "watch /var/log/kern.log"] {
        assert!(audit(args).run().ends_with(3).complains("error:").out.is_empty(), "{args}");
    }
    audit("watch --device 00:1f.7 --output /nowhere/at/all").run().ends_with(3).complains("/nowhere/at/all");
    for args in ["--wait 1s --log x", "check --wait 1s x", "--wait 1", "--wait 1s --boot -1"] {
        audit(args).run().ends_with(3).complains("error:");
    }
}

#[test]
fn waiting_ends_at_once_where_there_is_nothing_to_wait_for() {
    let began = Instant::now();
    audit("--wait 600s --hide (0000:00:1d.0),(0000:00:1d.1) -J").run().json();
    assert!(began.elapsed() < LONG, "a list that the kernel refuses needs no waiting");
}

#[test]
fn waiting_ends_when_the_time_is_over_and_reports_like_a_check() {
    let waited = audit("--wait 1s --device 00:1f.7 -J").run();
    let checked = audit("--device 00:1f.7 -J").run();
    assert_eq!((waited.status, waited.codes()), (checked.status, checked.codes()));
    assert_eq!(waited.json()["devices"], checked.json()["devices"]);
    assert_eq!(waited.err, "", "no terminal, no progress");
}

#[test]
fn on_a_terminal_waiting_shows_how_far_it_is() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let terminal = || fs::OpenOptions::new().read(true).write(true).open(&name).unwrap();
    // One end stays open here: the terminal must not go away before it was read.
    let kept = terminal();
    let mut command = audit("--wait 1s --device 00:1f.7").env("TERM", "xterm").command();
    assert!(command.stderr(terminal()).stdout(Stdio::null()).status().unwrap().code().is_some());
    drop(command);
    let mut shown = vec![0; 64 << 10];
    let length = rustix::io::read(&ours, &mut shown).unwrap();
    drop(kept);
    let shown = String::from_utf8_lossy(&shown[..length]).into_owned();
    assert!(shown.contains(" of 1 settled, ") && shown.contains(" s left"), "{shown:?}");
}
