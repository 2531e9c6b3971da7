//! What the system can take away from a program: threads, descriptors, disks, streams. It ends with 3 and says why.

mod common;

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use common::{Folder, audit, capture, gzip};

const BINARY: &str = env!("CARGO_BIN_EXE_pciback-audit");

/// Commands of every kind that have something to say of these files, and how they end.
fn commands(folder: &Folder) -> Vec<(String, i32)> {
    let (root, log) = (folder.path().display(), capture("all-seized").join("kmsg.raw"));
    let log = log.display();
    [
        (format!("check --root {root}"), 0),
        (format!("check --format tree --root {root}"), 0),
        (format!("check --format nagios --root {root}"), 0),
        (format!("check -J --root {root}"), 0),
        (format!("plan --root {root}"), 2),
        (format!("scan --hide (00:1d.*) --format csv {log}"), 0),
        (format!("scan --hide (00:1d.*) {log}"), 0),
        (format!("check --boot all --hide (00:1d.*) {log}"), 0),
        (format!("guest {log}"), 3),
        (format!("explain 00:1d.0 --root {root}"), 0),
        ("explain absent".to_owned(), 0),
        ("demo".to_owned(), 2),
        ("demo --list".to_owned(), 0),
        ("completions bash".to_owned(), 0),
        ("man".to_owned(), 0),
    ]
    .into()
}

/// What a shell makes of the program behind `before`, with `redirected` streams.
#[expect(clippy::unwrap_used, reason = "without a shell there is nothing to test")]
fn shell(before: &str, args: &str, redirected: &str) -> Output {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("{before}exec \"$0\" \"$@\" {redirected}"), BINARY]).args(args.split(' '));
    shell.env_clear().output().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

#[test]
fn a_stream_that_is_closed_changes_no_exit_status() {
    let folder = Folder::of("all-seized");
    for (args, status) in commands(&folder) {
        for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
            let output = shell("", &args, closed);
            assert_eq!(output.status.code(), Some(status), "{args} {closed}: {}", said(&output));
        }
    }
}

#[test]
fn a_full_disk_is_3_for_every_command() {
    let folder = Folder::of("all-seized");
    for (args, _) in commands(&folder) {
        let output = shell("", &args, ">/dev/full");
        assert_eq!(output.status.code(), Some(3), "{args}");
        assert!(said(&output).contains("No space left on device"), "{args}: {}", said(&output));
    }
    let ran = audit("demo --format nagios --output /dev/full").run().ends_with(3);
    assert!(ran.says("PCIBACK UNKNOWN - --output /dev/full: ").err.is_empty());
}

#[test]
fn a_reader_that_has_seen_enough_changes_no_exit_status() {
    let folder = Folder::of("all-seized");
    for (args, status) in commands(&folder) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(BINARY).args(args.split(' ')).env_clear().stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), said(&output)), (Some(status), String::new()), "{args}");
    }
}

#[test]
fn no_descriptors_are_3_with_the_reason() {
    let folder = Folder::of("all-seized");
    for (args, _) in commands(&folder).into_iter().take(10) {
        let output = shell("ulimit -n 8; ", &args, "");
        assert_eq!(output.status.code(), Some(3), "{args}");
        assert!(said(&output).contains("Too many open files"), "{args}: {}", said(&output));
    }
}

/// The limit is of a user's processes, and root has none: root plays another user.
#[test]
fn no_threads_are_3_with_the_reason() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Folder::of("all-seized");
    let binary = folder.at("pciback-audit");
    std::fs::copy(BINARY, &binary).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let log = folder.at("kmsg.raw");
    std::fs::copy(capture("all-seized").join("kmsg.raw"), &log).unwrap();
    let (root, log) = (folder.path().display(), log.display());
    for args in [
        format!("check --root {root}"),
        format!("plan --root {root}"),
        format!("scan {log}"),
        format!("explain 00:1d.0 --root {root}"),
        format!("check --format nagios --root {root}"),
        "demo".to_owned(),
        "watch --device 00:1d.0".to_owned(),
    ] {
        // dash names the limit -p, bash -u.
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", "ulimit -p 1 2>/dev/null || ulimit -u 1; exec \"$0\" \"$@\""])
            .arg(&binary)
            .args(args.split(' '))
            .env_clear();
        if rustix::process::geteuid().is_root() {
            shell.uid(65_533).gid(65_533);
        }
        let output = shell.output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{args}: {}", said(&output));
        assert!(said(&output).contains("Resource temporarily unavailable"), "{args}: {}", said(&output));
    }
}

/// What a run leaves that was killed is removed by the next one that writes there, whatever it writes.
#[test]
fn scratch_files_of_a_killed_run_are_removed_by_the_next() {
    let folder = Folder::new();
    for args in ["demo -J", "demo --format prometheus", "explain absent"] {
        folder.file(".pciback-audit.4711-0.tmp", b"half a rep");
        let output = folder.at("report");
        let ran = audit(args).with("--output").with(&output).run();
        assert!(ran.err.is_empty(), "{}", ran.err);
        assert_eq!(folder.names(), ["report"], "{args}");
    }
}

/// Small files that unpack to gigabytes are read in little memory, and no longer than the time limit lets them.
#[test]
fn packed_bombs_take_little_memory_and_end_with_the_time_limit() {
    let folder = Folder::new();
    // 4 GiB of empty lines.
    let packed = gzip(&vec![b'\n'; 1 << 20]).repeat(4 << 10);
    let mut header = [0_u8; 512];
    for (at, text) in [
        (0, "var/log/kern.log.gz".to_owned()),
        (100, "0000644".to_owned()),
        (124, format!("{:011o}", packed.len())),
        (156, "0".to_owned()),
        (257, "ustar".to_owned()),
        (148, "        ".to_owned()),
    ] {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let padding = vec![0; 512 - packed.len() % 512 + 1024];
    folder.file("bomb.tar", &[&header[..], &packed, &padding].concat());
    folder.file("bomb.gz", &packed);
    for name in ["bomb.tar", "bomb.gz"] {
        for command in ["check --timeout 2 --device 00:1d.0", "scan --timeout 2 --threads 2 --device 00:1d.0"] {
            let path = folder.at(name);
            let output = shell("ulimit -v 262144; ", &format!("{command} {}", path.display()), "");
            assert_eq!(output.status.code(), Some(3), "{command} {name}: {}", said(&output));
            assert!(!said(&output).contains("memory"), "{command} {name}: {}", said(&output));
        }
    }
    // Neither a policy nor anything else that is read whole is unpacked, and it is not read past its bound.
    folder.file("policy.toml", &packed);
    let log = capture("all-seized").join("kmsg.raw");
    for flag in ["--policy", "--lspci"] {
        let ran = audit("check --log").with(&log).with(flag).with(folder.at("policy.toml")).run().ends_with(3);
        assert!(ran.err.contains(flag), "{flag}: {}", ran.err);
    }
}

/// Without a time limit as well: of what is packed as no log is, so much is read.
#[test]
fn a_packed_bomb_is_read_in_part_and_the_command_that_reads_all_is_named() {
    use std::io::Write as _;

    let folder = Folder::new();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&vec![0; 1 << 20]).unwrap();
    folder.file("bomb.gz", &packed.finish().unwrap().repeat(300));
    let ran = audit("check --device 00:1d.0").with(folder.at("bomb.gz")).run().ends_with(3);
    assert!(ran.err.contains("packed more than 250 to 1: gzip -dc FILE | pciback-audit check -"), "{}", ran.err);
}

/// What is killed cannot end its child, and this one neither writes nor minds that nobody reads.
#[test]
fn a_child_dies_with_its_parent_however_that_ends() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::{Duration, Instant};

    let folder = Folder::new();
    let (program, noted) = (folder.at("journalctl"), folder.at("pid"));
    let script = format!("#!/bin/sh\ntrap '' PIPE HUP TERM\necho $$ >{}\nexec sleep 60\n", noted.display());
    folder.file("journalctl", script.as_bytes());
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut audit = Command::new(BINARY);
    audit.args(["check", "--log", "journal", "--device", "00:1d.0"]).env_clear().env("PATH", folder.path());
    let mut audit = audit.stdout(std::process::Stdio::null()).spawn().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test that waits must give up some day")]
    let until = Instant::now() + Duration::from_secs(60);
    let wait_for = |what: &mut dyn FnMut() -> bool| {
        while !what() {
            assert!(until.elapsed().is_zero(), "it never came");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let mut pid = String::new();
    wait_for(&mut || {
        pid = std::fs::read_to_string(&noted).unwrap_or_default().trim().to_owned();
        !pid.is_empty()
    });
    audit.kill().unwrap();
    audit.wait().unwrap();
    // Gone, or waiting for init to take note.
    wait_for(&mut || std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z ")));
}
