//! What makes pciback come first at the next boot, with its list: files, then what rebuilds the boot image, once and last.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Context;
use super::super::facts::some_of;
use super::draft::Draft;
use super::family::{self, ByLine, Family, OPTIONS};
use super::lasting::{self, Lasting};
use super::safe::Hindrance;
use super::{ehci, kernel_line, words};
use crate::host::{Device, Distribution, Host, Linkage, PCIBACK};
use crate::pci::Address;
use crate::report::{File, Measure, Repair};
use crate::request::loading::{PRELOADED, heeds_softdep};
use crate::request::{Source, Written, late_service, modprobe, modules, sysconfig, unmade};
use crate::tree::{Known, Node, Tree};

/// What the steps are made of.
pub(super) struct Aim<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) host: &'a Host,
    pub(super) tree: &'a Tree,
    /// Devices that other drivers have, and that may be taken from them.
    pub(super) held: &'a [(Address, &'a Device)],
    /// Devices that are asked for, and that dom0 cannot do without.
    pub(super) vital: &'a [Address],
}

/// The list as the next boot is to find it.
pub(super) struct List {
    /// The line for the file of options, where one has to be written.
    pub(super) options: Option<String>,
    /// The file that has the list then.
    pub(super) file: String,
    /// What dom0 would lose.
    risk: BTreeMap<Address, Hindrance>,
}

/// The steps, and the files of the machine with all of them done, where that can be told. No steps: the next boot needs nothing.
/// Where the list would take from dom0 something that it uses, or may use, all of them are advice behind that question.
pub(super) fn steps(aim: &Aim<'_>) -> (Vec<Measure>, Option<Tree>) {
    let built_in = aim.host.modules.has_pciback_built_in();
    let special = matches!(aim.host.distribution, Distribution::XenServer | Distribution::Qubes);
    let lasting = lasting::next(aim.context, &with_image(aim), wanted(aim).iter());
    let mut draft = Draft::of(aim.tree);
    let risk = if special || built_in {
        kernel_line::steps(aim, &lasting, &mut draft);
        risk(aim, &lasting)
    } else {
        let is_built_in = |(_, device): &&(Address, &Device)| device.linkage.is() == Some(&Linkage::BuiltIn);
        let late = ehci::in_safe_order(aim, &mut draft, aim.held.iter().filter(is_built_in));
        let modules: Vec<&(Address, &Device)> = aim.held.iter().filter(|held| !is_built_in(held)).collect();
        if !late.is_empty() {
            each_boot(aim, &mut draft, &late);
        }
        // What pciback has now it loses with a list that is written nowhere.
        if !modules.is_empty() || late.is_empty() || has_some(aim) {
            let list = list(aim, &mut draft, &lasting);
            by_modules(aim, &mut draft, &list, &modules);
            list.risk
        } else {
            risk(aim, &lasting)
        }
    };
    if risk.is_empty() {
        let after = Some(draft.after).filter(|_| draft.is_whole);
        (draft.steps, after)
    } else {
        (held_back(&risk, &draft.steps), None)
    }
}

/// The files with what puts pciback and its list into the boot image: then the lists of modprobe.d count.
fn with_image(aim: &Aim<'_>) -> Tree {
    let mut draft = Draft::of(aim.tree);
    if let Some(family) = family::row(aim.host, aim.tree) {
        draft.write(family.options, draft.text(family.options).unwrap_or_default().to_owned().as_str());
        let fill = fill(aim, family.options);
        family::take(family, &mut draft, &fill, family.options, true);
    }
    draft.after
}

fn wanted(aim: &Aim<'_>) -> Vec<Address> {
    if aim.held.is_empty() {
        aim.context.demand.wanted.keys().copied().collect()
    } else {
        aim.held.iter().map(|(address, _)| *address).collect()
    }
}

/// What dom0 would lose by the list of the next boot.
fn risk(aim: &Aim<'_>, lasting: &Lasting) -> BTreeMap<Address, Hindrance> {
    match lasting {
        Lasting::Holds(place) => lasting::at_risk_of(aim.context, &String::from_utf8_lossy(&place.text)),
        Lasting::Nowhere(list) | Lasting::Elsewhere { merged: list, .. } => {
            list.as_deref().map(|list| lasting::at_risk_of(aim.context, list)).unwrap_or_default()
        }
    }
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

/// Writes what is needed so that the next boot reads the list.
fn list(aim: &Aim<'_>, draft: &mut Draft, lasting: &Lasting) -> List {
    let pciback = aim.host.modules.pciback();
    let usual = family::row(aim.host, aim.tree).map_or(OPTIONS, |family| family.options);
    let mut list = List { options: None, file: usual.to_owned(), risk: risk(aim, lasting) };
    let in_file = |place: &Written| {
        place.location.as_ref().filter(|_| place.source == Source::Modprobe).map(|at| at.path.clone())
    };
    match lasting {
        Lasting::Holds(place) => list.file = in_file(place).unwrap_or(list.file),
        Lasting::Nowhere(None) => {
            // A list that cannot be read is written down by a person, with these devices on it.
            let hindrance = || Hindrance::Used("it cannot do without it".to_owned());
            list.risk.extend(aim.vital.iter().map(|address| (*address, hindrance())));
            draft.by_hand("# write the list down where it outlives a reboot");
        }
        Lasting::Nowhere(Some(text)) => {
            left_out(aim.context, draft);
            list.options = Some(format!("options {pciback} hide={text}"));
        }
        // All its files are made of its own configuration.
        Lasting::Elsewhere { merged: Some(text), .. } if aim.host.distribution == Distribution::NixOs => {
            list.options = Some(format!("options {pciback} hide={text}"));
        }
        Lasting::Elsewhere { place, merged } => {
            list.file = in_file(place).unwrap_or(list.file);
            mend(aim, draft, place, merged.as_deref());
        }
    }
    let drivers =
        aim.held.iter().filter_map(|(address, device)| Some((*address, device.driver.is()?.clone()))).collect();
    if let Some(content) = sysconfig::mended(&draft.after, &drivers, aim.context.demand.grammar) {
        draft.file(&format!("/{}", sysconfig::PATH), &content);
    }
    list
}

/// Devices that are not on the list that is to be written, and why.
fn left_out(context: &Context<'_>, draft: &mut Draft) {
    let risk = lasting::at_risk(context, context.demand.wanted.keys().copied());
    for (address, hindrance) in risk.iter().filter(|(_, hindrance)| matches!(hindrance, Hindrance::Used(_))) {
        draft.line(&format!("# left out of the list: {address} ({})", hindrance.why().unwrap_or_default()));
    }
}

/// Corrects the list where it stands, and wherever else it stands and the next boot reads it.
fn mend(aim: &Aim<'_>, draft: &mut Draft, place: &Written, merged: Option<&str>) {
    let at = place.location.as_ref().map_or(String::new(), |location| format!(" ({location})"));
    let text = merged.map_or(String::new(), |list| format!(": {list}"));
    let words = format!("# the list in {}{at} must be mended{text}", place.source.in_words());
    let Some(merged) = merged else { return draft.by_hand(&words) };
    let is_mended = match place.source {
        Source::Modprobe | Source::Modules => replace(draft, place, merged),
        Source::CommandLine | Source::Log | Source::BootLoader => kernel_line::put(aim, draft, &[(&place.key, merged)]),
        Source::Argument
        | Source::Policy
        | Source::Module
        | Source::Qubes
        | Source::Sysconfig
        | Source::Xapi
        | Source::NixOs
        | Source::Override
        | Source::Slots
        | Source::Guests => false,
    };
    if !is_mended {
        draft.by_hand(&words);
    }
    let key = format!("{}.hide", aim.host.modules.pciback());
    if unmade::argument(&draft.after, &key).is_some_and(|other| other != merged) {
        kernel_line::put(aim, draft, &[(&key, merged)]);
    }
    make_same(draft, merged);
}

/// Makes the other lists for modprobe the same.
pub(super) fn make_same(draft: &mut Draft, list: &str) {
    for said in [modprobe::written(&draft.after), modules::written(&draft.after)] {
        for other in said.written.iter().filter(|other| other.effective && other.text != list.as_bytes()) {
            replace(draft, other, list);
        }
    }
}

/// The file with this list in place of the one that stands there.
pub(super) fn replace(draft: &mut Draft, place: &Written, list: &str) -> bool {
    let changed = || {
        let location = place.location.as_ref()?;
        let old = std::str::from_utf8(&place.text).ok().filter(|old| !old.is_empty())?;
        let number = location.line?.checked_sub(1)?;
        let content = draft.text(&location.path)?;
        let is_there = content.lines().nth(number)?.contains(old);
        let mend = |(index, line): (usize, &str)| {
            if index == number { line.replacen(old, list, 1) } else { line.to_owned() }
        };
        let lines: Vec<String> = content.lines().enumerate().map(mend).collect();
        is_there.then(|| (location.path.clone(), lines.join("\n") + "\n"))
    };
    let changed = changed();
    if let Some((path, content)) = &changed {
        draft.file(path, content);
    }
    changed.is_some()
}

fn by_modules(aim: &Aim<'_>, draft: &mut Draft, list: &List, held: &[&(Address, &Device)]) {
    let drivers = Drivers::of(held);
    match family::row(aim.host, aim.tree) {
        Some(family) => in_commands(aim, draft, family, list, &drivers),
        None => words::steps(aim, draft, list, &drivers.modules),
    }
}

/// The drivers that have the devices.
struct Drivers {
    /// Their modules.
    modules: BTreeSet<String>,
    /// Those whose module cannot be told.
    unknown: BTreeSet<String>,
}

impl Drivers {
    fn is_empty(&self) -> bool {
        self.modules.is_empty() && self.unknown.is_empty()
    }

    fn of(held: &[&(Address, &Device)]) -> Self {
        let is_plain =
            |name: &&String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        let (mut modules, mut unknown) = (BTreeSet::new(), BTreeSet::new());
        for (_, device) in held {
            match device.linkage.is() {
                Some(Linkage::Module(name)) => modules.extend(Some(name).filter(is_plain).cloned()),
                Some(Linkage::BuiltIn) | None => unknown.extend(device.driver.is().filter(is_plain).cloned()),
            }
        }
        Self { modules, unknown }
    }
}

/// Fills the texts of a row.
fn fill(aim: &Aim<'_>, options: &str) -> impl Fn(&str) -> String {
    let (module, options) = (aim.host.modules.pciback(), options.to_owned());
    // The names in an image have no slash in front.
    let inside = options.trim_start_matches('/');
    let both = if options.contains("pciback") { "pciback".to_owned() } else { format!("-e pciback -e {inside}") };
    move |text| text.replace("{module}", module).replace("{options}", &options).replace("{both}", &both)
}

fn in_commands(aim: &Aim<'_>, draft: &mut Draft, family: &Family, list: &List, drivers: &Drivers) {
    let pciback = aim.host.modules.pciback();
    let fill = fill(aim, &list.file);
    let softdep = family.softdep && modprobe::has_softdeps(aim.tree);
    let all_wait = softdep && drivers.modules.iter().all(|module| heeds_softdep(module));
    let is_first =
        !drivers.unknown.is_empty() || (drivers.is_empty() && has_some(aim)) || (family.softdep && !all_wait);
    // Where pciback is the first of all, no driver needs to wait for it.
    let waiting = drivers.modules.iter().filter(|_| softdep && !is_first);
    let softdeps = waiting.map(|module| format!("softdep {module} pre: {pciback}"));
    let lines: Vec<String> = list.options.iter().cloned().chain(softdeps).collect();
    options(draft, family, &lines);
    if !softdep || drivers.modules.is_empty() || is_first {
        family::take(family, draft, &fill, &list.file, is_first);
    }
    if let Some(line) = family.by_line.as_ref().filter(|line| !by_line(aim, draft, line)) {
        let others: Vec<String> = line.with.iter().map(|(key, value)| format!(", and give it {key}={value}")).collect();
        draft.by_hand(&format!(
            "# not sure: the order in this image cannot be forced by a file. Name {pciback} first in {}= on the line of dom0's kernel{}",
            line.key,
            others.concat()
        ));
    }
    if let Some(note) = family.note {
        draft.line(&fill(note));
    }
    draft.line(family.rebuild);
    if family.rebuild.contains("--preload") {
        draft.write(PRELOADED, pciback);
    }
    draft.line(&format!("{}  # module and list", fill(family.look)));
}

/// Whether pciback has some of the requested devices: nothing says which drivers it must precede.
fn has_some(aim: &Aim<'_>) -> bool {
    let devices = aim.host.devices.is();
    let mut wanted = aim.context.demand.wanted.keys().filter_map(|address| devices?.get(address));
    wanted.any(|device| device.driver.is().is_some_and(|driver| driver == PCIBACK))
}

/// Names pciback first among the modules on the kernel's line.
fn by_line(aim: &Aim<'_>, draft: &mut Draft, line: &ByLine) -> bool {
    let pciback = aim.host.modules.pciback();
    let running = |key: &str| {
        let line = draft.after.read_text("proc/cmdline").is().cloned()?;
        let value = line.split_whitespace().rev().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        value.map(str::to_owned)
    };
    let now = |key: &str| unmade::argument(&draft.after, key).or_else(|| running(key)).unwrap_or_default();
    let old = now(line.key);
    if old.split(',').next() == Some(pciback) && line.with.iter().all(|(key, value)| now(key) == *value) {
        return true;
    }
    let others = old.split(',').filter(|name| !name.is_empty() && *name != pciback);
    let all = std::iter::once(pciback).chain(others).collect::<Vec<_>>().join(",");
    let arguments: Vec<(&str, &str)> =
        std::iter::once((line.key, all.as_str())).chain(line.with.iter().copied()).collect();
    kernel_line::put(aim, draft, &arguments)
}

/// The file of options with these lines: what is in it already stays, but for older lists of pciback where a new one comes.
fn options(draft: &mut Draft, family: &Family, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let path = family.options;
    let is_there = !matches!(draft.after.read(path.trim_start_matches('/')), Known::Absent);
    let old = match draft.text(path) {
        Some(text) if !text.contains("\\\n") => text.to_owned(),
        None if !is_there && !family.shared => String::new(),
        Some(_) | None => {
            for line in lines {
                draft.append(path, line);
            }
            return;
        }
    };
    let replaces = lines.iter().any(|line| line.starts_with("options "));
    let is_list = |line: &str| line.starts_with("options") && line.contains("pciback") && line.contains("hide=");
    let is_replaced = |line: &str| (replaces && is_list(line)) || lines.iter().any(|new| new == line);
    let kept = old.lines().filter(|line| !is_replaced(line));
    let all: Vec<&str> = kept.chain(lines.iter().map(String::as_str)).collect();
    if !old.is_empty() {
        draft.line(&format!("# {path} is there already: the rest of it is kept"));
    }
    draft.file(path, &(all.join("\n") + "\n"));
}

/// For devices of drivers that are built in: they have their devices before any module is there.
fn each_boot(aim: &Aim<'_>, draft: &mut Draft, late: &[Address]) {
    let of_late = aim.held.iter().filter(|(address, _)| late.contains(address));
    let drivers: BTreeSet<&str> = of_late.filter_map(|(_, device)| device.driver.is().map(String::as_str)).collect();
    let drivers: Vec<&str> = drivers.into_iter().collect();
    let are = if drivers.len() == 1 { "is" } else { "are" };
    let names = drivers.join(", ");
    if !words::has_systemd(aim) {
        return draft.by_hand(&format!(
            "# {names} {are} built in, and there before any module: do the same at each boot, before the guests start"
        ));
    }
    let its = if drivers.len() == 1 { "its" } else { "their" };
    draft.line(&format!("# {names} {are} built in: a service takes {its} devices at each boot, before guests"));
    let File { path, content } = unit(aim.host.modules.pciback(), late);
    draft.file(&path, &content);
    draft.line("systemctl enable pciback-late.service");
    draft.after.insert(late_service::ENABLED, Node::Link(path.into_bytes()));
}

/// A unit that does at each boot what `now` does (systemd.service(5); `xendomains.service` is that of Xen's own tools).
///
/// Without an IOMMU, `xl` binds the device, fails to quarantine it and ends with an error (`tools/libs/light/libxl_pci.c`,
/// `libxl__device_pci_assignable_add`, from Xen 4.13 on): not its status counts, but whether pciback has the devices then.
fn unit(pciback: &str, late: &[Address]) -> File {
    let names: Vec<String> = late.iter().map(ToString::to_string).collect();
    let content = format!(
        "[Unit]\nAfter=xenstored.service\nBefore=xendomains.service libvirtd.service\n[Service]\nType=oneshot\n\
         ExecStartPre=/sbin/modprobe {pciback}\nExecStart=/bin/sh -c \"set -- {}; for d; do xl pci-assignable-add $$d; done; \
         cd /sys/bus/pci/drivers/pciback && ls -d $$*\"\n[Install]\nWantedBy=multi-user.target\n",
        names.join(" ")
    );
    File { path: format!("/{}", late_service::UNIT), content }
}
