//! What the kernel of a dom0 says while it starts, of pciback and otherwise.

use crate::random::Random;

/// How a boot ends for the devices that pciback was asked to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Seized,
    /// One of the devices is not there, so pciback says nothing of it.
    Missing,
    /// One cannot be set up.
    Failed,
    /// The list does not parse, and nothing is taken.
    Refused,
}

impl Outcome {
    pub(crate) fn draw(random: &mut Random) -> Self {
        match random.below(20) {
            0 | 1 => Self::Missing,
            2 => Self::Failed,
            3 => Self::Refused,
            _ => Self::Seized,
        }
    }
}

/// A message and whether it is of a kind that is looked for.
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) ours: bool,
}

/// Devices in every machine: where, what, and what their driver says.
const BUILT_IN: [(&str, &str, &str); 4] = [
    ("0000:00:00.0", "[8086:3e1f] type 00 class 0x060000", ""),
    (
        "0000:00:17.0",
        "[8086:a352] type 00 class 0x010601",
        "ahci 0000:00:17.0: AHCI 0001.0301 32 slots 6 ports 6 Gbps 0x3f impl SATA mode",
    ),
    (
        "0000:00:19.0",
        "[8086:15bc] type 00 class 0x020000",
        "e1000e 0000:00:19.0 eth0: (PCI Express:2.5GT/s:Width x1) 3c:7c:3f:10:20:30",
    ),
    ("0000:00:1d.0", "[8086:a32c] type 00 class 0x0c0330", "xhci_hcd 0000:00:1d.0: xHCI Host Controller"),
];

/// Other things it says.
const OTHERS: [&str; 16] = [
    "BIOS-provided physical RAM map:",
    "Xen: [mem 0x0000000000000000-0x000000000009efff] usable",
    "Hypervisor detected: Xen PV",
    "tsc: Fast TSC calibration using PIT",
    "ACPI: Early table checksum verification disabled",
    "Memory: 3995948K/4193916K available (14342K kernel code, 2332K rwdata, 9060K rodata, 2796K init)",
    "rcu: Preemptible hierarchical RCU implementation.",
    "clocksource: xen: mask: 0xffffffffffffffff max_cycles: 0x1cd42e4dffb, max_idle_ns: 881590591483 ns",
    "smpboot: Total of 8 processors activated (57600.00 BogoMIPS)",
    "NET: Registered PF_INET6 protocol family",
    "Initialise system trusted keyrings",
    "Serial: 8250/16550 driver, 4 ports, IRQ sharing enabled",
    "usbcore: registered new interface driver usbhid",
    "EXT4-fs (dm-0): mounted filesystem with ordered data mode. Quota mode: none.",
    "xen:xen_evtchn: Event-channel device installed",
    "xen_acpi_processor: Uploading Xen processor PM info",
];

/// The devices that this host gives away.
pub(crate) fn devices(host: u32) -> Vec<String> {
    (0..2 + host % 5).map(|number| format!("0000:{:02x}:00.{}", 3 + number, host % 2)).collect()
}

/// The messages of one boot, in order.
pub(crate) fn lines(host: u32, outcome: Outcome, random: &mut Random) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut say = |ours: bool, text: String| lines.push(Line { text, ours });
    let mut others = OTHERS.iter();
    let mut requested = devices(host);
    let there = requested.clone();
    if outcome == Outcome::Missing {
        requested.push("0000:0a:00.0".to_owned());
    }
    let mut hide = format!("({})", requested.join(")("));
    if outcome == Outcome::Refused {
        hide.push_str("(0000:82.0.0)");
    }
    say(true, "Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)".to_owned());
    let command = format!("placeholder root=/dev/mapper/vg0-root ro console=hvc0 xen-pciback.hide={hide} quiet");
    say(true, format!("Command line: {command}"));
    for text in others.by_ref().take(6) {
        say(false, (*text).to_owned());
    }
    say(true, format!("Kernel command line: {command}"));
    for (address, found, _) in BUILT_IN {
        say(true, format!("pci {address}: {found}"));
        say(
            false,
            format!("pci {address}: reg 0x10: [mem 0x{:08x}-0x{:08x}]", random.below(1 << 31), random.below(1 << 31)),
        );
    }
    say(true, "pci 0000:00:1c.0: [8086:a338] type 01 class 0x060400".to_owned());
    for device in &there {
        say(true, format!("pci {device}: [10de:1cb3] type 00 class 0x030000"));
        say(false, format!("pci {device}: PME# supported from D0 D3hot D3cold"));
    }
    say(true, "pci 0000:00:1c.0: PCI bridge to [bus 03-0a]".to_owned());
    for text in others.by_ref().take(4) {
        say(false, (*text).to_owned());
    }
    for (_, _, speech) in BUILT_IN.iter().filter(|device| !device.2.is_empty()) {
        say(true, (*speech).to_owned());
    }
    if outcome == Outcome::Refused {
        say(true, "xen_pciback: Error parsing pci_devs_to_hide at \"(0000:82.0.0)\"".to_owned());
    } else {
        for device in &there {
            say(true, format!("pciback {device}: xen_pciback: seizing device"));
        }
        if outcome == Outcome::Failed {
            let last = there.last().map_or("", String::as_str);
            say(true, format!("pciback {last}: xen_pciback: error -22 initializing device"));
        }
        say(true, "xen_pciback: backend is vpci".to_owned());
    }
    for text in others {
        say(false, (*text).to_owned());
    }
    lines
}

/// What pciback says when a guest starts.
pub(crate) fn guest(host: u32, domain: u32) -> Vec<String> {
    let said = |(slot, device): (usize, String)| {
        [
            format!("pciback {device}: xen_pciback: vpci: assign to virtual slot {slot}"),
            format!("pciback {device}: registering for {domain}"),
            format!("pciback {device}: enabling device (0000 -> 0003)"),
            format!(
                "pciback {device}: xen_pciback: Driver tried to write to a read-only configuration space field at offset 0x4, size 2. This may be harmless"
            ),
        ]
    };
    devices(host).into_iter().enumerate().flat_map(said).collect()
}
