//! Where a boot begins and ends, and what its kernel was told.

use super::{Event, Found, Message};

/// The end of a record behind which the command line goes on.
pub(crate) const WRAPPED: &[u8] = b" \\";

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
    Some(Event::CommandLine { text: out_of_quotes(out_of_mail(without_escapes(found.part(0)?))) })
}

/// The line without a line feed that some program wrote as two characters.
fn without_escapes(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\\n").unwrap_or(line);
    line.strip_suffix(b"\\r").unwrap_or(line)
}

/// The line without the quote that another program closed behind it, and what stands there: `msg="Command line: quiet" level=info`. Where
/// the line itself ends is not known then. A quote that opens stands behind a blank or `=`.
fn out_of_quotes(mut line: Vec<u8>) -> Vec<u8> {
    let mut open = false;
    let closing = memchr::memchr_iter(b'"', &line).find(|at| {
        let before = at.checked_sub(1).and_then(|before| line.get(before));
        open = !open;
        open && before.is_some_and(|before| !matches!(before, b' ' | b'='))
    });
    if let Some(end) = closing {
        line.truncate(end);
        line.extend_from_slice(WRAPPED);
    }
    line
}

/// The line as it was before a mail program wrote it as quoted-printable (RFC 2045, section 6.7): each `=` as `=3D`, and a lone one
/// where it broke the line. The kernel's own mark of a line that goes on stands for that break.
fn out_of_mail(line: &[u8]) -> Vec<u8> {
    let body = line.strip_suffix(b"=").unwrap_or(line);
    let parts: Vec<&[u8]> = body.split(|byte| *byte == b'=').collect();
    let Some((first, others)) = parts.split_first().filter(|(_, others)| !others.is_empty()) else {
        return line.to_vec();
    };
    let mut plain = first.to_vec();
    for part in others {
        let Some(rest) = part.strip_prefix(b"3D") else { return line.to_vec() };
        plain.push(b'=');
        plain.extend_from_slice(rest);
    }
    if body.len() < line.len() {
        plain.extend_from_slice(WRAPPED);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_read_out_of_what_others_put_around_it() {
        for (line, expected) in [
            ("root=3D/dev/sda1 xen-pciback.hide=3D(c3:00.4)", "root=/dev/sda1 xen-pciback.hide=(c3:00.4)"),
            ("root=3D/dev/sda1 hide=3D(c3:00=", "root=/dev/sda1 hide=(c3:00 \\"),
            ("root=/dev/sda1 a=3D", "root=/dev/sda1 a=3D"),
            ("root=/dev/sda1 a=", "root=/dev/sda1 a="),
            ("quiet a=", "quiet a="),
            ("quiet hide=(c3:00.4)\"}]", "quiet hide=(c3:00.4) \\"),
            ("quiet hide=(c3:00.4)\" source=\"kmsg\"", "quiet hide=(c3:00.4) \\"),
            ("quiet hide=\"(c3:00.4)", "quiet hide=\"(c3:00.4)"),
            ("quiet hide=\"(c3:00.4) (c3:00.5)\" x", "quiet hide=\"(c3:00.4) (c3:00.5)\" x"),
            ("quiet hide=(c3:00.4)\\r\\n", "quiet hide=(c3:00.4)"),
            ("quiet", "quiet"),
        ] {
            assert_eq!(
                String::from_utf8_lossy(&out_of_quotes(out_of_mail(without_escapes(line.as_bytes())))),
                expected,
                "{line}"
            );
        }
    }
}
