use super::*;
use crate::audit::{Asked, Case, conclude};
use crate::pci::Era;

/// A dom0 whose two USB controllers are with a module's driver, and whose NIC is with none.
const MACHINE: &str = "\
    proc/xen/capabilities = control_d\\n\n\
    proc/sys/kernel/osrelease = 6.1.0-18-amd64\\n\n\
    proc/cmdline = placeholder root=/dev/sda1\\n\n\
    sys/bus/pci/devices/0000:00:1d.0 -> ../../../devices/pci0000:00/0000:00:1d.0\n\
    sys/bus/pci/devices/0000:00:1d.1 -> ../../../devices/pci0000:00/0000:00:1d.1\n\
    sys/bus/pci/devices/0000:00:03.0 -> ../../../devices/pci0000:00/0000:00:03.0\n\
    sys/bus/pci/drivers/uhci_hcd/module -> ../../../../module/uhci_hcd\n\
    sys/bus/pci/drivers/e1000e/module -> ../../../../module/e1000e\n\
    sys/module/\n\
    sys/devices/pci0000:00/0000:00:03.0/vendor = 0x8086\\n\n\
    sys/devices/pci0000:00/0000:00:1d.0/driver -> ../../../bus/pci/drivers/uhci_hcd\n\
    sys/devices/pci0000:00/0000:00:1d.1/driver -> ../../../bus/pci/drivers/uhci_hcd\n";

const LIST: &[u8] = b"(00:1d.0)(00:1d.1)(00:03.0)";

fn seized(forecast: &Forecast) -> (usize, usize) {
    let asked = Asked::List(LIST.to_vec());
    let report = conclude(&Case { asked, tree: Some(forecast.tree.clone()), ..Case::default() });
    (report.count("seized"), report.count("unconfirmed"))
}

fn boot(more: &str, given: Option<&[u8]>) -> (usize, usize) {
    let tree = Tree::from_manifest(&format!("{MACHINE}{more}")).unwrap();
    seized(&next_boot(&tree, given, Era::From3_7.into()))
}

#[test]
fn a_load_takes_what_no_driver_has() {
    let tree = Tree::from_manifest(MACHINE).unwrap();
    assert_eq!(seized(&after_load(&tree, LIST, Era::From3_7.into())), (1, 0));
    assert_eq!(seized(&after_load(&tree, b"(00:03.0", Era::From3_7.into())), (0, 0));
    let loaded = format!("{MACHINE}sys/bus/pci/drivers/pciback/slots =\nsys/bus/pci/drivers/pciback/irq_handlers =\n");
    let loaded = after_load(&Tree::from_manifest(&loaded).unwrap(), LIST, Era::From3_7.into());
    assert_eq!((seized(&loaded), loaded.notes.len()), ((0, 0), 1));
}

#[test]
fn a_reboot_is_as_the_files_have_it() {
    let options = "etc/modprobe.d/x.conf = options xen-pciback hide=(00:1d.0)(00:1d.1)(00:03.0)\\n";
    let softdep = "softdep uhci_hcd pre: xen-pciback\\n";
    for (more, found) in [
        // Nothing loads it, and the free device stays free.
        (String::new(), (0, 0)),
        (format!("{options}\n"), (0, 0)),
        // The system loads it behind the drivers.
        (format!("{options}\netc/modules-load.d/x.conf = xen-pciback\\n\n"), (1, 0)),
        // A soft dependency, which initramfs-tools follows but for drivers with one of their own; dracut's images do not.
        (format!("{options}{softdep}\netc/initramfs-tools/modules = # none\\n\n"), (1, 2)),
        (format!("{options}{softdep}\netc/dracut.conf = # none\\n\n"), (1, 2)),
        // The image was not made anew: it has the driver, and no pciback.
        (
            format!("{options}{softdep}\netc/initramfs-tools/modules = # none\\n\nboot-image/modules/uhci_hcd.ko =\n"),
            (0, 0),
        ),
        // A soft dependency without a list.
        (format!("etc/modprobe.d/x.conf = {softdep}\netc/initramfs-tools/modules = # none\\n\n"), (0, 0)),
        // dracut loads it first, without /etc/modprobe.d and with it.
        (format!("{options}\netc/dracut.conf = force_drivers+=\" xen-pciback \"\\n\n"), (0, 0)),
        (format!("{options}\netc/dracut.conf = hostonly=yes\\nforce_drivers+=\" xen-pciback \"\\n\n"), (3, 0)),
        // Built in, the list is on the line.
        (
            "lib/modules/6.1.0-18-amd64/modules.builtin = kernel/drivers/xen/xen-pciback/xen-pciback.ko\\n\n"
                .to_owned(),
            (0, 0),
        ),
    ] {
        assert_eq!(boot(&more, None), found, "{more}");
    }
}

#[test]
fn an_image_that_is_older_than_its_files_is_named_and_counts_only_where_it_was_read() {
    let files = "etc/modprobe.d/x.conf = options xen-pciback hide=(00:1d.0)(00:1d.1)(00:03.0)\\nsoftdep uhci_hcd pre: xen-pciback\\n\n\
                 etc/initramfs-tools/modules = # none\\n\nnewer-than-boot-image = /etc/modprobe.d/x.conf\\n\n";
    for (image, found, is_named) in [
        ("", (1, 2), false),
        ("boot-image ! is packed by something else\n", (0, 3), true),
        ("boot-image/modules/xen_pciback.ko =\n", (3, 0), true),
    ] {
        assert_eq!(boot(&format!("{files}{image}"), None), found, "{image}");
        let tree = Tree::from_manifest(&format!("{MACHINE}{files}{image}")).unwrap();
        let notes = next_boot(&tree, None, Era::From3_7.into()).notes;
        let text = "the boot image is older than /etc/modprobe.d/x.conf";
        assert_eq!(notes.iter().any(|note| note.starts_with(text)), is_named, "{notes:?}");
    }
}

#[test]
fn a_command_for_a_driver_counts_where_the_boot_image_holds_it() {
    let line = "install uhci_hcd /sbin/modprobe xen-pciback hide=(00:1d.0)(00:1d.1); /sbin/modprobe --ignore-install uhci_hcd\\n";
    let files = format!("etc/modprobe.d/x.conf = {line}\n");
    assert_eq!(boot(&files, None), (0, 2));
    let image = format!("boot-image/modules/uhci_hcd.ko =\nboot-image/etc/modprobe.d/x.conf = {line}\n");
    assert_eq!(boot(&format!("{files}{image}"), None), (0, 0));
    assert_eq!(boot(&format!("{files}{image}boot-image/modules/xen_pciback.ko =\n"), None), (2, 0));
}

#[test]
fn the_default_entry_says_which_list_a_built_in_pciback_gets() {
    let built_in = "lib/modules/6.1.0-18-amd64/modules.builtin = kernel/drivers/xen/xen-pciback/xen-pciback.ko\\n\n";
    let menu = |list: &str| {
        format!(
            "{built_in}boot/grub/grub.cfg = set default=\"0\"\\nmenuentry 'Xen' {{\\nmultiboot2 /xen.gz\\nmodule2 /vmlinuz root=x {list}\\n}}\\n\n"
        )
    };
    assert_eq!(boot(&menu("xen-pciback.hide=(00:1d.0)(00:03.0)"), None), (2, 0));
    assert_eq!(boot(&menu("quiet"), None), (0, 0));
    assert_eq!(boot(built_in, Some(LIST)), (3, 0));
    let plain = format!(
        "{built_in}boot/grub/grub.cfg = set default=0\\nmenuentry 'Linux' {{\\nlinux /vmlinuz\\n}}\\nmenuentry 'Xen' {{\\nmultiboot2 /xen.gz\\nmodule2 /v xen-pciback.hide=(00:03.0)\\n}}\\n\n"
    );
    assert_eq!(boot(&plain, None), (0, 0));
}
