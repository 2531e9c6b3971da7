//! A scan of a folder says of each host what a check of that host's files says: for histories of any length, in files that overlap,
//! with lost banners and hosts that get their name late. The same worlds in every run.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

mod common;
#[path = "evidence/histories.rs"]
mod histories;
#[path = "evidence/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::num::NonZero;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;

use chrono::{Datelike as _, Timelike as _};
use common::{Folder, gzip};
use histories::{History, Line, Loss, rotated, text, write};
use pciback_audit::audit::{Asked, Case, Options, conclude};
use pciback_audit::report::{Report, Run};
use pciback_audit::scan::{Progress, Scan};
use pciback_audit::source::Logs;
use pciback_audit::timeline::BootChoice;
use world::{Dice, LIST, Outcome, boot, stamp, syslog_time};

/// The lines in one to three files, the same ones in two where these overlap.
fn files(dice: &mut Dice, lines: &[Line]) -> Vec<Vec<Line>> {
    let cut = |dice: &mut Dice| dice.below(lines.len() + 1);
    match dice.below(4) {
        0 | 1 => vec![lines.to_vec()],
        2 => {
            let (one, other) = (cut(dice), cut(dice));
            vec![lines[..one.max(other)].to_vec(), lines[one.min(other)..].to_vec()]
        }
        _ => vec![lines.to_vec(), lines.to_vec(), lines[cut(dice)..].to_vec()],
    }
}

const NAMES: [&str; 3] = ["kern.log", "messages", "syslog"];

fn asked() -> Asked {
    Asked::List(LIST.as_bytes().to_vec())
}

/// What a report says of the devices, and the verdict.
fn said(report: &Report) -> String {
    let devices: Vec<String> =
        report.devices.iter().map(|device| format!("{} {}", device.address, device.status.name())).collect();
    format!("{} {devices:?}", report.verdict)
}

fn scanned(path: PathBuf) -> Vec<(Report, Run)> {
    let scan = Scan { paths: vec![path], asked: asked(), threads: 1, ..Scan::default() };
    let mut reports = Vec::new();
    scan.run(&Progress::default(), &mut |report, run| {
        reports.push((report.clone(), *run));
        true
    });
    reports
}

fn checked(paths: &[PathBuf], back: usize) -> String {
    check(paths, Options { boot: BootChoice::FromLast(back), ..Options::default() })
}

fn checked_of(host: &str, paths: &[PathBuf], back: usize) -> String {
    let log_host = Some(host.to_owned());
    check(paths, Options { boot: BootChoice::FromLast(back), log_host, ..Options::default() })
}

fn check(paths: &[PathBuf], options: Options) -> String {
    let mut logs = Logs::default();
    for path in paths {
        logs.file(path);
    }
    said(&conclude(&Case { asked: asked(), logs: logs.into_inner(), options, ..Case::default() }))
}

/// The last boots of each host by its short name, newest first.
fn by_host(reports: &[(Report, Run)]) -> BTreeMap<String, Vec<String>> {
    let short = |(name, boots): (String, _)| (name.split('.').next().unwrap().to_owned(), boots);
    by_name(reports).into_iter().map(short).collect()
}

/// The same by its name as it is reported: that a short and a full name are of one host only a boot can show that has both.
fn by_name(reports: &[(Report, Run)]) -> BTreeMap<String, Vec<String>> {
    let mut hosts: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
    for (report, run) in reports {
        let name = report.host.clone().unwrap_or_default();
        hosts.entry(name).or_default().push((run.back, said(report)));
    }
    let newest_first = |mut boots: Vec<(usize, String)>| {
        boots.sort();
        boots.into_iter().map(|(_, said)| said).collect()
    };
    hosts.into_iter().map(|(host, boots)| (host, newest_first(boots))).collect()
}

/// Each host in a folder of its own.
fn world_of_folders(seed: u64, boots: usize, hosts: usize) {
    let mut dice = Dice::new(seed);
    let folder = Folder::new();
    let mut expected = BTreeMap::new();
    for number in 0..hosts {
        let host = format!("gaia{number}");
        let most = 1 + dice.below(boots);
        let lines = History::of(&mut dice, &host, most).lines;
        let mut paths = Vec::new();
        for (name, lines) in NAMES.iter().zip(files(&mut dice, &lines)).filter(|(_, lines)| !lines.is_empty()) {
            let path = format!("logs/{host}/{name}");
            folder.file(&path, text(&lines).as_bytes());
            paths.push(folder.at(&path));
        }
        expected.insert(host, paths);
    }
    let found = by_host(&scanned(folder.at("logs")));
    let names: Vec<&String> = found.keys().collect();
    assert_eq!(names, expected.keys().collect::<Vec<_>>(), "seed {seed}: hosts");
    for (host, paths) in expected {
        // The last boots, the oldest, and one between: a check of each reads all files again.
        let boots = &found[&host];
        let mut looks = vec![0, 1, 2, boots.len() / 2, boots.len() - 1];
        looks.retain(|back| *back < boots.len());
        looks.sort_unstable();
        looks.dedup();
        for back in looks {
            assert_eq!(
                boots[back],
                checked(&paths, back),
                "seed {seed}: boot {back} of {} of {host} (scan, check)",
                boots.len()
            );
        }
    }
}

/// Every host of a generated world: a scan says of its boots what a check says, and neither says what did not happen.
fn world_of_histories(seed: u64) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let folder = Folder::new();
    let world = histories::world(&mut dice, &folder);
    // To look at the logs of a history that fails.
    if let Ok(to) = std::env::var("PCIBACK_HISTORIES_TO") {
        std::fs::rename(folder.at("logs"), format!("{to}/{seed}")).unwrap();
        return Ok(());
    }
    let reports = scanned(folder.at("logs"));
    let found = by_name(&reports);
    for (history, _) in &world {
        let is_its = |name: &str| name.split('.').next() == Some(history.host.as_str());
        if !found.keys().any(|name| is_its(name)) {
            return Err(format!("seed {seed}: {} is not reported", history.host));
        }
    }
    for (host, boots) in &found {
        let Some((_, paths)) = world.iter().find(|(history, _)| host.split('.').next() == Some(history.host.as_str()))
        else {
            return Err(format!("seed {seed}: {host} is reported"));
        };
        let few = boots.len() <= 4;
        let looks: Vec<usize> =
            if few { (0..boots.len()).collect() } else { vec![0, 1, boots.len() / 2, boots.len() - 1] };
        for back in looks {
            let (scanned, checked) = (&boots[back], checked_of(host, paths, back));
            if *scanned != checked {
                let of = boots.len();
                return Err(format!(
                    "seed {seed}: boot {back} of {of} of {host}\n  scan  {scanned}\n  check {checked}"
                ));
            }
        }
        let behind = checked_of(host, paths, boots.len());
        if behind.contains(" seized\"") {
            return Err(format!("seed {seed}: {host} has a boot that the scan does not report: {behind}"));
        }
    }
    reports
        .iter()
        .try_for_each(|(report, run)| is_true(&world, report, run).map_err(|why| format!("seed {seed}: {why}")))
}

/// Whether no device is said to be what it was not: where nothing is lost, or a note says so.
fn is_true(world: &[(History, Vec<PathBuf>)], report: &Report, run: &Run) -> Result<(), String> {
    let name = report.host.as_deref().and_then(|name| name.split('.').next());
    let Some((history, _)) = world.iter().find(|(history, _)| Some(history.host.as_str()) == name) else {
        return Ok(());
    };
    let end = run.last.and_then(|last| last.wall).and_then(|wall| wall.local.with_year(2026)).unwrap();
    let second = u64::from(end.ordinal0()) * 86_400 + u64::from(end.num_seconds_from_midnight());
    if history.loss == Loss::Silent {
        return Ok(());
    }
    let fates = history.fates_at(second).unwrap();
    for (device, fate) in report.devices.iter().zip(fates) {
        let claimed = match device.status.name() {
            "seized" => fate == Outcome::Seized,
            "failed" => fate == Outcome::Failed,
            "missing" => fate == Outcome::PassedOver,
            _ => true,
        };
        if !claimed {
            let said = said(report);
            return Err(format!(
                "boot {} of {}: {fate:?} {} is told as {said}",
                run.back, history.host, device.address
            ));
        }
    }
    Ok(())
}

/// The seeds of the generated histories. The default takes some seconds unoptimised; `PCIBACK_HISTORIES=COUNT` takes more,
/// `PCIBACK_HISTORIES=FIRST..END` others, so that one of them can be looked at alone; with `PCIBACK_HISTORIES_TO=FOLDER` their
/// logs are only written, each into a folder called by its seed.
fn seeds() -> Range<u64> {
    let Ok(asked) = std::env::var("PCIBACK_HISTORIES") else { return 10_000..10_300 };
    let number = |text: &str| text.parse().unwrap();
    match asked.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => 10_000..10_000 + number(&asked),
    }
}

/// All hosts in one file, by time: what one host's lines prove does not depend on the others'.
fn world_of_one_file(seed: u64, boots: usize, hosts: usize) {
    let mut dice = Dice::new(seed);
    let folder = Folder::new();
    let mut all: Vec<Line> = Vec::new();
    let mut alone = Vec::new();
    for number in 0..hosts {
        let host = format!("gaia{number}");
        let most = 1 + dice.below(boots);
        let mut lines = History::of(&mut dice, &host, most).lines;
        lines.retain(|(_, line)| !line.contains("localhost"));
        folder.file(&format!("alone/{host}"), text(&lines).as_bytes());
        alone.push((host.clone(), folder.at(&format!("alone/{host}"))));
        all.extend(lines);
    }
    all.sort_by_key(|(second, _)| *second);
    folder.file("syslog", text(&all).as_bytes());
    let found = by_host(&scanned(folder.at("syslog")));
    for (host, path) in alone {
        let boots = found.get(&host).unwrap_or_else(|| panic!("seed {seed}: {host} is not reported"));
        assert_eq!(boots[0], checked(&[path], 0), "seed {seed}: {host} (scan of all, check of its own)");
    }
}

#[test]
fn a_scan_of_folders_says_what_a_check_of_each_says() {
    (0..150).for_each(|seed| world_of_folders(seed, 6, 3));
}

#[test]
fn a_scan_of_long_histories_says_what_a_check_says() {
    for (seed, boots) in [(1000, 40), (1001, 40), (1002, 120), (1003, 120), (1004, 300), (1005, 300)] {
        world_of_folders(seed, boots, 2);
    }
}

#[test]
fn a_scan_of_a_central_log_says_what_a_check_of_each_host_says() {
    (2000..2100).for_each(|seed| world_of_one_file(seed, 5, 3));
}

// --- Notes of loss.

/// Notes of loss of every kind (docs/evidence.md, "Records that were lost"), as they stand behind the host in a file of syslog.
const NOTES: &[&str] = &[
    "kernel: ** 5 printk messages dropped **",
    "kernel: ** 5 printk messages dropped ** [    0.100000] x86/fpu: x87 FPU will use FXSAVE",
    "kernel: [    0.100000] xen_pcibk_config_write: 12 callbacks suppressed",
    "kernel: [    0.100000] pciback_do_op: 3 callbacks suppressed",
    "systemd-journald[211]: Missed 12 kernel messages",
    "systemd-journald[211]: /dev/kmsg buffer overrun, some messages lost.",
    "systemd-udevd[250]: /dev/kmsg buffer overrun, some messages lost.",
    "rsyslogd: imklog: 45 messages lost due to rate-limiting",
    "rsyslogd[812]: imuxsock[pid 1]: begin to drop messages due to rate-limiting",
    "rsyslogd-2177: imuxsock begins to drop messages from pid 12 due to rate-limiting",
    "rsyslogd-2177: imuxsock lost 3 messages from pid 12 due to rate-limiting",
    "imjournal: begin to drop messages due to rate-limiting",
    "rsyslogd: main Q: queue full, discarding messages",
    "rsyslogd: file '/var/log/kern.log'[7] write error: No space left on device",
    "rsyslogd0: file '/var/log/kern.log'[7] write error: Read-only file system",
    "rsyslogd-2007: action 'action 1' suspended, next retry is Sun Nov 22 06:20:00 2026",
    "syslog-ng[400]: Destination queue full, dropping message; filename='x'",
    "syslog-ng[400]: Message(s) dropped while sending message to destination; driver='d_kern'",
    "syslog-ng[400]: I/O error occurred while writing; fd='7', error='No space left on device (28)'",
    "syslog-ng[400]: Log statistics; dropped='dst.file(d_kern#0,/var/log/kern.log)=12'",
    "syslog-ng[400]: STATS: dropped 5",
    "syslogd: /var/log/kern.log: No space left on device",
];

#[test]
fn a_note_of_loss_counts_in_a_scan_as_in_a_check() {
    let told = boot("6.1.0-56-amd64", "", [Outcome::Seized, Outcome::PassedOver, Outcome::Seized]).records;
    let line = |record: &world::Record| {
        let second = 86_400 + record.micros / 1_000_000;
        format!("{} gaia kernel: {} {}\n", syslog_time(second), stamp(record.micros), record.text)
    };
    let (banner, rest) = told.split_at(2);
    let noise = (0..2000)
        .map(|n| format!("{} gaia cron[{n}]: a job of many\n", syslog_time(86_400)))
        .collect::<Vec<_>>()
        .concat();
    let log = |note: &str| -> String {
        let note = format!("{} gaia {note}\n", syslog_time(86_400));
        let parts =
            [banner.iter().map(line).collect(), noise.clone(), note, noise.clone(), rest.iter().map(line).collect()];
        parts.concat()
    };
    let folder = Folder::new();
    let said_of = |note: &str| {
        folder.file("kern.log", log(note).as_bytes());
        let [(report, _)] = &scanned(folder.at("kern.log"))[..] else { panic!("{note}: one boot is there") };
        (said(report), checked(&[folder.at("kern.log")], 0))
    };
    let (scan, check) = said_of("cron[1]: nothing is lost");
    assert!(scan == check && check.contains("missing"), "{scan}, {check}");
    for note in NOTES {
        let (scan, check) = said_of(note);
        assert!(!check.contains("missing") && check.contains("unconfirmed"), "{note}: {check}");
        assert_eq!(scan, check, "{note} (scan, check)");
    }
}

// --- Years.

/// The boot of `day`, of which every device is seized or none.
fn boot_of(day: &str, seized: bool, shift: u64) -> String {
    let fate = if seized { Outcome::Seized } else { Outcome::PassedOver };
    let line = |record: &world::Record| {
        let micros = if record.micros > 1_000_000 { record.micros + shift } else { record.micros };
        let second = micros / 1_000_000;
        let clock = format!("{:02}:{:02}:{:02}", 10 + second / 3600, second / 60 % 60, second % 60);
        format!("{day} {clock} gaia kernel: {} {}\n", stamp(micros), record.text)
    };
    boot("6.1.0-56-amd64", "", [fate; 3]).records.iter().map(line).collect()
}

#[test]
fn years_that_are_left_out_are_those_of_the_last_writing() {
    let written = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_780_000_000);
    // The file of the last boot comes first and last; May 2026 is when both were written.
    for (before, after) in [("Dec 31", "Jan  1"), ("Nov 20", "Feb  3"), ("Jun  7", "May  2"), ("Jan  1", "Feb  1")] {
        let folder = Folder::new();
        for (name, day, seized, shift) in [("one/kern.log", before, false, 317), ("one/syslog", after, true, 99_123)] {
            folder.file(name, boot_of(day, seized, shift).as_bytes());
            let file = std::fs::File::options().append(true).open(folder.at(name)).unwrap();
            file.set_modified(written).unwrap();
        }
        let (old, new) = (folder.at("one/kern.log"), folder.at("one/syslog"));
        let reports = by_host(&scanned(folder.at("one")));
        for paths in [[old.clone(), new.clone()], [new, old]] {
            for back in [0, 1] {
                let check = checked(&paths, back);
                assert!(
                    check.contains(if back == 0 { "seized" } else { "missing" }),
                    "{before}, {after}: {back} {check}"
                );
                assert_eq!(reports["gaia"][back], check, "{before}, {after}: {back} (scan, check)");
            }
        }
    }
}

#[test]
fn two_boots_at_the_same_time_of_two_years_are_two() {
    let year = std::time::Duration::from_secs(365 * 86_400);
    let written = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_780_000_000);
    let folder = Folder::new();
    for (name, seized, shift, at) in [("kern.log", false, 317, written - year), ("syslog", true, 99_123, written)] {
        folder.file(&format!("one/{name}"), boot_of("Mar  1", seized, shift).as_bytes());
        let file = std::fs::File::options().append(true).open(folder.at(&format!("one/{name}"))).unwrap();
        file.set_modified(at).unwrap();
    }
    let paths = [folder.at("one/kern.log"), folder.at("one/syslog")];
    let reports = by_host(&scanned(folder.at("one")));
    assert_eq!(reports["gaia"].len(), 2, "{reports:?}");
    for back in [0, 1] {
        let check = checked(&paths, back);
        assert!(check.contains(if back == 0 { "seized" } else { "missing" }), "{back}: {check}");
        assert_eq!(reports["gaia"][back], check, "{back} (scan, check)");
    }
}

#[test]
fn a_scan_of_histories_says_what_a_check_says() {
    let (seeds, failed) = (Mutex::new(seeds()), Mutex::new(Vec::new()));
    let work = || {
        while let Some(seed) = next(&seeds) {
            failed.lock().unwrap().extend(world_of_histories(seed).err());
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, NonZero::get);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().unwrap();
    let shown = failed.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(failed.is_empty(), "{} histories:\n{shown}", failed.len());
}

fn next(seeds: &Mutex<Range<u64>>) -> Option<u64> {
    seeds.lock().unwrap().next()
}

/// The same parts of a log under other names of a rotated set: the times in the records order them.
#[test]
fn the_names_of_the_files_of_a_set_change_no_last_boot() {
    for seed in 0..60 {
        let mut dice = Dice::new(30_000 + seed);
        let boots = 2 + dice.below(4);
        let mut history = History::of(&mut dice, "gaia", boots);
        if dice.one_in(3) {
            history.lose(&mut dice);
        }
        let parts: Vec<Vec<Line>> =
            rotated(&mut dice, "kern.log", &history.lines).into_iter().map(|(_, lines)| lines).collect();
        let last = |order: &[usize]| {
            let folder = Folder::new();
            for (name, part) in order.iter().enumerate() {
                let name = if name == 0 { "kern.log".to_owned() } else { format!("kern.log.{name}") };
                write(&folder, &format!("logs/gaia/{name}"), &parts[*part]);
            }
            by_host(&scanned(folder.at("logs")))
        };
        let mut order: Vec<usize> = (0..parts.len()).rev().collect();
        let expected = last(&order);
        for _ in 0..4 {
            let (one, other) = (dice.below(order.len()), dice.below(order.len()));
            order.swap(one, other);
            assert_eq!(last(&order), expected, "seed {seed}: parts {order:?} by name, the newest first");
        }
    }
}

#[test]
fn a_log_in_utf_16_is_read_by_both() {
    let folder = Folder::new();
    let mut dice = Dice::new(31_000);
    let lines = text(&History::of(&mut dice, "gaia", 2).lines);
    let wide = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        "\u{feff}".encode_utf16().chain(lines.encode_utf16()).flat_map(order).collect()
    };
    for (name, bytes) in [("little", wide(u16::to_le_bytes)), ("big", wide(u16::to_be_bytes))] {
        folder.file(&format!("{name}/kern.log"), &bytes);
        let (path, boots) = (folder.at(&format!("{name}/kern.log")), by_host(&scanned(folder.at(name))));
        assert_eq!(boots["gaia"].len(), 2, "{name}");
        for (back, said) in boots["gaia"].iter().enumerate() {
            assert_eq!(*said, checked(std::slice::from_ref(&path), back), "{name}, boot {back}");
        }
    }
}

/// A tar archive of these files.
fn tar(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, contents) in files {
        let mut header = [0; 512];
        let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, name);
        put(124, &format!("{:011o}", contents.len()));
        put(136, "15224000000");
        put(148, "        ");
        put(156, "0");
        put(257, "ustar\u{0}00");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(contents);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// The records of a host's boot as a file of syslog keeps them, and as `dmesg` prints them.
fn kept(host: &str, number: u64, fates: [Outcome; 3]) -> (Vec<String>, String) {
    let (mut lines, mut ring) = (Vec::new(), String::new());
    for record in boot("6.1.0-56-amd64", "", fates).records {
        let micros = record.micros + number * 7_001;
        let second = 86_400 + number * 50_000 + micros / 1_000_000;
        let text = format!("{} {}\n", stamp(micros), record.text);
        lines.push(format!("{} {host} kernel: {text}", syslog_time(second)));
        ring.push_str(&text);
    }
    (lines, ring)
}

#[test]
fn a_log_without_names_is_of_the_host_beside_it() {
    use Outcome::{Failed, PassedOver, Seized};
    let (first, old_ring) = kept("gaia", 0, [Seized, Failed, Seized]);
    let (last, ring) = kept("gaia", 1, [Seized; 3]);
    let folder = Folder::new();
    let put = |name: &str, text: &str| {
        folder.file(&format!("case-4711/{name}"), text.as_bytes());
        folder.at(&format!("case-4711/{name}"))
    };
    let mut paths = vec![put("kern.log", &[&first[..], &last].concat().concat())];
    let nameless = last.concat().replace(" gaia ", " (none) ");
    for (name, text) in [("dmesg", &ring), ("dmesg.0", &old_ring), ("boot.log", &nameless)] {
        paths.push(put(name, text));
        let found = by_name(&scanned(folder.at("case-4711")));
        let expected = vec![checked(&paths, 0), checked(&paths, 1)];
        assert_eq!(found, BTreeMap::from([("gaia".to_owned(), expected)]), "with {name}");
        assert!(found["gaia"][0].starts_with("warning"), "with {name}: {found:?}");
    }
    // Beside two hosts it is the records that tell.
    put("messages", &kept("rhea", 5, [Seized, PassedOver, Failed]).0.concat());
    let boots = |of: &str| by_name(&scanned(folder.at("case-4711"))).get(of).map_or(0, Vec::len);
    assert_eq!((boots("gaia"), boots("rhea"), boots("case-4711")), (2, 1, 0));
    put("dmesg.1", &kept("", 9, [Seized; 3]).1);
    assert_eq!((boots("gaia"), boots("rhea"), boots("case-4711")), (2, 1, 1));
}

#[test]
fn a_line_without_a_header_is_what_it_is_in_a_check() {
    let (lines, _) = kept("gaia", 0, [Outcome::Seized; 3]);
    let noise = |host: &str| {
        (0..2000).map(|n| format!("Jan  2 00:00:24 {host} cron[{n}]: a job\n")).collect::<Vec<_>>().concat()
    };
    let folder = Folder::new();
    let said_of = |text: &str| {
        folder.file("syslog", text.as_bytes());
        let found = by_name(&scanned(folder.at("syslog")));
        assert_eq!(found["gaia"], [checked(&[folder.at("syslog")], 0)], "{text}");
        found["gaia"][0].clone()
    };
    let log = lines.concat();
    let (before, behind) =
        log.split_at(log.split_once("pciback 0000:00:1d.0").and_then(|(before, _)| before.rfind('\n')).unwrap() + 1);
    let broken = behind.replacen(" seizing device", "\nseizing device", 1);
    assert!(!said_of(&[before, &noise("gaia"), &broken].concat()).contains("unconfirmed"), "broken by a mail program");
    // The further lines of what a daemon says are its own.
    let (_, without) = behind.split_once('\n').unwrap();
    for gap in ["", "further\n"] {
        let forged = format!("{gap}pciback 0000:00:1d.0: xen_pciback: seizing device\n");
        let text = [before, &noise("gaia"), &forged, &noise("gaia"), without].concat();
        assert!(said_of(&text).contains("0000:00:1d.0 missing"), "{}", said_of(&text));
    }
}

/// The logs of a host as a support archive keeps them: syslog, rotated, and the ring buffer, which does not name the host.
fn support_archive(top: &str, host: &str, boots: &[[Outcome; 3]]) -> Vec<(String, Vec<u8>)> {
    let mut lines = Vec::new();
    let mut last = String::new();
    for (number, fates) in (0..).zip(boots) {
        let (own, ring) = kept(host, number, *fates);
        lines.extend(own);
        last = ring;
    }
    let half = lines.len() / 2;
    vec![
        (format!("{top}/sos_commands/host/hostname"), format!("{host}\n").into_bytes()),
        (format!("{top}/sos_commands/kernel/dmesg"), last.into_bytes()),
        (format!("{top}/sos_commands/kernel/lsmod"), b"Module Size Used by\n".to_vec()),
        (format!("{top}/var/log/messages-20260101.gz"), gzip(lines[..half].concat().as_bytes())),
        (format!("{top}/var/log/messages"), lines[half..].concat().into_bytes()),
        (format!("{top}/etc/motd"), b"xen_pciback: backend is vpci\n".to_vec()),
    ]
}

#[test]
fn a_support_archive_says_the_same_packed_and_unpacked() {
    use Outcome::{Failed, PassedOver, Seized};
    let folder = Folder::new();
    let archives = [
        support_archive("sosreport-case4711", "gaia", &[[Seized, Failed, Seized], [Seized; 3]]),
        support_archive("sosreport-case4712", "rhea.example.com", &[[Seized; 3], [Seized, PassedOver, Failed]]),
    ];
    for (number, files) in archives.iter().enumerate() {
        for (path, contents) in files {
            folder.file(&format!("unpacked/{path}"), contents);
        }
        folder.file(&format!("tar/{number}.tar"), &tar(files));
        folder.file(&format!("gzip/{number}.tgz"), &gzip(&tar(files)));
    }
    let inner: Vec<_> =
        archives.iter().enumerate().map(|(number, files)| (format!("{number}.tar.gz"), gzip(&tar(files)))).collect();
    folder.file("collected.tar", &tar(&inner));
    let expected = by_host(&scanned(folder.at("unpacked")));
    assert_eq!(expected.keys().collect::<Vec<_>>(), ["gaia", "rhea"]);
    assert!(expected.values().all(|boots| boots.len() == 2), "{expected:?}");
    assert!(expected["gaia"][0].starts_with("warning") && expected["rhea"][0].starts_with("critical"), "{expected:?}");
    for packed in ["tar", "gzip", "collected.tar"] {
        assert_eq!(by_host(&scanned(folder.at(packed))), expected, "{packed}");
    }
    for (number, host) in ["gaia", "rhea"].into_iter().enumerate() {
        for (back, boot) in expected[host].iter().enumerate() {
            assert_eq!(&checked(&[folder.at(&format!("gzip/{number}.tgz"))], back), boot, "{host}, boot {back}");
        }
    }
}

#[test]
fn what_cannot_be_read_of_an_archive_is_named() {
    let folder = Folder::new();
    let mut files = support_archive("sosreport-gaia-2026-11-22-abcdefg", "gaia", &[[Outcome::Seized; 3]]);
    files[3].1.truncate(200);
    folder.file("whole.tar", &tar(&files));
    folder.file("cut.tar", &tar(&files)[..2_000]);
    for (name, what) in [("whole.tar", "messages-20260101.gz"), ("cut.tar", "cut short")] {
        let reports = scanned(folder.at(name));
        let named =
            reports.iter().flat_map(|(report, _)| &report.findings).any(|finding| finding.message.contains(what));
        assert!(named, "{name}: {reports:?}");
    }
    assert!(checked(&[folder.at("cut.tar")], 0).starts_with("unknown"));
}

#[test]
fn a_journal_file_says_what_its_export_says() {
    let export = common::capture("journal-formats").join("journalctl-k-export.txt");
    let packed = common::capture("journal-formats").join("system.journal.gz");
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(&packed).unwrap()).read_to_end(&mut plain).unwrap();
    let folder = Folder::new();
    folder.file("log/0123456789abcdef0123456789abcdef/system.journal", &plain);
    folder.file("sos.tar", &tar(&[("sos/var/log/journal/0123/system.journal".to_owned(), plain)]));
    let expected = checked(&[export], 0);
    for path in [packed, folder.at("log/0123456789abcdef0123456789abcdef/system.journal"), folder.at("sos.tar")] {
        assert_eq!(checked(std::slice::from_ref(&path), 0), expected, "{}", path.display());
        let found = by_host(&scanned(path.clone()));
        assert_eq!(found, BTreeMap::from([("dom0".to_owned(), vec![expected.clone()])]), "{}", path.display());
    }
}
