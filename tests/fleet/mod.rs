//! The logs of 500 hosts, as a central log server keeps them: the same bytes every time.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "a test may end in a panic")]

use std::fmt::Write as _;
use std::path::Path;

/// How many hosts there are.
pub const HOSTS: usize = 500;

/// What becomes of the devices in a boot.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Well,
    /// nvme has 0a:00.0.
    Held,
    /// Nothing is said of 0b:00.0.
    Missing,
    /// The kernel cannot read the list.
    Malformed,
}

/// Of 500 hosts, 80 boot badly on March 1. On March 2, some 60 reboot: 6 of those 80 are well then, and 14 others are not.
fn fates(host: usize) -> Vec<Fate> {
    let before = match host {
        _ if host % 10 == 3 => Fate::Held,
        _ if host % 25 == 9 => Fate::Missing,
        _ if host % 50 == 21 => Fate::Malformed,
        _ => Fate::Well,
    };
    let after = match host {
        _ if host >= 280 && before == Fate::Held && host % 40 == 3 => Some(Fate::Well),
        _ if host >= 360 && host % 10 == 7 => Some(if host % 70 == 7 { Fate::Missing } else { Fate::Held }),
        _ if host < 320 && host % 8 == 2 && before == Fate::Well => Some(Fate::Well),
        _ => None,
    };
    [Some(before), after].into_iter().flatten().collect()
}

/// The name of a host.
pub fn name(host: usize) -> String {
    format!("dom0-{host:03}")
}

fn log(host: usize) -> String {
    let mut text = String::new();
    for (day, fate) in (1..).zip(fates(host)) {
        let mut line = |micros: usize, message: &str| {
            let (second, rest) = (micros / 1_000_000, micros % 1_000_000);
            let time = format!("2026-03-{day:02}T06:{:02}:{:02}.{rest:06}+00:00", second / 60, second % 60);
            writeln!(text, "{time} {} kernel: [{second:5}.{rest:06}] {message}", name(host)).unwrap();
        };
        let close = if fate == Fate::Malformed { "" } else { ")" };
        line(0, "Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC");
        line(1, &format!("Command line: root=/dev/sda1 xen-pciback.hide=(0000:0a:00.0{close}(0000:0b:00.0)"));
        if fate == Fate::Malformed {
            line(2_100_000, "xen_pciback: Error parsing pci_devs_to_hide at \"(0000:0a:00.0(0000:0b:00.0)\"");
        } else {
            for (micros, device, lost) in [(2_100_000, "0a:00.0", Fate::Held), (2_100_200, "0b:00.0", Fate::Missing)] {
                if fate != lost {
                    line(micros, &format!("pciback 0000:{device}: xen_pciback: seizing device"));
                }
            }
            if fate == Fate::Held {
                line(2_050_000, "nvme 0000:0a:00.0: enabling device (0000 -> 0002)");
            }
            line(2_100_400, "xen_pciback: backend is vpci");
        }
        line(300_000_000, "EXT4-fs (sda1): re-mounted. Opts: errors=remount-ro");
    }
    text
}

/// Writes the logs below a folder: one folder for each host.
pub fn write(folder: &Path) {
    for host in 1..=HOSTS {
        let own = folder.join(name(host));
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("kern.log"), log(host)).unwrap();
    }
}
