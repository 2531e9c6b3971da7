//! How a family of distributions makes pciback part of its boot image, and first in it: a row for each.

use std::fmt::Write as _;

use super::super::forecast;
use super::draft::Draft;
use crate::host::{self, Distribution, Host};
use crate::request::loading::{self, Maker};
use crate::tree::Tree;

/// The file for options of pciback that is ours alone.
pub(super) const OPTIONS: &str = "/etc/modprobe.d/xen-pciback.conf";

/// A row. In its texts `{module}` is pciback's module, `{options}` the file with its list, and `{both}` what `grep` looks for.
pub(super) struct Family {
    /// The file that holds the options of modules.
    pub(super) options: &'static str,
    /// Whether that file belongs to others as well, and is added to.
    pub(super) shared: bool,
    /// Whether soft dependencies of all drivers make pciback come first, in the image too (modprobe.d(5), kmod): then nothing else
    /// is needed.
    pub(super) softdep: bool,
    /// What puts pciback and its list into the image, and makes it the first of the modules.
    pub(super) steps: &'static [Step],
    /// What says on the kernel's line which modules the image loads first.
    pub(super) by_line: Option<ByLine>,
    /// What makes the image anew.
    pub(super) rebuild: &'static str,
    /// What shows, before the reboot, that pciback and its list are in it.
    pub(super) look: &'static str,
    /// What is different in some versions.
    pub(super) note: Option<&'static str>,
}

/// Arguments of the kernel's line.
pub(super) struct ByLine {
    /// The one that names modules, with commas.
    pub(super) key: &'static str,
    /// What it needs besides.
    pub(super) with: &'static [(&'static str, &'static str)],
}

/// One measure.
pub(super) enum Step {
    /// A directory that need not be there.
    Directory(&'static str),
    /// A file that is ours alone: path and content. A line that names the file of options is left out where there is none.
    File(&'static str, &'static str),
    /// The same, to be executed.
    Script(&'static str, &'static str),
    /// A line of a file.
    Line(&'static str, &'static str),
    /// The first word of an assignment: the file, the beginning of the line with its quote, and the word.
    First(&'static str, &'static str, &'static str),
}

const PLAIN: Family = Family {
    options: OPTIONS,
    shared: false,
    softdep: false,
    steps: &[],
    by_line: None,
    rebuild: "",
    look: "",
    note: None,
};

/// initramfs-tools follows soft dependencies, and puts /etc/modprobe.d into the image (hook-functions, `manual_add_modules`;
/// seen on Debian 12). Where a driver is not known, or may not wait (`heeds_softdep`), pciback has to be the first of all:
/// the list of modules is loaded behind the start of udev, but a script of init-top that comes before udev's by its name is not
/// (init, `run_scripts /scripts/init-top`; hook-functions, `get_prereq_pairs`; 0.142).
const INITRAMFS_TOOLS: Family = Family {
    softdep: true,
    steps: &[
        Step::Script(
            "/etc/initramfs-tools/scripts/init-top/pciback",
            "#!/bin/sh\n[ \"$1\" = prereqs ] || modprobe {module}\n",
        ),
        Step::Line("/etc/initramfs-tools/modules", "{module}"),
    ],
    rebuild: "update-initramfs -u -k all",
    look: "lsinitramfs /boot/initrd.img-$(uname -r) | grep {both}",
    ..PLAIN
};

/// `force_drivers` are loaded before udev begins (dracut.conf(5); modules.d/98dracut-systemd/dracut-pre-udev.sh), which a soft
/// dependency alone did not bring about (seen: dracut 059, `uhci_hcd`). A generic image leaves /etc/modprobe.d out
/// (dracut 059, `90kernel-modules`).
const DRACUT: Family = Family {
    steps: &[Step::File(
        "/etc/dracut.conf.d/xen-pciback.conf",
        "force_drivers+=\" {module} \"\ninstall_items+=\" {options} \"\n",
    )],
    rebuild: "dracut --force --regenerate-all",
    look: "lsinitrd | grep {both}",
    ..PLAIN
};

/// mkinitcpio.conf(5): files of mkinitcpio.conf.d are read since version 38; the hook `modconf` takes /etc/modprobe.d.
const MKINITCPIO: Family = Family {
    steps: &[
        Step::Directory("/etc/mkinitcpio.conf.d"),
        Step::File("/etc/mkinitcpio.conf.d/xen-pciback.conf", "MODULES=({module} \"${MODULES[@]}\")\n"),
    ],
    rebuild: "mkinitcpio -P",
    look: "for image in /boot/initramfs-*.img; do lsinitcpio \"$image\" | grep {both}; done",
    note: Some("# before mkinitcpio 38, put {module} first in MODULES of /etc/mkinitcpio.conf instead of that file"),
    ..PLAIN
};

/// The same with the hook `systemd`, whose udev does not wait for `MODULES` (mkinitcpio 39, `install/systemd`).
const MKINITCPIO_SYSTEMD: Family = Family {
    steps: &[
        Step::Directory("/etc/mkinitcpio.conf.d /etc/systemd/system/systemd-udev-trigger.service.d"),
        Step::File(
            "/etc/systemd/system/systemd-udev-trigger.service.d/xen-pciback.conf",
            "[Unit]\nAfter=systemd-modules-load.service\n",
        ),
        Step::File(
            "/etc/mkinitcpio.conf.d/xen-pciback.conf",
            "MODULES=({module} \"${MODULES[@]}\")\nFILES+=(/etc/systemd/system/systemd-udev-trigger.service.d/xen-pciback.conf)\n",
        ),
    ],
    ..MKINITCPIO
};

/// mkinitfs(1): a feature is a list of modules. Its image loads those of `modules=` on the kernel's line first, in their order
/// (initramfs-init), and holds /etc/modprobe.d (features.d/base.files). busybox' modprobe knows no soft dependencies.
const MKINITFS: Family = Family {
    steps: &[
        Step::Directory("/etc/mkinitfs/features.d"),
        Step::First("/etc/mkinitfs/mkinitfs.conf", "features=\"", "xen-pciback"),
        Step::File("/etc/mkinitfs/features.d/xen-pciback.modules", "kernel/drivers/xen/xen-pciback\n"),
    ],
    by_line: Some(ByLine { key: "modules", with: &[] }),
    rebuild: "mkinitfs",
    look: "zcat /boot/initramfs-lts | cpio -t 2>/dev/null | grep {both}",
    ..PLAIN
};

/// genkernel.conf: each `AMODULES_` variable is a group of modules for the image, which holds /etc/modprobe.d (`append_modprobed` of
/// `gen_initramfs.sh`). Its init loads those of `firstmods=` before udev begins, and passes over them only where the root device is
/// there already, unless `gk.hw.load-all` is set (defaults/linuxrc; initrd.scripts, `modules_scan`; genkernel 4.3).
const GENKERNEL: Family = Family {
    steps: &[Step::Line("/etc/genkernel.conf", "AMODULES_PCIBACK={module}")],
    by_line: Some(ByLine { key: "firstmods", with: &[("gk.hw.load-all", "yes")] }),
    rebuild: "genkernel --install initramfs",
    look: "pciback-audit plan",
    ..PLAIN
};

/// mkinitrd(8) of RHEL 5: a module named by --preload is loaded before all others, with its options.
const MKINITRD_RED_HAT: Family = Family {
    options: "/etc/modprobe.conf",
    shared: true,
    rebuild: "mkinitrd -f --preload=pciback /boot/initrd-$(uname -r).img $(uname -r)",
    look: "zcat /boot/initrd-$(uname -r).img | cpio -t 2>/dev/null | grep pciback",
    ..PLAIN
};

/// mkinitrd(8) of SLES up to 11: `INITRD_MODULES` are loaded in their order.
const MKINITRD_SUSE: Family = Family {
    options: "/etc/modprobe.conf.local",
    shared: true,
    steps: &[Step::First("/etc/sysconfig/kernel", "INITRD_MODULES=\"", "pciback")],
    rebuild: "mkinitrd",
    look: "zcat /boot/initrd-$(uname -r) | cpio -t 2>/dev/null | grep pciback",
    ..PLAIN
};

/// The row of a family whose commands are known and write files. The program that makes the boot images decides, but for dracut's: what
/// an image is called, and which one is booted, is up to the distribution (Arch's hooks, `EndeavourOS`, Solus).
pub(super) fn row(host: &Host, tree: &Tree) -> Option<&'static Family> {
    let family = host.distribution;
    match (family, loading::maker(tree, forecast::maker(host))) {
        (Distribution::RedHat5, _) => Some(&MKINITRD_RED_HAT),
        (Distribution::Suse11, _) => Some(&MKINITRD_SUSE),
        (Distribution::Debian | Distribution::Other, Maker::InitramfsTools) => Some(&INITRAMFS_TOOLS),
        (Distribution::Debian | Distribution::Dracut, Maker::Dracut) => Some(&DRACUT),
        (Distribution::Other, Maker::Dracut) if host::id(tree).as_deref() == Some("gentoo") => Some(&DRACUT),
        (Distribution::Other, Maker::Genkernel) => Some(&GENKERNEL),
        (Distribution::Arch | Distribution::Other, Maker::Mkinitcpio) if loading::waits_for_nothing(tree) => {
            Some(&MKINITCPIO_SYSTEMD)
        }
        (Distribution::Arch | Distribution::Other, Maker::Mkinitcpio) => Some(&MKINITCPIO),
        (Distribution::Alpine, Maker::Mkinitfs) => Some(&MKINITFS),
        _ => None,
    }
}

/// Takes the measures of a row. `is_first`: pciback must come before drivers that are not known.
pub(super) fn take(family: &Family, draft: &mut Draft, fill: &dyn Fn(&str) -> String, options: &str, is_first: bool) {
    for step in family.steps {
        match step {
            Step::Directory(path) => draft.line(&format!("mkdir -p {path}")),
            Step::File(path, content) => {
                let has_options = draft.text(options).is_some();
                let lines = content.lines().filter(|line| has_options || !line.contains("{options}"));
                draft.file(path, &lines.map(|line| fill(line) + "\n").collect::<String>());
            }
            Step::Script(..) if !is_first => {}
            Step::Script(path, content) => {
                draft.file(path, &fill(content));
                draft.line(&format!("chmod +x {path}"));
            }
            Step::Line(path, text) => {
                let text = fill(text);
                let old = draft.text(path).unwrap_or_default().to_owned();
                if !old.lines().any(|line| line == text) {
                    draft.line(&format!("echo {text} >> {path}"));
                    draft.write(path, &format!("{old}{text}\n"));
                }
            }
            Step::First(path, begins, word) => first(draft, path, begins, word),
        }
    }
}

/// Makes a word the first one of an assignment.
fn first(draft: &mut Draft, path: &str, begins: &str, word: &str) {
    let old = draft.text(path).unwrap_or_default().to_owned();
    let has_word = |line: &str| line.split(['"', ' ']).any(|one| one == word);
    if old.lines().any(|line| line.starts_with(begins) && has_word(line)) {
        return;
    }
    let name = begins.trim_end_matches(['=', '"']);
    let command = format!("grep -q '^{name}=.*[\" ]{word}[\" ]' {path} || sed -i 's/^{begins}/&{word} /' {path}");
    if !old.lines().any(|line| line.starts_with(begins)) {
        draft.line(&command);
        return draft.by_hand(&format!("# {path} was not seen: {word} must be the first word of {name} there"));
    }
    draft.line(&command);
    let changed =
        |line: &str| line.replacen(begins, &format!("{begins}{word} "), usize::from(line.starts_with(begins)));
    let lines: Vec<String> = old.lines().map(changed).collect();
    draft.write(path, &(lines.join("\n") + "\n"));
}

/// Families that keep their list elsewhere, or whose files no command writes: where the list goes, what comes first, what makes
/// the boot image, and what shows it.
const OTHERS: &[[&str; 5]] = &[
    [
        "Qubes OS",
        "`rd.qubes.hide_pci=bb:dd.f,...` in `GRUB_CMDLINE_LINUX` of `/etc/default/grub`",
        "its own dracut module, which takes devices from their drivers; network controllers without a list",
        "`grub2-mkconfig -o` and the menu's path",
        "`grep -o 'rd.qubes.hide_pci=[^ ]*'` in the menu",
    ],
    [
        "XCP-ng, XenServer",
        "`/opt/xensource/libexec/xen-cmdline --set-dom0 \"xen-pciback.hide=LIST\"`, full addresses only",
        "pciback is built in",
        "nothing",
        "`/opt/xensource/libexec/xen-cmdline --get-dom0 xen-pciback.hide`",
    ],
    [
        "any with pciback built in",
        "`xen-pciback.hide=LIST` in `GRUB_CMDLINE_LINUX` of `/etc/default/grub`; in the file of Xen's own EFI loader or of extlinux",
        "pciback is built in",
        "`update-grub` or `grub-mkconfig -o` and the menu's path",
        "`grep -o 'xen-pciback.hide=[^ ]*'` in the menu",
    ],
    [
        "NixOS",
        "a line of `boot.extraModprobeConfig`",
        "`boot.initrd.kernelModules`",
        "`nixos-rebuild boot`",
        "`pciback-audit plan` behind it; not proved beforehand",
    ],
    [
        "others",
        "a file of `modprobe.d` that goes into the boot image",
        "pciback before the drivers of its devices, in that image",
        "its own maker",
        "`pciback-audit plan` behind it; not proved beforehand",
    ],
];

/// The table of families, for the documentation: made of the rows that plans are made of.
pub fn families() -> String {
    let rows: [(&str, &Family); 8] = [
        ("Debian, Ubuntu with initramfs-tools", &INITRAMFS_TOOLS),
        ("Fedora, RHEL from 7, SUSE from 12, openEuler, Void; Debian and Gentoo with dracut", &DRACUT),
        ("Arch", &MKINITCPIO),
        ("Arch with the hook `systemd`", &MKINITCPIO_SYSTEMD),
        ("Alpine", &MKINITFS),
        ("Gentoo with genkernel", &GENKERNEL),
        ("RHEL up to 5", &MKINITRD_RED_HAT),
        ("SLES up to 11", &MKINITRD_SUSE),
    ];
    let mut text = String::from(
        "| family | the list | what makes pciback come first | boot image | to be seen by |\n|---|---|---|---|---|\n",
    );
    let of_row = |(name, row): &(&str, &Family)| {
        let list = format!("`options {{module}} hide=LIST` in `{}`", row.options);
        let softdep =
            row.softdep.then(|| "`softdep DRIVER pre: {module}` there, or where a driver is not known or has a soft dependency of its own (`uhci_hcd`)".to_owned());
        let first: Vec<String> = softdep.into_iter().chain(row.steps.iter().filter_map(Step::in_words)).collect();
        let by_line = row.by_line.as_ref().map(|line| {
            let others: Vec<String> = line.with.iter().map(|(key, value)| format!(", `{key}={value}`")).collect();
            format!("`{}={{module}},...`{} on the kernel's line", line.key, others.concat())
        });
        let first: Vec<String> = first.into_iter().chain(by_line).collect();
        let first = if first.is_empty() { "the order of modules in the image".to_owned() } else { first.join("; ") };
        [(*name).to_owned(), list, first, format!("`{}`", row.rebuild), format!("`{}`", row.look)]
    };
    let others = OTHERS.iter().map(|row| row.map(str::to_owned));
    for row in rows.iter().map(of_row).chain(others) {
        let module = if row.iter().any(|cell| cell.contains("preload") || cell.contains("INITRD")) {
            "pciback"
        } else {
            "xen-pciback"
        };
        let cells = row.map(|cell| cell.replace("{module}", module).replace("{both}", "pciback").replace('|', "\\|"));
        // A write to a string cannot fail.
        writeln!(text, "| {} |", cells.join(" | ")).unwrap_or_default();
    }
    text
}

impl Step {
    /// The file and what is in it, for the documentation.
    fn in_words(&self) -> Option<String> {
        Some(
            match self {
                Self::Directory(_) => return None,
                Self::File(path, content) | Self::Script(path, content) => {
                    let lines: Vec<String> = content
                        .lines()
                        .filter(|line| !line.starts_with("#!"))
                        .map(|line| format!("`{line}`"))
                        .collect();
                    format!("{} in `{path}`", lines.join(", "))
                }
                Self::Line(path, text) => format!("`{text}` in `{path}`"),
                Self::First(path, begins, word) => format!("`{begins}{word} ...\"` in `{path}`"),
            }
            .replace("{options}", OPTIONS),
        )
    }
}
