use super::*;

fn heard(text: &str) -> Hypervisor {
    let mut xen = Hypervisor::default();
    for (number, line) in (1..).zip(text.lines()) {
        xen.take(&Record::bare(Place { line: number, ..Place::default() }, line.as_bytes()));
    }
    xen
}

fn fault_of(text: &str) -> Option<String> {
    heard(text).boots.back()?.faults.keys().next().map(ToString::to_string)
}

#[test]
fn faults_of_every_version_name_their_device() {
    for (text, expected) in [
        (
            "(XEN) [VT-D]DMAR:[DMA Read] Request device [0000:82:00.1] fault addr 7b000, iommu reg = ffff82c000a1",
            "0000:82:00.1",
        ),
        ("(XEN) [VT-D]DMAR:[DMA Write] Request device [0001:03:00.0] fault addr fe000000", "0001:03:00.0"),
        ("(XEN) [VT-D]INTR-REMAP: Request device [0000:f0:1f.0] fault index 0, iommu reg = 1", "0000:f0:1f.0"),
        ("(XEN) DMAR:[DMA Write] Request device [03:00.0] fault addr 1", "0000:03:00.0"),
        (
            "(XEN) [VT-D]iommu.c:785: DMAR:[DMA Read] Request device [03:00.0] fault addr 1, iommu reg = 2",
            "0000:03:00.0",
        ),
        ("(XEN) [VT-D]iommu.c:700: iommu_fault:DMA Read: 3:0.0 addr 1 REASON 6 iommu->reg = 2", "0000:03:00.0"),
        ("(XEN) [VT-D]iommu_fault:DMA Read: 0:1d.7 addr dfe REASON 6 iommu->reg = 1", "0000:00:1d.7"),
        ("(XEN) AMD-Vi: IO_PAGE_FAULT: 0000:03:00.1 d7 addr 00000000fe000000 flags 0x8 I", "0000:03:00.1"),
        (
            "(XEN) AMD-Vi: IO_PAGE_FAULT: domain = 0, device id = 0x0301, fault address = 0x1, flags = 0x8",
            "0000:03:00.1",
        ),
        ("(XEN) AMD_IOV: IO_PAGE_FAULT: domain:0, device id:0xa3, fault address:0xdfe", "0000:00:14.3"),
        (
            "[2024-05-01 10:00:00] (XEN) [2024-05-01 10:00:00.123] AMD-Vi: INVALID_DEV_REQUEST: 0000:04:00.0 d1 addr 0 flags 0",
            "0000:04:00.0",
        ),
        ("(XEN) [    7.123456] [VT-D]DMAR:[DMA Read] Request device [0000:82:00.1] fault addr 7b000", "0000:82:00.1"),
        (
            "(XEN) [00000012ab34cd56] [VT-D]DMAR:[DMA Read] Request device [0000:82:00.1] fault addr 7b000",
            "0000:82:00.1",
        ),
        ("dom0 login: (XEN) [VT-D]DMAR:[DMA Read] Request device [0000:82:00.1] fault addr 7b000", "0000:82:00.1"),
    ] {
        assert_eq!(fault_of(text).as_deref(), Some(expected), "{text}");
    }
    for text in [
        "(d5) (XEN) [VT-D]DMAR:[DMA Read] Request device [0000:82:00.1] fault addr 7b000",
        "(XEN) HVM4: (XEN) AMD-Vi: IO_PAGE_FAULT: 0000:03:00.1 d7 addr 0 flags 0x8",
        "[VT-D]DMAR:[DMA Read] Request device [0000:82:00.1] fault addr 7b000",
        "(XEN) AMD-Vi: COMMAND_HW_ERROR: 0000:03:00.1",
        "(XEN) [VT-D]DMAR:[DMA Read] Request device [82:00] fault addr 7b000",
        "(XEN) [VT-D]DMAR:[DMA Read] Request device [",
    ] {
        assert_eq!(fault_of(text), None, "{text}");
    }
}

#[test]
fn a_fault_has_its_reason_and_is_counted() {
    let fault = "(XEN) [VT-D]DMAR:[DMA Write] Request device [0000:03:00.0] fault addr 1\n\
                 (XEN) [VT-D]DMAR: reason 05 - PTE Write access is not set\n";
    let xen = heard(&fault.repeat(3));
    let faults = xen.boots[0].faults.values().next().unwrap();
    assert_eq!((faults.count, faults.last.place.line), (3, 5));
    assert!(faults.reason.as_ref().unwrap().text.ends_with(b"access is not set"));
}

#[test]
fn the_state_is_that_of_each_boot() {
    let text = "(XEN) I/O virtualisation disabled\n\
                (XEN) Xen version 4.14.6 (Debian 4.14.6-1) (x) debug=n  Thu Sep 1\n\
                (XEN) Command line: placeholder iommu=no-intremap,verbose loglvl=all\n\
                (XEN) I/O virtualisation enabled\n(XEN)  - Dom0 mode: Relaxed\n(XEN) Interrupt remapping disabled\n";
    let xen = heard(text);
    let state = |boot: &Boot| {
        let on = |switch: &Option<(bool, Line)>| switch.as_ref().map(|(on, _)| *on);
        (boot.version.clone(), on(&boot.virtualisation), on(&boot.remapping))
    };
    let states: Vec<_> = xen.boots.iter().map(state).collect();
    assert_eq!(states, [(None, Some(false), None), (Some("4.14.6".to_owned()), Some(true), Some(false))]);
    assert_eq!(xen.boots[1].options(&["iommu"]), ["iommu=no-intremap,verbose"]);
}

#[test]
fn the_last_of_a_shared_region_counts() {
    let line = |word, address| {
        format!("(XEN) [VT-D] It's {word} to assign {address} with shared RMRR at 7b800000 for Dom3.\n")
    };
    let text = line("risky", "0000:00:1a.0") + &line("disallowed", "0000:00:1a.0") + &line("risky", "0000:00:1d.0");
    let xen = heard(&text);
    let refused: Vec<bool> = xen.boots[0].reserved.values().map(|reserved| reserved.refused).collect();
    assert_eq!(refused, [true, false]);
}

#[test]
fn a_device_that_a_guest_did_not_get_is_found_in_every_form() {
    for line in [
        "d3: assign 0000:03:00.0 failed (-1)",
        "d3: assign (0000:03:00.0) failed (-22)",
        "d3: assign phantom function (0000:03:00.0) failed (-22)",
        "XEN_DOMCTL_assign_device: assign 0000:03:00.0 to dom3 failed (-1)",
        "assign 0000:03:00.0 to dom3 failed (-1)",
        "no IOMMU for 0000:03:00.0; cannot be handed to d3",
        "AMD-Vi: Fail to find iommu. 0000:03:00.0 cannot be assigned to dom3",
    ] {
        let xen = heard(&format!("(XEN) {line}\n"));
        assert_eq!(
            xen.boots[0].refused.keys().map(ToString::to_string).collect::<Vec<_>>(),
            ["0000:03:00.0"],
            "{line}"
        );
    }
    for line in ["d3: deassign (0000:03:00.0) failed (-22)", "[VT-D]d3:PCIe: map 0000:03:00.0", "assign 0000:03:00.0"] {
        assert!(heard(&format!("(XEN) {line}\n")).boots[0].refused.is_empty(), "{line}");
    }
}

#[test]
fn what_is_kept_is_bounded() {
    let mut text = "(XEN) Xen version 4.17 (x)\n".repeat(100);
    text.extend((0..5000_u32).map(|number| {
        format!("(XEN) AMD-Vi: IO_PAGE_FAULT: 0000:{:02x}:{:02x}.0 d0 addr 0\n", number & 0xff, number >> 8)
    }));
    let xen = heard(&text);
    assert_eq!((xen.boots.len(), xen.boots.back().unwrap().faults.len()), (MOST_BOOTS, MOST_DEVICES));
}

#[test]
fn only_a_serial_line_merges_xen_with_a_kernel() {
    let mut xen = Hypervisor::default();
    let bare = Record::bare(Place::default(), b"(XEN) I/O virtualisation disabled");
    let tagged = Record { identifier: Some(b"logger"[..].into()), ..bare.clone() };
    let timed = Record { stamp: crate::record::Stamp { uptime: Some(1), wall: None }, ..bare.clone() };
    for record in [&tagged, &timed, &Record { author: Author::User, ..bare.clone() }] {
        xen.take_merged(record);
    }
    assert_eq!(xen.lines, 0);
    xen.take_merged(&bare);
    assert_eq!(xen.lines, 1);
}
