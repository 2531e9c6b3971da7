//! `--policy` as a command: in `check`, `watch` and `scan`, by exit status and in every form.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

mod common;

use common::{Audit, Folder, audit};
use serde_json::Value;

/// What the machine of the captures has.
const SITE: &str = "\
[[device]]
address = \"00:1d.0\"
id = \"8086:2934\"
label = \"USB of the \\\"door\\\"\"

[[device]]
address = \"0000:00:1d.7\"
id = \"8086:293A\"
guest = \"door\"
";

fn site(folder: &Folder, text: &str) -> String {
    folder.file("site.toml", text.as_bytes());
    folder.at("site.toml").to_str().unwrap().to_owned()
}

/// `check` of a captured machine by this policy.
fn check(args: &str, machine: &str, policy: &str) -> (Audit, Folder) {
    let folder = Folder::of(machine);
    let file = site(&folder, policy);
    (audit(args).with("--policy").with(file).with("--root").with(folder.path()), folder)
}

#[test]
fn its_devices_are_the_request() {
    let (run, folder) = check("check -J", "all-seized", SITE);
    let ran = run.run().ends_with(0);
    let (report, file) = (ran.json(), folder.at("site.toml"));
    assert_eq!(report["summary"]["requested"], 2);
    let entry = &report["request"]["entries"][1];
    assert_eq!((entry["source"].as_str(), entry["text"].as_str()), (Some("policy"), Some("0000:00:1d.7")));
    assert_eq!(entry["location"], format!("{}:7", file.to_str().unwrap()));
    assert_eq!(ran.device("0000:00:1d.0")["label"], "USB of the \"door\"");
    // Its list names these two as well, which explains them.
    assert_eq!(ran.device("0000:00:1d.1")["status"], "unrequested");
    assert_eq!(ran.device("0000:00:1d.1")["requested"], false);
    let schema: Value = serde_json::from_str(include_str!("../schema/report-1.json")).unwrap();
    assert!(jsonschema::draft202012::new(&schema).unwrap().is_valid(&report), "{report:#}");
}

#[test]
fn labels_and_places_are_shown_in_every_form() {
    let (run, _folder) = check("check", "silently-ignored", SITE);
    let ran = run.run().ends_with(2).says("site.toml:2").says("uhci_hcd  00:1d.0  USB of the \"door\"");
    assert!(ran.err.is_empty(), "{}", ran.err);
    let (run, _folder) = check("check --format prometheus", "silently-ignored", SITE);
    run.run().ends_with(2).says("id=\"8086:2934\",label=\"USB of the \\\"door\\\"\"} 1");
    let (run, _folder) = check("check --format nagios", "silently-ignored", SITE);
    run.run().ends_with(2).says("PCIBACK CRITICAL - 1/2 seized; 00:1d.0 held by uhci_hcd");
}

#[test]
fn another_card_is_critical_though_pciback_has_it() {
    let policy = SITE.replace("8086:2934", "8086:1521") + "severity = \"warning\"\n";
    let (run, _folder) = check("check -J", "all-seized", &policy);
    let ran = run.run().ends_with(2);
    assert_eq!(ran.device("0000:00:1d.0")["status"], "seized");
    assert_eq!(ran.device("0000:00:1d.0")["findings"], serde_json::json!(["identity-changed", "reset-missing"]));
    let (run, _folder) = check("check -v", "all-seized", &policy);
    let ran = run.run().ends_with(2).says("critical identity-changed: 0000:00:1d.0").says("vendor is 0x8086");
    ran.says("says \"8086:1521\"").says("explain identity-changed");
    let (run, _folder) = check("check --format nagios", "all-seized", &policy);
    run.run().ends_with(2).says("2/2 seized; 00:1d.0 identity-changed");
    let (run, _folder) = check("check --ignore identity-changed@0000:00:1d.0", "all-seized", &policy);
    run.run().ends_with(0);
}

#[test]
fn a_severity_weighs_what_became_of_a_device_and_no_doubt() {
    let lesser = SITE.replace("label", "severity = \"warning\"\nlabel");
    let (run, _folder) = check("check", "silently-ignored", &lesser);
    run.run().ends_with(1).says("WARNING: 1 of 2 requested devices is pciback's").says("warning held-by-driver");
    let (run, _folder) = check("check --format nagios", "silently-ignored", &lesser);
    run.run().ends_with(1).says("PCIBACK WARNING - 1/2 seized; 00:1d.0 held by uhci_hcd |");
    let (run, _folder) = check("check --fail-on critical", "silently-ignored", &lesser);
    run.run().ends_with(0);
    let nothing = Folder::new();
    let file = site(&nothing, &lesser);
    audit("check --fail-on critical --policy").with(file).with("--root").with(nothing.path()).run().ends_with(3);
}

#[test]
fn a_policy_that_is_not_understood_judges_nothing() {
    for (policy, said) in [
        (String::new(), "site.toml: it names no device"),
        ("[[device]]\n".to_owned(), "site.toml:1:1: this device has no address"),
        (format!("{SITE}[[rule]]\nregex = 'x'\n"), "site.toml:10:3: [[rule]] is reserved"),
        (format!("{SITE}[[accept]]\ncode = 'absent'\n"), "site.toml:10:1: this accept has no reason"),
        (format!("{SITE}sort = 1\n"), "site.toml:10:1: this version does not know `sort`"),
        (format!("{SITE}{SITE}"), "site.toml:11:11: 0000:00:1d.0 stands in line 2 already"),
        (format!("{SITE}x"), "site.toml:10:2: this is no TOML"),
        (format!("# \u{1b}[2J\n{SITE}"), "site.toml:1:3: this is no TOML"),
        (format!("{SITE}\"\\u001b[2J\" = 1"), "site.toml:10:1: this version does not know `\\x1b[2J`"),
        (SITE.repeat(10_000), "site.toml: the file is longer than 1024 KiB"),
    ] {
        let (run, _folder) = check("check --fail-on critical --if-requested", "all-seized", &policy);
        let ran = run.run().ends_with(3).complains("--policy ").complains(said).says("policy-unreadable");
        assert!(!ran.err.contains('\u{1b}') && !ran.out.contains('\u{1b}'), "{}", ran.err);
    }
}

#[test]
fn a_policy_that_cannot_be_read_is_3_in_every_form() {
    let folder = Folder::of("all-seized");
    for missing in [folder.at("nowhere.toml"), folder.path().to_owned()] {
        let run = |args: &str| audit(args).with("--root").with(folder.path()).with("--policy").with(&missing).run();
        run("check").ends_with(3).complains("--policy /").says("UNKNOWN: the policy cannot be used");
        let report = run("check -J").ends_with(3);
        assert_eq!(
            (report.codes(), &report.json()["verdict"]),
            (vec!["policy-unreadable".to_owned()], &"unknown".into())
        );
        let ran = run("check --format nagios").ends_with(3).says("PCIBACK UNKNOWN - --policy /");
        assert_eq!(ran.err, "");
        run("check --format prometheus").ends_with(3).says("\npciback_audit_verdict 3\n");
        let file = folder.at("report.json");
        run(&format!("check -q -J --output {}", file.display())).ends_with(3);
        assert!(std::fs::read_to_string(file).unwrap().contains("policy-unreadable"));
    }
    for endless in ["/dev/zero", "/dev/full"] {
        audit("check --policy").with(endless).run().ends_with(3).complains("is not a regular file");
    }
    let folder = Folder::new();
    folder.file("long.toml", &vec![b' '; (1 << 20) + 1]);
    let ran = audit("check --policy").with(folder.at("long.toml")).run();
    ran.ends_with(3).complains("the file is longer than 1024 KiB");
}

#[test]
fn it_stands_for_the_request_alone() {
    for args in [
        "--policy x --hide (00:1d.0)",
        "check --policy x --device 00:1d.0",
        "check --policy x --hide-from slots",
        "check --policy x --policy y",
        "watch --policy x --device 00:1d.0",
        "scan --policy x --hide (00:1d.0) y",
        "scan --policy x --device 00:1d.0 y",
        "demo --policy x",
    ] {
        assert_eq!(audit(args).run().ends_with(3).complains("--policy").out, "", "{args}");
    }
}

#[test]
fn watch_reads_it_before_anything_else() {
    let folder = Folder::new();
    let file = site(&folder, "[[device]]\naddress = \"00:1d\"\n");
    let ran = audit("watch --policy").with(file).run().ends_with(3).complains("site.toml:2:11: `00:1d`: no function");
    assert_eq!(ran.out, "");
    audit("watch --policy").with(folder.at("nowhere.toml")).run().ends_with(3).complains("nowhere.toml");
}

/// A boot of this host that took these devices.
fn boot(day: usize, functions: &[u8]) -> String {
    let line = |micros: usize, text: &str| {
        format!("2026-11-{day:02}T06:00:00.{micros:06}+00:00 a kernel: [    1.{micros:06}] {text}\n")
    };
    let mut text = line(0, "Linux version 6.1.0-56-amd64 (x) #1 SMP") + &line(1, "Command line: root=/dev/sda");
    for function in functions {
        text +=
            &line(2 + usize::from(*function), &format!("pciback 0000:00:1d.{function}: xen_pciback: seizing device"));
    }
    text + &line(900, "xen_pciback: backend is vpci")
}

#[test]
fn scan_holds_every_boot_against_it() {
    let folder = Folder::new();
    folder.file("kern.log", (boot(20, &[0]) + &boot(21, &[0, 7])).as_bytes());
    let scan = |args: &str, policy: &str| {
        let file = site(&folder, policy);
        audit(&format!("scan --trust-log {args}")).with("--policy").with(file).with(folder.at("kern.log")).run()
    };
    scan("--all", SITE).ends_with(0).says("a     2026-11-21 06:00Z  ok        2/2");
    scan("--boot all", SITE).ends_with(2).says("00:1d.7 missing");
    let ran = scan("--boot all --format json", SITE).ends_with(2);
    let report: Value = serde_json::from_str(ran.out.lines().next().unwrap()).unwrap();
    assert_eq!(report["request"]["entries"][0]["source"], "policy");
    let lesser = format!("{SITE}severity = \"warning\"\n");
    scan("--boot all", &lesser).ends_with(1).says("warning").says("00:1d.7 missing");
}

#[test]
fn scan_does_nothing_by_a_policy_that_is_not_understood() {
    let folder = Folder::new();
    folder.file("kern.log", boot(20, &[0]).as_bytes());
    let file = site(&folder, "[[device]]\naddress = \"00:1d.0\"\n[[rule]]\n");
    for form in ["", "--summary", "--if-requested", "-q"] {
        let ran = audit(&format!("scan {form} --policy")).with(&file).with(folder.at("kern.log")).run();
        let ran = ran.ends_with(3).complains("site.toml:3:3: [[rule]] is reserved");
        assert!(!ran.out.contains("00:1d.0"), "{}", ran.out);
    }
    let out = folder.at("report.json");
    audit("scan -J --policy").with(&file).with("--output").with(&out).with(folder.at("kern.log")).run().ends_with(3);
    let report: Value = serde_json::from_str(&std::fs::read_to_string(out).unwrap()).unwrap();
    assert_eq!(report["findings"][0]["code"], "policy-unreadable");
}

#[test]
fn what_is_accepted_is_a_note_with_its_reason() {
    let accept = |until: &str| {
        format!(
            "[[device]]\naddress = \"00:1d.0\"\n\n[[accept]]\ncode = \"held-by-driver\"\naddress = \"00:1d.0\"\n{until}reason = \"moves in May\"\n"
        )
    };
    let (run, _folder) = check("check -J", "silently-ignored", &accept(""));
    let ran = run.run().ends_with(0);
    let report = ran.json();
    let note = &report["findings"].as_array().unwrap().iter().find(|found| found["code"] == "held-by-driver").unwrap();
    assert_eq!((note["severity"].as_str(), report["verdict"].as_str()), (Some("info"), Some("ok")));
    assert!(note["evidence"].to_string().contains("accepted: moves in May"), "{note:#}");
    let (run, _folder) = check("check", "silently-ignored", &accept("until = 2020-01-31\n"));
    run.run().ends_with(2).says("held-by-driver");
    let (run, _folder) = check("check", "silently-ignored", &accept("").replace("held-by-driver", "held"));
    run.run().ends_with(3).complains("site.toml:5: `held` is no finding code");
}
