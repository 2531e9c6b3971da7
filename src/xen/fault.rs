//! Xen's lines about single devices, of every version: DMA that its IOMMU blocked, and shared reserved memory.

use memchr::memmem;

use crate::pci::Address;

/// What stands in front of the device of a fault.
const REQUESTS: &[u8] = b"Request device [";

/// What stands in front of the number of AMD's device.
const ID: &[u8] = b"device id";

/// The device of a fault, and whether an interrupt was blocked.
pub(super) fn fault(text: &[u8]) -> Option<(Address, bool)> {
    vtd(text).or_else(|| amd(text).map(|address| (address, false)))
}

/// VT-d (xen/drivers/passthrough/vtd/iommu.c `iommu_page_fault_do_one`): `[VT-D]DMAR:[DMA Read] Request device [B] fault addr`
/// (4.2 to 4.20), `DMAR:[DMA Read] Request device [03:00.0]` (4.0 and 4.1), `iommu_fault:DMA Read: 3:0.0 addr` (3.3 and 3.4).
fn vtd(text: &[u8]) -> Option<(Address, bool)> {
    let text = behind_prefix(text);
    if let Some(rest) = text.strip_prefix(b"iommu_fault:") {
        let words = rest.split(|byte| *byte == b' ');
        return Some((words.into_iter().find_map(address)?, false));
    }
    let interrupt = text.starts_with(b"INTR-REMAP:");
    if !interrupt && !text.starts_with(b"DMAR:") && !text.starts_with(b"UNKNOWN:") {
        return None;
    }
    let at = memmem::find(text, REQUESTS)? + REQUESTS.len();
    let rest = text.get(at..)?;
    let end = rest.iter().take(20).position(|byte| *byte == b']')?;
    Some((address(rest.get(..end)?)?, interrupt))
}

/// The text behind VT-d's prefix, and behind the `iommu.c:785: ` of a debug build (`dprintk` of xen/include/xen/lib.h, 3.3 to 4.1).
fn behind_prefix(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"[VT-D]").unwrap_or(text).trim_ascii_start();
    let behind_place = || {
        let rest = text.get(memmem::find(text.get(..40).unwrap_or(text), b".c:")? + 3..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest.get(digits..)?.strip_prefix(b": ").filter(|_| digits > 0)
    };
    behind_place().unwrap_or(text)
}

/// AMD (`xen/drivers/passthrough/amd/iommu_init.c`, `parse_event_log_entry`): `AMD-Vi: IO_PAGE_FAULT: B d0 addr ...` (4.14 to
/// 4.20), `AMD-Vi: IO_PAGE_FAULT: domain = 0, device id = 0x300, ...` (4.1 to 4.13), `AMD_IOV: ...` (until 4.0), where the
/// device's id is its bus, slot and function, in the only segment.
fn amd(text: &[u8]) -> Option<Address> {
    const EVENTS: [&[u8]; 6] = [
        b"ILLEGAL_DEV_TABLE_ENTRY",
        b"IO_PAGE_FAULT",
        b"DEV_TABLE_HW_ERROR",
        b"PAGE_TABLE_HW_ERROR",
        b"IOTLB_INV_TIMEOUT",
        b"INVALID_DEV_REQUEST",
    ];
    let text = text.strip_prefix(b"AMD-Vi:").or_else(|| text.strip_prefix(b"AMD_IOV:"))?.trim_ascii_start();
    let rest = EVENTS.iter().find_map(|event| text.strip_prefix(*event))?.strip_prefix(b":")?.trim_ascii_start();
    if let Some((address, _)) = Address::peel(rest) {
        return Some(address);
    }
    let id = rest.get(memmem::find(rest, ID)? + ID.len()..)?;
    let id = id.strip_prefix(b" = ").or_else(|| id.strip_prefix(b":")).or_else(|| id.strip_prefix(b" "))?;
    let id = id.trim_ascii_start().strip_prefix(b"0x")?;
    let digits = id.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let id = u16::from_str_radix(std::str::from_utf8(id.get(..digits)?).ok()?, 16).ok()?;
    let [bus, function] = id.to_be_bytes();
    Address::new(0, bus, function >> 3, function & 7)
}

/// An address as any version prints it: with a domain or without, with or without leading zeros.
fn address(text: &[u8]) -> Option<Address> {
    let text = std::str::from_utf8(text).ok()?;
    if text.contains(':') && text.contains('.') { text.trim_end_matches(':').parse().ok() } else { None }
}

/// The line behind a fault of VT-d, which says why: `[VT-D]DMAR: reason 05 - PTE Write access is not set` (4.6 to 4.20),
/// `DMAR:[fault reason 05h] ...` (until 4.5).
pub(super) fn is_reason(text: &[u8]) -> bool {
    let text = behind_prefix(text);
    [&b"DMAR:"[..], b"INTR-REMAP:", b"UNKNOWN:"].iter().any(|kind| {
        let rest = text.strip_prefix(*kind).unwrap_or_default().trim_ascii_start();
        rest.starts_with(b"reason ") || rest.starts_with(b"[fault reason ")
    })
}

/// `[VT-D] It's disallowed to assign B with shared RMRR at 7b800000 for Dom3.` (vtd/iommu.c `intel_iommu_assign_device`, 4.6 to
/// 4.20): the device, and whether it is refused.
pub(super) fn reserved(text: &[u8]) -> Option<(Address, bool)> {
    let rest = behind_prefix(text).strip_prefix(b"It's ")?;
    let (refused, rest) = match (rest.strip_prefix(b"disallowed"), rest.strip_prefix(b"risky")) {
        (Some(rest), _) => (true, rest),
        (None, rest) => (false, rest?),
    };
    let (address, rest) = Address::peel(rest.strip_prefix(b" to assign ")?)?;
    rest.starts_with(b" with shared RMRR").then_some((address, refused))
}

/// A device that could not be given to a guest: `d3: assign (B) failed (-1)` (`drivers/passthrough/pci.c`, 4.3 to 4.20, with
/// `phantom function` from 4.19 on), `XEN_DOMCTL_assign_device: assign B to dom3 failed (-1)` (4.2 to 4.12; 4.13 without the first word),
/// `no IOMMU for B; cannot be handed to d3`, `Fail to find iommu. B cannot be assigned to dom3` (AMD).
pub(super) fn refusal(text: &[u8]) -> Option<Address> {
    const BEGINNINGS: [&[u8]; 5] = [
        b"XEN_DOMCTL_assign_device: assign ",
        b"assign ",
        b"no IOMMU for ",
        b"failed to find IOMMU: ",
        b"Fail to find iommu. ",
    ];
    let text = text.strip_prefix(b"AMD-Vi:").unwrap_or(text).trim_ascii_start();
    let of_domain = || {
        let end = text.iter().take(12).position(|byte| *byte == b':')?;
        text.get(end..)?.strip_prefix(b": assign ").filter(|_| text.starts_with(b"d"))
    };
    let rest = BEGINNINGS.iter().find_map(|begins| text.strip_prefix(*begins)).or_else(of_domain)?;
    let rest = rest.strip_prefix(b"phantom function ").unwrap_or(rest);
    let (address, rest) = Address::peel(rest.strip_prefix(b"(").unwrap_or(rest))?;
    [&b" failed ("[..], b"cannot be "].iter().any(|words| memmem::find(rest, words).is_some()).then_some(address)
}

/// Whether a line says why the IOMMU or a part of it is not used: `Disabling IOMMU due to Intel 5500/5520/X58 Chipset errata`
/// (vtd/quirks.c `platform_quirks_init`), `[VT-D]... disabled`, `AMD-Vi: ... disabled`.
pub(super) fn is_obstacle(text: &[u8]) -> bool {
    let about = [&b"[VT-D]"[..], b"VT-d:", b"Intel VT-d", b"AMD-Vi:", b"AMD_IOV:", b"Disabling IOMMU", b"IOMMU"];
    let holds = |words: &[u8]| memmem::find(text, words).is_some();
    about.iter().any(|start| text.starts_with(start))
        && (holds(b"isabling") || holds(b"isabled") || holds(b"not found") || holds(b"errata"))
}
