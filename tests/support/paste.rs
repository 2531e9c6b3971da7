//! What the lines of a plan come to on a machine: the files of its here-documents, and the commands that a plan may hold.
//! A command that is not known here is a failure, so that no plan is taken for proved that does something else.

use std::collections::BTreeMap;

use pciback_audit::audit::{Asked, Case, conclude, next_boot};
use pciback_audit::pci::{Address, Era, KernelVersion};
use pciback_audit::report::{Report, Status};
use pciback_audit::request::hide::Grammar;
use pciback_audit::request::{boot_loader, late_service, loading, unmade};
use pciback_audit::tree::{Known, Node, Tree};

/// The files once the lines are pasted into a shell.
pub fn paste(tree: &Tree, lines: &[String]) -> Tree {
    let mut tree = tree.clone();
    let mut rest = lines.iter();
    while let Some(line) = rest.next() {
        if let Some(file) = line.strip_prefix("cat > ") {
            let (path, end) = file.split_once(" <<'").unwrap();
            let end = end.trim_end_matches('\'');
            let content: Vec<&str> = rest.by_ref().take_while(|line| *line != end).map(String::as_str).collect();
            tree.insert(path, Node::File((content.join("\n") + "\n").into_bytes()));
        } else if let Some((text, path)) = line.strip_prefix("echo '").and_then(|rest| rest.split_once("' > ")) {
            tree.insert(path, Node::File(format!("{text}\n").into_bytes()));
        } else if let Some((text, path)) =
            line.strip_prefix(r"printf '%s\n' '").and_then(|rest| rest.split_once("' > "))
        {
            tree.insert(path, Node::File((text.replace("' '", "\n") + "\n").into_bytes()));
        } else {
            run(&mut tree, line.split("  #").next().unwrap());
        }
    }
    tree
}

/// Commands that only look, or whose result no judge reads.
const WITHOUT_EFFECT: &[&str] = &[
    "mkdir -p ",
    "chmod +x ",
    "grep -o ",
    "lsinitramfs ",
    "lsinitrd ",
    "zcat ",
    "for image in ",
    "pciback-audit plan",
];

/// Commands that make the boot image of the files that are there.
const REBUILD: &[&str] = &[
    "genkernel --install initramfs",
    "update-initramfs -u -k all",
    "dracut --force --regenerate-all",
    "mkinitcpio -P",
    "mkinitfs",
    "mkinitrd",
];

fn run(tree: &mut Tree, line: &str) {
    let is_one = |names: &[&str]| names.iter().any(|name| line.starts_with(name));
    let tool = "/opt/xensource/libexec/xen-cmdline";
    if line.starts_with('#') || line.starts_with(&format!("{tool} --get-dom0 ")) {
    } else if let Some(argument) = line.strip_prefix(&format!("{tool} --set-dom0 ")) {
        let (key, value) = argument.trim_matches('"').split_once('=').unwrap();
        boot_loader::change(tree, &|line| boot_loader::with_argument(line, key, value));
    } else if line == "update-grub" || line.contains("-mkconfig -o ") {
        unmade::make(tree);
    } else if line == "systemctl enable pciback-late.service" {
        assert!(tree.read(late_service::UNIT).is().is_some(), "no unit to enable");
        tree.insert(late_service::ENABLED, Node::Link(format!("/{}", late_service::UNIT).into_bytes()));
    } else if let Some((_, sed)) = line.split_once(" || sed -i 's/^") {
        let (edit, path) = sed.split_once("' ").unwrap();
        let (begins, word) = edit.trim_end_matches('/').split_once("/&").unwrap();
        insert_word(tree, path, begins, word);
    } else if let Some((front, text)) = line.split_once("echo ") {
        let (text, path) = text.split_once(" >> ").unwrap();
        assert!(front.is_empty() || front.starts_with("grep -qx "), "{line}");
        append(tree, path, text.trim_matches('\''), !front.is_empty());
    } else if line.starts_with("mkinitrd -f --preload=pciback ") {
        tree.insert(loading::PRELOADED, Node::File(b"pciback\n".to_vec()));
        tree.remove(loading::IMAGE);
    } else if REBUILD.contains(&line) {
        tree.remove(loading::IMAGE);
    } else {
        assert!(is_one(WITHOUT_EFFECT), "a command that this test does not know: {line}");
    }
}

fn text(tree: &Tree, path: &str) -> String {
    tree.read(path.trim_start_matches('/'))
        .is()
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .unwrap_or_default()
}

fn append(tree: &mut Tree, path: &str, line: &str, once: bool) {
    let old = text(tree, path);
    if !once || !old.lines().any(|known| known == line) {
        tree.insert(path, Node::File(format!("{old}{line}\n").into_bytes()));
    }
}

fn insert_word(tree: &mut Tree, path: &str, begins: &str, word: &str) {
    let old = text(tree, path);
    let changed = |line: &str| line.replacen(begins, &format!("{begins}{word}"), usize::from(line.starts_with(begins)));
    let new: Vec<String> = old.lines().map(changed).collect();
    tree.insert(path, Node::File((new.join("\n") + "\n").into_bytes()));
}

/// How many of the requested devices of a report the next boot of these files gives pciback, and how many there are. Those whose
/// set-up fails count as not given. Where the kernel refused the list, the devices of the corrected one are requested as well.
pub fn next_seized(report: &Report, tree: &Tree) -> (usize, usize) {
    let wanted = report.devices.iter().filter(|device| device.requested && device.status != Status::Bridge);
    let mut devices: BTreeMap<Address, bool> =
        wanted.map(|device| (device.address, device.status == Status::Failed)).collect();
    let kernel = report.kernel.as_deref().and_then(KernelVersion::of_release);
    let next = next_boot(tree, None, kernel.map_or_else(|| Era::From3_7.into(), Grammar::from)).tree;
    if !report.request.accepted {
        let slots = next.read_text("sys/bus/pci/drivers/pciback/slots").is().cloned().unwrap_or_default();
        let there = next.list("sys/bus/pci/devices").is().cloned().unwrap_or_default().join("\n");
        for line in slots.lines().filter(|line| there.contains(line)) {
            devices.entry(line.parse().unwrap()).or_default();
        }
    }
    let asked = Asked::Devices(devices.keys().copied().collect());
    let then = conclude(&Case { asked, tree: Some(next), ..Case::default() });
    let is_given = |address: &Address| devices.get(address) == Some(&false);
    let seized = then.devices.iter().filter(|device| device.status.name() == "seized" && is_given(&device.address));
    (seized.count(), devices.len())
}

/// Holds the plan of a report to what it promises. Says whether there was anything to hold.
#[track_caller]
pub fn hold(name: &str, report: &Report, tree: &Tree) -> bool {
    let lines = report.plan.for_good_lines();
    let Some(promise) = &report.plan.promise else {
        let commands = lines.iter().filter(|line| !line.starts_with('#')).count();
        let is_by_hand = lines.iter().any(|line| line.starts_with("# "));
        assert!(commands == 0 || is_by_hand, "{name}: commands without a promise or a reason\n{}", lines.join("\n"));
        return false;
    };
    assert!(!lines.is_empty(), "{name}: a promise without a plan");
    let found = next_seized(report, &paste(tree, &lines));
    assert_eq!(found, (promise.seized, promise.wanted), "{name}\n{}", lines.join("\n"));
    assert_eq!(promise.others.len(), promise.wanted - promise.seized, "{name}");
    assert_ne!(tree.list("sys/bus/pci/devices"), Known::Absent, "{name}");
    true
}
