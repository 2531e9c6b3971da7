//! Findings about the places where lists stand: those that nothing reads, and those that contradict each other.

use std::collections::BTreeSet;

use super::facts::{finding, some_of, written};
use super::{Asked, Context};
use crate::host::{Distribution, PCIBACK};
use crate::pci::Address;
use crate::report::{Code, Finding, Severity};
use crate::request::unread::{self, Unread, Why};
use crate::request::{Source, Written};

pub(super) fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut found = not_read(context);
    found.extend(disagreement(context));
    found.extend(platform(context));
    found
}

/// Lists that stand where nothing reads them. Where no other list is in force, one of them is perhaps what was wanted.
fn not_read(context: &Context<'_>) -> Vec<Finding> {
    let asked = !matches!(context.case.asked, Asked::Found { .. }) || context.demand.list.is_some();
    let severity = if asked { Severity::Info } else { Severity::Warning };
    let mut on_host = context.case.tree.as_ref().map(unread::find).unwrap_or_default();
    if super::next_list::find(context).is_some() {
        // Said of the next boot, with the difference.
        on_host.retain(|list| list.why != Why::NotBooted);
    }
    let from_files = on_host.iter().map(|Unread { written: list, why }| {
        let mut found = finding(Code::ListNotEffective, severity, message(list, *why));
        found.evidence.push(written(list));
        (found, *why)
    });
    let logs = context.case.logs.iter().filter_map(|log| log.hypervisor.as_ref());
    let from_logs = logs.map(|record| {
        let mut found = finding(Code::ListNotEffective, severity, message(&record.written, Why::Hypervisor));
        found.evidence.push(context.record(record.place, record.stamp, &record.text));
        (found, Why::Hypervisor)
    });
    let with_remedy = |(found, why): (Finding, Why)| Finding { remedy: vec![remedy(context, why)], ..found };
    from_files.chain(from_logs).map(with_remedy).collect()
}

fn message(list: &Written, why: Why) -> String {
    let text = String::from_utf8_lossy(&list.text);
    match why {
        Why::Hypervisor => {
            format!(
                "the list {text} is on the hypervisor's command line, which pciback never sees: nothing reads it there"
            )
        }
        Why::NamesOnly => {
            let file = list.location.as_ref().map_or(String::new(), ToString::to_string);
            format!("the list {text} is in {file}, where only the names of modules are read: modprobe is not given it")
        }
        Why::Misspelt => {
            let file = list.location.as_ref().map_or(String::new(), ToString::to_string);
            format!("the list {text} is in {file} behind `{}`: nothing has that name, and nothing reads it", list.key)
        }
        Why::Unmade => {
            let file = list.location.as_ref().map_or(String::new(), ToString::to_string);
            format!("the list {text} is in {file}, and in no entry of the boot loader with Xen that was made of it")
        }
        Why::NotBooted => {
            let file = list.location.as_ref().map_or(String::new(), ToString::to_string);
            format!(
                "the list {text} is in {file}, and this kernel was started without it: it was written later, or another entry or file was started"
            )
        }
        Why::NotKmods => {
            let file = list.location.as_ref().map_or(String::new(), ToString::to_string);
            format!(
                "the list {text} is in {file}: modprobe passes over it, since it reads only files of modprobe.d named *.conf"
            )
        }
    }
}

fn remedy(context: &Context<'_>, why: Why) -> String {
    let module = super::remedy::module(context);
    match why {
        Why::Hypervisor => {
            format!("# put it on the line of dom0's kernel: {module}.hide=... (GRUB: GRUB_CMDLINE_LINUX, not ..._XEN)")
        }
        Why::NamesOnly => format!("# put it in a file of /etc/modprobe.d: options {module} hide=..."),
        Why::Misspelt => format!("# the module is {module}, and its parameter hide"),
        Why::Unmade => {
            "# have the boot loader's file made anew: update-grub, or grub2-mkconfig -o and its path".to_owned()
        }
        Why::NotBooted if context.host.as_ref().is_some_and(|host| host.distribution == Distribution::NixOs) => {
            "# nixos-rebuild boot, and reboot".to_owned()
        }
        Why::NotBooted => {
            "# see which file and entry are started, have the boot loader's file made anew (update-grub, or grub2-mkconfig -o and its path), and reboot".to_owned()
        }
        Why::NotKmods => "# put it in a file of /etc/modprobe.d whose name ends with .conf".to_owned(),
    }
}

/// The kernel's command line and `modprobe.d` both hold a list, and the lists name different devices.
///
/// kmod puts the arguments of the kernel's command line behind those of `modprobe.d`, and the kernel keeps the last one.
fn disagreement(context: &Context<'_>) -> Option<Finding> {
    let built_in = context.host.as_ref().is_some_and(|host| host.modules.has_pciback_built_in());
    if built_in || !matches!(context.case.asked, Asked::Found { from: None }) {
        return None;
    }
    let (line, line_names) = named(context, Source::CommandLine)?;
    let only = |one: &BTreeSet<Address>, other: &BTreeSet<Address>| {
        let names: Vec<&Address> = one.difference(other).collect();
        (!names.is_empty()).then(|| some_of(&names))
    };
    if let Some((given, names)) = named(context, Source::Module).filter(|(_, names)| *names != line_names) {
        let by_line = only(&line_names, &names).map(|names| format!("only the command line names {names}"));
        let by_hand = only(&names, &line_names).map(|names| format!("only the module has {names}"));
        let difference: Vec<String> = by_line.into_iter().chain(by_hand).collect();
        let message = format!(
            "the module was given another list than the kernel's command line holds: {}; that of the module counts",
            difference.join(", and ")
        );
        let mut found = finding(Code::SourcesDisagree, Severity::Warning, message);
        found.evidence.extend([written(given), written(line)]);
        found.remedy = vec!["# keep one list, and take the other one out".to_owned()];
        return Some(found);
    }
    let (file, file_names) = named(context, Source::Modprobe)?;
    let by_line = only(&line_names, &file_names).map(|names| format!("only the command line names {names}"));
    let by_file = only(&file_names, &line_names).map(|names| format!("only modprobe.d names {names}"));
    let difference: Vec<String> = by_line.into_iter().chain(by_file).collect();
    if difference.is_empty() {
        return None;
    }
    let message = format!(
        "the kernel's command line and modprobe.d hold different lists: {}; the command line's is given last, and wins",
        difference.join(", and ")
    );
    let mut found = finding(Code::SourcesDisagree, Severity::Warning, message);
    found.evidence.extend([written(line), written(file)]);
    found.remedy = vec!["# keep one list, and take the other one out".to_owned()];
    Some(found)
}

/// The platform's own list names devices that the list in force does not name, and that pciback does not have.
fn platform(context: &Context<'_>) -> Vec<Finding> {
    if !matches!(context.case.asked, Asked::Found { from: None }) {
        return Vec::new();
    }
    let devices = context.host.as_ref().and_then(|host| host.devices.is());
    let lacks = |address: &Address| {
        let driver = devices.and_then(|devices| devices.get(address)).and_then(|device| device.driver.is());
        !context.demand.wanted.contains_key(address) && devices.is_some() && driver.is_none_or(|name| name != PCIBACK)
    };
    let of = |source: Source| {
        let (list, names) = named(context, source).filter(|_| context.demand.source() != Some(source))?;
        let lacking: Vec<Address> = names.into_iter().filter(lacks).collect();
        if lacking.is_empty() {
            return None;
        }
        let message = format!(
            "{} names devices that pciback does not have, and that the list in force does not name: {}",
            source.in_words(),
            some_of(&lacking)
        );
        let mut found = finding(Code::SourcesDisagree, Severity::Warning, message);
        found.evidence.push(written(list));
        Some(found)
    };
    [Source::Qubes, Source::Sysconfig].into_iter().filter_map(of).collect()
}

/// The list of a place that is read, and every address it names, unless it has a fault.
fn named<'a>(context: &'a Context<'_>, source: Source) -> Option<(&'a Written, BTreeSet<Address>)> {
    let list = context.demand.effective(source)?;
    let read = list.read(context.demand.grammar);
    let names = || read.in_force().flat_map(|entry| entry.pattern.addresses()).collect();
    read.fault.is_none().then(|| (list, names()))
}
