//! Every plan that outlives a reboot keeps what it promises: its lines are pasted into the files of the machine, and the next
//! boot of these is judged.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use pciback_audit::audit::{Asked, Case, conclude};
use pciback_audit::pci::Era;
use pciback_audit::report::{Promise, Repair, Report};
use pciback_audit::request::{Written, modprobe, modules, sysconfig, unmade};
use pciback_audit::source::keep_archive;
use pciback_audit::tree::Tree;
use support::paste::{hold, next_seized, paste};
use support::scenario::parse;
use support::{captures, log, logs_of, read, testdata, tree};

const DEVICES: &str = "\
proc/xen/capabilities = control_d\\n
proc/self/mountinfo = 22 1 8:1 / / rw - ext4 /dev/vda1 rw\\n
proc/swaps = Filename Type Size Used Priority\\n
proc/consoles = hvc0 -W- (EC p a) 229:0\\n
lib/
sys/class/block/vda1 -> ../../devices/virtual/block/vda1
sys/class/net/lo -> ../../devices/virtual/net/lo
sys/bus/pci/devices/0000:00:04.0 -> ../../../devices/pci0000:00/0000:00:04.0
sys/bus/pci/devices/0000:00:06.0 -> ../../../devices/pci0000:00/0000:00:06.0
sys/devices/pci0000:00/0000:00:04.0/class = 0x020000\\n
sys/devices/pci0000:00/0000:00:06.0/class = 0x020000\\n
sys/devices/pci0000:00/0000:00:04.0/driver -> ../../../bus/pci/drivers/e1000e
sys/devices/pci0000:00/0000:00:06.0/driver -> ../../../bus/pci/drivers/igb
sys/bus/pci/drivers/e1000e/module -> ../../../../module/e1000e
sys/bus/pci/drivers/igb/module -> ../../../../module/igb
";

/// The two devices, as the kernel takes them and as it refuses them.
const LIST: &str = "(00:04.0)(00:06.0)";
const MALFORMED: &str = "(00:04.0)(00:06.0";

/// A family of distributions.
struct Family {
    name: &'static str,
    /// What it is known by.
    files: &'static str,
    /// Where its list goes; `LIST` stands for it.
    place: &'static str,
    /// Whether its plan is made of files and commands alone.
    proves: bool,
}

const MODERN: &str = "proc/sys/kernel/osrelease = 6.1.0-18-amd64\\n\n";
const MODPROBE: &str = "proc/cmdline = root=/dev/vda1\\n\netc/modprobe.d/local.conf = # ours\\noptions xen-pciback permissive=0 hide=LIST\\n\n";
const ON_LINE: &str = "proc/cmdline = root=/dev/vda1 xen-pciback.hide=LIST\\n\n";

const fn family(name: &'static str, files: &'static str, place: &'static str, proves: bool) -> Family {
    Family { name, files, place, proves }
}

const FAMILIES: &[Family] = &[
    family("Debian", "etc/os-release = ID=debian\\n\netc/initramfs-tools/modules = # x\\n\n", MODPROBE, true),
    family("Ubuntu", "etc/os-release = ID=ubuntu\\nID_LIKE=debian\\n\n", MODPROBE, true),
    family(
        "Debian with dracut",
        "etc/os-release = ID=debian\\n\netc/initramfs-tools/modules = \nusr/bin/dracut ! is not a link\n",
        MODPROBE,
        true,
    ),
    family(
        "Debian with its list in the boot image",
        "etc/os-release = ID=debian\\n\n",
        "proc/cmdline = root=x\\n\netc/initramfs-tools/modules = # x\\nxen-pciback hide=LIST\\n\n",
        true,
    ),
    family("Fedora", "etc/os-release = ID=fedora\\n\n", MODPROBE, true),
    family("RHEL", "etc/os-release = ID=rhel\\n\netc/dracut.conf = \n", MODPROBE, true),
    family("openSUSE", "etc/os-release = ID=\"opensuse-leap\"\\n\n", MODPROBE, true),
    family(
        "openSUSE with its own list",
        "etc/os-release = ID=\"opensuse-leap\"\\n\netc/sysconfig/pciback = XEN_PCI_HIDE_LIST=\"e1000e,0000:00:04.0\"\\n\n",
        MODPROBE,
        true,
    ),
    family(
        "openSUSE with a malformed list of its own",
        "etc/os-release = ID=\"opensuse-leap\"\\n\netc/sysconfig/pciback = XEN_PCI_HIDE_LIST=\"e1000e\"\\n\n",
        MODPROBE,
        true,
    ),
    family("Void", "etc/os-release = ID=\"void\"\\n\n", MODPROBE, true),
    family(
        "Qubes",
        "etc/os-release = ID=qubes\\n\netc/default/grub = GRUB_CMDLINE_LINUX=\"quiet\"\\n\n",
        "proc/cmdline = quiet\\n\n",
        true,
    ),
    family(
        "Qubes with the list of the kernel",
        "etc/os-release = ID=qubes\\n\netc/default/grub = GRUB_CMDLINE_LINUX=\"quiet\"\\n\n",
        ON_LINE,
        true,
    ),
    family(
        "Qubes with a list in modprobe.d",
        "etc/os-release = ID=qubes\\n\netc/default/grub = GRUB_CMDLINE_LINUX=\"quiet\"\\n\n",
        MODPROBE,
        true,
    ),
    family("XCP-ng", "etc/os-release = ID=\"xcp-ng\"\\nID_LIKE=\"centos rhel fedora\"\\n\n", ON_LINE, true),
    family("XenServer", "etc/redhat-release = XenServer release 7.2.0 (xenenterprise)\\n\n", ON_LINE, true),
    family(
        "Alpine",
        "etc/os-release = ID=alpine\\n\netc/mkinitfs/mkinitfs.conf = features=\"base ext4\"\\n\netc/default/grub = GRUB_CMDLINE_LINUX_DEFAULT=\"modules=sd-mod,ext4 quiet\"\\n\n",
        MODPROBE,
        true,
    ),
    family(
        "Alpine with extlinux",
        "etc/os-release = ID=alpine\\n\netc/mkinitfs/mkinitfs.conf = features=\"base ext4\"\\n\nboot/extlinux.conf = DEFAULT x\\nLABEL x\\n  KERNEL /mboot.c32\\n  APPEND /xen.gz --- /vmlinuz-lts root=x modules=ext4 quiet --- /initramfs-lts\\n\n",
        MODPROBE,
        true,
    ),
    family(
        "Arch",
        "etc/os-release = ID=arch\\n\netc/mkinitcpio.conf = MODULES=()\\nHOOKS=(base udev modconf)\\n\n",
        MODPROBE,
        true,
    ),
    family(
        "Arch with systemd in its boot image",
        "etc/os-release = ID=arch\\n\netc/mkinitcpio.conf = MODULES=()\\nHOOKS=(base systemd modconf)\\n\n",
        MODPROBE,
        true,
    ),
    family(
        "EndeavourOS with mkinitcpio",
        "etc/os-release = ID=endeavouros\\nID_LIKE=arch\\n\netc/mkinitcpio.conf = MODULES=()\\nHOOKS=(base udev modconf)\\n\n",
        MODPROBE,
        true,
    ),
    family("openEuler", "etc/os-release = ID=\"openEuler\"\\n\n", MODPROBE, true),
    family("Gentoo with dracut", "etc/os-release = ID=gentoo\\n\netc/dracut.conf = \n", MODPROBE, true),
    family(
        "Gentoo with genkernel",
        "etc/os-release = ID=gentoo\\n\netc/genkernel.conf = INSTALL=\"yes\"\\n\netc/default/grub = GRUB_CMDLINE_LINUX=\"quiet\"\\n\n",
        MODPROBE,
        true,
    ),
    family("Gentoo", "etc/os-release = ID=gentoo\\n\n", MODPROBE, false),
    family("NixOS", "etc/os-release = ID=nixos\\n\n", MODPROBE, false),
    family("unknown", "etc/issue = x\\n\n", MODPROBE, false),
];

const OLD: &[Family] = &[
    // modprobe of module-init-tools 3.3 knows no soft dependencies.
    family(
        "Debian 4",
        "etc/debian_version = 4.0\\n\nproc/sys/kernel/osrelease = 2.6.18-6-xen-amd64\\n\netc/initramfs-tools/modules = # x\\n\n",
        "proc/cmdline = ro\\n\netc/modprobe.d/local.conf = options pciback hide=LIST\\n\n",
        true,
    ),
    family(
        "EL 5",
        "etc/redhat-release = CentOS release 5.2 (Final)\\n\nproc/sys/kernel/osrelease = 2.6.18-92.el5xen\\n\n",
        "proc/cmdline = ro\\n\netc/modprobe.conf = alias eth0 e1000e\\noptions pciback hide=LIST\\n\n",
        true,
    ),
    family(
        "SLES 10",
        "etc/SuSE-release = SUSE Linux Enterprise Server 10 (x86_64)\\nVERSION = 10\\n\nproc/sys/kernel/osrelease = 2.6.16.60-0.21-xen\\n\netc/sysconfig/kernel = INITRD_MODULES=\"ata_piix\"\\n\n",
        "proc/cmdline = ro\\n\netc/modprobe.conf.local = options pciback hide=LIST\\n\n",
        true,
    ),
];

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Situation {
    /// The list was given to modprobe, and is written nowhere.
    Nowhere,
    /// The list is where it belongs, and pciback came too late.
    Late,
    /// The list is where it belongs, and the kernel refuses it.
    Malformed,
    /// One device is missing in the list.
    Lacking,
    /// The list stands on the line of GRUB's defaults and menu, and the kernel refuses it.
    MalformedInGrub,
    /// The same, beside another list where the family has its own.
    TwoPlaces,
}
use Situation::{Lacking, Late, Malformed, MalformedInGrub, Nowhere, TwoPlaces};

fn machine(family: &Family, situation: Situation) -> Tree {
    let module = if OLD.iter().any(|old| old.name == family.name) { "pciback" } else { "xen_pciback" };
    let loaded = |list: &str| {
        format!(
            "sys/module/{module}/parameters/hide = {list}\\n\nsys/bus/pci/drivers/pciback/slots = 0000:00:04.0\\n0000:00:06.0\\n\n\
             sys/bus/pci/drivers/pciback/irq_handlers =\n"
        )
    };
    let place = |list: &str| family.place.replace("LIST", list);
    let grub = |list: &str| {
        format!(
            "proc/cmdline = root=x xen-pciback.hide={list}\\n\n\
             etc/default/grub = GRUB_DEFAULT=0\\nGRUB_CMDLINE_LINUX=\"quiet xen-pciback.hide={list}\"\\n\n\
             boot/grub/grub.cfg = set default=0\\nmenuentry 'Xen' {{\\nmultiboot2 /xen.gz\\nmodule2 /vmlinuz root=x quiet xen-pciback.hide={list}\\n}}\\n\n"
        )
    };
    let modern = if module == "pciback" { "" } else { MODERN };
    let without_place = || {
        "proc/cmdline = root=/dev/vda1\\n\n".to_owned()
            + &place("")
                .lines()
                .filter(|line| line.starts_with("etc/initramfs-tools"))
                .map(|_| "etc/initramfs-tools/modules = # x\\n\n")
                .collect::<String>()
    };
    let files = match situation {
        Nowhere => without_place() + &loaded(LIST),
        Late => place(LIST) + &loaded(LIST),
        Malformed => place(MALFORMED),
        Lacking => place("(00:04.0)") + &loaded("(00:04.0)"),
        MalformedInGrub => grub(MALFORMED),
        TwoPlaces => place("(00:04.0)").replace("proc/cmdline = root=/dev/vda1\\n\n", "") + &grub(MALFORMED),
    };
    let own = family.files.lines().filter(|line| {
        !files.contains(line.split(" = ").next().unwrap_or_default()) || line.starts_with("etc/os-release")
    });
    tree(format!("{DEVICES}{modern}{}\n{files}", own.collect::<Vec<_>>().join("\n")).as_bytes())
}

fn report(tree: &Tree, asked: Asked) -> Report {
    conclude(&Case { asked, tree: Some(tree.clone()), ..Case::default() })
}

fn both() -> Asked {
    Asked::Devices(vec!["00:04.0".parse().unwrap(), "00:06.0".parse().unwrap()])
}

/// The devices that each list names which the next boot may read.
fn lists(tree: &Tree) -> BTreeSet<Vec<String>> {
    let grub = unmade::argument(tree, "xen-pciback.hide")
        .map(|text| Written { text: text.into_bytes(), ..pciback_audit::request::argument::written(b"") });
    let all = modprobe::written(tree).written.into_iter().chain(modules::written(tree).written).chain(grub);
    let names = |list: Written| {
        let read = list.read(Era::From3_7);
        if !read.accepted() {
            return vec![format!("{} is malformed", String::from_utf8_lossy(&list.text))];
        }
        let mut names: Vec<String> =
            read.in_force().flat_map(|entry| entry.pattern.addresses()).map(|address| address.to_string()).collect();
        names.sort();
        names
    };
    all.map(names).collect()
}

#[test]
fn every_family_keeps_its_promise_in_every_situation() {
    let mut wrong = Vec::new();
    for family in FAMILIES.iter().chain(OLD) {
        // These have no such files.
        let no_grub = OLD.iter().any(|old| old.name == family.name) || matches!(family.name, "XCP-ng" | "XenServer");
        for situation in [Nowhere, Late, Malformed, Lacking, MalformedInGrub, TwoPlaces] {
            if no_grub && matches!(situation, MalformedInGrub | TwoPlaces) {
                continue;
            }
            let machine = machine(family, situation);
            let asked =
                if situation == Lacking || family.name.starts_with("Qubes") { both() } else { Asked::default() };
            let report = report(&machine, asked);
            if let Some(why) = fault(family, &report, &machine) {
                let lines = report.plan.for_good_lines().join("\n");
                wrong.push(format!("{}, {situation:?}: {why}\n{lines}\n{:?}\n", family.name, report.plan.promise));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the plan for the two devices.
fn fault(family: &Family, report: &Report, machine: &Tree) -> Option<String> {
    let lines = report.plan.for_good_lines();
    if lines.is_empty() {
        let next = next_seized(report, machine);
        return (next != (2, 2)).then(|| format!("no plan, and the next boot gives {next:?}"));
    }
    let is_held = hold(family.name, report, machine);
    if is_held != family.proves {
        return Some(format!("promises: {is_held}"));
    }
    let count = report.plan.promise.as_ref().map(Promise::count);
    if count.as_ref().is_some_and(|count| count != "2 of 2") {
        return count;
    }
    let after = paste(machine, &lines);
    if let Some(obstacle) = sysconfig::written(&after).obstacles.first() {
        return Some(obstacle.to_string());
    }
    let lists = lists(&after);
    (is_held && lists.len() > 1).then(|| format!("lists that disagree: {lists:?}"))
}

/// A driver that is built in, and a pciback that is.
#[test]
fn what_is_built_in_is_promised_only_where_it_works() {
    let built_in = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| format!("kernel/drivers/{name}.ko\\n")).collect();
        format!("lib/modules/6.1.0-18-amd64/modules.builtin = {}\n", names.concat())
    };
    let of = |family: &str, more: &str| {
        let machine = tree(format!("{DEVICES}{MODERN}proc/cmdline = ro\\n\n{family}{more}").as_bytes());
        let report = report(&machine, both());
        hold(family, &report, &machine);
        report.plan
    };
    let grub = "etc/default/grub = GRUB_CMDLINE_LINUX=\"quiet\"\\n\n";
    let count = |plan: &Repair| plan.promise.as_ref().map(Promise::count);
    let pciback = built_in(&["xen/xen-pciback/xen-pciback"]);
    for id in ["debian", "fedora", "arch", "gentoo", "x"] {
        let plan = of(&format!("etc/os-release = ID={id}\\n\n"), &format!("{pciback}{grub}"));
        assert_eq!(count(&plan).as_deref(), Some("2 of 2"), "{id}\n{}", plan.for_good_lines().join("\n"));
    }
    assert_eq!(count(&of("etc/os-release = ID=fedora\\n\n", &pciback)), None);
    let efi = "boot/efi/EFI/fedora/xen.cfg = [global]\\ndefault=x\\n[x]\\noptions=loglvl=all\\nkernel=vmlinuz ro quiet\\nramdisk=initrd\\n\n";
    assert_eq!(count(&of("etc/os-release = ID=fedora\\n\n", &format!("{pciback}{efi}"))).as_deref(), Some("2 of 2"));
    for (id, found) in [("debian", Some("2 of 2")), ("fedora", Some("2 of 2")), ("alpine", None), ("void", None)] {
        let plan = of(&format!("etc/os-release = ID={id}\\n\n{grub}"), &built_in(&["net/e1000e"]));
        assert_eq!(count(&plan).as_deref(), found, "{id}\n{}", plan.for_good_lines().join("\n"));
    }
}

#[test]
fn every_scenario_keeps_its_promise() {
    let files = std::fs::read_dir(testdata("scenarios")).unwrap().filter_map(Result::ok);
    let mut held = 0;
    for file in files {
        let case = parse(&std::fs::read_to_string(file.path()).unwrap()).case;
        let Some(tree) = case.tree.clone() else { continue };
        held += usize::from(hold(&file.file_name().to_string_lossy(), &conclude(&case), &tree));
    }
    assert!(held >= 4, "{held}");
}

#[test]
fn every_capture_keeps_its_promise() {
    for name in captures() {
        let tree = tree(&read(&format!("captures/{name}/root.txt")));
        for file in logs_of(&name) {
            let logs = vec![log(0, "log", &read(&format!("captures/{name}/{file}")))];
            let case = Case { tree: Some(tree.clone()), logs, ..Case::default() };
            hold(&format!("{name}/{file}"), &conclude(&case), &tree);
        }
    }
    for folder in std::fs::read_dir(testdata("dom0")).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(manifest) = std::fs::read(folder.join("root.txt")) else { continue };
        let tree = tree(&manifest);
        let logs = vec![log(0, "kmsg", &std::fs::read(folder.join("kmsg.raw")).unwrap())];
        let case = Case { tree: Some(tree.clone()), logs, ..Case::default() };
        hold(&folder.to_string_lossy(), &conclude(&case), &tree);
    }
}

#[test]
fn every_case_keeps_its_promise() {
    let mut held = 0;
    for group in ["adversary", "field", "house", "peers"] {
        for case in std::fs::read_dir(testdata("cases").join(group)).unwrap().map(|entry| entry.unwrap().path()) {
            for root in std::fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().path()) {
                held += usize::from(root.is_dir() && root_keeps_its_promise(&root));
            }
        }
    }
    assert!(held > 0, "{held}");
}

fn root_keeps_its_promise(root: &Path) -> bool {
    let tree = keep_archive(root).unwrap();
    let case = Case { tree: Some(tree.clone()), ..Case::default() };
    hold(&root.to_string_lossy(), &conclude(&case), &tree)
}
