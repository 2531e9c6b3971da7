//! `guest`: a guest's log and files as they are met, and what the program says of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{Folder, audit};

const PV: &str = "[    0.000000] Linux version 6.1.0-56-amd64 (x) (gcc) #1 SMP\n\
                  [    0.000000] Command line: console=hvc0 loglevel=7\n\
                  [    0.000000] ACPI in unprivileged domain disabled\n\
                  [    0.000000] Booting kernel on Xen\n";

#[track_caller]
fn log(rest: &str) -> common::Audit {
    audit("guest --trust-log -").input(format!("{PV}{rest}"))
}

fn real() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/dom0/guest")
}

#[test]
fn a_working_frontend_is_0_and_its_devices_are_named() {
    let ran = audit("guest --trust-log").with(real().join("guest.log")).run().ends_with(0);
    ran.says("OK: pcifront works, and 1 of 1 device has a driver (PV guest)").says("0000:00:00.0  bound  uhci_hcd");
    audit("guest").with(real().join("guest.log")).run().ends_with(1).says("author-unstated");
    let ran = audit("guest --trust-log --format nagios").with(real().join("guest.log")).run().ends_with(0);
    ran.says("PCIBACK OK - pcifront works").says("| devices=1;;;0 bound=1;;;0");
    let ran = audit("guest --trust-log -J").with(real().join("guest.log")).run().ends_with(0);
    let guest = &ran.json()["guest"];
    assert_eq!((guest["kind"].as_str(), guest["frontend"].as_str()), (Some("PV"), Some("working")));
    assert_eq!(guest["devices"][0]["driver"], "uhci_hcd");
}

#[test]
fn a_bus_that_no_driver_took_is_critical_until_pcifront_comes() {
    for line in
        ["XENBUS: Device with no driver: device/pci/0", "xenbus_probe_frontend: Device with no driver: device/pci/0"]
    {
        let ran = log(&format!("[    1.500000] {line}\n[    9.000000] random: crng init done\n")).run().ends_with(2);
        ran.says("no-frontend").says("modprobe xen-pcifront");
    }
    log("[    1.500000] XENBUS: Device with no driver: device/vif/0\n[  130.000000] x: y\n").run().ends_with(3);
}

#[test]
fn each_failure_of_pcifront_is_explained() {
    let up = "[    2.000000] pcifront pci-0: Installing PCI frontend\n";
    for (text, said) in [
        ("pcifront pci-0: 2 Error reading number of PCI roots", "xenstore"),
        ("pcifront pci-0: Could not setup SWIOTLB!", "swiotlb"),
        ("pcifront pci-0: pciback not responding!!!", "did not answer"),
        ("pcifront pci-0: 2 No PCI Roots found, trying 0000:00", "offers no bus"),
        (
            "XENBUS: Timeout connecting to device: device/pci/0 (local state 3, remote state 1)",
            "(Initialising) in dom0",
        ),
    ] {
        log(&format!("{up}[    3.000000] {text}\n")).run().ends_with(2).says("frontend-failed").says(said);
    }
    let bus = format!("{up}[    2.100000] pcifront pci-0: Creating PCI Frontend Bus 0000:00\n");
    let offline = "Could not claim resource 0000:00:00.0/0! Device offline. Try using e820_host=1 in the guest config.";
    log(&format!("{bus}[    2.200000] pcifront pci-0: {offline}\n"))
        .run()
        .ends_with(2)
        .says("e820_host = 1")
        .says("offline");
    log(&format!("{bus}[    2.200000] pcifront pci-0: claiming resource 0000:00:00.0/0\n")).run().ends_with(0);
    log(&format!("{bus}[    2.200000] pcifront pci-0: backend going away!\n"))
        .run()
        .ends_with(1)
        .says("went back to dom0");
    log(up).run().ends_with(3).says("unsettled");
}

#[test]
fn expected_devices_are_looked_for_one_by_one() {
    let ran = audit("guest --trust-log -J --device 00:00.0 --device 00:01.0")
        .with(real().join("guest.log"))
        .run()
        .ends_with(3);
    let states: Vec<_> =
        ran.json()["guest"]["devices"].as_array().unwrap().iter().map(|device| device["state"].clone()).collect();
    assert_eq!(states, ["bound", "unknown"], "the log ends too soon to say that the other will not come");
}

#[test]
fn what_is_no_pv_guest_is_named() {
    audit("guest").with(real().join("kmsg.raw")).run().ends_with(3).says("not-guest").says("log of dom0");
    let bare =
        "[    0.000000] Linux version 6.1.0 (x)\n[    0.000000] Booting paravirtualized kernel on bare hardware\n";
    audit("guest -").input(bare).run().ends_with(3).says("does not run on Xen");
    let boot = "[    0.000000] Linux version 6.1.0 (x)\n[    0.000000] Booting paravirtualized kernel on";
    audit("guest -").input(format!("{boot} Xen HVM\n")).run().ends_with(3).says("an HVM guest has no pcifront");
    audit("guest -").input(format!("{boot} Xen PVH\n")).run().ends_with(3).says("gives it no PCI device");
    audit("guest --device 00:05.0 -").input(format!("{boot} Xen PVH\n")).run().ends_with(2).says("no-frontend");
    audit("guest -").input("").run().ends_with(3);
}

/// A guest's files below a root, as `path = text` and `path -> target`.
fn root(nodes: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    for (path, text) in nodes {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        match text.strip_prefix("-> ") {
            Some(target) => std::os::unix::fs::symlink(target, file).unwrap(),
            None => std::fs::write(file, text).unwrap(),
        }
    }
    folder
}

const DOMU: &[(&str, &str)] = &[
    ("proc/xen/capabilities", "\n"),
    ("proc/sys/kernel/osrelease", "6.1.0-56-amd64\n"),
    ("sys/hypervisor/type", "xen\n"),
    ("sys/hypervisor/guest_type", "PV\n"),
    ("sys/bus/xen/devices/pci-0", "-> ../../../devices/pci-0"),
    ("sys/devices/pci-0/nodename", "device/pci/0\n"),
];

#[test]
fn the_guest_s_own_files_decide() {
    let with = |more: &[(&'static str, &'static str)]| root(&[DOMU, more].concat());
    let folder = with(&[
        ("lib/modules/6.1.0-56-amd64/modules.builtin", ""),
        ("lib/modules/6.1.0-56-amd64/kernel/drivers/pci/other.ko", ""),
    ]);
    let ran = audit("guest --root").with(folder.path()).run().ends_with(2);
    ran.says("no-frontend").says("has no pcifront");
    let folder = with(&[
        ("lib/modules/6.1.0-56-amd64/modules.builtin", ""),
        ("lib/modules/6.1.0-56-amd64/kernel/drivers/pci/xen-pcifront.ko.xz", ""),
    ]);
    audit("guest --root").with(folder.path()).run().ends_with(2).says("\nmodprobe xen-pcifront\n");
    let pcifront = ("sys/devices/pci-0/driver", "-> ../../bus/xen/drivers/pcifront");
    let folder = with(&[pcifront, ("sys/devices/pci-0/state", "Initialised\n")]);
    audit("guest --root").with(folder.path()).run().ends_with(2).says("state is Initialised");
    let device = [
        pcifront,
        ("sys/devices/pci-0/state", "Connected\n"),
        ("sys/bus/pci/devices/0000:00:00.0", "-> ../../../devices/pci-0/pci0000:00/0000:00:00.0"),
        ("sys/devices/pci-0/pci0000:00/0000:00:00.0/vendor", "0x8086\n"),
        ("sys/devices/pci-0/pci0000:00/0000:00:00.0/device", "0x2934\n"),
        ("sys/bus/pci/drivers/uhci_hcd/bind", ""),
    ];
    let ran = audit("guest --device 00:00.0 --device 00:01.0 --root").with(with(&device).path()).run().ends_with(2);
    ran.says("0000:00:00.0  unbound").says("0000:00:01.0  absent").says("8086:2934");
    let bound = ("sys/devices/pci-0/pci0000:00/0000:00:00.0/driver", "-> ../../../../bus/pci/drivers/uhci_hcd");
    let folder = with(&[&device[..], &[bound]].concat());
    audit("guest --ignore log-unreadable --root").with(folder.path()).run().ends_with(0).says("pcifront works");
}

#[test]
fn a_configuration_names_the_devices_by_their_addresses_in_dom0() {
    let folder = Folder::new();
    let config = folder.path().join("web.cfg");
    let run = |pci: &str, flags: &str| {
        std::fs::write(&config, format!("name = 'web'\npci = [ {pci} ]\n")).unwrap();
        audit(&format!("guest --trust-log {flags} --config")).with(&config).with(real().join("guest.log")).run()
    };
    let ran = run("'00:1d.0'", "").ends_with(0).says("0000:00:00.0  0000:00:1d.0  bound  uhci_hcd");
    ran.says("slots in the order of pci=");
    let ran = run("'0000:00:1d.0', '05:00.1@7'", "-J").ends_with(3);
    let devices = &ran.json()["guest"]["devices"];
    assert_eq!((devices[1]["address"].as_str(), devices[1]["state"].as_str()), (Some("0000:00:01.1"), Some("unknown")));
    assert_eq!(devices[1]["host_address"], "0000:05:00.1");
    run("", "").ends_with(3).complains("names no PCI device");
    run("'00:1d.0'", "--device 00:00.0").ends_with(3);
    let hvm = "[    0.000000] Linux version 6.1.0 (x)\n[    0.000000] Booting paravirtualized kernel on Xen HVM\n\
               [    3.000000] igb 0000:00:07.0: added PHC on eth1\n[  130.000000] x: y\n";
    std::fs::write(&config, "pci = [ '05:00.1@7', '06:00.0' ]\n").unwrap();
    let ran = audit("guest --trust-log --config").with(&config).with("-").input(hvm).run().ends_with(3);
    ran.says("0000:00:07.0  0000:05:00.1").says("QEMU chooses the slot");
}
