//! The forms for monitors, read by parsers as strict as their specifications: the Monitoring Plugins' guidelines, and the
//! text format 0.0.4 of Prometheus. `tests/monitoring/` shows them to the real programs.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may end in a panic")]

mod common;
mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::Duration;

use common::{Folder, audit, capture, captures};
use pciback_audit::audit::conclude;
use pciback_audit::render::{nagios, prometheus};
use pciback_audit::report::{Report, Status};
use support::scenario::parse;
use support::{log, read, testdata, tree};

const FOUR: &str = "(0000:00:1d.0)(0000:00:1d.1)(0000:00:1d.2)(0000:00:1d.7)";
const EVIL: &str = "|x=1;2 'y'=3\\n\u{1b}[2J\"} 9\r\u{9b}\u{2028}\n# EOF";

// Parsers.

/// What a plugin printed: the word, the text, the performance data, and the lines below.
struct Plugin {
    word: String,
    text: String,
    data: BTreeMap<String, Vec<String>>,
    below: Vec<String>,
}

#[track_caller]
fn plugin(output: &str) -> Plugin {
    assert!(output.ends_with('\n') && !output.contains(|c: char| c.is_control() && c != '\n'), "{output:?}");
    let mut lines = output.strip_suffix('\n').unwrap().split('\n').map(str::to_owned);
    let first = lines.next().unwrap();
    let below: Vec<String> = lines.collect();
    assert!(below.iter().all(|line| !line.contains('|')), "{output}");
    let (said, data) = first.split_once(" | ").unwrap_or((&first, ""));
    let (word, text) = said.strip_prefix("PCIBACK ").unwrap().split_once(" - ").unwrap();
    assert!(["OK", "WARNING", "CRITICAL", "UNKNOWN"].contains(&word) && !text.is_empty(), "{first}");
    assert!(!text.contains('|') && !data.contains('|'), "{first}");
    let data = data.split(' ').filter(|entry| !entry.is_empty()).map(datum).collect();
    Plugin { word: word.to_owned(), text: text.to_owned(), data, below }
}

/// `'label'=value[UOM];[warn];[crit];[min];[max]`, of which only what needs no quotes and has no unit is used here.
#[track_caller]
fn datum(entry: &str) -> (String, Vec<String>) {
    let (label, values) = entry.split_once('=').unwrap();
    assert!(!label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{entry}");
    let values: Vec<String> = values.split(';').map(str::to_owned).collect();
    assert!(values.len() <= 5 && !values[0].is_empty(), "{entry}");
    assert!(values[0] == "U" || values[0].parse::<u64>().is_ok(), "{entry}");
    assert!(values[1..].iter().all(|value| value.is_empty() || value.parse::<u64>().is_ok()), "{entry}");
    (label.to_owned(), values)
}

/// Samples by name and labels as written.
type Samples = BTreeMap<String, f64>;

#[track_caller]
fn exposition(text: &str) -> Samples {
    assert!(text.ends_with('\n') && !text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    let mut samples = Samples::new();
    let mut seen: Vec<&str> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let (name, help) = line.strip_prefix("# HELP ").unwrap_or_else(|| panic!("{line}")).split_once(' ').unwrap();
        assert!(!seen.contains(&name) && name.starts_with("pciback_audit_") && !help.contains('\\'), "{line}");
        seen.push(name);
        assert_eq!(lines.next(), Some(format!("# TYPE {name} gauge").as_str()));
        let before = samples.len();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let rest = line.strip_prefix(name).unwrap_or_else(|| panic!("{line} is not of {name}"));
            let value = rest.strip_prefix('{').map_or(rest, behind_labels);
            let sample = line.strip_suffix(value).unwrap().to_owned();
            let value = value.strip_prefix(' ').unwrap();
            assert!(!value.contains(' '), "no timestamps: {line}");
            let known = samples.insert(sample, value.parse().unwrap());
            assert!(known.is_none(), "twice: {line}");
        }
        assert!(samples.len() > before, "{name} has no sample");
    }
    samples
}

/// What follows the labels, which begin behind their brace.
#[track_caller]
fn behind_labels(text: &str) -> &str {
    let mut rest = text;
    let mut names = Vec::new();
    loop {
        let (name, value) = rest.split_once("=\"").unwrap();
        assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase()) && !names.contains(&name), "{text}");
        names.push(name);
        let mut letters = value.char_indices();
        let end = loop {
            match letters.next().unwrap() {
                (_, '\\') => assert!(matches!(letters.next().unwrap().1, '\\' | '"' | 'n'), "{text}"),
                (end, '"') => break end,
                _ => {}
            }
        };
        match value.as_bytes()[end + 1] {
            b',' => rest = &value[end + 2..],
            b'}' => return &value[end + 2..],
            _ => panic!("{text}"),
        }
    }
}

/// Holds both forms of a report against the report.
#[track_caller]
fn holds(name: &str, report: &Report) {
    for verbose in [false, true] {
        let complaints = [format!("log {EVIL}: cannot be read")];
        let said = plugin(&nagios(report, if verbose { &complaints } else { &[] }, verbose));
        let words = ["OK", "WARNING", "CRITICAL", "UNKNOWN"];
        assert_eq!(said.word, words[usize::from(report.exit_status)], "{name}");
        let columns = format!("PCIBACK {} - {}", said.word, said.text).chars().count();
        // A complaint may be of any length; what the report says fits.
        assert!(columns < 80 || verbose, "{name}: {columns} columns: {}", said.text);
        for status in Status::NAMES {
            assert_eq!(said.data[status][0], report.count(status).to_string(), "{name}: {status}");
        }
        assert_eq!(said.data["requested"][0], report.requested().to_string(), "{name}");
        let starts: Vec<&str> = said.data.keys().map(|label| &label[..label.len().min(19)]).collect();
        assert!(starts.windows(2).all(|two| two[0] != two[1]), "{starts:?}");
        let details = report.findings.iter().map(|finding| 1 + finding.remedy.len()).sum::<usize>() + 1;
        assert_eq!(said.below.len(), if verbose { details } else { 0 }, "{name}");
    }
    let text = prometheus(report, "0.1.0", Duration::from_micros(15));
    let samples = exposition(&text);
    assert_eq!(text, prometheus(report, "0.1.0", Duration::from_micros(15)), "{name}");
    let verdict = if report.silent { 0 } else { report.verdict.exit_status() };
    assert_eq!(samples["pciback_audit_verdict"].to_string(), verdict.to_string(), "{name}");
    for status in Status::NAMES {
        let sample = format!("pciback_audit_devices{{status=\"{status}\"}}");
        let count = samples.get(&sample).unwrap_or_else(|| panic!("{name}: no {sample}\n{text}"));
        assert_eq!(count.to_string(), report.count(status).to_string(), "{name}: {status}");
    }
    let seized = samples
        .iter()
        .filter(|(sample, value)| sample.starts_with("pciback_audit_device_seized{") && value.to_string() == "1");
    assert_eq!(seized.count(), report.count("seized"), "{name}");
}

#[test]
fn every_scenario_and_capture_can_be_monitored() {
    let mut count = 0;
    for file in std::fs::read_dir(testdata("scenarios")).unwrap().map(|file| file.unwrap().path()) {
        let mut case = parse(&std::fs::read_to_string(&file).unwrap()).case;
        for verbose in [false, true] {
            case.options.verbose = verbose;
            holds(&file.to_string_lossy(), &conclude(&case));
        }
        count += 1;
    }
    for folder in ["captures", "dom0"] {
        for capture in std::fs::read_dir(testdata(folder)).unwrap().map(|file| file.unwrap().path()) {
            if !capture.join("root.txt").exists() {
                continue;
            }
            let name = format!("{folder}/{}", capture.file_name().unwrap().to_string_lossy());
            let records = read(&format!("{name}/kmsg.raw"));
            let mut case = support::by_log(FOUR, &records);
            holds(&name, &conclude(&case));
            case.tree = Some(tree(&read(&format!("{name}/root.txt"))));
            // The same log again: two of them, and no two names alike.
            case.logs.push(log(1, "again", &records));
            holds(&name, &conclude(&case));
            case.asked = pciback_audit::audit::Asked::default();
            holds(&name, &conclude(&case));
            count += 1;
        }
    }
    assert!(count > 70, "{count} only");
}

#[test]
fn hostile_names_stay_where_they_belong() {
    let mut tested = 0;
    for name in captures() {
        let text = String::from_utf8(read(&format!("captures/{name}/root.txt"))).unwrap();
        let escaped = "a|b=1\\\\n\\n\\x1b[2J\"}";
        let text = text.replace("drivers/uhci_hcd\n", &format!("drivers/{escaped}\n"));
        let mut case = support::by_log(FOUR, &read(&format!("captures/{name}/kmsg.raw")));
        case.tree = Some(tree(text.as_bytes()));
        case.logs.push(log(1, EVIL, b"<3>[    1.0] xen_pciback: Error parsing pci_devs_to_hide at \"|x=1\"\n"));
        case.options.verbose = true;
        let report = conclude(&case);
        plugin(&nagios(&report, &[EVIL.to_owned()], true));
        exposition(&prometheus(&report, EVIL, Duration::ZERO));
        tested += usize::from(report.devices.iter().any(|device| device.driver.is_some()));
    }
    assert!(tested > 0);
}

// The command line.

#[test]
fn the_exit_status_and_the_word_agree() {
    let good = Folder::of("all-seized");
    let bad = Folder::of("silently-ignored");
    let plain = capture("all-seized").join("dmesg.txt");
    let nothing = Folder::new();
    for form in ["--format nagios", "--format=nagios", "--format nagios --quiet"] {
        let check = |args: &str| audit(&format!("{form} {args}"));
        let said = |ran: common::Ran| plugin(&ran.out).word;
        assert_eq!(said(check("--root").with(good.path()).run().ends_with(0)), "OK");
        assert_eq!(said(check("--root").with(bad.path()).run().ends_with(2)), "CRITICAL");
        assert_eq!(said(check("--device 00:1d.0 --root").with(nothing.path()).run().ends_with(3)), "UNKNOWN");
        assert_eq!(said(check("--no-host --log").with(&plain).with("--hide").with(FOUR).run().ends_with(1)), "WARNING");
        let accepted = check("--fail-on critical --log").with(&plain).with("--hide").with(FOUR).run().ends_with(0);
        assert_eq!(said(accepted), "OK");
        assert_eq!(said(check("--device 00:1d.0 --log").with("/nowhere").run().ends_with(3)), "UNKNOWN");
    }
    let line = audit("demo --format nagios").run().ends_with(2).out;
    assert!(line.starts_with("PCIBACK CRITICAL - 1/6 seized; 00:05.0 held by nvme; and 4 more | requested=6;;;0 "));
    assert_eq!(line.lines().count(), 1);
    let line = audit("demo --format nagios -v").run().ends_with(2).out;
    assert!(
        line.contains("\ncritical held-by-driver 00:1d.7: ehci-pci ") && line.contains("    xl pci-assignable-add")
    );
}

#[test]
fn monitors_are_told_on_standard_output() {
    for (args, said) in [
        ("--format nagios --bogus", "unexpected argument '--bogus' found"),
        ("check --format=nagios --device 00:1d", "invalid value '00:1d' for '--device <ADDRESS>'"),
        ("demo --format nagios --json", "two forms"),
        ("demo --format nagios --output /nowhere/file", "--output /nowhere/file: "),
        ("--format nagios --device 00:1d.0 /nowhere", "/nowhere cannot be read"),
        ("--format nagios --root /nowhere", "no list of devices was found; --root /nowhere: No such"),
    ] {
        let ran = audit(args).run().ends_with(3);
        assert_eq!(ran.err, "", "{args}");
        let plugin = plugin(&ran.out);
        assert!(plugin.word == "UNKNOWN" && plugin.text.contains(said), "{args}: {}", ran.out);
    }
    for args in ["--help --format nagios", "check --format nagios -h", "--format=nagios --version"] {
        let ran = audit(args).run().ends_with(3);
        assert!(
            ran.err.is_empty() && ran.out.contains(if args.contains("version") { "0." } else { "Usage" }),
            "{args}"
        );
    }
    let complained = audit("--format nagios --device 00:1d.0").with("/nowhere/a|b\n").run().ends_with(3);
    assert!(plugin(&complained.out).below[0].starts_with("log /nowhere/a¦b"), "{}", complained.out);
    let ran = audit("demo --format prometheus --bogus").run().ends_with(3).complains("--bogus");
    assert_eq!(ran.out, "");
}

#[test]
fn nothing_requested_is_a_line_all_the_same() {
    let nothing = Folder::new();
    // Every place that could hold a list is there.
    for (path, text) in [
        ("etc/hostname", "host\n"),
        ("etc/modprobe.d/sound.conf", "options snd index=1\n"),
        ("lib/modprobe.d/net.conf", "options e1000e debug=0\n"),
        ("proc/cmdline", "root=/dev/sda1 ro\n"),
        ("sys/module/ahci/version", "3\n"),
    ] {
        nothing.file(path, text.as_bytes());
    }
    let check = |args: &str| audit(&format!("--root {} {args}", nothing.path().display()));
    let said = plugin(&check("--format nagios").run().ends_with(3).out);
    assert!(said.text.starts_with("no list of devices was found"), "{}", said.text);
    let said = plugin(&check("--format nagios --if-requested -q").run().ends_with(0).out);
    assert_eq!((said.text.as_str(), said.data["requested"][0].as_str()), ("nothing is requested", "0"));
    let file = nothing.at("metrics.prom");
    check("--format prometheus --if-requested --output").with(&file).run().ends_with(0).says_nothing();
    assert_eq!(exposition(&std::fs::read_to_string(file).unwrap())["pciback_audit_verdict"].to_string(), "0");
}

#[test]
fn metrics_can_be_read_by_all() {
    let folder = Folder::new();
    for (form, wanted) in [("prometheus", 0o644), ("json", 0o600)] {
        let file = folder.at(&format!("report.{form}"));
        let command = audit("demo --format").with(form).with("--output").with(&file).command();
        let program = command.get_program().to_owned();
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(program).args(command.get_args());
        assert_eq!(shell.status().unwrap().code(), Some(2));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, wanted);
    }
    assert_eq!(folder.names().len(), 2);
    let samples = exposition(&std::fs::read_to_string(folder.at("report.prometheus")).unwrap());
    assert!(samples["pciback_audit_run_duration_seconds"] > 0.0);
    assert!(!samples.contains_key("pciback_audit_last_run_timestamp_seconds"), "the demo is of no time");
    let ran = audit("--format prometheus --root").with(Folder::of("all-seized").path()).run().ends_with(0);
    assert!(exposition(&ran.out)["pciback_audit_last_run_timestamp_seconds"] > 1.7e9);
}

#[test]
fn a_run_that_cannot_judge_says_so_to_monitors() {
    let folder = Folder::new();
    let file = folder.at("metrics.prom");
    let limited = |form: &str| {
        let command = audit("-t 1 --device 00:1d.0 - --format").with(form).with("--output").with(&file);
        let mut child = command.command().stdin(Stdio::piped()).spawn().unwrap();
        let pipe = child.stdin.take();
        let status = child.wait().unwrap().code();
        drop(pipe);
        assert_eq!(status, Some(3));
        std::fs::read_to_string(&file).unwrap()
    };
    let samples = exposition(&limited("prometheus"));
    assert_eq!(samples["pciback_audit_verdict"].to_string(), "3");
    assert!(samples["pciback_audit_run_duration_seconds"] >= 1.0);
    assert!(!samples.keys().any(|name| name.starts_with("pciback_audit_devices")), "{samples:?}");
    let said = plugin(&limited("nagios"));
    assert!(said.word == "UNKNOWN" && said.text.contains("time limit of 1 s"), "{}", said.text);
    assert_eq!(said.data["seized"][0], "U");
}
