//! A scan of a folder says of each host what a check of that host's files says: for histories of any length, in files that overlap,
//! with lost banners and hosts that get their name late. The same worlds in every run.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

mod common;
#[path = "evidence/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;

use common::Folder;
use pciback_audit::audit::{Asked, Case, Options, conclude};
use pciback_audit::report::{Report, Run};
use pciback_audit::scan::{Progress, Scan};
use pciback_audit::source::Logs;
use pciback_audit::timeline::BootChoice;
use world::{Dice, LIST, OUTCOMES, Outcome, boot, stamp, syslog_time};

/// A line of a central log: when, and its text.
type Line = (u64, String);

/// What a host's name is in the records of one boot.
#[derive(Clone, Copy, Debug)]
enum Naming {
    Plain,
    /// `localhost` until the initramfs hands over.
    NamelessFirst,
    /// The full name from the middle on.
    FullLater,
}

/// A host's history as lines of syslog, oldest first.
fn history(dice: &mut Dice, host: &str, boots: usize) -> Vec<Line> {
    let naming = dice.pick(&[Naming::Plain, Naming::Plain, Naming::NamelessFirst, Naming::FullLater]);
    let mut lines = Vec::new();
    let mut began = 86_400 + dice.below(50_000) as u64;
    for _ in 0..boots {
        let fates = [(); 3].map(|()| if dice.one_in(3) { dice.pick(&OUTCOMES) } else { Outcome::Seized });
        let mut told = boot("6.1.0-56-amd64", "", fates).records;
        // Times of events differ from boot to boot, as they do.
        for record in told.iter_mut().filter(|record| record.micros > 1_000_000) {
            record.micros += dice.below(900_000) as u64;
        }
        told.sort_by_key(|record| record.micros);
        let lost = if dice.one_in(6) { 1 + dice.below(11) } else { 0 };
        let length = told.len();
        for (number, record) in told.into_iter().enumerate().skip(lost) {
            let name = match naming {
                Naming::NamelessFirst if number < 6 => "localhost".to_owned(),
                Naming::FullLater if number > length / 2 => format!("{host}.example.com"),
                Naming::Plain | Naming::NamelessFirst | Naming::FullLater => host.to_owned(),
            };
            let second = began + record.micros / 1_000_000;
            lines.push((
                second,
                format!("{} {name} kernel: {} {}\n", syslog_time(second), stamp(record.micros), record.text),
            ));
        }
        began += 3_600 + dice.below(80_000) as u64;
    }
    lines
}

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

fn text(lines: &[Line]) -> String {
    lines.iter().map(|(_, line)| line.as_str()).collect()
}

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
    let mut logs = Logs::default();
    for path in paths {
        logs.file(path);
    }
    let options = Options { boot: BootChoice::FromLast(back), ..Options::default() };
    said(&conclude(&Case { asked: asked(), logs: logs.into_inner(), options, ..Case::default() }))
}

/// The last boots of each host by its short name, newest first.
fn by_host(reports: &[(Report, Run)]) -> BTreeMap<String, Vec<String>> {
    let mut hosts: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
    for (report, run) in reports {
        let name = report.host.clone().unwrap_or_default();
        let short = name.split('.').next().unwrap().to_owned();
        hosts.entry(short).or_default().push((run.back, said(report)));
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
        let lines = history(&mut dice, &host, most);
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

/// All hosts in one file, by time: what one host's lines prove does not depend on the others'.
fn world_of_one_file(seed: u64, boots: usize, hosts: usize) {
    let mut dice = Dice::new(seed);
    let folder = Folder::new();
    let mut all: Vec<Line> = Vec::new();
    let mut alone = Vec::new();
    for number in 0..hosts {
        let host = format!("gaia{number}");
        let most = 1 + dice.below(boots);
        let lines: Vec<Line> =
            history(&mut dice, &host, most).into_iter().filter(|(_, line)| !line.contains("localhost")).collect();
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
