//! What `plan` foretells of devices that are not fit for their list, and requests that guests' configurations make.

mod common;

use common::{Folder, audit};

/// A dom0 whose list is in `modprobe.d`, and whose boot image loads pciback before the drivers that are modules.
const MACHINE: &str = "\
    proc/xen/capabilities = control_d\\n\n\
    proc/sys/kernel/osrelease = 6.1.0-18-amd64\\n\n\
    proc/cmdline = placeholder root=/dev/sda1\\n\n\
    etc/os-release = ID=debian\\n\n\
    etc/initramfs-tools/modules = # none\\n\n\
    proc/self/mountinfo = 22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\\n\n\
    proc/swaps = Filename Type Size Used Priority\\n\n\
    proc/consoles = hvc0 -W- (EC p a) 229:0\\n\n\
    sys/class/block/sda1 -> ../../devices/pci0000:00/0000:00:1f.2/ata1/sda1\n\
    sys/class/net/lo -> ../../devices/virtual/net/lo\n\
    sys/devices/pci0000:00/0000:00:1f.2/ata1/sda1/dev = 8:1\\n\n\
    sys/bus/pci/devices/0000:00:1d.0 -> ../../../devices/pci0000:00/0000:00:1d.0\n\
    sys/bus/pci/devices/0000:00:1d.7 -> ../../../devices/pci0000:00/0000:00:1d.7\n\
    sys/bus/pci/devices/0000:00:1f.2 -> ../../../devices/pci0000:00/0000:00:1f.2\n\
    sys/bus/pci/drivers/ohci-pci/module -> ../../../../module/ohci_pci\n\
    sys/bus/pci/drivers/ehci-pci/module -> ../../../../module/ehci_pci\n\
    sys/bus/pci/drivers/ahci/module -> ../../../../module/ahci\n\
    sys/module/ohci_pci/\n\
    sys/devices/pci0000:00/0000:00:1d.0/class = 0x0c0310\\n\n\
    sys/devices/pci0000:00/0000:00:1d.0/driver -> ../../../bus/pci/drivers/ohci-pci\n\
    sys/devices/pci0000:00/0000:00:1d.7/class = 0x0c0320\\n\n\
    sys/devices/pci0000:00/0000:00:1d.7/driver -> ../../../bus/pci/drivers/ehci-pci\n\
    sys/devices/pci0000:00/0000:00:1f.2/class = 0x010601\\n\n\
    sys/devices/pci0000:00/0000:00:1f.2/driver -> ../../../bus/pci/drivers/ahci\n";

fn machine(list: &str, more: &str) -> Folder {
    let drivers = ["ohci_pci", "ahci"].map(|driver| format!("softdep {driver} pre: xen-pciback\\n")).concat();
    let options = format!("etc/modprobe.d/x.conf = options xen-pciback hide={list}\\n{drivers}\n");
    Folder::holding(&format!("{MACHINE}{options}{more}"))
}

#[test]
fn a_usb_function_whose_companion_gets_its_driver_behind_pciback_is_foretold() {
    let folder = machine("(00:1d.0)", "");
    let ran = audit("plan --for boot --root").with(folder.path()).run().ends_with(1);
    ran.says("1 of 1 would be seized").says("usb-companion").says("00:1d.7");
    let softdep = "etc/modprobe.d/y.conf = softdep ehci_pci pre: xen-pciback\\n\n";
    let whole = machine("(00:1d.0)(00:1d.7)", softdep);
    let text = audit("plan --for boot --root").with(whole.path()).run().out;
    assert!(!text.contains("usb-companion"), "{text}");
    // The other way round the controller has its driver, and its companion is pciback's.
    let half = machine("(00:1d.0)(00:1d.7)", "");
    audit("plan --for boot --root").with(half.path()).run().says("usb-companion 00:1d.7: ehci-pci has this");
    // Now both have their drivers, and nothing is to come: `now` takes the device, and no list takes it at the next boot.
    let text = audit("check -J --root").with(folder.path()).run().out;
    assert!(!text.contains("usb-companion") && text.contains("not while the list names"), "{text}");
    let text = audit("check -J --root").with(whole.path()).run().out;
    assert!(!text.contains("usb-companion"), "{text}");
}

#[test]
fn a_list_that_takes_the_disk_of_the_root_is_foretold() {
    let folder = machine("(00:1f.2)", "");
    let ran = audit("plan --for boot --root").with(folder.path()).run().ends_with(2);
    ran.says("1 of 1 would be seized").says("boot-critical").says("/ is on it (sda1)");
    audit("check --root").with(folder.path()).run().ends_with(2).says("boot-critical");
}

#[test]
fn a_device_without_a_reset_is_foretold() {
    let folder = machine("(00:1d.0)", "sys/devices/pci0000:00/0000:00:1f.2/reset = \n");
    let ran = audit("plan --for boot --root").with(folder.path()).run().ends_with(1);
    ran.says("warning reset-missing");
}

/// Two guests' configurations beside pciback's devices.
const GUESTS: &str = "\
    proc/xen/capabilities = control_d\\n\n\
    proc/sys/kernel/osrelease = 6.1.0-18-amd64\\n\n\
    sys/bus/pci/devices/0000:05:00.0/driver -> ../../../bus/pci/drivers/pciback\n\
    sys/bus/pci/devices/0000:05:00.1/driver -> ../../../bus/pci/drivers/pciback\n\
    sys/bus/pci/devices/0000:06:00.0/driver -> ../../../bus/pci/drivers/igb\n\
    sys/bus/pci/devices/0000:07:00.0/driver -> ../../../bus/pci/drivers/nvme\n\
    sys/bus/pci/drivers/pciback/slots = 0000:05:00.0\\n0000:05:00.1\\n\n\
    sys/bus/pci/drivers/pciback/irq_handlers = 0000:05:00.0:off:not acking:0\\n0000:05:00.1:off:not acking:0\\n\n\
    etc/xen/web.cfg = name = \"web\"\\npci = [ '05:00.*' ]\\n\n\
    etc/xen/own.cfg = name = \"own\"\\npci = [ '07:00.0,seize=1' ]\\n\n";

#[test]
fn what_guests_want_can_be_the_request() {
    let check = "check --ignore log-unreadable --hide-from guests --root";
    let folder = Folder::holding(GUESTS);
    let ran = audit(check).with(folder.path()).run().ends_with(0).says("OK: ");
    ran.says("2 seized: 05:00.0 05:00.1");
    let report = audit(&format!("{check} -J").replace("--root -J", "-J --root")).with(folder.path()).run().json();
    let entry = &report["request"]["entries"][0];
    assert_eq!((entry["source"].as_str(), entry["text"].as_str()), (Some("guests"), Some("(0000:05:00.0)")));
    assert_eq!(entry["location"].as_str(), Some("/etc/xen/web.cfg:2"));
    let held = Folder::holding(&format!("{GUESTS}etc/xen/db.cfg = name = \"db\"\\npci = [ '06:00.0' ]\\n\n"));
    audit(check).with(held.path()).run().ends_with(2).says("held-by-driver").says("igb");
    let none = Folder::holding(GUESTS.split("etc/xen/").next().unwrap_or_default());
    audit(check).with(none.path()).run().ends_with(3).says("configurations of guests");
}

#[test]
fn the_table_and_the_tree_name_the_guest() {
    let folder = Folder::holding(GUESTS);
    let ran = audit("check -v --hide (05:00.0) --root").with(folder.path()).run();
    ran.says("ADDRESS       STATUS       DRIVER   GUEST  DEVICE").says("0000:05:00.0  seized       pciback  web    -");
    audit("check --format tree --hide (05:00.0) --root").with(folder.path()).run().says("pciback  seized  for web");
}
