//! Findings about a list that was wanted and is not in force, or that another driver's settings contradict.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{about, device_file, file, finding, some_of, written};
use super::statuses::Judged;
use super::{Asked, Context, remedy};
use crate::event::{Event, Fact};
use crate::history::Driver;
use crate::host::{Device, Host, PCIBACK};
use crate::pci::{Address, KernelVersion};
use crate::record::between;
use crate::report::{Code, Finding, Severity, Status};
use crate::request::overrides::{self, OverriddenDevice, Override};
use crate::request::{Said, Source, Written, cmdline, xapi};
use crate::tree::Known;

pub(super) fn find(context: &Context<'_>, devices: &[Judged<'_>]) -> Vec<Finding> {
    let mut found = Vec::new();
    if matches!(context.case.asked, Asked::Found { .. }) {
        found.extend(other_key(context, devices));
        found.extend(built_in(context, devices));
        found.extend(repeated(context));
        found.extend(split(context));
        found.extend(not_passed_on(context, devices));
        found.extend(misread_by_xapi(context));
    }
    found.extend(rejected(context, devices));
    found.extend(stubs(context, devices));
    found
}

/// Critical, but for a list whose devices pciback has all the same.
fn severity(devices: &[Judged<'_>]) -> Severity {
    let lacking =
        |judged: &&Judged<'_>| judged.want.is_some() && !matches!(judged.status, Status::Seized(_) | Status::Bridge);
    if devices.iter().any(|judged| lacking(&judged)) { Severity::Critical } else { Severity::Info }
}

/// `pciback.hide=` and `options pciback`: the module has that name in 2.6.18-xen and its kin only.
fn other_key(context: &Context<'_>, devices: &[Judged<'_>]) -> Option<Finding> {
    let is_classic = remedy::module(context) == PCIBACK;
    let (list, _) = context.demand.list.as_ref().filter(|(list, _)| !list.is_read(is_classic))?;
    if list.source == Source::Qubes {
        let message = format!("nothing reads `{}`: the key is rd.qubes.hide_pci", list.key);
        let mut found = finding(Code::ListNotEffective, severity(devices), message);
        found.evidence.push(written(list));
        found.remedy = vec![format!("# on the kernel's line: rd.qubes.hide_pci in place of {}", list.key)];
        return Some(found);
    }
    let host = context.host.as_ref();
    let logged = context.story.release.as_deref().and_then(KernelVersion::of_release);
    let kernel = context.case.options.kernel.or(logged).or_else(|| host.and_then(Host::kernel))?;
    if kernel.may_have_classic_module_name() && !is_classic {
        return None;
    }
    let module = remedy::module(context);
    let message =
        format!("the list is written for `{}`, and this kernel's module is {module}: it is not given it", list.key);
    let mut found = finding(Code::ListNotEffective, severity(devices), message);
    found.evidence.push(written(list));
    let plain = list.key.replace("xen-pciback", PCIBACK).replace("xen_pciback", PCIBACK);
    let other = if is_classic { "xen-pciback" } else { PCIBACK };
    found.remedy = vec![format!("# write {module} in place of {other}: {}", plain.replace(PCIBACK, module))];
    Some(found)
}

/// `modprobe.d` where no modprobe ever loads pciback. Beside a list that is in force, it is what somebody wanted as well.
fn built_in(context: &Context<'_>, devices: &[Judged<'_>]) -> Option<Finding> {
    let host = context.host.as_ref().filter(|host| host.modules.has_pciback_built_in())?;
    let list = [Source::Modprobe, Source::Modules].iter().find_map(|source| context.demand.effective(*source))?;
    let severity = if context.demand.source() == Some(list.source) {
        severity(devices)
    } else if names(context, list).iter().all(|address| is_seized(context, *address)) {
        Severity::Info
    } else {
        Severity::Warning
    };
    let text = String::from_utf8_lossy(&list.text);
    let message =
        "pciback is built in to this kernel, which takes its list from its own line only: nothing reads this one";
    let mut found = finding(Code::ListNotEffective, severity, message);
    found.evidence.push(written(list));
    let module = host.modules.pciback();
    found.remedy = vec![format!("# put it on the line of dom0's kernel, then reboot: {module}.hide={text}")];
    Some(found)
}

/// The kernel keeps the last of several values of one parameter.
fn repeated(context: &Context<'_>) -> Option<Finding> {
    let (in_force, _) = context.demand.list.as_ref()?;
    // The module's parameter shows the last value only.
    let is_its =
        |said: &&Said| said.written.len() > 1 && said.written.last().is_some_and(|last| last.text == in_force.text);
    let said = context.demand.places.iter().find(is_its)?;
    let list = said.written.last()?;
    let last: BTreeSet<Address> = names(context, list).into_iter().collect();
    let earlier = said.written.iter().rev().skip(1).filter(|other| other.effective == list.effective);
    let dropped: BTreeSet<Address> =
        earlier.flat_map(|other| names(context, other)).filter(|one| !last.contains(one)).collect();
    let dropped: Vec<Address> = dropped.into_iter().collect();
    if dropped.is_empty() {
        return None;
    }
    let severity =
        if dropped.iter().all(|address| is_seized(context, *address)) { Severity::Info } else { Severity::Critical };
    let message = format!(
        "`{}` is given more than once, and the last one wins: not asked for are {}",
        list.key,
        some_of(&dropped)
    );
    let mut found = finding(Code::ListNotEffective, severity, message);
    found.evidence.extend(said.written.iter().map(written));
    found.remedy = vec!["# put all devices into one list".to_owned()];
    Some(found)
}

fn is_seized(context: &Context<'_>, address: Address) -> bool {
    let device = context.host.as_ref().and_then(|host| host.devices.is()).and_then(|devices| devices.get(&address));
    match device {
        Some(device) => device.driver.is().is_some_and(|driver| driver == PCIBACK),
        None => context.history.trails.get(&address).is_some_and(|trail| trail.proof().is_some()),
    }
}

fn names(context: &Context<'_>, list: &Written) -> Vec<Address> {
    list.read(context.demand.grammar).in_force().flat_map(|entry| entry.pattern.addresses()).collect()
}

/// A blank without quotes ends an argument: what follows is one of its own, which nothing knows.
fn split(context: &Context<'_>) -> Option<Finding> {
    let (list, _) = context
        .demand
        .list
        .as_ref()
        .filter(|(list, _)| matches!(list.source, Source::CommandLine | Source::Log | Source::Module))?;
    let in_log = context
        .history
        .command_line
        .as_ref()
        .and_then(|fact| if let Event::CommandLine { text } = &fact.event { Some(text.as_slice()) } else { None });
    let in_file = context.case.tree.as_ref().and_then(|tree| tree.read("proc/cmdline").is().copied());
    let strays = cmdline::strays(in_file.or(in_log)?);
    if strays.is_empty() {
        return None;
    }
    let strays: Vec<String> = strays.iter().map(|stray| String::from_utf8_lossy(stray).into_owned()).collect();
    let message =
        format!("a blank ends the list, so that the kernel never sees the rest as part of it: {}", some_of(&strays));
    let mut found = finding(Code::ListNotEffective, Severity::Critical, message);
    found.evidence.push(written(list));
    found.remedy = vec!["# write the list without blanks, or in double quotes".to_owned()];
    Some(found)
}

/// The command line is older than every load of its boot. A driver that has no list was not loaded by kmod's modprobe, which
/// hands the line's list on: insmod hands on nothing, and the modprobe of `BusyBox` only the key with an underscore.
fn not_passed_on(context: &Context<'_>, devices: &[Judged<'_>]) -> Option<Finding> {
    let host = context.host.as_ref()?;
    let tree = context.case.tree.as_ref()?;
    if host.pciback.is().is_none() || host.modules.has_pciback_built_in() {
        return None;
    }
    let paths = ["sys/module/xen_pciback/parameters/hide", "sys/module/pciback/parameters/hide"];
    let (path, value) = paths.iter().find_map(|path| Some((*path, tree.read_text(path).is().cloned()?)))?;
    if !matches!(value.as_str(), "(null)" | "<NULL>" | "") {
        return None;
    }
    let by_line = context.demand.effective(Source::CommandLine);
    let list = by_line.or_else(|| context.demand.effective(Source::Modprobe))?;
    let message = if by_line.is_some() {
        "the module was loaded without the list that is on the kernel's command line: insmod and BusyBox' modprobe do not hand it on"
    } else {
        "the module was loaded without the list that is in modprobe.d: insmod does not read it, a boot image may lack it, or it was written later"
    };
    let mut found = finding(Code::LoadedWithoutList, severity(devices), message);
    found.evidence.extend([file(path, Some(&value)), written(list)]);
    let module = host.modules.pciback();
    let text = String::from_utf8_lossy(&list.text);
    found.remedy = vec![
        "# load it again with its list, once no guest has a device of it:".to_owned(),
        format!("# rmmod {module}; modprobe {module} 'hide={text}'"),
    ];
    Some(found)
}

/// XAPI reads the list in pieces of 14 characters.
fn misread_by_xapi(context: &Context<'_>) -> Option<Finding> {
    let is_xapi = context.case.tree.as_ref().is_some_and(xapi::is_xapi);
    let (list, read) = context.demand.list.as_ref().filter(|_| is_xapi)?;
    if !matches!(list.source, Source::Module | Source::CommandLine | Source::Xapi | Source::Log) || read.fault.is_some()
    {
        return None;
    }
    let entry = xapi::misread(&String::from_utf8_lossy(&list.text))?;
    let message = format!(
        "the kernel reads the list, but XAPI's tools cannot read `{entry}`: they take full addresses only, without blanks"
    );
    let mut found = finding(Code::XapiStyle, Severity::Warning, message);
    found.evidence.push(written(list));
    if read.in_force().all(|entry| !entry.pattern.is_wildcard()) {
        let addresses = read.in_force().flat_map(|entry| entry.pattern.addresses());
        let full = addresses.map(|address| format!("({address})")).collect::<Vec<_>>().concat();
        found.remedy = vec![format!("/opt/xensource/libexec/xen-cmdline --set-dom0 \"xen-pciback.hide={full}\"")];
    }
    Some(found)
}

/// The kernel's own records about a parameter, of the load in force.
fn rejected(context: &Context<'_>, devices: &[Judged<'_>]) -> Option<Finding> {
    let is_refusal = |fact: &&Fact| matches!(fact.event, Event::ParameterRefused { too_long: false, .. });
    let fact = context.history.parameters.iter().map(AsRef::as_ref).rfind(is_refusal)?;
    let text = String::from_utf8_lossy(&fact.text);
    let message = match unknown_name(&text) {
        Some(name) if name.starts_with('(') => {
            format!("the kernel took {name} for a parameter of its own and ignored it: a blank had ended the list")
        }
        Some(name) => format!("the module has no parameter `{name}`: what was given to it is ignored"),
        None => "the kernel refused a parameter of the module, which is not loaded then".to_owned(),
    };
    // A record long before the load was about another try.
    let far = match &context.history.driver {
        Driver::Ready(ready) => between(&fact.stamp, &ready.stamp).is_some_and(|apart| apart > 2_000_000),
        Driver::Unheard | Driver::Loading | Driver::Refused(_) => false,
    };
    // Where no list is known, this may have been it.
    let is_list = unknown_name(&text).is_none_or(|name| name.starts_with('(') || name.to_lowercase().contains("hid"));
    let severity = match context.demand.wanted.is_empty() {
        _ if far => Severity::Info,
        true if is_list => Severity::Critical,
        _ => severity(devices),
    };
    let mut found = finding(Code::ModuleParameterRejected, severity, message);
    found.evidence.push(context.shown(fact));
    found.remedy = vec!["# the parameter is `hide`, and its list has no blanks outside quotes".to_owned()];
    Some(found)
}

/// `unknown parameter 'hides' ignored`, `` Unknown parameter `hides' ``.
fn unknown_name(text: &str) -> Option<&str> {
    let rest = text.split_once("nknown parameter ")?.1;
    rest.get(1..)?.split('\'').next()
}

/// Other drivers that are told to take a requested device.
fn stubs(context: &Context<'_>, devices: &[Judged<'_>]) -> Vec<Finding> {
    let Some(tree) = &context.case.tree else { return Vec::new() };
    let settings: BTreeMap<OverriddenDevice, Override> = overrides::find(tree)
        .into_iter()
        .filter(|setting| setting.driver != PCIBACK)
        .map(|setting| (setting.device, setting))
        .collect();
    let known = context.host.as_ref().and_then(|host| host.devices.is());
    let mut found = Vec::new();
    for judged in devices.iter().filter(|judged| judged.want.is_some()) {
        let device = known.and_then(|devices| devices.get(&judged.address));
        let ids = device.and_then(|device| device.ids.is());
        let by_ids = || ids.and_then(|ids| settings.get(&OverriddenDevice::Of(ids.vendor, ids.device)));
        let severity = if matches!(judged.status, Status::Seized(_)) { Severity::Info } else { Severity::Critical };
        if let Some(setting) = settings.get(&OverriddenDevice::At(judged.address)).or_else(by_ids) {
            let message = format!("{} gives it to {}, and the list to pciback", setting.location, setting.driver);
            let mut stub = about(judged.address, Code::CompetingStub, severity, message);
            stub.evidence.push(super::facts::setting(setting));
            stub.remedy = vec![format!("# take it out of {}", setting.location)];
            found.push(stub);
        } else if let Some(name) = device.and_then(forced) {
            let message = format!("its driver_override gives it to {name}, and the list to pciback");
            let mut stub = about(judged.address, Code::CompetingStub, severity, message);
            stub.evidence.push(file(device_file(judged.address, "driver_override"), Some(name)));
            stub.remedy = vec![format!("# clear it: driverctl unset-override {}", judged.address)];
            found.push(stub);
        }
    }
    found
}

/// The other driver that an override names, where that driver has the device.
fn forced(device: &Device) -> Option<&str> {
    let Known::Is(name) = &device.driver_override else { return None };
    (name != PCIBACK && device.driver.is() == Some(name)).then_some(name)
}
