//! Whether the next boot, or the next load, gives pciback the list that it has now.

use std::collections::BTreeSet;

use super::facts::{finding, some_of, written};
use super::{Asked, Context, forecast};
use crate::pci::Address;
use crate::report::{Code, Finding, Severity};
use crate::request::boot_loader::{self, Line, MenuEntry};
use crate::request::loading::Loading;
use crate::request::{Source, Written, qubes};
use crate::tree::{Known, Node};

/// The difference, where both lists are known. A driver that runs with a list is needed: a list that nobody has read yet is no
/// drift, but what was asked for.
pub(super) fn find(context: &Context<'_>) -> Option<Finding> {
    let running = context.host.as_ref().is_some_and(|host| host.pciback.is().is_some());
    if !running || !matches!(context.case.asked, Asked::Found { .. }) {
        return None;
    }
    by_boot_loader(context)
        .or_else(|| by_qubes(context))
        .or_else(|| by_modprobe(context))
        .or_else(|| without_list(context))
}

/// The boot loader's file says what the next kernel gets, and `/proc/cmdline` what this one got.
fn by_boot_loader(context: &Context<'_>) -> Option<Finding> {
    let tree = context.case.tree.as_ref()?;
    let Known::Is(entry) = boot_loader::next(tree) else { return None };
    let place = context.demand.places.iter().find(|said| said.source == Source::CommandLine)?;
    if !place.unseen.is_empty() || !place.obstacles.is_empty() {
        return None;
    }
    let now = context.demand.effective(Source::CommandLine);
    if !entry.xen {
        return now.or_else(|| context.demand.effective(Source::Qubes)).map(|now| without_xen(now, &entry));
    }
    entry.kernel.as_ref()?;
    let lists: Vec<Written> = entry.kernel.iter().flat_map(Line::lists).collect();
    let next = lists.iter().rfind(|list| list.effective).filter(|list| !list.text.is_empty());
    let title = &entry.title;
    let message = match (now, next) {
        (None, None) => return None,
        (Some(_), None) => {
            format!("the boot loader's entry \"{title}\" holds no list: the next boot asks pciback for nothing")
        }
        (None, Some(next)) => {
            // It only adds to a list of another place where that gives way.
            let wanted: BTreeSet<Address> = context.demand.wanted.keys().copied().collect();
            let difference = difference(&wanted, &names(context, next)?)?;
            format!("the boot loader's entry \"{title}\" holds another list than is in force: {difference}")
        }
        (Some(now), Some(next)) => match (names(context, now), names(context, next)) {
            (_, None) => format!("the boot loader's entry \"{title}\" holds a list that the kernel will refuse"),
            (None, _) => return None,
            (Some(now), Some(next)) => {
                let difference = difference(&now, &next)?;
                format!("the boot loader's entry \"{title}\" holds another list than this boot's line: {difference}")
            }
        },
    };
    let mut found = finding(Code::NextBootDrift, Severity::Warning, message);
    found.evidence.extend(now.into_iter().chain(next).map(written));
    found.evidence.extend(next.is_none().then(|| location(&entry)).flatten());
    found.remedy = vec!["# pciback-audit plan shows what the next boot gives pciback".to_owned()];
    Some(found)
}

/// The same of the devices that the hook of Qubes takes by its own arguments; network controllers it takes in any case.
fn by_qubes(context: &Context<'_>) -> Option<Finding> {
    let tree = context.case.tree.as_ref()?;
    let Known::Is(entry) = boot_loader::next(tree) else { return None };
    let line = entry.kernel.as_ref().filter(|_| entry.xen)?;
    let now = context.demand.effective(Source::Qubes).filter(|now| now.effective)?;
    let mut then = tree.clone();
    then.insert("proc/cmdline", Node::File(line.text.clone().into_bytes()));
    let said = qubes::written(&then);
    let next = said.written.last().filter(|next| next.effective);
    let devices = context.host.as_ref().and_then(|host| host.devices.is());
    let is_taken = |address: &Address| {
        let class = devices.and_then(|devices| devices.get(address)).and_then(|device| device.class.is());
        class.is_some_and(|class| qubes::takes_unlisted(*class))
    };
    let named = |list: &Written| {
        let mut names = names(context, list)?;
        names.retain(|address| !is_taken(address));
        Some(names)
    };
    let then = next.map_or_else(|| Some(BTreeSet::new()), named).filter(|_| said.obstacles.is_empty())?;
    let difference = difference(&named(now)?, &then)?;
    let message = format!(
        "the boot loader's entry \"{}\" hides other devices than this boot's line (`{}`): {difference}",
        entry.title, now.key
    );
    let mut found = finding(Code::NextBootDrift, Severity::Warning, message);
    found.evidence.push(written(now));
    found.evidence.extend(location(&entry));
    found.remedy = vec!["# pciback-audit plan shows what the next boot gives pciback".to_owned()];
    Some(found)
}

fn without_xen(now: &Written, entry: &MenuEntry) -> Finding {
    let message =
        format!("the boot loader's default entry \"{}\" starts no Xen: pciback takes nothing then", entry.title);
    let mut found = finding(Code::NextBootDrift, Severity::Warning, message);
    found.evidence.push(written(now));
    found.evidence.extend(location(entry));
    found.remedy = vec!["# choose the entry that starts Xen, by GRUB_DEFAULT or grub-set-default".to_owned()];
    found
}

fn location(entry: &MenuEntry) -> Option<crate::report::Evidence> {
    let line = entry.kernel.as_ref()?;
    let file = line.location.path.trim_start_matches('/').to_owned();
    Some(super::facts::file(file, Some(&line.text)))
}

/// A module gets its list from `modprobe.d` where the command line has none.
fn by_modprobe(context: &Context<'_>) -> Option<Finding> {
    let host = context.host.as_ref().filter(|host| !host.modules.has_pciback_built_in())?;
    if context.demand.effective(Source::CommandLine).is_some() {
        return None;
    }
    let now = context.demand.effective(Source::Module)?;
    let next = context.demand.effective(Source::Modprobe)?;
    let now_names = names(context, now)?;
    let message = match names(context, next) {
        None => format!("modprobe.d holds a list that the next load of {} refuses", host.modules.pciback()),
        Some(next_names) => {
            let difference = difference(&now_names, &next_names)?;
            format!("modprobe.d holds another list than the module has: {difference}")
        }
    };
    let mut found = finding(Code::NextBootDrift, Severity::Warning, message);
    found.evidence.extend([now, next].map(written));
    found.remedy = vec!["# pciback-audit plan shows what the next boot gives pciback".to_owned()];
    Some(found)
}

/// Something loads the module at the next boot, and no file gives it a list any more. What loads it by hand with a list then comes
/// too late: modprobe does nothing where the module is there.
fn without_list(context: &Context<'_>) -> Option<Finding> {
    let host = context.host.as_ref().filter(|host| !host.modules.has_pciback_built_in())?;
    let tree = context.case.tree.as_ref()?;
    let now = context.demand.effective(Source::Module)?;
    let others = [Source::CommandLine, Source::Modprobe, Source::Modules];
    let holds_none = |source: &Source| {
        let said = context.demand.places.iter().find(|said| said.source == *source);
        said.is_some_and(|said| said.written.is_empty() && said.obstacles.is_empty() && said.unseen.is_empty())
    };
    let next_line = match boot_loader::next(tree) {
        Known::Is(entry) => entry.xen && entry.kernel.iter().flat_map(Line::lists).next().is_none(),
        Known::Absent => true,
        Known::Unreadable(_) => false,
    };
    let module = host.modules.pciback();
    if !next_line || !others.iter().all(holds_none) || names(context, now)?.is_empty() {
        return None;
    }
    let loading = Loading::read(tree, forecast::maker(host));
    let first = loading.before.values().chain(loading.by_command.values()).next();
    let by = [&loading.first, &loading.in_image, &loading.by_system].into_iter().flatten().chain(first).next()?;
    let message = format!(
        "the next boot loads {module} ({by}), and no file gives it a list: it takes nothing then, unless an older boot \
         image still holds one"
    );
    let mut found = finding(Code::NextBootDrift, Severity::Warning, message);
    found.evidence.push(written(now));
    let file = by.path.trim_start_matches('/');
    let text = tree.read(file).is().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    let line = by.line.and_then(|number| text.lines().nth(number.checked_sub(1)?));
    found.evidence.push(super::facts::file(file, line));
    found.remedy =
        vec!["# write the list down where it outlives a reboot; pciback-audit plan shows the next one".to_owned()];
    Some(found)
}

/// What the lists name that the next boot may read.
pub(super) fn named_then(context: &Context<'_>) -> BTreeSet<Address> {
    let entry = context.case.tree.as_ref().map(boot_loader::next);
    let line = entry.as_ref().and_then(|entry| entry.is()?.kernel.as_ref());
    let lists: Vec<Written> = line.into_iter().flat_map(Line::lists).collect();
    let modprobe = context.demand.effective(Source::Modprobe);
    lists.iter().chain(modprobe).filter_map(|list| names(context, list)).flatten().collect()
}

/// The addresses of a list; `None` where the kernel refuses it.
fn names(context: &Context<'_>, list: &Written) -> Option<BTreeSet<Address>> {
    let read = list.read(context.demand.grammar);
    read.accepted().then(|| read.in_force().flat_map(|entry| entry.pattern.addresses()).collect())
}

fn difference(now: &BTreeSet<Address>, next: &BTreeSet<Address>) -> Option<String> {
    let some = |one: &BTreeSet<Address>, other: &BTreeSet<Address>, text: &str| {
        let names: Vec<&Address> = one.difference(other).collect();
        (!names.is_empty()).then(|| format!("{} {text}", some_of(&names)))
    };
    let parts: Vec<String> =
        [some(now, next, "only now"), some(next, now, "only then")].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
