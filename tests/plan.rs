//! `plan` as a command: what it says, its JSON, its exit status; and `docs/places.md` against the register.

mod common;

use common::{Folder, audit};
use pciback_audit::audit::families;
use pciback_audit::request::register;
use serde_json::Value;

/// A dom0 with two controllers of one driver, of which one is free, and a list in `modprobe.d`.
const MACHINE: &str = "\
    proc/xen/capabilities = control_d\\n\n\
    proc/sys/kernel/osrelease = 6.1.0-18-amd64\\n\n\
    proc/cmdline = placeholder root=/dev/sda1\\n\n\
    etc/os-release = ID=debian\\n\n\
    etc/initramfs-tools/modules = # none\\n\n\
    etc/modprobe.d/x.conf = options xen-pciback hide=(00:1d.0)(00:1d.1)\\nsoftdep ehci_pci pre: xen-pciback\\n\n\
    sys/bus/pci/devices/0000:00:1d.0 -> ../../../devices/pci0000:00/0000:00:1d.0\n\
    sys/bus/pci/devices/0000:00:1d.1 -> ../../../devices/pci0000:00/0000:00:1d.1\n\
    sys/bus/pci/drivers/ehci_pci/module -> ../../../../module/ehci_pci\n\
    sys/module/ehci_pci/\n\
    sys/devices/pci0000:00/0000:00:1d.1/vendor = 0x8086\\n\n\
    sys/devices/pci0000:00/0000:00:1d.0/driver -> ../../../bus/pci/drivers/ehci_pci\n";

fn machine() -> Folder {
    Folder::holding(MACHINE)
}

#[test]
fn it_counts_what_would_be_seized_now_and_then() {
    let folder = machine();
    let now = audit("plan --root").with(folder.path()).run();
    assert_eq!(now.status, 2, "{}", now.out);
    assert!(now.out.contains("now, by modprobe:      1 of 2 would be seized"), "{}", now.out);
    assert!(now.out.contains("silently ignored: 0000:00:1d.0 (ehci_pci)"), "{}", now.out);
    assert!(now.out.contains("after a reboot as is:  2 of 2 would be seized"), "{}", now.out);
    let boot = audit("plan --for boot --root").with(folder.path()).run();
    assert_eq!(boot.status, 0, "{}", boot.out);
    let other = audit("plan --for boot --hide (00:1d.7) --root").with(folder.path()).run();
    assert_eq!(other.status, 2, "{}", other.out);
    audit("plan --for boot --device 00:1d.7 --root")
        .with(folder.path())
        .run()
        .ends_with(2)
        .says("plan for (0000:00:1d.7)");
}

#[test]
fn taking_a_device_from_its_driver_late_is_warned_of() {
    for (seconds, warned) in [("60.00", false), ("3600.25", true)] {
        let folder = Folder::holding(&format!("{MACHINE}proc/uptime = {seconds} 0.00\\n\n"));
        let ran = audit("plan --root").with(folder.path()).run().ends_with(2);
        assert_eq!(ran.out.contains("warning late-seize 00:1d.0"), warned, "{}", ran.out);
        let boot = audit("plan --for boot --root").with(folder.path()).run();
        assert!(!boot.out.contains("late-seize"), "{}", boot.out);
    }
}

#[test]
fn it_says_what_its_plan_comes_to() {
    let used = "proc/self/mountinfo = 22 1 8:1 / / rw - ext4 /dev/vda1 rw\\n\nproc/swaps = Filename\\n\n\
                proc/consoles = hvc0 -W- (EC p a) 229:0\\n\nsys/class/block/vda1 -> ../../devices/virtual/block/vda1\n\
                sys/class/net/lo -> ../../devices/virtual/net/lo\n";
    let folder = Folder::holding(&(MACHINE.replace("\\nsoftdep ehci_pci pre: xen-pciback", "") + used));
    let ran = audit("plan --for boot --root").with(folder.path()).run();
    ran.says("after a reboot as is:  ").says("with the plan below:   2 of 2 would be seized").says("update-initramfs");
}

#[test]
fn its_json_is_what_the_schema_says() {
    let schema: Value = serde_json::from_str(include_str!("../schema/plan-1.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let reports: Value = serde_json::from_str(include_str!("../schema/report-1.json")).unwrap();
    let reports = jsonschema::draft202012::new(&reports).unwrap();
    let folder = machine();
    for args in ["plan -J --root", "plan -J --hide (00:1d.0) --root", "plan -J --for boot --hide (00:1d --root"] {
        let plan = audit(args).with(folder.path()).run().json();
        let errors: Vec<String> = validator.iter_errors(&plan).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}\n{plan:#}");
        assert!(reports.is_valid(&plan["now"]["report"]) && reports.is_valid(&plan["boot"]["report"]));
    }
}

/// Qubes' hook takes all network controllers, and those that are named, and no others (90qubes-pciback).
#[test]
fn on_qubes_network_controllers_are_taken_without_a_list() {
    let machine = "proc/xen/capabilities = control_d\\n\nproc/sys/kernel/osrelease = 6.6.2-1.qubes.fc37.x86_64\\n\n\
        etc/os-release = ID=qubes\\n\nproc/cmdline = quiet\\n\n\
        sys/bus/pci/devices/0000:00:1f.6/class = 0x020000\\n\n\
        sys/bus/pci/devices/0000:00:14.0/class = 0x0c0330\\n\n\
        sys/bus/pci/devices/0000:00:14.0/driver -> ../../../drivers/xhci_hcd\n";
    let nic = |driver: &str| format!("sys/bus/pci/devices/0000:00:1f.6/driver -> ../../../drivers/{driver}\n");
    for (files, args, says) in [
        (nic("pciback"), "--hide (00:1f.6)", "after a reboot as is:  1 of 1 would be seized\n"),
        (nic("pciback"), "--hide (00:14.0)", "after a reboot as is:  0 of 1 would be seized\n"),
        // Another driver has it although the hook ran: why is not known.
        (nic("e1000e"), "--hide (00:1f.6)", "after a reboot as is:  0 of 1 would be seized, 1 not known\n"),
    ] {
        let folder = Folder::holding(&format!("{machine}{files}"));
        audit(&format!("plan {args} --root")).with(folder.path()).run().says(says);
    }
    let slots = "sys/bus/pci/drivers/pciback/slots = 0000:00:1f.6\\n\n\
                 sys/bus/pci/drivers/pciback/irq_handlers = 0000:00:1f.6:off:not acking:0\\n\n";
    let folder = Folder::holding(&format!("{machine}{}{slots}", nic("pciback")));
    let ran = audit("check -v --hide (00:14.0) --root").with(folder.path()).run();
    ran.says("it is a network controller,\n  and the hook of Qubes' boot image takes them all");
}

/// An upgrade that drops the list from GRUB's menu is told before the reboot.
#[test]
fn on_qubes_a_list_that_the_next_boot_lacks_is_a_drift() {
    let machine = "proc/xen/capabilities = control_d\\n\nproc/sys/kernel/osrelease = 6.6.2-1.qubes.fc37.x86_64\\n\n\
        etc/os-release = ID=qubes\\n\nproc/cmdline = quiet rd.qubes.hide_pci=00:14.0,00:1f.6\\n\n\
        sys/bus/pci/devices/0000:00:1f.6/class = 0x020000\\n\n\
        sys/bus/pci/devices/0000:00:1f.6/driver -> ../../../drivers/pciback\n\
        sys/bus/pci/devices/0000:00:14.0/class = 0x0c0330\\n\n\
        sys/bus/pci/devices/0000:00:14.0/driver -> ../../../drivers/pciback\n\
        sys/bus/pci/drivers/pciback/slots = 0000:00:14.0\\n0000:00:1f.6\\n\n\
        sys/bus/pci/drivers/pciback/irq_handlers = 0000:00:14.0:off:not acking:0\\n0000:00:1f.6:off:not acking:0\\n\n";
    for (line, drift) in [
        ("quiet", Some("0000:00:14.0 only now")),
        ("rd.qubes.hide_pci=00:1a.0", Some("0000:00:14.0 only now, 0000:00:1a.0 only then")),
        // The network controller is taken without a list.
        ("rd.qubes.hide_pci=00:14.0", None),
        ("rd.qubes.hide_pci=00:1f.6,0000:00:14.0", None),
    ] {
        let menu = format!(
            "boot/grub2/grub.cfg = set default=0\\nmenuentry 'Qubes' {{\\nmultiboot2 /xen.gz\\nmodule2 /vmlinuz root=x {line}\\n}}\\n\n"
        );
        let report = audit("check -J --root").with(Folder::holding(&format!("{machine}{menu}")).path()).run().json();
        let findings = report["findings"].as_array().unwrap();
        let drifts = findings.iter().filter(|found| found["code"] == "next-boot-drift");
        let found: Vec<&str> =
            drifts.filter_map(|found| found["message"].as_str()?.rsplit_once("`): ")).map(|it| it.1).collect();
        assert_eq!(found, drift.into_iter().collect::<Vec<_>>(), "{line}");
    }
}

#[test]
fn two_forms_at_once_are_bad_usage() {
    audit("plan -J --format table --root /").run().ends_with(3);
}

/// `UPDATE_EXPECT=1` rewrites the tables of the document.
#[test]
fn the_document_of_places_has_the_tables_of_places_and_families() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/places.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut made = text.clone();
    for (begins, table) in [("| file | form |", register::table()), ("| family | the list |", families())] {
        let (before, rest) = made.split_at(made.find(begins).unwrap());
        let after = rest.find("\n\n").map_or("", |at| rest.split_at(at + 1).1);
        made = format!("{before}{table}{after}");
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, made).unwrap();
    } else {
        assert!(text == made, "docs/places.md is not what the program says: UPDATE_EXPECT=1 rewrites it");
    }
}
