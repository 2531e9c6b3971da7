//! Drivers other than pciback that say which device they hold.
//!
//! Most speak in the driver core's form, `uhci_hcd 0000:00:1d.0: UHCI Host Controller`. The rows are those that name the
//! device elsewhere.

use super::{Event, Found, Message};
use crate::pci::Address;
use crate::record::{Author, Record};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        texts: &["nvme nvme{n}: pci function {a}"],
        read: |found| held(found, "nvme"),
        levels: &[],
        source: "drivers/nvme/host/pci.c nvme_probe, 4.4 to 7.1 (info)",
        examples: &["nvme nvme0: pci function 0000:00:05.0"],
    },
    Message {
        texts: &["e1000: {a}: e1000_probe: {*}"],
        read: |found| held(found, "e1000"),
        levels: &[],
        source: "drivers/net/e1000/e1000_main.c e1000_probe, 2.6.16 to 2.6.35 (info): the interface has no other name yet",
        examples: &["e1000: 0000:02:01.0: e1000_probe: (PCI:33MHz:32-bit) 00:0c:29:6d:52:4a"],
    },
    Message {
        texts: &["bttv{n}: Bt{n} (rev {n}) at {a}, {*}", "bttv: {n}: Bt{n} (rev {n}) at {a}, {*}"],
        read: |found| held(found, "bttv"),
        levels: &[],
        source: "drivers/media/pci/bt8xx/bttv-driver.c bttv_probe, 2.6.18 to 7.1 (info)",
        examples: &["bttv0: Bt878 (rev 17) at 0000:02:02.0, irq: 18, latency: 64, mmio: 0xfdcfe000"],
    },
    Message {
        texts: &["saa{n}[{n}]: found at {a}, rev: {*}"],
        read: |found| held(found, "saa7134"),
        levels: &[],
        source: "drivers/media/pci/saa7134/saa7134-core.c saa7134_initdev, 2.6.18 to 7.1 (info)",
        examples: &["saa7133[0]: found at 0000:02:01.0, rev: 209, irq: 17, latency: 64, mmio: 0xfebff800"],
    },
    Message {
        texts: &["[drm] Initialized {w} {*} for {a} on minor {n}"],
        read: |found| held(found, std::str::from_utf8(found.part(0)?).ok()?),
        levels: &[],
        source: "drivers/gpu/drm/drm_drv.c drm_dev_register, 4.9 to 7.1 (info); without a date from 6.14 on",
        examples: &[
            "[drm] Initialized i915 1.6.0 20200917 for 0000:00:02.0 on minor 0",
            "[drm] Initialized amdgpu 3.61.0 for 0000:03:00.0 on minor 1",
        ],
    },
    Message {
        texts: &["Yenta: CardBus bridge found at {a} {*}"],
        read: |found| held(found, "yenta_cardbus"),
        levels: &[],
        source: "drivers/pcmcia/yenta_socket.c yenta_probe, 2.6.18 to 2.6.27 (info)",
        examples: &["Yenta: CardBus bridge found at 0000:05:04.0 [1043:1997]"],
    },
];

fn held(found: &Found<'_>, driver: &str) -> Option<Event> {
    Some(Event::HeldBy { address: found.address()?, driver: driver.to_owned() })
}

/// Words that stand where a driver's name stands in a message, and are none: names of buses and programs, and English.
const NOT_DRIVERS: &[&[u8]] = &[
    b"pci",
    b"pci_bus",
    b"pciback",
    b"xen-pciback",
    b"xen_pciback",
    b"kernel",
    b"audit",
    b"xen",
    b"xl",
    b"libxl",
    b"a",
    b"adding",
    b"and",
    b"at",
    b"bridge",
    b"bus",
    b"by",
    b"device",
    b"devices",
    b"for",
    b"from",
    b"function",
    b"in",
    b"is",
    b"of",
    b"on",
    b"or",
    b"port",
    b"removing",
    b"slot",
    b"the",
    b"to",
    b"with",
];

/// Longest name of a driver that is looked for.
const LONGEST: usize = 32;

/// What a driver says about its device in the driver core's form.
///
/// The kernel prints the name of the driver that is bound at that moment (drivers/base/core.c `dev_driver_string`). Behind the
/// device stands a colon, or the name of its interface and a colon (net/core/dev.c `__netdev_printk`).
pub(super) fn speaker<'a>(record: &'a Record<'_>) -> Option<(Address, &'a [u8], &'a [u8])> {
    let message = record.message.as_ref();
    let space = memchr::memchr(b' ', message.get(..LONGEST).unwrap_or(message))?;
    let (driver, rest) = message.split_at_checked(space)?;
    let driver = is_driver(driver).then_some(driver)?;
    let (address, rest) = Address::peel(rest.get(1..)?)?;
    if !is_of_kernel(record) {
        return None;
    }
    let text = rest.strip_prefix(b": ").or_else(|| interface(rest)).or_else(|| rest.strip_prefix(b":"))?;
    Some((address, driver, text))
}

/// Whether a word has the form of a driver's name.
fn is_driver(word: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    word.iter().any(u8::is_ascii_lowercase) && word.iter().all(plain) && !NOT_DRIVERS.contains(&word)
}

fn is_of_kernel(record: &Record<'_>) -> bool {
    record.author != Author::User && record.program().is_none()
}

/// Whether a driver's text, in the driver core's form, says that it could not take the device (drivers/base/dd.c `call_driver_probe`,
/// 6.12 to 7.1).
pub(super) fn is_failed_probe(text: &[u8]) -> bool {
    text.starts_with(b"probe with driver ") && memchr::memmem::find(text, b" failed with error ").is_some()
}

/// The device that a driver could not take: `igb: probe of 0000:03:00.0 failed with error -5` (drivers/base/dd.c `really_probe`,
/// 2.6.18 to 6.8).
pub(super) fn failed_probe(record: &Record<'_>) -> Option<Address> {
    const PROBE: &[u8] = b": probe of ";
    let message = record.message.as_ref();
    let (driver, rest) = message.split_at_checked(memchr::memchr(b':', message.get(..LONGEST).unwrap_or(message))?)?;
    let (address, rest) = Address::peel(rest.strip_prefix(PROBE)?)?;
    (is_driver(driver) && is_of_kernel(record) && rest.starts_with(b" failed with error ")).then_some(address)
}

/// The text behind ` eth0: ` or ` eth0 (unregistering): `.
fn interface(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b" ")?;
    let colon = memchr::memchr(b':', text.get(..64).unwrap_or(text))?;
    let (name, rest) = text.split_at_checked(colon)?;
    let states = name.ends_with(b")") || !name.contains(&b' ');
    rest.strip_prefix(b": ").filter(|_| states)
}
