//! The command line as scripts meet it: a case per flag and exit status.

mod common;

use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Folder, audit, capture, captures, gzip};

const FOUR: &str = "(0000:00:1d.0)(0000:00:1d.1)(0000:00:1d.2)(0000:00:1d.7)";

#[expect(clippy::unwrap_used, reason = "without the capture there is nothing to test")]
fn kmsg(name: &str) -> Vec<u8> {
    std::fs::read(capture(name).join("kmsg.raw")).unwrap()
}

// Exit statuses.

#[test]
fn all_seized_is_0() {
    let folder = Folder::of("all-seized");
    audit("check --root").with(folder.path()).run().ends_with(0).says("OK: all 4 requested devices are pciback's");
}

#[test]
fn a_log_that_does_not_name_its_authors_is_1() {
    let log = capture("all-seized").join("dmesg.txt");
    audit("check --hide").with(FOUR).with(&log).run().ends_with(1).says("author-unstated");
    audit("check --trust-log --hide").with(FOUR).with(&log).run().ends_with(0);
    audit("check --ignore author-unstated --hide").with(FOUR).with(&log).run().ends_with(0);
    let ran = audit("check -J --fail-on critical --hide").with(FOUR).with(log).run().ends_with(0);
    assert_eq!((ran.json()["verdict"].as_str(), ran.json()["exit_status"].as_u64()), (Some("warning"), Some(0)));
}

#[test]
fn a_device_that_another_driver_has_is_2() {
    let folder = Folder::of("silently-ignored");
    let ran = audit("--root").with(folder.path()).run().ends_with(2);
    let ran = ran.says("CRITICAL: 1 of 4 requested devices is pciback's").says("held-by-driver: 3 devices");
    ran.says("explain held-by-driver");
    let whole = audit("-v --root").with(folder.path()).run().ends_with(2);
    whole.says("/sys/bus/pci/devices/0000:00:1d.0/driver is uhci_hcd");
}

#[test]
fn unknown_is_3_whatever_fails() {
    let nothing = Folder::new();
    audit("check --fail-on critical --device 00:1d.0 --root").with(nothing.path()).run().ends_with(3).says("UNKNOWN");
}

#[test]
fn bad_usage_is_3_and_names_the_argument() {
    for (args, named) in [
        ("--bogus", "--bogus"),
        ("check --bogus", "--bogus"),
        ("--hide", "--hide"),
        ("--device 00:1d", "--device"),
        ("--device 00:1d.8", "--device"),
        ("--device 00:20.0", "the slot is above 1f"),
        ("--device (00:1d.0)", "--device"),
        ("--hide (00:1d.0) --device 00:1d.0", "--device"),
        ("--hide (00:1d.0) --hide-from slots", "--hide-from"),
        ("--device 00:1d.0 --hide-from slots", "--hide-from"),
        ("--hide-from somewhere", "--hide-from"),
        ("--hide (00:1d.0) --hide (00:1d.1)", "--hide"),
        ("--host --no-host", "--no-host"),
        ("--root / --host", "--root"),
        ("--root / --log journal", "--log journal"),
        ("--log - -", "--log"),
        ("--boot 1", "--boot"),
        ("--boot last", "--boot"),
        ("check --boot xyz", "or all"),
        ("scan --boot 1 x", "--boot"),
        ("scan --boot xyz x", "or all"),
        ("--boot all --wait 1s", "--boot"),
        ("--boot all --format tree x", "--boot all"),
        ("explain 00:1d.0 --boot all", "--boot all"),
        ("--until 2026-11-22 --host", "--until"),
        ("--until someday x", "--until someday"),
        ("--since 2026-11-22 --until 2026-11-21 x", "--since is later"),
        ("--log-zone CET x", "--log-zone"),
        ("collect", "reserved"),
        ("--bundle x", "reserved"),
        ("--kernel six", "--kernel"),
        ("--ignore nonsense", "--ignore"),
        ("--ignore absent@nowhere", "--ignore"),
        ("--fail-on ok", "--fail-on"),
        ("--event-window 24", "--event-window"),
        ("--event-window 1w", "--event-window"),
        ("--format html", "--format"),
        ("--json --format table", "--json"),
        ("--color sometimes", "--color"),
        ("--timeout 0", "--timeout"),
        ("--timeout soon", "--timeout"),
        ("demo --hide (00:1d.0)", "--hide"),
        ("demo something", "something"),
        ("explain absent unbound", "unbound"),
    ] {
        let ran = audit(args).run().ends_with(3).complains(named);
        assert_eq!(ran.out, "", "{args}");
    }
}

#[test]
fn help_and_version_are_0() {
    for args in
        ["--help", "-h", "check --help", "demo -h", "explain --help", "--version", "-V", "scan --version", "check -V"]
    {
        let ran = audit(args).run().ends_with(0).says(if args.contains('V') || args.contains("version") {
            env!("CARGO_PKG_VERSION")
        } else {
            "Usage"
        });
        assert_eq!(ran.err, "", "{args}");
        assert!(ran.out.lines().all(|line| line.chars().count() <= 80), "{}", ran.out);
    }
}

#[test]
fn version_tells_features_and_the_sandbox_when_asked() {
    let plain = audit("--version").run().ends_with(0).says("features: archives klogctl policy");
    assert!(!plain.out.contains("sandbox"), "{}", plain.out);
    audit("-v --version").run().ends_with(0).says("sandbox: no_new_privs");
}

#[test]
fn completions_and_pages_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        audit(&format!("completions {shell}")).run().ends_with(0).says("hide-from");
    }
    audit("completions").run().ends_with(3).complains("SHELL");
    audit("man").run().ends_with(0).says(".TH pciback-audit 1");
    audit("man scan").run().ends_with(0).says(".TH pciback-audit-scan 1");
    audit("man nothing").run().ends_with(3).complains("no command `nothing`; there are: check watch scan");
}

// The request.

#[test]
fn hide_is_read_as_the_kernel_reads_it() {
    let folder = Folder::of("all-seized");
    let check = |args: &str, list: &str| audit(args).with(list).with("--root").with(folder.path()).run();
    check("-J --hide", "(00:1d.0)( 0000:00:1d.1)").ends_with(0);
    let refused = check("-J --hide", "(00:1d.0),(00:1d.1)").ends_with(2);
    assert_eq!(refused.codes().first().map(String::as_str), Some("list-malformed"));
    assert_eq!(refused.json()["request"]["accepted"], false);
    let cut = check("-J --kernel 3.4 --hide", "(00:1d.0)(00:1d.1");
    assert!(cut.codes().contains(&"list-cut-short".to_owned()), "{:?}", cut.codes());
}

#[test]
fn devices_may_be_named_in_short() {
    let folder = Folder::of("silently-ignored");
    let ran = audit("-J --device 00:1d.7 --device 0000:00:1d.0 --root").with(folder.path()).run().ends_with(2);
    assert_eq!(ran.device("0000:00:1d.7")["status"], "seized");
    assert_eq!(ran.device("0000:00:1d.0")["status"], "held");
    assert_eq!(ran.json()["summary"]["requested"], 2);
    audit("--device 00:1d.7 --root").with(folder.path()).run().ends_with(0);
}

#[test]
fn the_list_can_be_taken_from_one_place() {
    let folder = Folder::of("list-on-command-line");
    for place in ["module", "cmdline", "slots", "log"] {
        let ran = audit("-J --hide-from").with(place).with("--root").with(folder.path()).run().ends_with(0);
        assert_eq!(ran.json()["request"]["entries"][0]["source"], place);
    }
    audit("--hide-from modprobe --root").with(folder.path()).run().ends_with(3).says("nothing-requested");
}

#[test]
fn nothing_requested_can_be_fine() {
    let nothing = Folder::new();
    audit("check --root").with(nothing.path()).run().ends_with(3).says("nothing-requested");
    // An empty directory proves nothing; places that hold no list do.
    audit("check --if-requested --root").with(nothing.path()).run().ends_with(3).says("nothing-requested");
    for directory in ["proc", "sys/module", "etc", "usr/lib"] {
        std::fs::create_dir_all(nothing.path().join(directory)).unwrap();
    }
    std::fs::write(nothing.path().join("proc/cmdline"), "ro quiet\n").unwrap();
    audit("check --if-requested --root").with(nothing.path()).run().ends_with(0).says_nothing();
    let file = nothing.at("report");
    audit("-J --if-requested --output")
        .with(&file)
        .with("--root")
        .with(nothing.path())
        .run()
        .ends_with(0)
        .says_nothing();
    assert!(std::fs::read_to_string(file).unwrap().contains("nothing-requested"));
}

// The evidence.

#[test]
fn what_is_no_log_is_never_ok() {
    let folder = Folder::new();
    folder.file("empty", b"");
    folder.file("binary", &[0, 159, 146, 150, 255, 0, 1, 2].repeat(999));
    folder.file("letter", b"Dear all,\n\nthe meeting is off.\n\nYours\n");
    folder.file("cut.gz", &gzip(&kmsg("all-seized"))[..5000]);
    folder.file("cut.xz", b"\xfd7zXZ\0\0\0\0\0");
    folder.file("cut.bz2", b"BZh91AY&SY");
    folder.file("kern.log.lz4", b"\x04\x22\x4d\x18\x64\x40");
    folder.file("cut.journal", b"LPKSHHRH\0\0\0\0");
    let folder = &folder;
    for (name, what) in [
        ("missing", "no such file or directory"),
        (".", "directory"),
        ("empty", "is empty"),
        ("binary", "log"),
        ("letter", "no form of log that is known"),
        ("cut.gz", "gzip"),
        ("cut.xz", "xz"),
        ("cut.bz2", "bzip2"),
        ("kern.log.lz4", "lz4 -dc"),
        ("cut.journal", "a journal file, cut short"),
    ] {
        for with_list in ["check --device 00:1d.0", "check --hide (0000:00:1d.0)", "check"] {
            let ran = audit(with_list).with(folder.path().join(name)).run().ends_with(3);
            let said = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(ran.out.contains("log-unreadable") && said.contains(what), "{name}: {}", ran.out);
        }
    }
}

#[test]
fn a_named_log_that_cannot_be_read_is_complained_about() {
    let folder = Folder::of("all-seized");
    let ran = audit("--log /nowhere/kern.log --root").with(folder.path()).run().ends_with(3);
    let ran = ran.complains("/nowhere/kern.log: no such file or directory").says("log-unreadable");
    assert_eq!(ran.err.lines().count(), 1);
    audit("-q --log /nowhere/kern.log").run().ends_with(3).complains("/nowhere/kern.log");
    audit("--root /nowhere --device 00:1d.0").run().ends_with(3).complains("--root /nowhere");
}

#[test]
fn a_log_file_is_not_judged_by_this_machine() {
    let log = capture("all-seized").join("kmsg.raw");
    for file in [["check", "--log"], ["check", "--"], ["--no-host", "--log"]] {
        let ran = audit("-J --hide").with(FOUR);
        let ran = if file[1] == "--" { ran.with(&log) } else { ran.with("--log").with(&log) };
        let ran = ran.run().ends_with(0);
        assert_eq!(ran.device("0000:00:1d.0")["basis"], "log");
        assert_eq!(ran.json()["logs"][0]["source"], log.to_str().unwrap());
    }
}

#[test]
fn standard_input_and_gzip_are_logs_too() {
    audit("--hide").with(FOUR).with("-").input(kmsg("all-seized")).run().ends_with(0);
    audit("--log - --hide").with(FOUR).input(gzip(&kmsg("all-seized"))).run().ends_with(0);
    let twice = [gzip(&kmsg("all-seized")[..9000]), gzip(&kmsg("all-seized")[9000..])].concat();
    audit("- --hide").with(FOUR).input(twice).run().ends_with(0);
}

#[test]
fn logs_are_repeatable_and_read_in_their_order() {
    let folder = Folder::new();
    folder.file("a", &kmsg("all-seized"));
    folder.file("b", b"nothing\n");
    let ran = audit("-J --hide").with(FOUR).with("--log").with(folder.at("a")).with(folder.at("b")).run();
    let sources = ran.json();
    let sources: Vec<&str> =
        sources["logs"].as_array().unwrap().iter().map(|log| log["source"].as_str().unwrap()).collect();
    assert_eq!(sources, [folder.at("a").to_str().unwrap(), folder.at("b").to_str().unwrap()]);
}

#[test]
fn a_root_is_all_there_is() {
    let folder = Folder::of("all-seized");
    let ran = audit("-J --root").with(folder.path()).run().ends_with(0);
    assert_eq!(ran.json()["logs"][0]["source"], "kmsg");
    let nothing = Folder::new();
    let ran = audit("-J --device 00:1d.0 --root").with(nothing.path()).run().ends_with(3);
    let report = ran.json();
    assert!(report["host"].is_null() && report["kernel"].is_null() && report["boot_id"].is_null(), "{report:#}");
    assert_eq!(report["logs"][0]["records"], 0);
}

#[test]
fn a_root_keeps_its_log_in_one_of_several_places() {
    let text = std::fs::read(capture("all-seized").join("dmesg-r.txt")).unwrap();
    for place in ["dev/kmsg", "sos_commands/kernel/dmesg_-T", "var/log/dmesg", "var/log/kern.log", "var/log/messages"] {
        let folder = Folder::new();
        folder.file(place, &text);
        let ran = audit("-J --hide").with(FOUR).with("--root").with(folder.path()).run();
        assert!(ran.json()["logs"][0]["records"].as_u64().unwrap() > 400, "{place}");
    }
}

#[test]
fn the_log_of_a_root_counts_without_its_files() {
    let folder = Folder::of("silently-ignored");
    let ran = audit("-J --no-host --hide").with(FOUR).with("--root").with(folder.path()).run().ends_with(2);
    assert_eq!(ran.device("0000:00:1d.7")["basis"], "log");
    assert_eq!(ran.device("0000:00:1d.0")["status"], "missing");
}

/// Two boots: the first one took both devices, the second one only the first of them, and late.
const TWO_BOOTS: &str = "\
2026-11-20T06:00:00.000000+01:00 dom0 kernel: [    0.000000] Linux version 6.1.0-18-amd64 (debian) #1 SMP
2026-11-20T06:00:00.000000+01:00 dom0 kernel: [    0.000000] Command line: placeholder xen-pciback.hide=(00:1d.0)(00:1d.1)
2026-11-20T06:00:05.000000+01:00 dom0 kernel: [    5.000000] pciback 0000:00:1d.0: xen_pciback: seizing device
2026-11-20T06:00:05.000100+01:00 dom0 kernel: [    5.000100] pciback 0000:00:1d.1: xen_pciback: seizing device
2026-11-20T06:00:05.000200+01:00 dom0 kernel: [    5.000200] xen_pciback: backend is vpci
2026-11-20T06:10:05.000200+01:00 dom0 kernel: [  605.000200] usb 1-1: new device
2026-11-21T06:00:00.000000+01:00 dom0 kernel: [    0.000000] Linux version 6.1.0-18-amd64 (debian) #1 SMP
2026-11-21T06:00:00.000000+01:00 dom0 kernel: [    0.000000] Command line: placeholder xen-pciback.hide=(00:1d.0)(00:1d.1)
2026-11-21T06:05:00.000000+01:00 dom0 kernel: [  300.000000] usb 1-1: new device
2026-11-21T06:06:05.000000+01:00 dom0 kernel: [  366.000000] pciback 0000:00:1d.0: xen_pciback: seizing device
2026-11-21T06:06:05.000200+01:00 dom0 kernel: [  366.000200] xen_pciback: backend is vpci
2026-11-21T06:10:05.000200+01:00 dom0 kernel: [  605.000200] usb 1-2: new device
";

#[test]
fn a_time_can_be_asked_about() {
    let folder = Folder::new();
    folder.file("kern.log", TWO_BOOTS.as_bytes());
    let check = |args: &str| audit(&format!("check --trust-log {args}")).with(folder.at("kern.log")).run();
    check("").ends_with(2).says("missing  00:1d.1");
    // The module came later: that it had said nothing by then proves nothing.
    let ran = check("--until 2026-11-21T05:05:30Z").ends_with(3).says("unconfirmed  00:1d.0 00:1d.1");
    ran.says("only records until").says("2026-11-21T05:05:30Z");
    check("--until 2026-11-21").ends_with(0).says("2 seized: 00:1d.0 00:1d.1");
    // What came before is how things came to be as they are.
    check("--since 2026-11-21T05:09:00Z").ends_with(2).says("1 seized: 00:1d.0");
    check("--since 2026-11-22").ends_with(3).says("outside-window");
    let ran = check("-J --since 2026-11-21 --until 2026-11-21T06:00:00Z").ends_with(2);
    assert_eq!(ran.json()["window"]["since"], "2026-11-21T00:00:00Z");
    assert_eq!(ran.json()["window"]["until"], "2026-11-21T06:00:00Z");
    let undated = capture("all-seized").join("dmesg.txt");
    audit("check --since 2026-11-21 --hide").with(FOUR).with(undated).run().ends_with(3).says("outside-window");
}

#[test]
fn times_without_a_zone_are_of_the_zone_that_is_named() {
    let folder = Folder::new();
    folder.file("kern.log", TWO_BOOTS.replace("+01:00", "").as_bytes());
    let check = |args: &str| audit(&format!("check -J {args}")).with(folder.at("kern.log")).run().ends_with(2);
    assert!(check("").device("0000:00:1d.0")["seized_at"].is_null());
    assert_eq!(check("--log-zone +01:00").device("0000:00:1d.0")["seized_at"], "2026-11-21T05:06:05Z");
    assert_eq!(check("--log-zone -0330").device("0000:00:1d.0")["seized_at"], "2026-11-21T09:36:05Z");
    let scan = audit("scan --json --log-zone UTC").with(folder.at("kern.log")).run();
    assert!(scan.out.contains("\"ended\":\"2026-11-21T06:10:05.000200Z\""), "{}", scan.out);
}

#[test]
fn every_boot_can_be_asked_for() {
    let folder = Folder::new();
    folder.file("kern.log", TWO_BOOTS.as_bytes());
    let check = |args: &str| audit(&format!("check --boot all {args}")).with(folder.at("kern.log")).run();
    check("").ends_with(2).says("2026-11-20 05:00Z").says("2026-11-21 05:00Z").says("00:1d.1 missing");
    check("--device 00:1d.0 --trust-log").ends_with(0);
    let ran = check("-J").ends_with(2);
    let reports: Vec<serde_json::Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<_> = reports.iter().map(|report| report["boot"]["number"].as_i64()).collect();
    assert_eq!(numbers, [Some(-1), Some(0)]);
    // The host's files are of its last boot.
    let root = Folder::of("all-seized");
    audit("check --boot all --hide").with(FOUR).with("--root").with(root.path()).run().ends_with(0);
    audit("check --boot all").with(folder.at("nothing")).run().ends_with(3).complains("no such file");
    check("--format nagios").ends_with(3).says("PCIBACK UNKNOWN");
}

#[test]
fn an_earlier_boot_can_be_asked_for() {
    let log = capture("all-seized").join("kmsg.raw");
    audit("--boot 0 --hide").with(FOUR).with(&log).run().ends_with(0);
    audit("--boot -1 --hide").with(FOUR).with(log).run().ends_with(3);
}

#[test]
fn a_scan_can_be_of_an_earlier_boot_of_each_host() {
    let folder = Folder::new();
    folder.file("a.log", TWO_BOOTS.as_bytes());
    let second = TWO_BOOTS.replace(" dom0 ", " other ");
    folder.file("b.log", second.split_inclusive('\n').skip(6).collect::<String>().as_bytes());
    let scan = |args: &str| audit(&format!("scan --trust-log {args}")).with(folder.path()).run();
    scan("").ends_with(2).says("3 boots of 2 hosts");
    for last in ["last", "0"] {
        assert_eq!(scan(&format!("-J --boot {last}")).ends_with(2).out.lines().count(), 3);
    }
    let ran = scan("-J --boot -1").ends_with(0).complains("no boot -1 says anything of pciback for 1 of 2 hosts");
    let [report] = ran.out.lines().collect::<Vec<_>>()[..] else { panic!("{}", ran.out) };
    let report: serde_json::Value = serde_json::from_str(report).unwrap();
    assert_eq!((&report["host"], &report["boot"]["number"]), (&"dom0".into(), &(-1).into()));
    scan("--boot -1").ends_with(0).says("1 host is fine").says("1 boot of 1 host: 1 ok");
    assert_eq!(scan("--boot -1 --format csv").ends_with(0).out.lines().count(), 3);
    scan("--boot -2").ends_with(3).complains("for 2 of 2 hosts");
}

// The report.

#[test]
fn the_demo_is_a_real_dom0() {
    let ran = audit("demo").run().ends_with(2).says("CRITICAL: 1 of 6 requested devices is pciback's");
    assert_eq!(ran.err, "");
    assert_eq!(audit("demo -J").run().ends_with(2).json()["summary"]["held"], 5);
}

#[test]
fn the_demo_names_what_is_built_in() {
    let list = audit("demo --list").run().ends_with(0).out;
    for name in list.lines().filter_map(|line| line.split(' ').next()) {
        for form in ["table", "tree"] {
            let ran = audit("demo --format").with(form).with(name).run().ends_with(2);
            assert!(ran.out.starts_with("demo: a captured dom0, not this machine\n"), "{}", ran.out);
        }
    }
    assert!(list.lines().count() >= 4, "{list}");
    audit("demo --list lost").run().ends_with(3);
    audit("demo --list --quiet").run().ends_with(0).says_nothing();
}

#[test]
fn a_mistyped_command_is_no_log() {
    for (word, meant) in
        [("chekc", "`check`"), ("wach", "`watch`"), ("expl", "`explain`"), ("Demo", "`demo`"), ("plan2", "`plan`")]
    {
        audit(word).run().ends_with(3).complains(&format!("did you mean {meant}?"));
    }
    audit("collect").run().ends_with(3).complains("is reserved for");
    audit("chekc --format nagios").run().ends_with(3).says("PCIBACK UNKNOWN - `chekc` is no command and no file");
    // What is a file is a log, whatever its name.
    let folder = Folder::new();
    std::fs::write(folder.at("chekc"), "x\n").unwrap();
    audit("--device 00:1d.0").with(folder.at("chekc")).run().ends_with(3);
    audit("check chekc --device 00:1d.0").run().ends_with(3).complains("log chekc: ");
}

#[test]
fn columns_say_how_wide_a_page_is() {
    let widest = |columns: &'static str| {
        let out = audit("demo lost").env("COLUMNS", columns).run().ends_with(2).out;
        out.lines().map(|line| line.chars().count()).max().unwrap()
    };
    assert!(widest("60") <= 60 && widest("200") > 80);
    assert!(widest("x") <= 80);
}

#[test]
fn json_has_two_names() {
    let short = audit("demo -J").run().out;
    assert_eq!(short, audit("demo --format json").run().out);
    assert_eq!(short, audit("demo --json --format json --color always").run().out);
    assert!(short.starts_with("{\n") && short.ends_with("}\n"));
    assert_eq!(audit("demo --format table").run().out, audit("demo").run().out);
}

#[test]
fn quiet_is_silent_only_when_all_is_well() {
    let good = Folder::of("all-seized");
    audit("-q --root").with(good.path()).run().ends_with(0).says_nothing();
    audit("-q -J --root").with(good.path()).run().ends_with(0).says_nothing();
    let file = good.at("report");
    audit("-q --output").with(&file).with("--root").with(good.path()).run().ends_with(0).says_nothing();
    assert!(std::fs::read_to_string(file).unwrap().starts_with("OK: "));
    audit("demo -q").run().ends_with(2).says("CRITICAL");
}

#[test]
fn output_is_written_whole_or_not_at_all() {
    let folder = Folder::new();
    let file = folder.at("report.json");
    let ran = audit("demo -J --output").with(&file).run().ends_with(2);
    assert_eq!(ran.out, "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), audit("demo -J").run().out);
    assert_eq!(folder.names(), ["report.json"]);
    audit("demo --output /nowhere/report").run().ends_with(3).complains("--output /nowhere/report: ");
    audit("demo --output").with(folder.path()).run().ends_with(3).complains("directory");
    audit("demo --output /dev/null").run().ends_with(2);
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn a_run_that_cannot_judge_still_writes_its_output() {
    let folder = Folder::new();
    let file = folder.at("report.json");
    audit("-J --device 00:1d.0 /nowhere --output").with(&file).run().ends_with(3);
    assert!(std::fs::read_to_string(file).unwrap().contains("\"verdict\": \"unknown\""));
}

#[test]
fn a_closed_pipe_changes_nothing() {
    for (args, status) in [("demo", 2), ("demo -J", 2), ("--help", 0), ("explain", 0), ("explain absent", 0)] {
        let mut child = audit(args).command().spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{args}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{args}");
    }
}

#[test]
fn a_full_disk_is_3() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = audit("demo").command().stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("standard output: "));
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let coloured = |ran: common::Ran| ran.out.contains('\x1b');
    assert!(!coloured(audit("demo").run()));
    assert!(!coloured(audit("demo").env("TERM", "xterm").env("CLICOLOR_FORCE", "1").run()));
    assert!(!coloured(audit("demo --color never").run()));
    assert!(coloured(audit("demo --color always").run()));
    assert!(coloured(audit("demo --color always").env("NO_COLOR", "1").env("TERM", "dumb").run()));
    let plain = audit("demo").run().out;
    let painted = audit("demo --color always").run().out;
    let bare = painted
        .split('\x1b')
        .map(|part| part.strip_prefix('[').and_then(|code| code.split_once('m')).map_or(part, |(_, text)| text));
    assert_eq!(bare.collect::<String>(), plain, "only escape codes differ");
}

#[test]
fn eighty_columns_are_enough() {
    for name in captures() {
        let folder = Folder::of(&name);
        let ran = audit("-v --root").with(folder.path()).env("LC_ALL", "C.UTF-8").run();
        let json = audit("-J --root").with(folder.path()).run().json();
        let parts = ["now", "for_good"].into_iter().flat_map(|part| json["plan"][part].as_array().unwrap());
        let plan: Vec<&str> = parts.map(|line| line.as_str().unwrap()).collect();
        for line in ran.out.lines() {
            let is_command = (line.starts_with("    ") && !line.starts_with("    # ")) || plan.contains(&line);
            assert!(line.chars().count() <= 80 || is_command, "{name}: {line}");
        }
    }
}

#[test]
fn notes_are_shown_when_asked_for() {
    let folder = Folder::of("all-seized");
    let ran = audit("--root").with(folder.path()).run();
    assert!(!ran.out.contains("visible-by-design"), "{}", ran.out);
    audit("-v --root").with(folder.path()).run().says("visible-by-design");
}

#[test]
fn what_a_log_holds_cannot_reach_the_terminal() {
    let evil = "<3>[    1.0] xen_pciback: Error parsing pci_devs_to_hide at \"\u{1b}[2J\u{9b}31m\u{202e}x\"\n";
    let log = ["<5>[    0.0] Linux version 6.1.0 (a)\n<6>[    0.0] Command line: x\n", evil].concat();
    for form in ["table", "json"] {
        let ran =
            audit("-v --hide (0000:00:1d.0) --color never --format").with(form).with("-").input(log.clone()).run();
        let is_harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!ran.out.contains(is_harmful) && !ran.err.contains(is_harmful), "{:?}", ran.out);
    }
    let ran = audit("--device 00:1d.0").with("/nowhere/\u{1b}[2J").run().ends_with(3);
    assert!(!ran.out.contains('\x1b') && !ran.err.contains('\x1b'));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long the program takes is what is tested")]
fn a_time_limit_ends_what_does_not_end() {
    let start = Instant::now();
    let mut child = audit("-J -t 1 --device 00:1d.0 -").command().stdin(Stdio::piped()).spawn().unwrap();
    let pipe = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(pipe);
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("time limit of 1 s (--timeout)"));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["verdict"].as_str(), report["exit_status"].as_u64()), (Some("unknown"), Some(3)));
    let folder = Folder::of("all-seized");
    audit("-t 60 --root").with(folder.path()).run().ends_with(0);
}

/// Longer than any limit here, and shorter than anybody's patience.
const SOON: Duration = Duration::from_secs(20);

/// A fifo that nobody has open at its other end.
#[expect(clippy::unwrap_used, reason = "without the fifo there is nothing to test")]
fn fifo(folder: &Folder) -> std::path::PathBuf {
    let path = folder.at("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    path
}

#[test]
fn a_fifo_is_refused_at_once_as_a_policy_and_as_the_place_of_the_report() {
    let folder = Folder::new();
    let fifo = fifo(&folder);
    let log = capture("all-seized").join("kmsg.raw");
    for command in ["check", "scan"] {
        audit(command).with("--policy").with(&fifo).with(&log).run().ends_with(3).complains("is not a regular file");
        let ran = audit(command).with("--hide").with(FOUR).with("--output").with(&fifo).with(&log).run();
        ran.ends_with(3).complains("is a fifo");
    }
    audit("demo --output").with(&fifo).run().ends_with(3).complains("is a fifo");
    audit("demo --output /dev/zero").run().ends_with(3).complains("is a device");
    assert_eq!(folder.names(), ["fifo"]);
}

#[test]
fn files_that_the_kernel_makes_up_are_no_policies() {
    audit("--policy /proc/self/status").run().ends_with(3).complains("is made up by the kernel");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long the program takes is what is tested")]
fn a_time_limit_ends_what_waits_for_a_fifo_and_the_report_says_so() {
    let folder = Folder::new();
    let fifo = fifo(&folder);
    let file = folder.at("report");
    let start = Instant::now();
    audit("explain 00:1d.0 --timeout 1").with(&fifo).run().ends_with(3).complains("time limit of 1 s (--timeout)");
    assert!(start.elapsed() < SOON);
    for command in ["check", "scan"] {
        let start = Instant::now();
        let ran = audit(command).with("-J").with("--timeout").with("1").with("--output").with(&file);
        ran.with("--hide").with(FOUR).with(&fifo).run().ends_with(3);
        assert!(start.elapsed() < SOON, "{command}");
        let report = std::fs::read_to_string(&file).unwrap();
        assert!(report.contains("unknown"), "{command}: {report}");
        std::fs::remove_file(&file).unwrap();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long the program takes is what is tested")]
fn a_signal_ends_it_whatever_it_waits_for() {
    use std::os::unix::process::ExitStatusExt as _;

    use rustix::process::{Pid, Signal, kill_process};
    let folder = Folder::new();
    let fifo = fifo(&folder);
    let signals = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::XCPU, Signal::ABORT];
    // Who runs the tests may have them ignored (`nohup`, a shell's `&`), and then they are not to end it.
    let heeded = signals.into_iter().filter(|signal| !common::is_ignored(*signal));
    for (command, signal) in heeded.map(|signal| ("check", signal)).chain([("scan", Signal::TERM)]) {
        let mut child = audit(command).with("--hide").with(FOUR).with(&fifo).command().spawn().unwrap();
        // By then it waits; a signal that comes sooner ends it as well.
        std::thread::sleep(Duration::from_millis(300));
        let start = Instant::now();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = child.wait().unwrap();
        assert!(start.elapsed() < SOON, "{command}");
        assert!(status.signal() == Some(signal.as_raw()) || status.code() == Some(3), "{command}: {status}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long the program takes is what is tested")]
fn a_time_limit_ends_the_writing_of_a_report_that_nobody_reads() {
    let (reader, writer) = std::io::pipe().unwrap();
    // Nothing more fits into it.
    let full = writer.try_clone().unwrap();
    rustix::io::ioctl_fionbio(&full, true).unwrap();
    let mut bytes = 0;
    while let Ok(length) = rustix::io::write(&full, &[b' '; 4096]) {
        bytes += length;
    }
    assert!(bytes > 0);
    rustix::io::ioctl_fionbio(&full, false).unwrap();
    let folder = Folder::of("all-seized");
    let start = Instant::now();
    let mut command = audit("-t 3 --root").with(folder.path()).command();
    let output = command.stdout(writer).output().unwrap();
    assert!(start.elapsed() < SOON);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("while writing the report"));
    drop((reader, full));
}

#[test]
fn a_report_larger_than_a_file_may_be_leaves_the_old_one_whole() {
    let folder = Folder::new();
    folder.file("report", b"old");
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", "ulimit -f 1; exec \"$0\" demo -J --output \"$1\"", env!("CARGO_BIN_EXE_pciback-audit")]);
    let output = shell.arg(folder.at("report")).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("report: File too large"));
    assert_eq!(folder.names(), ["report"]);
    assert_eq!(std::fs::read(folder.at("report")).unwrap(), b"old");
}

/// A dom0 may have little memory. What a log makes of that is no signal, whatever thread it hits.
#[test]
fn a_lack_of_memory_is_3() {
    let folder = Folder::new();
    let line = |n| format!("[    5.{n:06}] pciback 0000:{:02x}:00.0: xen_pciback: seizing device {n}\n", n % 256);
    folder.file("log", (0..100_000).map(line).collect::<String>().as_bytes());
    (0..40).for_each(|n| folder.file(&format!("logs/{n}"), b"[    0.000000] Linux version 6.1.0 (b@b) #1 SMP\n"));
    let audit = |kib: usize, command: &str, name: &str| {
        let script = format!("ulimit -v {kib}; exec \"$0\" {command} --device 00:1d.0 \"$1\"");
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_pciback-audit")]).arg(folder.at(name));
        let output = shell.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{command} within {kib} KiB: {said}");
        assert!(!said.contains("defect"), "{command} within {kib} KiB: {said}");
    };
    for kib in [32_000, 48_000] {
        audit(kib, "check", "log");
        audit(kib, "scan --threads 40", "logs");
    }
}

#[test]
fn devices_that_nobody_asked_for_are_counted_past_a_bound() {
    let line = |n: usize| {
        format!(
            "6,{},{},-;pciback 0000:{:02x}:{:02x}.{}: xen_pciback: seizing device\n",
            n + 2,
            5_000_000 + n,
            n >> 8,
            n >> 3 & 31,
            n & 7
        )
    };
    let mut log = "6,0,0,-;Linux version 6.1.0\n6,1,0,-;Command line: placeholder\n".to_owned();
    log.extend((0..5_000).map(line));
    log.push_str("6,5002,9000000,-;xen_pciback: backend is vpci\n");
    let ran = audit("check - -J --hide (0000:00:00.0)").input(log).run().ends_with(1);
    let report = ran.json();
    assert_eq!(report["devices"].as_array().unwrap().len(), 1 + 4096);
    let further = report["findings"].as_array().unwrap().iter().find(|found| found["address"].is_null()).unwrap();
    assert_eq!((&further["code"], &further["severity"]), (&"unrequested".into(), &"warning".into()));
    assert!(further["message"].as_str().unwrap().contains(" 903 further devices"), "{further}");
}

#[test]
fn an_older_report_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    folder.file("report", b"old");
    for mode in [0o600, 0o640, 0o604] {
        std::fs::set_permissions(folder.at("report"), std::fs::Permissions::from_mode(mode)).unwrap();
        for form in ["json", "prometheus"] {
            audit("demo --format").with(form).with("--output").with(folder.at("report")).run().ends_with(2);
            assert_eq!(std::fs::metadata(folder.at("report")).unwrap().permissions().mode() & 0o7777, mode, "{form}");
        }
    }
}

#[test]
fn a_link_that_another_user_planted_is_refused() {
    let folder = Folder::new();
    folder.file("secret", b"secret");
    std::fs::create_dir(folder.at("all")).unwrap();
    std::os::unix::fs::symlink(folder.at("secret"), folder.at("all/report")).unwrap();
    // Only root can play the other user.
    if std::os::unix::fs::lchown(folder.at("all/report"), Some(65_534), None).is_err() {
        return;
    }
    std::os::unix::fs::chown(folder.at("all"), Some(65_534), None).unwrap();
    for command in ["demo", "check --device 00:1d.0 --root /nowhere", "scan --device 00:1d.0 /dev/null"] {
        let ran = audit(command).with("--output").with(folder.at("all/report")).run();
        ran.ends_with(3).complains("is a link of another user (uid 65534), and is not followed");
    }
    assert_eq!(std::fs::read(folder.at("secret")).unwrap(), b"secret");
}

#[test]
fn the_host_of_a_log_can_be_named() {
    let log = capture("all-seized").join("kmsg.raw");
    audit("check --log-host dom0 --hide").with(FOUR).with(&log).run().ends_with(0);
    audit("check --log-host").run().ends_with(3).complains("--log-host");
    assert!(audit("scan --help").run().out.contains("--log-host"));
}

#[test]
fn the_hypervisor_s_log_is_evidence_too() {
    let folder = Folder::of("all-seized");
    let xen = folder.path().join("console");
    std::fs::write(&xen, "(XEN) Xen version 4.17.7 (x)\r\n(XEN) [2026-11-22 06:00:00] I/O virtualisation disabled\r\n")
        .unwrap();
    let audit = |args: &str| audit(args).with(folder.path());
    let ran = audit("check --root").with("--xen-log").with(&xen).run().ends_with(2);
    ran.says("iommu-off").says("IOMMU is off");
    audit("check --root").with("--xen-log").with("/nowhere").run().ends_with(3).complains("--xen-log /nowhere");
    std::fs::rename(&xen, folder.path().join("xl-dmesg.out")).unwrap();
    audit("check --root").run().ends_with(2).says("iommu-off");
}

#[test]
fn the_hierarchy_can_be_drawn() {
    let folder = Folder::of("silently-ignored");
    let ran = audit("check --format tree --root").with(folder.path()).run().ends_with(2);
    ran.says("[0000:00]\n+-").says("+-1d.1  uhci_hcd  held").says("held-by-driver");
    let ran = audit("check --format tree --root").with(folder.path()).env("LC_ALL", "C.UTF-8").run().ends_with(2);
    ran.says("├─1d.1  uhci_hcd  held");
    audit("guest --format tree").run().ends_with(3).complains("--format");
}

// Explanations.

#[test]
fn every_finding_can_be_explained() {
    audit("explain").run().ends_with(0).says("held-by-driver  ").says("user-quoted");
    audit("explain held-by-driver").run().ends_with(0).says("held-by-driver\n---").says("softdep");
    audit("explain held").run().ends_with(3).complains("held-by-driver");
    let folder = Folder::of("silently-ignored");
    std::fs::create_dir_all(folder.at("etc/xen")).unwrap();
    std::fs::write(folder.at("etc/xen/web.cfg"), "name = 'web'\npci = ['00:1d.1']\n").unwrap();
    let ran = audit("explain 00:1d.1 --root").with(folder.path()).run().ends_with(0);
    let ran = ran.says("0000:00:1d.1").says("uhci_hcd has it").says("wanted").says("same slot").says("held-by-driver");
    ran.says("guest     web is to have it");
    audit("explain 00:11.1 --root").with(folder.path()).run().ends_with(0).says("there is no such device");
    let log = capture("silently-ignored").join("kmsg.raw");
    audit("explain 0000:00:1d.1").with(log).run().ends_with(0).says("pciback's load came to its end");
    audit("explain nonsense").run().ends_with(3).complains("`nonsense` is no finding");
}

#[test]
fn what_is_explained_can_be_written_to_a_file() {
    let folder = Folder::new();
    let file = folder.at("text");
    for args in ["explain", "explain absent", "explain evidence"] {
        let printed = audit(args).run().ends_with(0).out;
        audit(args).with("--output").with(&file).run().ends_with(0).says_nothing();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), printed, "{args}");
    }
    audit("explain absent --output /nowhere/text").run().ends_with(3).complains("--output /nowhere/text: ");
    audit("explain absent --quiet").run().ends_with(0).says_nothing();
}
