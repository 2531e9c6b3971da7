//! Where a boot begins and ends, and what its kernel was told.

use super::{Event, Found, Message};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        texts: &["Linux version {w}{+}"],
        read: |found| {
            let release = found.part(0).filter(|release| release.first().is_some_and(u8::is_ascii_digit))?;
            Some(Event::Booted { release: String::from_utf8_lossy(release).into_owned() })
        },
        levels: &[],
        source: "init/version.c linux_banner, all versions; notice from 2.6.x on",
        examples: &[
            "Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)",
            "Linux version 2.6.32.27",
        ],
    },
    Message {
        texts: &["Command line: {*}"],
        read: command_line,
        levels: &[],
        source: "arch/x86/kernel/setup.c, all versions (info)",
        examples: &["Command line: console=hvc0 earlyprintk=xen xen-pciback.hide=(0000:00:1d.0)"],
    },
    Message {
        texts: &["Kernel command line: {*}"],
        read: command_line,
        levels: &[],
        source: "init/main.c, all versions (notice)",
        examples: &["Kernel command line: placeholder root=/dev/sda1 ro"],
    },
    Message {
        texts: &[
            "reboot: Restarting system",
            "reboot: Restarting system with command '{*}'",
            "reboot: Power down",
            "reboot: System halted",
            "reboot: machine restart",
        ],
        read: |_| Some(Event::BootEnds),
        levels: &[],
        source: "kernel/reboot.c kernel_restart, kernel_power_off, kernel_halt, 3.11 to 7.1 (emerg); machine restart: arch/x86/kernel/reboot.c (notice)",
        examples: &[
            "reboot: Restarting system",
            "reboot: Restarting system with command 'recovery'",
            "reboot: Power down",
            "reboot: System halted",
            "reboot: machine restart",
        ],
    },
    Message {
        texts: &[
            "Restarting system.",
            "Restarting system with command '{*}'.",
            "Power down.",
            "System halted.",
            "machine restart",
        ],
        read: |_| Some(Event::BootEnds),
        levels: &[],
        source: "kernel/sys.c, 2.6.18 to 3.10 (emerg); machine restart: arch/x86/kernel/reboot.c",
        examples: &["Restarting system.", "Power down.", "System halted.", "machine restart"],
    },
    Message {
        texts: &["kexec_core: Starting new kernel", "kexec: Starting new kernel", "Starting new kernel"],
        read: |_| Some(Event::BootEnds),
        levels: &[],
        source: "kernel/kexec_core.c kernel_kexec: with the file's name in front from 3.14 on (emerg, later notice)",
        examples: &["kexec_core: Starting new kernel", "kexec: Starting new kernel", "Starting new kernel"],
    },
];

fn command_line(found: &Found<'_>) -> Option<Event> {
    Some(Event::CommandLine { text: found.part(0)?.to_vec() })
}
