//! The plan of a report: by family of distributions, and never at the cost of what dom0 uses.

#![allow(clippy::unwrap_used, reason = "a test may end in a panic")]

mod support;

use pciback_audit::audit::{Asked, Case, conclude};
use pciback_audit::report::{Promise, Repair};
use support::tree;

const DEVICES: &str = "\
proc/xen/capabilities = control_d\\n
proc/self/mountinfo = 22 1 8:1 / / rw - ext4 /dev/vda1 rw\\n
proc/swaps = Filename Type Size Used Priority\\n
proc/consoles = hvc0 -W- (EC p a) 229:0\\n
sys/class/block/vda1 -> ../../devices/virtual/block/vda1
sys/class/net/lo -> ../../devices/virtual/net/lo
sys/class/net/eth0 -> ../../devices/pci0000:00/0000:00:05.0/net/eth0
sys/devices/pci0000:00/0000:00:05.0/net/eth0/flags = 0x1003\\n
sys/bus/pci/devices/0000:00:04.0 -> ../../../devices/pci0000:00/0000:00:04.0
sys/bus/pci/devices/0000:00:05.0 -> ../../../devices/pci0000:00/0000:00:05.0
sys/devices/pci0000:00/0000:00:04.0/class = 0x020000\\n
sys/devices/pci0000:00/0000:00:05.0/class = 0x020000\\n
sys/devices/pci0000:00/0000:00:04.0/driver -> ../../../bus/pci/drivers/e1000e
sys/devices/pci0000:00/0000:00:05.0/driver -> ../../../bus/pci/drivers/igb
sys/bus/pci/drivers/e1000e/module -> ../../../../module/e1000e
sys/bus/pci/drivers/igb/module -> ../../../../module/igb
sys/bus/pci/drivers/pciback/slots =
sys/bus/pci/drivers/pciback/irq_handlers =
";

const NEWER: &str = "proc/sys/kernel/osrelease = 6.1.0-18-amd64\\n\nproc/cmdline = root=/dev/vda1\\n\n";

/// The plan for these devices on a machine with these files beside its devices.
fn plan(files: &str, devices: &[&str]) -> Repair {
    let asked = Asked::Devices(devices.iter().map(|address| address.parse().unwrap()).collect());
    let tree = tree(format!("{DEVICES}{files}").as_bytes());
    conclude(&Case { asked, tree: Some(tree), ..Case::default() }).plan
}

fn lines(plan: &Repair) -> String {
    plan.for_good_lines().join("\n")
}

/// What names a family, and what its plan must and must not say.
const FAMILIES: &[(&str, &[&str], &[&str])] = &[
    (
        "etc/os-release = ID=debian\\n\n",
        &[
            "options xen-pciback hide=(00:04.0)\nsoftdep e1000e pre: xen-pciback\nEOF\nupdate-initramfs -u -k all",
            "lsinitramfs",
        ],
        &["dracut"],
    ),
    (
        "etc/os-release = ID=debian\\n\netc/dracut.conf.d/x.conf = \n",
        &["dracut --force --regenerate-all"],
        &["update-initramfs"],
    ),
    (
        "etc/os-release = ID=fedora\\n\n",
        &[
            "force_drivers+=\" xen-pciback \"\ninstall_items+=\" /etc/modprobe.d/xen-pciback.conf \"\nEOF\ndracut --force --regenerate-all",
            "lsinitrd",
        ],
        &["update-initramfs"],
    ),
    ("etc/os-release = ID=\"opensuse-leap\"\\nID_LIKE=\"suse opensuse\"\\n\n", &["dracut --force"], &["mkinitrd"]),
    ("etc/os-release = ID=\"void\"\\n\n", &["dracut --force"], &["systemctl"]),
    ("etc/os-release = ID=qubes\\n\n", &["rd.qubes.hide_pci=00:04.0", "grub2-mkconfig"], &["modprobe.d", "hide=("]),
    (
        "etc/os-release = ID=\"xcp-ng\"\\nID_LIKE=\"centos rhel fedora\"\\n\n",
        &["xen-cmdline --set-dom0 \"xen-pciback.hide=(0000:00:04.0)\""],
        &["modprobe.d", "dracut"],
    ),
    ("etc/redhat-release = XenServer release 7.2.0 (xenenterprise)\\n\n", &["xen-cmdline --set-dom0"], &["dracut"]),
    (
        "etc/os-release = ID=alpine\\n\n",
        &["/etc/mkinitfs/features.d/xen-pciback.modules", "\nmkinitfs\n", "not sure"],
        &["softdep", "dracut"],
    ),
    ("etc/os-release = ID=arch\\n\n", &["MODULES=(xen-pciback \"${MODULES[@]}\")", "mkinitcpio -P"], &["dracut"]),
    (
        "etc/os-release = ID=gentoo\\n\n",
        &["genkernel", "#   options xen-pciback hide=(00:04.0)", "#   softdep e1000e pre: xen-pciback"],
        &["\ndracut", "\nupdate-initramfs"],
    ),
    (
        "etc/os-release = ID=gentoo\\n\netc/genkernel.conf = INSTALL=yes\\n\netc/default/grub = GRUB_CMDLINE_LINUX=\"quiet\"\\n\n",
        &[
            "echo AMODULES_PCIBACK=xen-pciback >> /etc/genkernel.conf",
            "GRUB_CMDLINE_LINUX=\"quiet firstmods=xen-pciback gk.hw.load-all=yes\"",
            "\ngenkernel --install initramfs\npciback-audit plan",
        ],
        &["dracut", "softdep"],
    ),
    (
        "etc/os-release = ID=nixos\\n\n",
        &[
            "# in /etc/nixos/configuration.nix, then nixos-rebuild boot:\n#   boot.initrd.kernelModules = [ \"xen-pciback\" ];\n\
             #   boot.extraModprobeConfig = ''\n#     options xen-pciback hide=(00:04.0)\n\
             #     softdep e1000e pre: xen-pciback\n#   '';",
        ],
        &["\ndracut", "/etc/modprobe.d"],
    ),
    (
        "etc/os-release = ID=nixos\\n\netc/modprobe.d/nixos.conf = options xen-pciback hide=(00:07.0)\\n\n\
         etc/nixos/xen.nix = boot.extraModprobeConfig = \"options xen-pciback hide=(00:07.0)\";\\n\n",
        &[
            "# in /etc/nixos/xen.nix, then",
            "hide=(00:04.0)(00:07.0)",
            "# in place of the list that stands in /etc/nixos/xen.nix:1:",
        ],
        &["/etc/modprobe.d"],
    ),
    (
        "etc/os-release = ID=\"opensuse-leap\"\\n\netc/sysconfig/pciback = XEN_PCI_HIDE_LIST=\"e1000e\"\\n\n",
        &["echo 'XEN_PCI_HIDE_LIST=\"e1000e,0000:00:04.0\"' > /etc/sysconfig/pciback"],
        &[],
    ),
    ("etc/issue = x\\n\n", &["#   softdep e1000e pre: xen-pciback"], &["dracut", "update-initramfs", "genkernel"]),
];

#[test]
fn each_family_has_its_own_commands() {
    for (files, must, must_not) in FAMILIES {
        let text = lines(&plan(&format!("{NEWER}{files}"), &["00:04.0"]));
        for wanted in *must {
            assert!(text.contains(wanted), "{files}: no {wanted}\n{text}");
        }
        for unwanted in *must_not {
            assert!(!text.contains(unwanted), "{files}: {unwanted}\n{text}");
        }
    }
}

/// What a tree without a known family, or with a program of its own for boot images, is known by.
const IN_WORDS: &[&str] = &[
    "etc/os-release = ID=slackware\\n\n",
    "etc/os-release = ID=guix\\n\n",
    "etc/os-release = ID=altlinux\\n\n",
    "etc/os-release = ID=clear-linux-os\\n\n",
    "etc/os-release = ID=solus\\n\nusr/bin/dracut ! is not a link\n",
    "etc/os-release = ID=endeavouros\\nID_LIKE=arch\\n\nusr/bin/dracut ! is not a link\n",
    "etc/os-release = ID=arch\\n\nusr/bin/dracut ! is not a link\n",
    "etc/os-release = ID=\"postmarketos\"\\nID_LIKE=\"alpine\"\\n\n",
    "etc/os-release = ID=\"void\"\\n\netc/mkinitcpio.conf = MODULES=()\\n\n",
    "etc/redhat-release = CentOS release 6.10 (Final)\\n\netc/dracut.conf = \n",
    "etc/os-release = NAME=x\\n\n",
    "lib/\n",
];

#[test]
fn a_family_that_is_not_known_gets_words_and_no_other_s_commands() {
    for files in IN_WORDS {
        let plan = plan(&format!("{NEWER}{files}"), &["00:04.0"]);
        let text = lines(&plan);
        assert!(text.lines().all(|line| line.starts_with("# ")), "{files}\n{text}");
        assert!(text.contains("# load xen-pciback before e1000e, in a boot image made anew"), "{files}\n{text}");
        assert!(plan.promise.is_none() && plan.files().next().is_none());
    }
    let files = "etc/os-release = ID=endeavouros\\nID_LIKE=arch\\n\netc/mkinitcpio.conf = HOOKS=(base udev)\\n\n";
    assert!(lines(&plan(&format!("{NEWER}{files}"), &["00:04.0"])).contains("mkinitcpio -P"));
}

#[test]
fn a_unit_is_written_only_where_systemd_is_init() {
    let built_in = "lib/modules/6.1.0-18-amd64/modules.builtin = kernel/drivers/net/e1000e.ko\\n\n";
    for (files, systemd) in [
        ("etc/os-release = ID=debian\\nVERSION_ID=\"12\"\\n\n", true),
        ("etc/os-release = ID=debian\\nVERSION_ID=\"7\"\\n\n", false),
        ("etc/os-release = ID=ubuntu\\nVERSION_ID=\"14.04\"\\nID_LIKE=debian\\n\n", false),
        ("etc/debian_version = 6.0.10\\n\n", false),
        ("etc/os-release = ID=devuan\\nID_LIKE=debian\\n\n", false),
        ("etc/os-release = ID=debian\\n\nsbin/init ! is not a link\n", false),
        ("etc/os-release = ID=devuan\\nID_LIKE=debian\\n\nsbin/init -> /lib/systemd/systemd\n", true),
    ] {
        let text = lines(&plan(&format!("{NEWER}{built_in}{files}"), &["00:04.0"]));
        assert_eq!(text.contains("systemctl enable"), systemd, "{files}\n{text}");
    }
}

#[test]
fn without_a_known_driver_pciback_is_the_first_module_of_the_boot_image() {
    let debian = format!("{NEWER}etc/os-release = ID=debian\\n\n");
    let machine = tree(
        format!("{DEVICES}{debian}")
            .replace("sys/bus/pci/drivers/e1000e/module", "sys/bus/pci/drivers/x/module")
            .as_bytes(),
    );
    let asked = Asked::List(b"(00:04.0)".to_vec());
    let report = conclude(&Case { asked, tree: Some(machine), ..Case::default() });
    let text = lines(&report.plan);
    for wanted in [
        "printf '%s\\n' '#!/bin/sh' '[ \"$1\" = prereqs ] || modprobe xen-pciback' > /etc/initramfs-tools/scripts/init-top/pciback\nchmod +x ",
        "/etc/initramfs-tools/modules",
    ] {
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn older_systems_have_modprobe_conf_and_another_name() {
    for (files, wanted) in [
        (
            "etc/redhat-release = CentOS release 5.2 (Final)\\n\nproc/sys/kernel/osrelease = 2.6.18-92.el5xen\\n\n",
            ["echo 'options pciback hide=(00:04.0)' >> /etc/modprobe.conf", "mkinitrd -f --preload=pciback"],
        ),
        (
            "etc/SuSE-release = SUSE Linux Enterprise Server 11 (x86_64)\\nVERSION = 11\\n\nproc/sys/kernel/osrelease = 3.0.101-63-xen\\n\n",
            ["/etc/modprobe.conf.local", "INITRD_MODULES"],
        ),
    ] {
        let plan = plan(files, &["00:04.0"]);
        for wanted in wanted {
            assert!(lines(&plan).contains(wanted), "{wanted}\n{}", lines(&plan));
        }
        assert!(!lines(&plan).contains("xen-pciback") && plan.files().next().is_none(), "{}", lines(&plan));
    }
}

#[test]
fn what_dom0_uses_is_not_taken_now_nor_at_the_next_boot() {
    let debian = format!("{NEWER}etc/os-release = ID=debian\\n\n");
    let both = plan(&debian, &["00:04.0", "00:05.0"]);
    assert_eq!(both.now, ["xl pci-assignable-add 0000:00:04.0"]);
    assert_eq!(both.first, ["# first, leave 0000:00:05.0 to dom0 until that has ended: network interface eth0 is up"]);
    let text = lines(&both);
    assert!(text.contains("hide=(00:04.0)\n") && !text.contains("softdep igb"), "{text}");
    assert!(text.contains("# left out of the list: 0000:00:05.0 (network interface eth0 is up)"), "{text}");
    assert!(plan(&debian, &["00:05.0"]).for_good.is_empty());
}

#[test]
fn a_list_in_force_that_names_what_dom0_uses_holds_the_plan_back() {
    let list = "etc/modprobe.d/pciback.conf = options xen-pciback hide=(00:04.0)(00:05.0)\\n\n";
    let plan = plan(&format!("{NEWER}etc/os-release = ID=debian\\n\n{list}"), &["00:04.0"]);
    assert_eq!(plan.now, ["xl pci-assignable-add 0000:00:04.0"]);
    let text = lines(&plan);
    assert!(text.lines().all(|line| line.starts_with('#')), "{text}");
    assert!(
        text.contains("0000:00:05.0") && text.contains("eth0 is up") && text.contains("#update-initramfs"),
        "{text}"
    );
    assert!(plan.files().next().is_none());
}

#[test]
fn a_list_that_lacks_a_device_is_made_whole_in_its_own_file() {
    let list =
        "etc/modprobe.d/local.conf = # ours\\noptions xen-pciback permissive=1 hide=(00:03.0)\\noptions snd x=1\\n\n";
    let plan = plan(&format!("{NEWER}etc/os-release = ID=debian\\n\n{list}"), &["00:04.0"]);
    let files: Vec<(&str, &str)> = plan.files().map(|file| (file.path.as_str(), file.content.as_str())).collect();
    let whole = "# ours\noptions xen-pciback permissive=1 hide=(00:03.0)(00:04.0)\noptions snd x=1\n";
    assert!(files.contains(&("/etc/modprobe.d/local.conf", whole)), "{files:?}");
    assert!(files.contains(&("/etc/modprobe.d/xen-pciback.conf", "softdep e1000e pre: xen-pciback\n")), "{files:?}");
}

#[test]
fn what_a_file_holds_already_stays_in_it() {
    let list = "etc/modprobe.d/xen-pciback.conf = # ours\\noptions xen-pciback passthrough=1\\n\n";
    let plan = plan(&format!("{NEWER}etc/os-release = ID=debian\\n\n{list}"), &["00:04.0"]);
    let content = &plan.files().next().unwrap().content;
    let whole = "# ours\noptions xen-pciback passthrough=1\noptions xen-pciback hide=(00:04.0)\nsoftdep e1000e pre: xen-pciback\n";
    assert_eq!(content, whole);
    assert!(lines(&plan).contains("is there already"));
}

#[test]
fn modprobe_without_soft_dependencies_gets_commands() {
    let old = "proc/sys/kernel/osrelease = 2.6.18-6-xen-amd64\\n\nproc/cmdline = ro\\n\n";
    let unknown = lines(&plan(&format!("{old}etc/issue = x\\n\n"), &["00:04.0"]));
    let command = "#   install e1000e /sbin/modprobe pciback; /sbin/modprobe --ignore-install e1000e";
    assert!(unknown.contains(command) && !unknown.contains("softdep"), "{unknown}");
    for (files, has_softdeps) in [
        ("proc/sys/kernel/osrelease = 2.6.32-5-xen-amd64\\n\netc/debian_version = 6.0.10\\n\n", true),
        ("proc/sys/kernel/osrelease = 2.6.32-21-xen\\n\netc/debian_version = squeeze/sid\\n\n", false),
        ("proc/sys/kernel/osrelease = 2.6.38-8-xen\\n\netc/debian_version = squeeze/sid\\n\n", true),
    ] {
        let text = lines(&plan(&format!("{files}proc/cmdline = ro\\n\n"), &["00:04.0"]));
        assert_eq!(text.contains("softdep e1000e"), has_softdeps, "{files}\n{text}");
    }
    let debian = lines(&plan(&format!("{old}etc/debian_version = 4.0\\n\n"), &["00:04.0"]));
    assert!(debian.contains("init-top/pciback") && !debian.contains("softdep"), "{debian}");
}

#[test]
fn a_list_that_qubes_has_already_promises_nothing() {
    let files = "etc/os-release = ID=qubes\\n\nproc/sys/kernel/osrelease = 6.6.2-1.qubes.fc37.x86_64\\n\n\
                 etc/default/grub = GRUB_CMDLINE_LINUX=\"quiet\"\\n\n";
    let of = |line: &str| plan(&format!("{files}proc/cmdline = quiet rd.qubes.hide_pci={line}\\n\n"), &["00:04.0"]);
    let named = of("07:00.0,00:04.0");
    assert!(named.promise.is_none() && lines(&named).contains("the line names them already"), "{}", lines(&named));
    assert!(of("07:00.0").promise.is_some());
    let far =
        tree(format!("{DEVICES}{files}proc/cmdline = quiet\\n\n").replace("0000:00:04.0", "10000:00:04.0").as_bytes());
    let asked = Asked::Devices(vec!["10000:00:04.0".parse().unwrap()]);
    let plan = conclude(&Case { asked, tree: Some(far), ..Case::default() }).plan;
    assert!(plan.promise.is_none() && !lines(&plan).contains("hide_pci="), "{}", lines(&plan));
}

#[test]
fn nothing_comes_before_a_driver_that_is_built_in() {
    let built_in = "lib/modules/6.1.0-18-amd64/modules.builtin = kernel/drivers/net/e1000e.ko\\n\n";
    let plan = plan(&format!("{NEWER}etc/os-release = ID=debian\\n\n{built_in}"), &["00:04.0"]);
    let text = lines(&plan);
    assert!(text.contains("built in") && !text.contains("softdep") && !text.contains("initramfs -u"), "{text}");
    let unit = plan.files().next().unwrap();
    assert_eq!(unit.path, "/etc/systemd/system/pciback-late.service");
    // Without an IOMMU xl fails to quarantine a device that pciback has then.
    for wanted in [
        "ExecStart=/bin/sh -c \"set -- 0000:00:04.0; for d; do xl pci-assignable-add $$d; done; ",
        " cd /sys/bus/pci/drivers/pciback && ls -d $$*\"\n",
    ] {
        assert!(unit.content.contains(wanted), "{}", unit.content);
    }
}

#[test]
fn what_pciback_has_keeps_its_list_beside_a_service() {
    let built_in = "lib/modules/6.1.0-18-amd64/modules.builtin = kernel/drivers/net/e1000e.ko\\n\n";
    let files = format!("{DEVICES}{NEWER}etc/os-release = ID=debian\\n\n{built_in}")
        .replace(
            "0000:00:05.0/driver -> ../../../bus/pci/drivers/igb",
            "0000:00:05.0/driver -> ../../../bus/pci/drivers/pciback",
        )
        .replace("irq_handlers =", "irq_handlers = 0000:00:05.0:off:not acking:0\\n");
    let asked = Asked::List(b"(00:04.0)(00:05.0)".to_vec());
    let report = conclude(&Case { asked, tree: Some(tree(files.as_bytes())), ..Case::default() });
    assert_eq!(report.plan.promise.as_ref().map(Promise::count).as_deref(), Some("2 of 2"));
    for wanted in ["systemctl enable pciback-late.service", "hide=(00:04.0)(00:05.0)", "init-top/pciback"] {
        assert!(lines(&report.plan).contains(wanted), "{}", lines(&report.plan));
    }
}

#[test]
fn a_list_for_pciback_that_is_built_in_goes_on_the_kernels_line() {
    let built_in = "lib/modules/6.1.0-18-amd64/modules.builtin = kernel/drivers/xen/xen-pciback/xen-pciback.ko\\n\n";
    let plan = plan(&format!("{NEWER}etc/os-release = ID=debian\\n\n{built_in}"), &["00:04.0"]);
    let file = plan.files().next().unwrap();
    assert_eq!(file.path, "/etc/default/grub.d/xen-pciback.cfg");
    assert!(file.content.contains("xen-pciback.hide=(00:04.0)"), "{}", file.content);
    assert!(lines(&plan).contains("update-grub") && !lines(&plan).contains("modprobe.d"), "{}", lines(&plan));
}
