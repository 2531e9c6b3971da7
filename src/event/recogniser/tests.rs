#![expect(clippy::format_collect, clippy::wildcard_enum_match_arm, reason = "a test may be brief")]

use super::*;
use crate::event::{GuestKind, Incident, Mark, Stage, messages};
use crate::pci::Errno;
use crate::record::Place;

const DEVICE: &str = "0000:00:1d.0";

fn said(record: &Record<'_>) -> Vec<Said> {
    let mut facts = Vec::new();
    Recogniser::get().hear(record, &mut |said| facts.push(said));
    facts
}

fn record(author: Author, text: &str) -> Record<'_> {
    Record { author, ..Record::bare(Place::default(), text.as_bytes()) }
}

fn facts(level: Option<u8>, author: Author, text: &str) -> Vec<Said> {
    said(&Record { level, ..record(author, text) })
}

fn by(author: Author, text: &str) -> Vec<Event> {
    facts(None, author, text).into_iter().map(|fact| fact.event).collect()
}

fn events(text: &str) -> Vec<Event> {
    by(Author::Kernel, text)
}

fn at(address: &str) -> Address {
    address.parse().unwrap()
}

fn device() -> Address {
    at(DEVICE)
}

fn damaged() -> [Event; 1] {
    [Event::Damaged { address: Some(device()) }]
}

const LOST: [Event; 1] = [Event::Damaged { address: None }];

#[test]
fn every_example_is_read_by_its_own_row_and_by_nothing_else() {
    let recogniser = Recogniser::get();
    for message in messages() {
        for example in message.examples {
            assert!(begins(example.as_bytes()), "{example}");
            let opening = Opening::of(example.as_bytes()).unwrap();
            let heard = recogniser.first(&opening).expect(example);
            let row = |row: &&FamilyRow| matches!(row.template.compare(&opening), Match::Whole { rest: b"", .. });
            let rows: Vec<_> = recogniser.rows.iter().filter(row).collect();
            assert!(rows.iter().any(|row| row.message.texts == message.texts), "{example}");
            assert_eq!((heard.levels, heard.rest), (message.levels, &b""[..]), "{example}");
            let level = message.levels.first().copied();
            let heard = heard.event.clone();
            assert_eq!(facts(level, Author::Kernel, example), [Said { event: heard, author: Author::Kernel }]);
        }
        assert!(!message.examples.is_empty() && !message.source.is_empty());
    }
}

#[test]
fn what_the_kernel_says_of_itself_fills_its_record() {
    for (text, read) in [
        ("Linux version 6.1.0-56-amd64 (x) #1 SMP", true),
        ("Linux version 6.1.0", true),
        ("Linux version 6.1.0 \n", true),
        ("Linux version 6.1.0\tx", false),
        ("Linux version x", false),
        ("Linux version ", false),
        ("Linux  version 6", false),
        ("Command line: ", true),
        ("Command line: a\nb  ", true),
        ("Kernel command line: pciback 0000:00:1d.0: seizing device", true),
        ("Kernel command line:", false),
        ("Kernel Command line: x", false),
    ] {
        assert_eq!(!events(text).is_empty(), read, "{text:?}");
    }
}

#[test]
fn several_messages_run_together_are_all_found() {
    let two = |between: &str| {
        let text = format!("pciback {DEVICE}: seizing device{between}pciback 0000:00:1d.1: seizing device");
        events(&text).iter().filter_map(Event::address).map(|a| a.to_string()).collect::<Vec<_>>()
    };
    for between in [" ", "\n", " [    1.648270] ", "[    1.648270] ", "<6>[    1.648270] "] {
        assert_eq!(two(between), [DEVICE, "0000:00:1d.1"], "{between}");
    }
    let text = format!("xen_pciback: vpci: {DEVICE}: assign to virtual slot 0 pciback {DEVICE}: registering for 2");
    let assigned = |domid| Event::Assigned { address: device(), domid };
    assert_eq!(events(&text), [assigned(None), assigned(Some(2))]);
    let text = format!("pciback {DEVICE}: seizing device pciback 0000:00:1d.1: AMD_NAVI10: performing reset");
    assert_eq!(events(&text), [Event::Seizing { address: device() }, Event::Bound { address: at("00:1d.1") }]);
    let refused = format!("xen-pciback pci-2-0: 22 Couldn't locate PCI device ({DEVICE})! perhaps already in-use? ");
    assert_eq!(events(&format!("{refused}pciback {DEVICE}: registering for 2")).len(), 2);
}

#[test]
fn quoting_the_driver_is_no_event() {
    for quote in [
        "usb 1-1: Product: pciback 0000:00:1d.0: xen_pciback: seizing device",
        "pciback 0000:00:1d.0: xen_pciback: seizing device\")",
        "note: pciback 0000:00:1d.2: xen_pciback: seizing device (quoted)",
        "pciback 0000:00:1d.0: xen_pciback: seizing devices",
    ] {
        assert!(
            !events(quote).iter().any(|event| matches!(event, Event::Seizing { .. } | Event::Bound { .. })),
            "{quote}"
        );
    }
    let refusal =
        events("xen_pciback: Error parsing pci_devs_to_hide at \"pciback 0000:00:1d.1: xen_pciback: seizing device\"");
    assert_eq!(refusal, [Event::ListRefused { rest: b"pciback 0000:00:1d.1: xen_pciback: seizing device".to_vec() }]);
}

#[test]
fn a_message_at_another_level_is_not_the_drivers() {
    for line in ["seizing device", "xen_pciback: seizing device", "xen_pciback: vpci: assign to virtual slot 0"] {
        let line = format!("pciback {DEVICE}: {line}");
        assert_eq!(facts(Some(6), Author::Kernel, &line)[0].author, Author::Kernel);
        assert_eq!(facts(Some(3), Author::Kernel, &line)[0].author, Author::User);
    }
}

#[test]
fn whatever_the_core_says_of_a_device_in_pcibacks_name_proves_the_binding() {
    for text in [
        "AMD_POLARIS10: performing reset",
        "vgaarb: VGA decodes changed: olddecodes=io+mem,decodes=none:owns=none",
        "Invalid PCI ROM header signature: expecting 0xaa55, got 0xffff",
        "invalid VPD tag 0x00 (size 0) at offset 0; assume missing optional EEPROM",
        "PCI INT A -> GSI 16 (level, low) -> IRQ 16",
        "can't derive routing for PCI INT A",
        "Xen PCI mapped GSI16 to IRQ16",
        "Disabling System Error reporting on root port 00:01.0",
        "failed to stop IOMMU for a PCI reset: -22",
        "Removing from iommu group 12",
        "AMD_NAVI10: resetting...",
        "BAR 4 [mem 0xfebf0000-0xfebf3fff]: assigned",
    ] {
        assert_eq!(events(&format!("pciback {DEVICE}: {text}")), [Event::Bound { address: device() }], "{text}");
    }
    assert_eq!(
        facts(Some(7), Author::Kernel, &format!("pciback {DEVICE}: PME# disabled"))[0].event,
        Event::Bound { address: device() }
    );
    assert!(by(Author::User, &format!("pciback {DEVICE}: PME# disabled")).is_empty());
}

#[test]
fn a_port_that_reports_an_error_names_the_device() {
    let told = |text: &str| events(&format!("pcieport 0000:00:1c.0: AER: {text}")).first().cloned();
    let incident = |address| Some(Event::Incident { address, kind: Incident::Aer, hold: Hold::Unsaid });
    for text in ["Multiple Corrected error received: 0000:00:1d.1", "Uncorrected (Fatal) error received: id=00e9"] {
        assert_eq!(told(text), incident(at("00:1d.1")), "{text}");
    }
    for severity in ["Uncorrected (Non-Fatal)", "Multiple Uncorrectable (Fatal)", "Correctable"] {
        let text = format!("{severity} error message received from 0000:00:1d.1");
        assert_eq!(told(&text), incident(at("00:1d.1")), "{text}");
    }
    let contained =
        |text: &str| events(&format!("pcieport 0000:00:1c.0: DPC: containment event, {text}")).first().cloned();
    for text in ["status:0x1f05 source:0x00e9", "status:0x1f03, ERR_NONFATAL received from 0000:00:1d.1"] {
        assert_eq!(contained(text), incident(at("00:1d.1")), "{text}");
    }
    for text in ["status:0x1f01 source:0x00e9", "status:0x1f01: unmasked uncorrectable error detected", "status:0x1f"] {
        assert!(matches!(contained(text), Some(Event::HeldBy { .. })), "{text}");
    }
    for text in
        ["Corrected error received: 0000:00:1c.0", "device recovery successful", "Corrected error received: id=00"]
    {
        assert!(matches!(told(text), Some(Event::HeldBy { .. })), "{text}");
    }
}

#[test]
fn a_probe_that_does_not_take_the_device_proves_no_binding() {
    let failed = |errno| Event::Failed { address: device(), errno: Errno(errno), stage: Stage::Probe };
    assert_eq!(events(&format!("pciback {DEVICE}: probe with driver pciback failed with error -22")), [failed(22)]);
    assert_eq!(events(&format!("pciback: probe of {DEVICE} failed with error -12")), [failed(12)]);
    assert_eq!(events(&format!("pciback {DEVICE}: probe with driver pciback rejects match -19")), [Event::Remark]);
    assert_eq!(
        events(&format!("pciback {DEVICE}: pciback: driver_sysfs_add failed")),
        [Event::Unrecognised { address: Some(device()), failing: true }]
    );
}

#[test]
fn a_driver_whose_probe_failed_has_not_got_the_device() {
    for driver in ["igb", "vfio-pci"] {
        let probed = [Event::Probed { address: device() }];
        assert_eq!(events(&format!("{driver}: probe of {DEVICE} failed with error -5")), probed);
        assert_eq!(events(&format!("{driver} {DEVICE}: probe with driver {driver} failed with error -5")), probed);
    }
    for text in ["kernel: probe of", "Igb: probe of", "igb: probes"] {
        assert_eq!(events(&format!("{text} {DEVICE} failed with error -5")), [], "{text}");
    }
}

#[test]
fn what_is_left_of_a_torn_message_casts_a_doubt() {
    let doubt = |address| [Event::Damaged { address }];
    for (text, address) in [
        ("pciba", None),
        ("xen_pci", None),
        ("xen_pciback: seizing device", None),
        ("pciback:00:1d.0: xen_pciback: seizing device", None),
        ("pciback 0000dom0 login: :00:1d.0: xen_pciback: seizing device", None),
        ("ack 0000:00:1d.0: xen_pciback: seizing device", Some(device())),
        ("ack 0000:00:1d.0: xen_pciback: error -22 initializing device", Some(device())),
    ] {
        assert_eq!(by(Author::Unstated, text), doubt(address), "{text}");
    }
    for text in ["pcieport", "ack 0000:00:1d.0: xen_pciback", "usb: xen_pciback: backend is vpci"] {
        assert!(!by(Author::Unstated, text).iter().any(|event| matches!(event, Event::Damaged { .. })), "{text}");
    }
}

#[test]
fn a_message_of_another_that_ends_in_pcibacks_casts_a_doubt() {
    let merged =
        format!("pci {DEVICE}: [8086:2934] type 00 class 0x0c03    2.512345] pciback {DEVICE}: seizing device");
    let doubt = Event::Damaged { address: Some(device()) };
    assert_eq!(by(Author::Unstated, &merged), [Event::Found { address: device() }, doubt]);
    let line = by(Author::Unstated, "Command line: quiet xen-pciback.hide=(00:1d.0)");
    assert!(matches!(line[..], [Event::CommandLine { .. }]));
}

#[test]
fn new_wording_of_pciback_is_counted_and_reads_like_a_failure_or_not() {
    for (text, failing) in [
        ("grabbing gadget", false),
        ("Cannot grab gadget", true),
        ("gadget refused", true),
        ("gadget is not supported", true),
        ("Unable to grab", true),
    ] {
        for prefix in [format!("pciback {DEVICE}: xen_pciback: "), format!("pciback {DEVICE}: xen-pciback: ")] {
            let unknown = Event::Unrecognised { address: Some(device()), failing };
            assert_eq!(events(&format!("{prefix}{text}")), [unknown, Event::Bound { address: device() }]);
        }
        let unknown = |address| [Event::Unrecognised { address, failing }];
        for module in ["xen_pciback", "xen-pciback", "pciback"] {
            assert_eq!(events(&format!("{module}: {text}")), unknown(None));
            assert_eq!(events(&format!("{module}: {DEVICE}: {text}")), unknown(Some(device())));
            assert_eq!(events(&format!("{module}: {text} at {DEVICE}")), unknown(Some(device())));
        }
    }
    let debug = facts(Some(7), Author::Kernel, &format!("pciback {DEVICE}: xen_pciback: cannot mumble"));
    assert_eq!(debug[0].event, Event::Unrecognised { address: Some(device()), failing: false });
}

#[test]
fn what_is_printed_only_while_a_device_is_let_go_is_a_release() {
    for text in ["MSI-X release failed (-16)", "removing", "pcistub_device_release", "found device to remove  - in-use"]
    {
        for prefix in ["", "xen_pciback: "] {
            let line = format!("pciback {DEVICE}: {prefix}{text}");
            assert_eq!(facts(Some(7), Author::Kernel, &line)[0].event, Event::Released { address: device() });
        }
    }
    let reload = format!("pciback {DEVICE}: xen_pciback: Could not reload PCI state");
    assert_eq!(events(&reload), [Event::MaybeReleased { address: device() }]);
}

#[test]
fn a_refusal_of_the_hypervisor_counts_under_any_name() {
    let text = "Failed to add - passthrough or MSI/MSI-X might fail!";
    let refused = Event::XenRefused { address: device() };
    for speaker in ["pci", "pciback"] {
        assert_eq!(events(&format!("{speaker} {DEVICE}: {text}")), std::slice::from_ref(&refused));
        assert_eq!(
            events(&format!("{speaker} {DEVICE}: not registering with Xen: invalid PCI segment")),
            std::slice::from_ref(&refused)
        );
    }
    let held = Event::HeldBy { address: device(), driver: "nvme".to_owned() };
    assert_eq!(events(&format!("nvme {DEVICE}: {text}")), [refused, held]);
    assert!(events(&format!("pci {DEVICE}: Failed to delete - passthrough or MSI/MSI-X might fail!")).is_empty());
}

#[test]
fn a_mark_names_a_kernel_that_is_not_dom0s() {
    let not = |mark| vec![Event::NotDom0 { mark }];
    assert_eq!(events("Booting paravirtualized kernel on bare hardware"), not(Mark::NoXen));
    assert_eq!(events("Hypervisor detected: VMware"), not(Mark::NoXen));
    assert_eq!(events("pcifront pci-0: PCI host bridge to bus 0000:83"), not(Mark::Guest));
    assert_eq!(events("setting up Xen PCI frontend stub"), not(Mark::Frontend));
    let kind = |kind| vec![Event::Frontend { said: Frontend::Kind(kind) }];
    assert_eq!(events("Booting paravirtualized kernel on Xen"), kind(GuestKind::Pv));
    assert_eq!(events("Booting paravirtualized kernel on Xen PVH"), kind(GuestKind::Pvh));
    assert_eq!(events("Hypervisor detected: Xen PV"), kind(GuestKind::Pv));
    assert!(events("Hypervisor detected: Xen HVM").is_empty());
}

#[test]
fn a_guest_says_how_far_its_devices_came() {
    let said = |text: &str| match events(text).as_slice() {
        [Event::Frontend { said }] => Some(*said),
        _ => None,
    };
    let address = "0000:00:00.0".parse().unwrap();
    for (text, expected) in [
        ("pcifront pci-0: Creating PCI Frontend Bus 0001:02", Frontend::Bus),
        ("pcifront pci-0: New device on 0000:00:00.00 found.", Frontend::Device { address }),
        ("pcifront pci-0: New device on 0000:00:00.0 found.", Frontend::Device { address }),
        (
            "pcifront pci-0: Could not claim resource 0000:00:00.0/1! Device offline. Try giving less than 4GB to domain.",
            Frontend::Unclaimed { address },
        ),
        ("pcifront pci-0: 2 No PCI Roots found, trying 0000:00", Frontend::NoRoots),
        ("pcifront pci-0: -2 Error scanning PCI root 0000:00", Frontend::Failed),
        ("pcifront pci-0: Disconnecting PCI Frontend Buses", Frontend::Released),
        ("XENBUS: Device with no driver: device/pci/0", Frontend::NoDriver),
        (
            "xenbus_probe_frontend: Timeout connecting to device: device/pci/0 (local state 3, remote state 1)",
            Frontend::Stuck { local: 3, remote: 1 },
        ),
    ] {
        assert_eq!(said(text), Some(expected), "{text}");
    }
    assert_eq!(said("xenbus_probe_frontend: Device with no driver: device/vif/0"), None);
    let msi = events("nvme 0000:00:00.0: Xen PCI frontend error: -114!");
    assert_eq!(msi[0], Event::Frontend { said: Frontend::NoInterrupts { address } });
}

#[test]
fn user_space_is_up_when_systemd_or_a_getty_says_so() {
    let up = |record: Record<'_>| said(&record).iter().any(|said| said.event == Event::UserSpaceUp);
    let program =
        |name: &'static str, text| Record { identifier: Some(name.as_bytes().into()), ..record(Author::User, text) };
    let finished = "Startup finished in 3.201s (kernel) + 5.001s (userspace) = 8.203s.";
    let target = "Reached target multi-user.target - Multi-User System.";
    assert!(up(program("systemd", finished)) && up(program("systemd", target)));
    assert!(!up(program("systemd", "Reached target Basic System.")));
    assert!(!up(program("sshd", finished)) && !up(program("kernel", finished)));
    assert!(up(record(Author::User, "systemd[1]: Startup finished in 3.201s (kernel).")));
    assert!(up(record(Author::Unstated, "[  OK  ] Reached target Graphical Interface.")));
    assert!(up(record(Author::Unstated, "gaia login: ")));
    assert!(!up(program("login", "gaia login: ")) && !up(record(Author::Kernel, "gaia login:")));
}

#[test]
fn a_record_that_was_cut_is_damaged() {
    let own = ["", "xen_pciback: "];
    for text in [
        "seizing device",
        "error -22 initializing device",
        "MSI-X release failed (-16)",
        "vpci: assign to virtual slot 0",
    ] {
        for prefix in own {
            let line = format!("pciback {DEVICE}: {prefix}{text}");
            let last = line.len() - usize::from(text.ends_with('0'));
            for end in "pciback 0000:00:1d.0".len()..last {
                assert_eq!(events(line.get(..end).unwrap()), damaged(), "{:?}", line.get(..end));
                for mark in ["…", "...", ">", " ", "[   12.648270] usb 1-1: x", "<6>[   12.648270] usb 1-1: x"] {
                    let line = format!("{}{mark}", line.get(..end).unwrap());
                    assert_eq!(events(&line), damaged(), "{line:?}");
                }
            }
        }
    }
    let cut = format!("pciback {DEVICE}");
    for end in "pciback ".len()..cut.len() {
        assert_eq!(events(cut.get(..end).unwrap()), LOST, "{:?}", cut.get(..end));
    }
    assert_eq!(events("pciback 0000:00:1D.0: seizing device"), LOST);
    assert_eq!(events("pciback"), LOST);
    assert_eq!(events("xen_pciback:"), LOST);
    assert!(by(Author::User, "pciback 0000:00:1d.0: seizing").is_empty());
    assert!(events("pciback is a driver").is_empty());
}

#[test]
fn a_message_in_the_middle_of_a_record_is_a_doubt_where_nobody_states_authors() {
    for text in ["seizing device", "xen_pciback: error -22 initializing device", "xen_pciback: seizi", "removing"] {
        for before in ["gaia login: ", "(XEN) Dom0 has 4 VCPUs", "usb 1-1: new device "] {
            let line = format!("{before} pciback {DEVICE}: {text}");
            assert_eq!(by(Author::Unstated, &line), damaged(), "{line}");
        }
    }
    let quote = format!("usb 1-1: Product: pciback {DEVICE}: seizing device");
    assert_eq!(events(&quote), [Event::Quoted { address: Some(device()) }]);
    assert_eq!(by(Author::User, &quote), [Event::Quoted { address: Some(device()) }]);
    for harmless in [
        "loading xen-pciback.hide=(00:1d.0)",
        "modprobe: xen_pciback: not found",
        "x/mypciback 0000:00:1d.0: seizing device",
    ] {
        assert!(by(Author::Unstated, harmless).is_empty(), "{harmless}");
    }
    let merged = format!("pciback {DEVICE}: seizing device[   12.648270] usb 1-1: pciback 0000:00:1d.1: removing");
    assert_eq!(by(Author::Unstated, &merged), [damaged()[0].clone(), Event::Damaged { address: Some(at("00:1d.1")) }]);
    let user = format!("pciback {DEVICE}: seizing device<14>[    5.000000] pciback {DEVICE}: removing");
    assert_eq!(by(Author::Unstated, &user), damaged());
}

#[test]
fn a_dictionary_that_contradicts_its_message_makes_both_doubtful() {
    let other = at("0100:00:1d.0");
    let contradicted = |text: &str| {
        said(&Record { device: Some(other), ..record(Author::Kernel, text) })
            .into_iter()
            .map(|said| said.event)
            .collect::<Vec<_>>()
    };
    let both = [Event::Damaged { address: Some(device()) }, Event::Damaged { address: Some(other) }];
    for text in ["seizing device", "xen_pciback: error -22 initializing device", "vgaarb: x", "xen_pciback: seizi"] {
        assert_eq!(contradicted(&format!("pciback {DEVICE}: {text}")), both, "{text}");
    }
    assert!(contradicted(&format!("uhci_hcd {DEVICE}: UHCI Host Controller")).is_empty());
    assert_eq!(contradicted("pciback 0000:"), [Event::Damaged { address: Some(other) }]);
}

#[test]
fn the_driver_that_speaks_holds_the_device() {
    let held = |text: &str| match events(text).as_slice() {
        [.., Event::HeldBy { driver, .. }] => Some(driver.clone()),
        _ => None,
    };
    for (text, driver) in [
        ("uhci_hcd 0000:00:1d.0: UHCI Host Controller", "uhci_hcd"),
        ("8139too 0000:00:1d.0: eth0: RealTek RTL8139", "8139too"),
        ("e1000e 0000:00:1d.0 eth0: NIC Link is Up", "e1000e"),
        ("igb 0000:00:1d.0 eth0 (unregistering): left", "igb"),
        ("pcieport 0000:00:1c.0: AER: Corrected error received: 0000:05:00.0", "pcieport"),
        ("pci-stub 0000:00:1d.0: claimed by stub", "pci-stub"),
        ("nvme nvme0: pci function 0000:00:05.0", "nvme"),
        ("e1000: 0000:02:01.0: e1000_probe: (PCI:33MHz:32-bit) 00:0c", "e1000"),
    ] {
        assert_eq!(held(text).as_deref(), Some(driver), "{text}");
    }
    for other in [
        "pci 0000:00:1d.0: BAR 4: assigned",
        "uhci_hcd 0000:00:1d.0x",
        "uhci_hcd 0000:00:1d.0 is gone",
        "kernel 0000:00:1d.0: x",
        "audit 0000:00:1d.0: x",
        "(XEN) 0000:00:1d.0: x",
        "vgaarb: setting as boot device: PCI:0000:00:02.0",
        "DMAR: Setting identity map for device 0000:00:1d.0 [0xdf000000 - 0xdfffffff]",
        "iommu: Adding device 0000:00:02.0 to group 1",
        "snd_hda_intel: 0000:00:1b.0: x",
        "Hello 0000:00:1d.0: x",
        "pciback 0000:00:1d.0: enabling device (0000 -> 0002)",
    ] {
        assert_eq!(held(other), None, "{other}");
    }
    let text = "uhci_hcd 0000:00:1d.0: UHCI Host Controller";
    assert!(said(&Record { identifier: Some(b"x"[..].into()), ..record(Author::Unstated, text) }).is_empty());
    assert_eq!(said(&Record { identifier: Some(b"kernel"[..].into()), ..record(Author::Unstated, text) }).len(), 1);
}

#[test]
fn a_long_record_is_read_within_bounds() {
    let line = "pciback 0000:00:1d.0: seizing device ";
    assert_eq!(events(&line.repeat(400)), [Event::Seizing { address: device() }]);
    assert_eq!(events(&line.repeat(8000)), LOST);
    assert!(events(&"x".repeat(1 << 20)).is_empty());
    let many: String = (0..100).map(|n| format!("pciback 0000:{n:02x}:1d.0: seizing device ")).collect();
    let read = events(&many);
    assert_eq!((read.len(), read.last()), (MOST + 1, Some(&LOST[0])));
    let quotes: String = (0..300).map(|n| format!("x pciback 0000:{n:02x}:1d.0: seizing device ")).collect();
    assert!(by(Author::Unstated, &quotes).len() <= MOST + 1);
}

/// Pseudo-random words, the same in every run.
fn word(state: &mut u64) -> String {
    const WORDS: [&str; 24] = [
        "seizing",
        "error",
        "device",
        "initializing",
        "removing",
        "MSI-X",
        "release",
        "failed",
        "(-16)",
        "vpci:",
        "assign",
        "virtual",
        "slot",
        "0",
        "-22",
        "AMD:",
        "reset",
        "0000:05:00.0",
        "unable",
        "enable",
        "...",
        "Invalid",
        "for",
        "probe",
    ];
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    WORDS[usize::try_from(*state >> 33).unwrap() % WORDS.len()].to_owned()
}

#[test]
fn no_text_in_pcibacks_name_decides_but_those_that_are_known_to() {
    let mut state = 7;
    for round in 0..20_000 {
        let length = round % 4 + 1;
        let text = (0..length).map(|_| word(&mut state)).collect::<Vec<_>>().join(" ");
        for own in [false, true] {
            let line = format!("pciback {DEVICE}: {}{text}", if own { "xen_pciback: " } else { "" });
            let opening = Opening::of(line.as_bytes()).unwrap();
            let known = Recogniser::get().first(&opening);
            let cut = || Recogniser::get().is_cut(&opening);
            for event in events(&line) {
                let right = match &event {
                    Event::Bound { .. } => known.as_ref().is_none_or(|known| !known.rest.is_empty()),
                    Event::Unrecognised { failing, .. } => {
                        let words = ["error", "failed", "unable", "Invalid"].iter().any(|word| text.contains(word));
                        own && *failing == words
                    }
                    Event::Damaged { .. } => known.is_some() || cut(),
                    event => known.as_ref().is_some_and(|known| known.rest.is_empty() && known.event == *event),
                };
                assert!(right, "{line}: {event:?}");
            }
        }
    }
}
