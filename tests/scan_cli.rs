//! `scan` as a user runs it: its forms, its exit statuses, and how it is stopped.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

use common::{Folder, audit};
use serde_json::Value;

/// A boot of a host on this day of November: with the second device seized or not.
fn boot(day: usize, host: &str, whole: bool) -> String {
    let line = |micros: usize, text: &str| {
        format!("2026-11-{day:02}T06:00:00.{micros:06}+00:00 {host} kernel: [    1.{micros:06}] {text}\n")
    };
    let mut text = line(0, "Linux version 6.1.0-56-amd64 (x) #1 SMP");
    text += &line(1, "Command line: root=/dev/sda xen-pciback.hide=(0000:00:1d.0)(0000:00:1d.1)");
    text += &line(2, "pciback 0000:00:1d.0: xen_pciback: seizing device");
    if whole {
        text += &line(3, "pciback 0000:00:1d.1: xen_pciback: seizing device");
    }
    text + &line(4, "xen_pciback: backend is vpci")
}

/// Two hosts: `a` failed yesterday and is well today, `b` the other way round.
fn archive() -> Folder {
    let folder = Folder::new();
    let text = boot(20, "a", false) + &boot(20, "b", true) + &boot(21, "a", true) + &boot(21, "b", false);
    folder.file("kern.log", text.as_bytes());
    folder.file("only-a.log", (boot(20, "a", false) + &boot(21, "a", true)).as_bytes());
    folder
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_status_is_that_of_the_last_boots_or_of_all() {
    let folder = archive();
    let scan = |args: &str, file: &str| audit(&format!("scan --trust-log {args}")).with(folder.at(file)).run();
    scan("", "kern.log").ends_with(2);
    scan("", "only-a.log").ends_with(0);
    scan("--boot all", "only-a.log").ends_with(2);
    scan("--until 2026-11-20T12:00:00Z", "only-a.log").ends_with(2);
    scan("--since 2026-11-21 --boot all", "only-a.log").ends_with(0);
    scan("--since 2026-11-22", "only-a.log")
        .ends_with(3)
        .complains("no boot in these logs says anything of pciback in that time");
    scan("--device 00:1d.0 --boot all", "kern.log").ends_with(0);
    scan("--hide (00:1d.0)(00:1d.5)", "only-a.log").ends_with(2);
    audit("scan").with(folder.at("only-a.log")).run().ends_with(1);
    audit("scan --fail-on critical").with(folder.at("only-a.log")).run().ends_with(0);
}

#[test]
fn a_host_that_is_chosen_is_judged_alone() {
    let folder = archive();
    let scan =
        |host: &str| audit("scan --trust-log --boot all --log-host").with(host).with(folder.at("kern.log")).run();
    let ran = scan("a").ends_with(2);
    assert!(!ran.out.contains("several hosts") && ran.out.contains("2 boots of 1 host"), "{}", ran.out);
    scan("nobody").ends_with(3).complains("no boot in these logs says anything of pciback");
}

#[test]
fn the_table_shows_what_is_not_ok_and_with_all_every_boot() {
    let folder = archive();
    let rows = |args: &str| {
        let ran = audit(&format!("scan --trust-log {args}")).with(folder.at("kern.log")).run();
        assert!(ran.out.starts_with("HOST "), "{}", ran.out);
        let rows = ran.out.lines().skip(1).take_while(|line| !line.is_empty());
        rows.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let ill = ["b 2026-11-21 06:00Z critical 1/2 00:1d.1 missing", "a 2026-11-20 06:00Z critical 1/2 00:1d.1 missing"];
    assert_eq!(rows(""), ill);
    assert_eq!(rows("--all"), [ill[0], "a 2026-11-21 06:00Z ok 2/2", ill[1], "b 2026-11-20 06:00Z ok 2/2"]);
    assert_eq!(rows("--verdict ok,warning").len(), 2);
}

#[test]
fn a_choice_of_rows_changes_neither_verdict_nor_status() {
    let folder = archive();
    let chosen =
        |args: &str| audit(&format!("scan --trust-log -J {args}")).with(folder.at("kern.log")).run().ends_with(2);
    let count = |args: &str| objects(&chosen(args).out).len();
    assert_eq!((count(""), count("--host a"), count("--host ?"), count("--host A --host b")), (4, 2, 4, 4));
    assert_eq!(
        (count("--verdict ok"), count("--verdict ok --verdict critical"), count("--verdict unknown")),
        (2, 4, 0)
    );
    assert_eq!((count("--only 00:1d.1"), count("--only 00:1d.5"), count("--host b --verdict ok")), (4, 0, 1));
    assert!(chosen("--host c").err.contains("no boot of 4 is what was chosen"));
    // A single host reads as `check` has it.
    let ran = audit("scan --trust-log --host b").with(folder.at("kern.log")).run().ends_with(2);
    assert!(ran.out.starts_with("CRITICAL: 1 of 2 requested devices is pciback's\nb, kernel"), "{}", ran.out);
    audit("scan --verdict fine x").run().ends_with(3);
}

#[test]
fn each_command_has_its_forms_and_no_other() {
    let folder = archive();
    let of_check = ["table", "tree", "json", "nagios", "prometheus"];
    for (command, forms) in [
        ("demo", &of_check[..]),
        ("check --no-host --device 00:1d.0 -", &of_check),
        ("watch", &["text", "json"]),
        ("scan", &["table", "json", "csv", "prometheus"]),
    ] {
        for form in ["table", "tree", "json", "nagios", "prometheus", "csv", "text"] {
            if !forms.contains(&form) {
                let file = if command == "scan" { "kern.log" } else { "" };
                let ran = audit(&format!("{command} --format {form} {file}")).run().ends_with(3);
                assert!((ran.err + &ran.out).contains("invalid value"), "{command} {form}");
            } else if command != "watch" {
                let ran = audit(&format!("{command} --format {form}"));
                let ran = if command == "scan" { ran.with(folder.at("kern.log")) } else { ran }.run();
                assert!(!ran.out.is_empty() && !ran.err.contains("invalid value"), "{command} {form}\n{}", ran.err);
            }
        }
    }
}

#[test]
fn csv_has_a_line_for_each_device_of_each_boot() {
    let folder = archive();
    let ran = audit("scan --trust-log --format csv").with(folder.at("kern.log")).run().ends_with(2);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 1 + 4 * 2);
    assert!(lines[0].starts_with("host,boot,last,began,ended,boot_id,kernel,verdict,"), "{}", lines[0]);
    let start = "a,-1,false,2026-11-20T06:00:00Z,2026-11-20T06:00:00.000004Z,,6.1.0-56-amd64,critical,,0000:00:1d.1,true,missing,";
    assert!(lines[2].starts_with(start), "{}", lines[2]);
}

#[test]
fn metrics_count_hosts_by_verdict() {
    let folder = archive();
    let out = folder.at("scan.prom");
    audit("scan --trust-log --format prometheus --output").with(&out).with(folder.at("kern.log")).run().ends_with(2);
    let text = fs::read_to_string(&out).unwrap();
    for line in
        ["hosts{verdict=\"critical\"} 1", "hosts{verdict=\"unknown\"} 0", "hosts{verdict=\"ok\"} 1", "unreadable 0"]
    {
        assert!(text.contains(&format!("\npciback_audit_scan_{line}\n")), "{line}\n{text}");
    }
    assert!(text.contains("\npciback_audit_scan_last_run_timestamp_seconds "), "{text}");
}

#[test]
fn a_baseline_tells_what_is_new() {
    let folder = archive();
    let baseline = folder.at("before.jsonl");
    let before = "scan --trust-log --until 2026-11-20T12:00:00Z -J --output";
    audit(before).with(&baseline).with(folder.at("kern.log")).run().ends_with(2);
    let since = |args: &str, file: &str| {
        audit(&format!("scan --trust-log {args} --baseline")).with(&baseline).with(folder.at(file)).run()
    };
    let ran = since("", "kern.log").ends_with(2);
    let told = ran.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let told: Vec<String> = told.take(5).collect();
    let expected = [
        "new b critical 00:1d.1 missing",
        "gone a critical 00:1d.1 missing",
        "",
        "since the baseline: 1 new, 1 gone, 0 as before",
    ];
    assert_eq!(told[1..], expected);
    since("--fail-on new", "kern.log").ends_with(2);
    // The same again is nothing new, and who is there no more is not well.
    since("--fail-on new --until 2026-11-20T12:00:00Z", "kern.log").ends_with(0).says("0 new, 0 gone, 1 as before");
    since("--fail-on new", "only-a.log").ends_with(0).says("1 host of it not in these logs");
    audit("scan --fail-on new").with(folder.at("kern.log")).run().ends_with(3).complains("new since which scan?");
    folder.file("before.jsonl", b"{}\n");
    since("", "kern.log").ends_with(3).complains("before.jsonl: line 1 is no report of `scan --format json`");
}

#[test]
fn the_objects_are_reports_and_the_summary_counts_them() {
    let schema: Value = serde_json::from_str(include_str!("../schema/report-1.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let folder = archive();
    let ran = audit("scan --format json").with(folder.at("kern.log")).run();
    let reports = objects(&ran.out);
    for report in &reports {
        let errors: Vec<String> = validator.iter_errors(report).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{report:#}");
    }
    let hosts: Vec<&str> = reports.iter().map(|report| report["host"].as_str().unwrap()).collect();
    assert_eq!(hosts, ["a", "a", "b", "b"]);
    let evidence = &reports[0]["request"]["entries"][0];
    assert_eq!(evidence["source"], "log");
    let ran = audit("scan --summary").with(folder.at("kern.log")).run();
    let counts: Vec<String> =
        ran.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for count in
        ["hosts 2", "boots 4", "boots critical 2", "last boots critical 1", "devices requested 8", "devices seized 6"]
    {
        assert!(counts.contains(&count.to_owned()), "{count}\n{counts:#?}");
    }
}

#[test]
fn what_says_nothing_of_pciback_is_neither_listed_nor_ok() {
    let folder = Folder::new();
    folder.file("web.log", b"Nov 22 06:00:00 web-1 kernel: [    0.000000] Linux version 6.1.0 (x)\n");
    audit("scan")
        .with(folder.at("web.log"))
        .run()
        .ends_with(3)
        .complains("no boot in these logs says anything of pciback");
    audit("scan --if-requested").with(folder.at("web.log")).run().ends_with(0).says_nothing();
    let ran = audit("scan --device 00:1d.0").with(folder.at("web.log")).run().ends_with(3);
    assert!(ran.out.contains("web-1"), "{}", ran.out);
}

#[test]
fn standard_input_directories_and_files_can_be_mixed() {
    let folder = archive();
    folder.file("more/b.log", boot(22, "b", true).as_bytes());
    let ran = audit("scan --trust-log -").with(folder.at("more")).input(boot(22, "a", true)).run().ends_with(0);
    assert!(ran.out.contains("2 boots of 2 hosts"), "{}", ran.out);
    audit("scan - -").run().ends_with(3).complains("only once");
    audit("scan").run().ends_with(3);
    audit("scan --since yesteryear x").run().ends_with(3).complains("--since yesteryear: expected a time");
    audit("scan --format nagios x").run().ends_with(3);
    audit("scan /nowhere/at/all").run().ends_with(3);
}

#[test]
fn output_goes_to_a_file_whole_and_quiet_is_quiet_only_when_all_is_well() {
    let folder = archive();
    let out = folder.at("report.txt");
    audit("scan --trust-log --output").with(&out).with(folder.at("kern.log")).run().ends_with(2).says_nothing();
    assert!(fs::read_to_string(&out).unwrap().starts_with("HOST"));
    audit("scan --trust-log -q").with(folder.at("only-a.log")).run().ends_with(0).says_nothing();
    let ran = audit("scan --trust-log -q -J").with(folder.at("kern.log")).run().ends_with(2);
    assert_eq!(objects(&ran.out).len(), 4);
}

#[test]
fn a_scan_that_is_stopped_tells_what_it_knows_and_that_it_is_not_all() {
    let mut command = audit("scan --trust-log -").command();
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // The pipe stays open: whoever writes into it is not done. It holds 64 KiB, so most of this was read when it is written.
    let text = boot(20, "a", false) + &boot(21, "a", true);
    let noise = "2026-11-21T06:00:09+00:00 a sshd[1]: x\n".repeat(15_000);
    pipe.write_all((text + &noise).as_bytes()).unwrap();
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let mut told = String::new();
    child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    let mut complaints = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{told}{complaints}");
    assert!(complaints.contains("stopped") && told.contains("2026-11-20 06:00Z"), "{told}{complaints}");
    assert!(!told.contains(" ok "), "{told}");
    drop(pipe);
}

#[test]
fn a_limit_stops_it_too() {
    let mut command = audit("scan --timeout 1 -").command();
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let pipe = child.stdin.take().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    drop(pipe);
}

#[test]
fn on_a_terminal_long_work_shows_how_far_it_is() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let terminal = || fs::OpenOptions::new().read(true).write(true).open(&name).unwrap();
    let kept = terminal();
    let mut command = audit("scan --timeout 2 -").env("TERM", "xterm").command();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(terminal()).spawn().unwrap();
    let pipe = child.stdin.take().unwrap();
    child.wait().unwrap();
    drop((pipe, command));
    let mut shown = vec![0; 64 << 10];
    let length = rustix::io::read(&ours, &mut shown).unwrap();
    drop(kept);
    let shown = String::from_utf8_lossy(&shown[..length]).into_owned();
    assert!(shown.contains("B/s"), "{shown:?}");
}
