//! Where a boot begins, and what its kernel was told.

use super::{Event, Found, Message};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        pattern: r"Linux version (?<release>[0-9]\S*)(?: .*)?",
        read: |found| Some(Event::Booted { release: String::from_utf8_lossy(found.name("release")?).into_owned() }),
        levels: &[],
        source: "init/version.c linux_banner, all versions; notice from 2.6.x on",
        examples: &[
            "Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)",
            "Linux version 2.6.32.27",
        ],
    },
    Message {
        pattern: r"Command line: (?<line>.*)",
        read: command_line,
        levels: &[],
        source: "arch/x86/kernel/setup.c, all versions (info)",
        examples: &["Command line: console=hvc0 earlyprintk=xen xen-pciback.hide=(0000:00:1d.0)"],
    },
    Message {
        pattern: r"Kernel command line: (?<line>.*)",
        read: command_line,
        levels: &[],
        source: "init/main.c, all versions (notice)",
        examples: &["Kernel command line: placeholder root=/dev/sda1 ro"],
    },
];

fn command_line(found: &Found<'_>) -> Option<Event> {
    Some(Event::CommandLine { text: found.name("line")?.to_vec() })
}
