//! What makes pciback come first at the next boot, with its list: files, then what rebuilds the boot image, once and last.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Scene;
use super::super::facts::some_of;
use super::family::{self, Family, OPTIONS};
use super::lasting::{self, Lasting};
use super::safe::Hindrance;
use super::{kernel_line, words};
use crate::host::{Device, Distribution, Host, Linkage};
use crate::pci::Address;
use crate::report::{File, Measure, Repair};
use crate::request::{Source, Written};
use crate::tree::{Known, Tree};

/// What the steps are made of.
pub(super) struct Aim<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) host: &'a Host,
    pub(super) tree: &'a Tree,
    /// Devices that other drivers have, and that may be taken from them.
    pub(super) held: &'a [(Address, &'a Device)],
    /// Whether nothing loads pciback as things are.
    pub(super) load: bool,
}

/// The list as the next boot is to find it.
pub(super) struct List {
    /// The line for the file of options, where one has to be written.
    pub(super) options: Option<String>,
    /// The file that has the list then.
    pub(super) file: String,
    /// What to do by hand, or what was left out.
    pub(super) steps: Vec<Measure>,
    /// What dom0 would lose.
    risk: BTreeMap<Address, Hindrance>,
}

/// The steps, or none where the next boot needs nothing. Where the list would take from dom0 something that it uses, or may use,
/// all of them are advice behind that question.
pub(super) fn steps(aim: &Aim<'_>) -> Vec<Measure> {
    let built_in = aim.host.modules.has_pciback_built_in();
    let special = matches!(aim.host.distribution, Distribution::XenServer | Distribution::Qubes);
    let list = list(aim);
    let mut steps = Vec::new();
    if special || built_in {
        steps.extend(kernel_line::steps(aim));
    } else {
        let is_built_in = |(_, device): &&(Address, &Device)| device.linkage.is() == Some(&Linkage::BuiltIn);
        let late: Vec<Address> = aim.held.iter().filter(is_built_in).map(|(address, _)| *address).collect();
        let modules: Vec<&(Address, &Device)> = aim.held.iter().filter(|held| !is_built_in(held)).collect();
        if !late.is_empty() {
            steps.extend(each_boot(aim, &late));
        }
        if !modules.is_empty() || late.is_empty() {
            steps.extend(by_modules(aim, &list, &modules));
        }
    }
    if list.risk.is_empty() { steps } else { held_back(&list.risk, &steps) }
}

/// Everything behind what has to be settled first. A command that is held back has no blank behind its `#`.
fn held_back(risk: &BTreeMap<Address, Hindrance>, steps: &[Measure]) -> Vec<Measure> {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (address, hindrance) in risk {
        reasons.entry(hindrance.why().unwrap_or_default()).or_default().push(address.to_string());
    }
    let question = |(why, names): (&str, Vec<String>)| {
        format!("# not while the list names {}: the next boot would take it from dom0 ({why})", some_of(&names))
    };
    let mut lines: Vec<String> = reasons.into_iter().map(question).collect();
    lines.push("# take it off the list, or settle that; then:".to_owned());
    let plan = Repair { for_good: steps.to_vec(), ..Repair::default() };
    let advice = |line: String| if line.starts_with('#') { line } else { format!("#{line}") };
    lines.extend(plan.for_good_lines().into_iter().map(advice));
    lines.into_iter().map(Measure::Line).collect()
}

/// What has to be written so that the next boot reads the list.
fn list(aim: &Aim<'_>) -> List {
    let (scene, pciback) = (aim.scene, aim.host.modules.pciback());
    let wanted: Vec<Address> = if aim.held.is_empty() {
        scene.demand.wanted.keys().copied().collect()
    } else {
        aim.held.iter().map(|(address, _)| *address).collect()
    };
    let mut list = List { options: None, file: options_file(aim).to_owned(), steps: Vec::new(), risk: BTreeMap::new() };
    let in_file = |place: &Written| {
        place.location.as_ref().filter(|_| place.source == Source::Modprobe).map(|at| at.path.clone())
    };
    match lasting::of(scene, wanted.iter()) {
        Lasting::Holds(place) => {
            list.file = in_file(place).unwrap_or(list.file);
            list.risk = lasting::at_risk_of(scene, &String::from_utf8_lossy(&place.text));
        }
        Lasting::Nowhere(None) => list.steps.push(line("# write the list down where it outlives a reboot")),
        Lasting::Nowhere(Some(text)) => {
            list.steps = left_out(scene);
            list.risk = lasting::at_risk_of(scene, &text);
            list.options = Some(format!("options {pciback} hide={text}"));
        }
        Lasting::Elsewhere { place, merged } => {
            list.file = in_file(place).unwrap_or(list.file);
            list.risk = merged.as_deref().map(|merged| lasting::at_risk_of(scene, merged)).unwrap_or_default();
            list.steps = mended(aim.tree, place, merged.as_deref());
        }
    }
    list
}

/// Devices that are not on the list that is to be written, and why.
fn left_out(scene: &Scene<'_>) -> Vec<Measure> {
    let risk = lasting::at_risk(scene, scene.demand.wanted.keys().copied());
    let used = risk.into_iter().filter(|(_, hindrance)| matches!(hindrance, Hindrance::Used(_)));
    let why = |(address, hindrance): (Address, Hindrance)| {
        Measure::Line(format!("# left out of the list: {address} ({})", hindrance.why().unwrap_or_default()))
    };
    used.map(why).collect()
}

/// The file of `modprobe.d` with the list made whole, or in words where that stands.
fn mended(tree: &Tree, place: &Written, merged: Option<&str>) -> Vec<Measure> {
    let at = place.location.as_ref().map_or(String::new(), |location| format!(" ({location})"));
    let text = merged.map_or(String::new(), |list| format!(": {list}"));
    let words = line(&format!("# the list in {}{at} must be mended{text}", place.source.in_words()));
    let file = || {
        let (location, merged) = (place.location.as_ref()?, merged?);
        let old = std::str::from_utf8(&place.text).ok().filter(|_| place.source == Source::Modprobe)?;
        let number = location.line?.checked_sub(1)?;
        let content = tree.read(location.path.trim_start_matches('/'));
        let content = std::str::from_utf8(content.is()?).ok().filter(|content| is_plain(content))?;
        let is_there = content.lines().nth(number)?.contains(old);
        let mend = |(index, line): (usize, &str)| {
            if index == number { line.replacen(old, merged, 1) } else { line.to_owned() }
        };
        let lines: Vec<String> = content.lines().enumerate().map(mend).collect();
        is_there.then(|| Measure::File(File { path: location.path.clone(), content: lines.join("\n") + "\n" }))
    };
    [Some(words), file()].into_iter().flatten().collect()
}

fn is_plain(text: &str) -> bool {
    text.chars().all(|letter| letter == '\n' || letter == '\t' || !letter.is_control())
}

fn options_file(aim: &Aim<'_>) -> &'static str {
    family::row(aim.host.distribution, aim.tree).map_or(OPTIONS, |family| family.options)
}

fn by_modules(aim: &Aim<'_>, list: &List, held: &[&(Address, &Device)]) -> Vec<Measure> {
    let (modules, unknown) = modules(held);
    match family::row(aim.host.distribution, aim.tree) {
        Some(family) => in_commands(aim, family, list, &modules, &unknown),
        None => words::steps(aim, list, &modules),
    }
}

/// The modules of the drivers that have these devices, and the drivers whose module cannot be told.
fn modules(held: &[&(Address, &Device)]) -> (BTreeSet<String>, BTreeSet<String>) {
    let is_plain =
        |name: &&String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let (mut modules, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for (_, device) in held {
        match device.linkage.is() {
            Some(Linkage::Module(name)) => modules.extend(Some(name).filter(is_plain).cloned()),
            Some(Linkage::BuiltIn) | None => unknown.extend(device.driver.is().filter(is_plain).cloned()),
        }
    }
    (modules, unknown)
}

fn in_commands(
    aim: &Aim<'_>,
    family: &Family,
    list: &List,
    modules: &BTreeSet<String>,
    unknown: &BTreeSet<String>,
) -> Vec<Measure> {
    let pciback = aim.host.modules.pciback();
    let both =
        if list.file.contains("pciback") { "pciback".to_owned() } else { format!("-e pciback -e {}", list.file) };
    let fill = |text: &str| text.replace("{module}", pciback).replace("{options}", &list.file).replace("{both}", &both);
    let mut steps = list.steps.clone();
    let softdeps = modules.iter().filter(|_| family.softdep).map(|module| format!("softdep {module} pre: {pciback}"));
    let lines: Vec<String> = list.options.iter().cloned().chain(softdeps).collect();
    steps.extend(options(aim.tree, family, &lines));
    if family.softdep {
        let name = |driver: &String| {
            line(&format!(
                "# the module of {driver} cannot be told here; if that is its name: softdep {driver} pre: {pciback}"
            ))
        };
        steps.extend(unknown.iter().map(name));
    }
    if family.always || modules.is_empty() || !unknown.is_empty() || aim.load {
        steps.extend(family.commands.iter().map(|command| line(&fill(command))));
        let file =
            |(path, content): &(&str, &str)| Measure::File(File { path: (*path).to_owned(), content: fill(content) });
        steps.extend(family.files.iter().map(file));
    }
    steps.extend(family.doubt.map(|doubt| line(&fill(doubt))));
    steps.extend([line(family.rebuild), line(&format!("{}  # module and list", fill(family.look)))]);
    steps
}

/// The file of options with these lines: what is in it already stays, but for older lists of pciback where a new one comes.
fn options(tree: &Tree, family: &Family, lines: &[String]) -> Vec<Measure> {
    if lines.is_empty() {
        return Vec::new();
    }
    let append = |text: &String| line(&format!("echo '{text}' >> {}", family.options));
    let old = match tree.read(family.options.trim_start_matches('/')) {
        Known::Absent if !family.shared => "",
        Known::Is(bytes) if !family.shared => match std::str::from_utf8(bytes) {
            Ok(text) if is_plain(text) && !text.contains("\\\n") => text,
            Ok(_) | Err(_) => return lines.iter().map(append).collect(),
        },
        Known::Absent | Known::Is(_) | Known::Unreadable(_) => return lines.iter().map(append).collect(),
    };
    let replaces = lines.iter().any(|line| line.starts_with("options "));
    let is_list = |line: &str| line.starts_with("options") && line.contains("pciback") && line.contains("hide=");
    let is_replaced = |line: &str| (replaces && is_list(line)) || lines.iter().any(|new| new == line);
    let kept = old.lines().filter(|line| !is_replaced(line));
    let all: Vec<&str> = kept.chain(lines.iter().map(String::as_str)).collect();
    let file = File { path: family.options.to_owned(), content: all.join("\n") + "\n" };
    let note = (!old.is_empty()).then(|| line(&format!("# {} is there already: the rest of it is kept", file.path)));
    note.into_iter().chain([Measure::File(file)]).collect()
}

/// For devices of drivers that are built in: they have their devices before any module is there.
fn each_boot(aim: &Aim<'_>, late: &[Address]) -> Vec<Measure> {
    let of_late = aim.held.iter().filter(|(address, _)| late.contains(address));
    let drivers: BTreeSet<&str> = of_late.filter_map(|(_, device)| device.driver.is().map(String::as_str)).collect();
    let drivers: Vec<&str> = drivers.into_iter().collect();
    let are = if drivers.len() == 1 { "is" } else { "are" };
    let mut steps = vec![
        line(&format!(
            "# {} {are} built in, and there before any module, also one of the initramfs:",
            drivers.join(", ")
        )),
        line("# a kernel with pciback built in, or the same at each boot, before the guests start"),
    ];
    if words::has_systemd(aim) {
        steps.push(Measure::File(unit(aim.host.modules.pciback(), late)));
        steps.push(line("systemctl enable pciback-late.service"));
    }
    steps
}

/// A unit that does at each boot what `now` does (systemd.service(5); `xendomains.service` is that of Xen's own tools).
fn unit(pciback: &str, late: &[Address]) -> File {
    let add = |address: &Address| format!("ExecStart=/bin/sh -c 'exec xl pci-assignable-add {address}'");
    let add: Vec<String> = late.iter().map(add).collect();
    let content = format!(
        "[Unit]\nDescription=Give PCI devices to pciback before the guests start\nAfter=xenstored.service\n\
         Before=xendomains.service libvirtd.service\n\n[Service]\nType=oneshot\nExecStartPre=/sbin/modprobe {pciback}\n{}\n\n\
         [Install]\nWantedBy=multi-user.target\n",
        add.join("\n")
    );
    File { path: "/etc/systemd/system/pciback-late.service".to_owned(), content }
}

pub(super) fn line(text: &str) -> Measure {
    Measure::Line(text.to_owned())
}
