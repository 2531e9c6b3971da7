//! The report that a person reads: each usual situation on one screen of 24 lines of 80 columns, and all of it with `-v`.

#![allow(clippy::unwrap_used, reason = "a test may end in a panic")]

mod support;

use std::fmt::Write as _;

use pciback_audit::audit::{Case, Options, conclude};
use pciback_audit::render::{Style, table};
use pciback_audit::report::Report;
use support::{log, read, testdata, tree};

const COLUMNS: usize = 80;
const LINES: usize = 24;

fn style(verbose: bool) -> Style {
    Style { width: COLUMNS, colour: false, verbose, ascii: false }
}

/// Lines as a terminal breaks them: one that is longer than the screen takes several.
fn height(text: &str) -> usize {
    text.lines().map(|line| line.chars().count().max(1).div_ceil(COLUMNS)).sum()
}

fn captured(name: &str) -> Report {
    captured_on(name, "")
}

/// A capture on a machine with these files as well.
fn captured_on(name: &str, files: &str) -> Report {
    let mut tree = tree(&read(&format!("dom0/{name}/root.txt")));
    for (path, node) in support::tree(files.as_bytes()).nodes() {
        if tree.list(path).is().is_none() {
            tree.insert(path, node.clone());
        }
    }
    let logs = vec![log(0, "kmsg", &read(&format!("dom0/{name}/kmsg.raw")))];
    conclude(&Case { tree: Some(tree), logs, ..Case::default() })
}

#[test]
fn every_situation_fits_one_screen() {
    let folders = std::fs::read_dir(testdata("dom0")).unwrap().map(|entry| entry.unwrap());
    let folders = folders.filter(|entry| entry.path().is_dir());
    let names: Vec<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    // Each situation of a user has a capture among them.
    for name in [
        "all-seized",
        "one-held",
        "several-held",
        "absent",
        "malformed",
        "out-of-range",
        "lost",
        "bound-but-unusable",
        "released-by-hand",
        "guest",
        "forged",
        "no-xen",
    ] {
        assert!(names.iter().any(|found| found == name), "{name}");
    }
    for name in names {
        for family in
            ["", "etc/os-release = ID=debian\\n\n", "etc/os-release = ID=fedora\\n\n", "etc/os-release = ID=qubes\\n\n"]
        {
            let text = table(&captured_on(&name, family), &style(false));
            assert!(height(&text) <= LINES, "{name} {family}: {} lines\n{text}", height(&text));
        }
    }
}

/// A Debian dom0 with so many devices of one card, the first few of which another driver has.
fn many(devices: usize, held: &[(usize, &str)]) -> Report {
    let mut files = String::from(
        "etc/os-release = ID=debian\\n\nproc/xen/capabilities = control_d\\n\nproc/sys/kernel/osrelease = 6.1.0-18-amd64\\n\n\
         proc/cmdline = placeholder root=/dev/vda1\\n\nproc/self/mountinfo = 22 1 8:1 / / rw - ext4 /dev/vda1 rw\\n\n\
         proc/swaps = Filename Type Size Used Priority\\n\nproc/consoles = hvc0 -W- (EC p a) 229:0\\n\n\
         sys/class/block/vda -> ../../devices/virtual/block/vda\nsys/class/net/lo -> ../../devices/virtual/net/lo\n\
         sys/bus/pci/drivers/pciback/slots = \nsys/module/.keep = \n",
    );
    let (mut list, mut handlers) = (String::new(), String::new());
    for number in 0..devices {
        let address = format!("0000:41:{:02x}.{}", number / 8, number % 8);
        let driver = held.iter().find(|(at, _)| *at == number).map_or("pciback", |(_, driver)| driver);
        let _ = writeln!(files, "sys/bus/pci/devices/{address} -> ../../../devices/pci0000:40/{address}");
        let _ = writeln!(files, "sys/devices/pci0000:40/{address}/class = 0x020000\\n");
        let _ = writeln!(files, "sys/devices/pci0000:40/{address}/driver -> ../../../bus/pci/drivers/{driver}");
        let _ = write!(list, "({address})");
        if driver == "pciback" {
            let _ = write!(handlers, "{address}:off:not acking:0\\n");
        } else {
            let _ = writeln!(files, "sys/bus/pci/drivers/{driver}/module -> ../../../../module/{driver}");
        }
    }
    let short = list.replace("(0000:", "(");
    let _ = writeln!(files, "sys/bus/pci/drivers/pciback/irq_handlers = {handlers}");
    let _ = writeln!(files, "sys/module/xen_pciback/parameters/hide = {short}\\n");
    conclude(&Case { tree: Some(tree(files.as_bytes())), options: Options::default(), ..Case::default() })
}

#[test]
fn sixty_devices_of_which_three_are_held_fit_one_screen() {
    let report = many(60, &[(0, "igbvf"), (9, "igbvf"), (30, "igbvf")]);
    let text = table(&report, &style(false));
    assert!(height(&text) <= LINES, "{} lines\n{text}", height(&text));
    assert!(text.starts_with("CRITICAL: 57 of 60 requested devices are pciback's\n"), "{text}");
    assert!(text.contains("igbvf  41:00.0 41:01.1 41:03.6  Ethernet controllers"), "{text}");
    assert!(text.contains("57 seized: 41:00.1-41:01.0 41:01.2-41:03.5 41:03.7-41:07.3"), "{text}");
    let all = table(&report, &style(true));
    assert!(
        all.contains("0000:41:07.3  seized") && all.contains("/sys/bus/pci/devices/0000:41:03.6/driver is igbvf"),
        "{all}"
    );
}

#[test]
fn drivers_of_three_families_fit_one_screen_with_their_plan() {
    let text = table(&many(6, &[(0, "igbvf"), (1, "nvme"), (2, "e1000e")]), &style(false));
    assert!(height(&text) <= LINES, "{} lines\n{text}", height(&text));
    for line in [
        "for device in 0000:41:00.0 0000:41:00.1 0000:41:00.2; do xl pci-assignable-add $device; done",
        "cat > /etc/modprobe.d/xen-pciback.conf <<'EOF'",
        "softdep nvme pre: xen-pciback",
        "EOF",
        "update-initramfs -u -k all",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn a_driver_that_needs_a_script_fits_one_screen_as_well() {
    let text = table(&many(10, &[(0, "uhci_hcd"), (1, "nvme"), (2, "e1000e"), (3, "uhci_hcd")]), &style(false));
    assert!(height(&text) < LINES, "{} lines\n{text}", height(&text));
    assert!(text.contains("init-top/pciback") && !text.contains("softdep"), "{text}");
}

#[test]
fn what_stands_on_the_screen_stands_in_the_whole_report() {
    for name in ["several-held", "lost", "malformed", "absent"] {
        let report = captured(name);
        let (screen, all) = (table(&report, &style(false)), table(&report, &style(true)));
        for finding in &report.findings {
            assert!(all.contains(finding.code.name()), "{name} {}\n{all}", finding.code);
        }
        for line in screen.lines().filter(|line| line.starts_with("xl ") || line.starts_with("for device ")) {
            assert!(all.contains(line), "{name}: {line}\n{all}");
        }
    }
}

/// What goes wrong most often, each as a scenario: what a newcomer reads of it is kept below `testdata/screens`.
const TROUBLES: [&str; 10] = [
    "silently-ignored",
    "list-refused",
    "modprobe-d",
    "absent-devices",
    "lost-to-another-driver",
    "bound-but-unusable",
    "wrong-boot-entry",
    "guests",
    "boot-critical",
    "sibling-left-behind",
];

#[test]
fn the_usual_troubles_are_told_so_that_a_newcomer_can_mend_them() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    for name in TROUBLES {
        let text = std::fs::read_to_string(testdata(&format!("scenarios/{name}.txt"))).unwrap();
        let found = table(&support::scenario::parse(&text).report(), &style(false));
        let kept = testdata(&format!("screens/{name}.txt"));
        if update {
            std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
            std::fs::write(&kept, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&kept).unwrap_or_default();
        assert_eq!(found, expected, "{name}: UPDATE_EXPECT=1 accepts what was found");
    }
}

#[test]
fn the_readme_shows_two_of_the_usual_troubles() {
    for name in ["lost-to-another-driver", "guests"] {
        let text = std::fs::read_to_string(testdata(&format!("screens/{name}.txt"))).unwrap();
        assert!(include_str!("../README.md").contains(text.trim_end()), "{name}");
    }
}
