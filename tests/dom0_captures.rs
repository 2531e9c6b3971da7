//! What boots of the real dom0 left in `testdata/dom0`: as old as the scenario that made it, and judged as it was there.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

mod support;

use std::path::Path;

use pciback_audit::audit::{Asked, Case, conclude};
use pciback_audit::pci::Address;
use pciback_audit::report::{Device, Report, Severity, Verdict};
use support::scenario::xen_log;
use support::summary::summary;
use support::{log, read, testdata, tree};

fn captures() -> Vec<String> {
    let folders = std::fs::read_dir(testdata("dom0")).unwrap().filter_map(Result::ok).filter(|f| f.path().is_dir());
    let mut names: Vec<String> = folders.map(|f| f.file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(!names.is_empty(), "no capture of a real dom0 is kept");
    names
}

/// `NAME`, or `NAME@KERNEL` for the capture of another kernel.
fn scenario(name: &str) -> String {
    let name = name.split('@').next().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/dom0/scenarios/{name}.scenario"));
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("the scenario of testdata/dom0/{name}: {error}"))
}

#[test]
fn no_capture_is_older_than_the_scenario_that_made_it() {
    // On which kernels a scenario runs changes no capture.
    let says = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.starts_with("kernels: ") && !line.starts_with("further: "))
            .map(str::to_owned)
            .collect()
    };
    let is_older = |name: &String| {
        let made_by = String::from_utf8(read(&format!("dom0/{name}/made-by.scenario"))).unwrap();
        says(&made_by) != says(&scenario(name))
    };
    let older: Vec<String> = captures().into_iter().filter(is_older).collect();
    assert!(older.is_empty(), "older than their scenarios: tests/dom0/run --save {} --kernel 6.1", older.join(" "));
}

#[test]
fn every_capture_is_judged_as_the_real_dom0_was() {
    for name in captures() {
        let scenario = scenario(&name);
        let (steps, parts) = scenario.split_once("--- steps\n").unwrap().1.split_once("\n--- ").unwrap();
        let last = steps.lines().rfind(|line| line.starts_with("audit ")).unwrap();
        let words = words(last, steps);
        let (part, arguments) = (words[1].as_str(), &words[2..]);
        let expected = parts.split("--- ").find_map(|text| text.strip_prefix(part)?.strip_prefix('\n')).unwrap();
        let report = conclude(&case(&name, arguments));
        for line in expected.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            assert!(holds(&report, line), "{name}: {line}\n{}", summary(&report));
        }
        let devices = expected.lines().filter(|line| line.starts_with("device ")).count();
        assert!(devices == 0 || devices == report.devices.len(), "{name}: devices\n{}", summary(&report));
        let findings = expected.lines().filter(|line| line.starts_with("finding ")).count();
        let found = report.findings.iter().filter(|finding| finding.severity != Severity::Info).count();
        assert_eq!(found, findings, "{name}: findings\n{}", summary(&report));
    }
}

/// The words of a shell line, with quotes and the one variable that the scenarios use.
fn words(line: &str, steps: &str) -> Vec<String> {
    let list = steps.lines().find_map(|line| line.strip_prefix("list='")?.strip_suffix('\''));
    let line = line.replace("\"$list\"", &format!("'{}'", list.unwrap_or("$list")));
    let mut words = Vec::new();
    for (number, part) in line.split('\'').enumerate() {
        if number % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn case(name: &str, arguments: &[String]) -> Case {
    let mut asked = Asked::Found { from: None };
    let mut xen_logs = Vec::new();
    for pair in arguments.chunks(2) {
        match (pair[0].as_str(), &mut asked) {
            ("--device", Asked::Devices(known)) => known.push(pair[1].parse().unwrap()),
            ("--device", other) => *other = Asked::Devices(vec![pair[1].parse().unwrap()]),
            ("--hide", other) => *other = Asked::List(pair[1].clone().into_bytes()),
            ("--xen-log", _) => {
                let file = format!("dom0/{name}/{}", pair[1].trim_start_matches("/out/"));
                xen_logs.push(xen_log(&file, std::str::from_utf8(&read(&file)).unwrap()));
            }
            (other, _) => panic!("{name}: {other} is not known to this test"),
        }
    }
    Case {
        asked,
        tree: Some(tree(&read(&format!("dom0/{name}/root.txt")))),
        logs: vec![log(0, "kmsg", &read(&format!("dom0/{name}/kmsg.raw")))],
        xen_logs,
        ..Case::default()
    }
}

fn address(text: &str) -> Address {
    let bus = if text.contains(':') { "" } else { "00:" };
    format!("{bus}{text}").parse().unwrap()
}

fn holds(report: &Report, line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["exit", status] => report.exit_status.to_string() == *status,
        ["verdict", verdict] => report.verdict.name() == *verdict,
        ["device", device, status, rest @ ..] => {
            let driver = rest.first().filter(|driver| **driver != "-").copied();
            let found = report.devices.iter().find(|found| found.address == address(device));
            found.is_some_and(|found| found.status.name() == *status && found.driver.as_deref() == driver)
        }
        [kind @ ("finding" | "info" | "never"), code, device @ ..] => {
            let device = device.first().map(|device| address(device));
            let found = report.findings.iter().any(|found| {
                let counts = (found.severity == Severity::Info) == (*kind == "info");
                found.code.name() == *code && found.address == device && (counts || *kind == "never")
            });
            found != (*kind == "never")
        }
        ["says", code, text @ ..] => {
            report.findings.iter().any(|found| found.code.name() == *code && found.message.contains(&text.join(" ")))
        }
        // Members of the JSON are judged in the dom0 itself.
        ["json", ..] => true,
        _ => panic!("a line that this test does not know: {line}"),
    }
}

#[test]
fn every_form_of_a_captured_log_is_judged_alike_beside_its_host() {
    let statuses = |case: &Case| {
        let report = conclude(case);
        let line = |device: &Device| format!("{} {}", device.address, device.status.name());
        (report.verdict, report.devices.iter().map(line).collect::<Vec<_>>())
    };
    let mut forms = 0;
    for name in captures() {
        let by_records = case(&name, &[]);
        for file in std::fs::read_dir(testdata(&format!("dom0/{name}"))).unwrap().filter_map(Result::ok) {
            let file = file.file_name().into_string().unwrap();
            if !file.starts_with("dmesg") && file != "serial.log" {
                continue;
            }
            let mut by_form = by_records.clone();
            by_form.logs = vec![log(0, &file, &read(&format!("dom0/{name}/{file}")))];
            // A form that does not say who wrote a line cannot tell a forged seizing line: the device that it names was
            // lost then, and not only held. That it is not pciback's is the host's word either way.
            let verdicts = (statuses(&by_form).0, statuses(&by_records).0);
            assert_eq!(verdicts.0, verdicts.1, "{name}/{file}");
            if conclude(&by_form).logs[0].trusted {
                assert_eq!(statuses(&by_form).1, statuses(&by_records).1, "{name}/{file}");
            }
            by_form.tree = None;
            assert_ne!(statuses(&by_form).0, Verdict::Ok, "{name}/{file} alone");
            forms += 1;
        }
    }
    assert!(forms >= 10, "the forms of no capture are kept: tests/dom0/run --save --forms forged --kernel 6.1");
}

/// The log of a capture, with what the scenario asked for.
fn log_of(name: &str, index: usize) -> pciback_audit::timeline::Log {
    log(index, name, &read(&format!("dom0/{name}/kmsg.raw")))
}

fn by_logs(list: &str, names: &[&str]) -> Report {
    let logs = names.iter().enumerate().map(|(index, name)| log_of(name, index)).collect();
    conclude(&Case { asked: Asked::List(list.as_bytes().to_vec()), logs, ..Case::default() })
}

fn status(report: &Report, device: &str) -> &'static str {
    report.devices.iter().find(|found| found.address == address(device)).unwrap().status.name()
}

const TWO_PORTS: &str = "(0000:00:1d.0)(0000:00:1d.1)";

#[test]
fn a_release_that_the_kernel_tells_of_is_a_loss_by_the_log_alone() {
    let report = by_logs(TWO_PORTS, &["assignable-remove-debug"]);
    assert_eq!((status(&report, "1d.0"), status(&report, "1d.1")), ("seized", "lost"), "{}", summary(&report));
}

#[test]
fn a_device_torn_from_a_guest_is_lost_by_the_log_alone() {
    let report = by_logs(TWO_PORTS, &["torn-from-guest"]);
    assert_eq!((status(&report, "1d.0"), status(&report, "1d.1")), ("lost", "seized"), "{}", summary(&report));
}

#[test]
fn two_boots_of_one_machine_are_never_one() {
    let list = "(0000:00:03.0)(0000:00:1d.0)";
    let alone = ["one-held", "other-held"].map(|name| by_logs(list, &[name]).verdict);
    assert!(alone.iter().all(|verdict| *verdict > Verdict::Warning), "{alone:?}");
    for names in [["one-held", "other-held"], ["other-held", "one-held"]] {
        let report = by_logs(list, &names);
        assert!(report.verdict > Verdict::Warning, "{names:?}\n{}", summary(&report));
        let seized = ["03.0", "1d.0"].map(|device| status(&report, device) == "seized");
        assert_ne!(seized, [true, true], "{names:?}\n{}", summary(&report));
    }
}

#[test]
fn what_others_print_in_pcibacks_name_unsettles_no_device() {
    let report = by_logs("(0000:00:03.0)(0000:00:0b.0)", &["rom-read"]);
    let seized = ["03.0", "0b.0"].map(|device| status(&report, device));
    assert_eq!((seized, report.verdict), (["seized"; 2], Verdict::Ok), "{}", summary(&report));
}
