//! What the `make` of a case writes, without the tools it needs: the same input from a function.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};

type Maker = fn(&Path);

const MAKERS: [(&str, Maker); 10] = [
    ("adversary/bridge-class-unreadable", bridge_class),
    ("adversary/fifo-holds-it", fifo),
    ("adversary/if-requested-blind", if_requested),
    ("adversary/memory-of-a-long-line", long_line),
    ("adversary/no-directory-of-drivers", no_drivers),
    ("adversary/remedy-breaks-a-good-list", not_loaded),
    ("house/history-beside-an-early-ring", history_and_ring),
    ("house/hosts-that-boot-at-once", twelve_hosts),
    ("house/reboot-without-its-banner", second_boot),
    ("house/same-boots-in-two-files", two_files),
];

pub(crate) fn is_known(case: &str) -> bool {
    MAKERS.iter().any(|(name, _)| *name == case)
}

/// Writes the inputs of `case` into a folder.
pub(crate) fn inputs(case: &str, folder: &Path) {
    let maker = MAKERS.iter().find(|(name, _)| *name == case);
    let (_, make) = maker.unwrap_or_else(|| panic!("{case}: its make has no function in tests/cases/generate.rs"));
    make(folder);
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

const BRIDGE: &str = "sys/devices/pci0000:00/0000:00:1e.0";

/// A bridge of this class with a driver, and an e1000 behind it.
fn bridge(root: &Path, class: &str, driver: &str) {
    fs::create_dir_all(root.join(BRIDGE).join("0000:02:01.0")).unwrap();
    for folder in ["devices", "drivers/pciback", "drivers/e1000"] {
        fs::create_dir_all(root.join("sys/bus/pci").join(folder)).unwrap();
    }
    let links = [
        ("sys/bus/pci/devices/0000:00:1e.0", "../../../devices/pci0000:00/0000:00:1e.0".to_owned()),
        ("sys/bus/pci/devices/0000:02:01.0", "../../../devices/pci0000:00/0000:00:1e.0/0000:02:01.0".to_owned()),
        ("sys/devices/pci0000:00/0000:00:1e.0/driver", format!("../../../bus/pci/drivers/{driver}")),
        ("sys/devices/pci0000:00/0000:00:1e.0/0000:02:01.0/driver", "../../../../bus/pci/drivers/e1000".to_owned()),
    ];
    for (path, target) in &links {
        symlink(target, root.join(path)).unwrap();
    }
    let files = [
        (format!("{BRIDGE}/class"), format!("{class}\n")),
        (format!("{BRIDGE}/0000:02:01.0/class"), "0x020000\n".to_owned()),
        ("sys/bus/pci/drivers/pciback/slots".to_owned(), "0000:00:1e.0\n".to_owned()),
        ("sys/bus/pci/drivers/pciback/irq_handlers".to_owned(), "0000:00:1e.0:off:not acking:0\n".to_owned()),
        ("sys/module/xen_pciback/parameters/hide".to_owned(), "(0000:00:1e.0)\n".to_owned()),
        ("proc/cmdline".to_owned(), "placeholder root=/dev/sda1 ro\n".to_owned()),
    ];
    for (path, text) in &files {
        write(&root.join(path), text);
    }
    dom0(root);
}

fn dom0(root: &Path) {
    write(&root.join("proc/xen/capabilities"), "control_d\n");
    write(&root.join("proc/sys/kernel/osrelease"), "6.1.0-18-amd64\n");
}

fn bridge_class(folder: &Path) {
    for name in ["whole", "padded", "no-class"] {
        bridge(&folder.join(name), "0x060401", "pciback");
    }
    let class = |name: &str| folder.join(name).join(BRIDGE).join("class");
    fs::OpenOptions::new().write(true).open(class("padded")).unwrap().set_len(4096).unwrap();
    fs::remove_file(class("no-class")).unwrap();
}

fn no_drivers(folder: &Path) {
    bridge(&folder.join("root"), "0x030000", "pciback");
    fs::remove_dir_all(folder.join("root/sys/bus/pci/drivers")).unwrap();
}

fn not_loaded(folder: &Path) {
    let root = folder.join("root");
    bridge(&root, "0x060401", "e1000");
    fs::remove_dir_all(root.join("sys/bus/pci/drivers/pciback")).unwrap();
    fs::remove_dir_all(root.join("sys/module")).unwrap();
    fs::remove_file(root.join(BRIDGE).join("driver")).unwrap();
    fs::create_dir_all(root.join("sys/module/e1000")).unwrap();
}

fn fifo(folder: &Path) {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, folder.join("fifo"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

/// A dom0 that has no list anywhere, with its log.
fn without_list(root: &Path) {
    for path in ["bus/pci/devices", "bus/pci/drivers/ahci", "module/ahci", "devices/pci0000:00/0000:00:1f.2"] {
        fs::create_dir_all(root.join("sys").join(path)).unwrap();
    }
    for path in ["etc", "usr/lib", "lib", "run"] {
        fs::create_dir_all(root.join(path).join("modprobe.d")).unwrap();
    }
    let device = "sys/devices/pci0000:00/0000:00:1f.2";
    let links = [
        ("sys/bus/pci/devices/0000:00:1f.2", "../../../devices/pci0000:00/0000:00:1f.2"),
        ("sys/devices/pci0000:00/0000:00:1f.2/driver", "../../../bus/pci/drivers/ahci"),
        ("sys/bus/pci/drivers/ahci/0000:00:1f.2", "../../../../devices/pci0000:00/0000:00:1f.2"),
    ];
    for (path, target) in &links {
        symlink(target, root.join(path)).unwrap();
    }
    write(&root.join(device).join("class"), "0x010601\n");
    dom0(root);
    let files = [
        ("proc/version", "Linux version 6.1.0-18-amd64 (builder@build) #1 SMP\n"),
        ("proc/cmdline", "placeholder root=/dev/sda1 ro\n"),
        ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"),
        ("etc/modprobe.d/sound.conf", "options snd index=1\n"),
        ("etc/modules", "# nothing here\n"),
        (
            "var/log/dmesg",
            "[    0.000000] Linux version 6.1.0-18-amd64 (builder@build) #1 SMP\n\
             [    0.000000] Command line: placeholder root=/dev/sda1 ro\n[   21.000000] random: crng init done\n",
        ),
    ];
    for (path, text) in &files {
        write(&root.join(path), text);
    }
}

fn if_requested(folder: &Path) {
    fs::create_dir(folder.join("empty")).unwrap();
    for name in ["no-list", "proc-not-mounted", "empty-cmdline"] {
        without_list(&folder.join(name));
    }
    fs::remove_dir_all(folder.join("proc-not-mounted/proc")).unwrap();
    fs::remove_dir_all(folder.join("proc-not-mounted/var")).unwrap();
    write(&folder.join("empty-cmdline/proc/cmdline"), "");
    fs::remove_dir_all(folder.join("empty-cmdline/var")).unwrap();
}

fn long_line(folder: &Path) {
    write(&folder.join("long.log"), &("pciback 0000:00:1d.0: seizing device ".repeat(8000) + "\n"));
}

fn day(month: u32, day: u32, hour: u32) -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, month, day).unwrap().and_hms_opt(hour, 0, 0).unwrap()
}

/// A line of syslog: so many microseconds behind `start` the kernel of `host` says `text`; its own clock shows `uptime`.
fn line(start: NaiveDateTime, host: &str, micros: i64, uptime: i64, text: &str) -> String {
    let time = (start + TimeDelta::microseconds(micros)).format("%b %e %H:%M:%S");
    format!("{time} {host} kernel: [{:5}.{:06}] {text}\n", uptime / 1_000_000, uptime % 1_000_000)
}

const SECOND: i64 = 1_000_000;
const BANNER: &str = "Linux version 6.1.0-18-amd64 (builder@build) #1 SMP";

/// The lines of a good boot: the `number`th, a day behind the one before.
fn boot(number: i64) -> Vec<String> {
    let start = day(1, 1, 0) + TimeDelta::days(number);
    let list = "Command line: root=/dev/sda1 ro xen-pciback.hide=(0000:00:1d.0)".to_owned();
    let mut told = vec![(0, BANNER.to_owned()), (0, list)];
    told.extend((0..16).map(|n| {
        let text = format!("pci 0000:00:{:02x}.0: [8086:{:04x}] type 00 class 0x0c0300", 0x10 + n, 0x2900 + n);
        (160_001 + n * 1000 + number, text)
    }));
    told.push((5 * SECOND + number, "pciback 0000:00:1d.0: xen_pciback: seizing device".to_owned()));
    told.push((5 * SECOND + 200_000 + number, "xen_pciback: backend is vpci".to_owned()));
    told.push((20 * SECOND + number, "random: crng init done".to_owned()));
    told.iter().map(|(uptime, text)| line(start, "gaia", *uptime, *uptime, text)).collect()
}

fn history_and_ring(folder: &Path) {
    for (name, number) in [("short", 40), ("long", 400)] {
        let boots: Vec<Vec<String>> = (0..number).map(boot).collect();
        write(&folder.join(name).join("gaia/kern.log"), &boots.concat().concat());
        let last = boots.last().unwrap();
        let ring: Vec<&str> =
            last[..last.len() - 3].iter().map(|line| line.split_once(" kernel: ").unwrap().1).collect();
        write(&folder.join(name).join("gaia/messages"), &ring.concat());
    }
}

fn two_files(folder: &Path) {
    for (name, number) in [("short", 40), ("long", 400)] {
        let text = (0..number).flat_map(boot).collect::<String>();
        for file in ["kern.log", "syslog"] {
            write(&folder.join(name).join("gaia").join(file), &text);
        }
    }
}

fn twelve_hosts(folder: &Path) {
    let start = day(11, 22, 6);
    let mut told = vec![
        (0, BANNER.to_owned()),
        (0, "Command line: root=/dev/sda1 ro xen-pciback.hide=(0000:00:1d.0)".to_owned()),
        (5, "pciback 0000:00:1d.0: xen_pciback: seizing device".to_owned()),
    ];
    told.extend(
        (0..40).map(|n| (6 + n, format!("usb 1-1: new high-speed USB device number {} using ehci-pci", n + 2))),
    );
    let of_host = |host: usize| {
        let host = format!("xen{host:02}");
        told.iter().map(move |(at, text)| line(start, &host, at * SECOND, at * SECOND, text)).collect::<Vec<_>>()
    };
    let hosts: Vec<Vec<String>> = (0..12).map(of_host).collect();
    write(&folder.join("xen03"), &hosts[3].concat());
    let mut text: String = (0..told.len()).flat_map(|at| hosts.iter().map(move |lines| lines[at].as_str())).collect();
    for number in 20_000..22_000_i64 {
        let time = (start + TimeDelta::seconds(5 + number / 400)).format("%b %e %H:%M:%S");
        let _ = writeln!(
            text,
            "{time} www nginx[811]: 10.0.{}.{} - - \"GET /index/{number} HTTP/1.1\" 200 {} \"-\" \"Mozilla/5.0\"",
            number % 256,
            number / 256 % 256,
            number % 9000
        );
    }
    write(&folder.join("syslog"), &text);
}

fn second_boot(folder: &Path) {
    let start = day(11, 22, 6);
    let list = "Command line: placeholder root=/dev/sda1 ro xen-pciback.hide=(0000:00:1d.0)";
    let at = |after: i64, uptime: i64, text: &str| line(start, "gaia", after, uptime, text);
    let usb = |number: i64| format!("usb 1-1: new high-speed USB device number {number} using ehci-pci");
    let mut text = at(0, 0, BANNER) + &at(0, 0, list);
    text += &at(SECOND, SECOND, "pciback 0000:00:1d.0: xen_pciback: seizing device");
    text += &at(SECOND + 100_000, SECOND + 100_000, "xen_pciback: backend is vpci");
    text.extend((2..40).map(|n| at(n * SECOND, n * SECOND, &usb(n))));
    text.extend((0..3000).map(|n| at((103 + n) * SECOND, (3 + n) * SECOND, &usb(3 + n))));
    write(&folder.join("kern.log"), &text);
}
