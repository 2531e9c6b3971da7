//! The next boot, as far as files tell it: the line of the boot loader's default entry, the list that pciback gets, when it is
//! loaded, and which driver is there before it.
//!
//! Facts about the order are from real machines (Debian 12 with initramfs-tools 0.142 and dracut 059) and from the makers of
//! boot images; where they leave it open, the device is in doubt and not seized.

use std::collections::BTreeSet;

use super::sysfs::{SOME_DRIVER, Sysfs};
use super::{Forecast, is_named};
use crate::host::{Device, Distribution, Host, Linkage, PCIBACK};
use crate::pci::{Address, Pattern};
use crate::request::boot_loader::{self, Line};
use crate::request::hide::{self, Grammar};
use crate::request::loading::{Image, Loading, Maker, heeds_softdep};
use crate::request::{
    Location, Said, Source, Written, argument, cmdline, late_service, modprobe, modules, qubes, sysconfig,
};
use crate::tree::{Known, Tree};

/// The files of `tree` after the next boot. With `given`, that list is on the line of dom0's kernel.
pub fn next_boot(tree: &Tree, given: Option<&[u8]>, grammar: Grammar) -> Forecast {
    let host = Host::read(tree);
    let mut notes = Vec::new();
    let mut sysfs = Sysfs::of(tree);
    let line = next_line(tree, &mut notes);
    match &line {
        NextLine::Known(line, _) => sysfs.write("proc/cmdline", line),
        NextLine::WithoutXen => {
            sysfs.forget("proc/xen");
            sysfs.forget("sys/hypervisor");
        }
        NextLine::Unknown(_) => {}
    }
    let mut loading = Loading::read(tree, maker(&host));
    if let NextLine::Known(line, _) = &line {
        loading.by_line(line);
    }
    let boot = Boot { tree, host: &host, loading: &loading, line: &line };
    let written = given.map_or_else(|| boot.written(), |given| Ok(Some(argument::written(given))));
    let mut lists = written.map(|list| list.map_or_else(Vec::new, |list| list.text));
    let is_refused = lists.as_ref().is_ok_and(|list| !hide::read(list, grammar).accepted());
    if is_refused {
        notes.push("the kernel refuses the list: pciback takes nothing".to_owned());
        lists = Ok(Vec::new());
    }
    if !sysfs.shows_devices() {
        return Forecast { tree: sysfs.without_pciback(), notes };
    }
    notes.extend(boot.notes());
    let list = lists.clone().unwrap_or_default();
    let patterns: Vec<Pattern> = hide::read(&list, grammar).in_force().map(|entry| entry.pattern).collect();
    let own = if is_refused { Vec::new() } else { boot.own_lists(grammar) };
    for (address, device) in host.devices.is().into_iter().flatten() {
        let named = is_named(&patterns, *address, &device.bridges);
        let fate = match &lists {
            Err(why) => Fate::Doubt(why.clone()),
            Ok(_) if matches!(line, NextLine::WithoutXen) => without_pciback(device),
            Ok(_) if named && !sysfs.may_probe(device) => without_pciback(device),
            Ok(_) => {
                let fate = if named { boot.fate(device) } else { without_pciback(device) };
                let by_platform = own.iter().find(|(names, _)| names.contains(address));
                by_platform.filter(|_| !matches!(fate, Fate::Seized)).map_or(fate, |(_, fate)| fate.clone())
            }
        };
        match fate {
            Fate::Seized => sysfs.seize(*address),
            Fate::Held(driver) => sysfs.bind(*address, Some(&driver)),
            Fate::Unbound => sysfs.bind(*address, None),
            Fate::Doubt(why) => sysfs.doubt(*address, &why),
            Fate::AsNow => {}
        }
    }
    // What takes devices by itself loads pciback as well.
    let by_itself = own.iter().any(|(names, fate)| matches!(fate, Fate::Seized) && !names.is_empty());
    let is_there = !is_refused && !matches!(line, NextLine::WithoutXen) && (by_itself || boot.may_be_there());
    let tree = if is_there { sysfs.finish(host.modules.pciback(), &list, &patterns) } else { sysfs.without_pciback() };
    Forecast { tree, notes }
}

/// The list that the next boot gives pciback, with its place; or why that is not known.
pub(in super::super) fn next_list(tree: &Tree) -> Result<Option<Written>, String> {
    let host = Host::read(tree);
    let loading = Loading::read(tree, maker(&host));
    let line = next_line(tree, &mut Vec::new());
    Boot { tree, host: &host, loading: &loading, line: &line }.written()
}

/// The program that makes the boot images of a family, for a tree that does not show its configuration.
pub(in super::super) fn maker(host: &Host) -> Maker {
    match host.distribution {
        Distribution::Debian => Maker::InitramfsTools,
        Distribution::Dracut | Distribution::Qubes => Maker::Dracut,
        Distribution::Arch => Maker::Mkinitcpio,
        Distribution::Alpine => Maker::Mkinitfs,
        Distribution::RedHat5 | Distribution::Suse11 => Maker::Mkinitrd,
        Distribution::NixOs | Distribution::XenServer | Distribution::Other => Maker::Unknown,
    }
}

/// The arguments of the next kernel.
enum NextLine {
    /// The line, and the place where it begins.
    Known(Vec<u8>, Option<Location>),
    /// The entry that is started by default has no Xen.
    WithoutXen,
    Unknown(String),
}

fn next_line(tree: &Tree, notes: &mut Vec<String>) -> NextLine {
    match boot_loader::next(tree) {
        Known::Is(entry) if !entry.xen => {
            notes.push(format!("the boot loader's default entry \"{}\" starts no Xen", entry.title));
            NextLine::WithoutXen
        }
        Known::Is(entry) => {
            notes.push(format!("the boot loader starts \"{}\"", entry.title));
            match entry.kernel {
                Some(Line { text, location }) => NextLine::Known(text.into_bytes(), Some(location)),
                None => NextLine::Known(Vec::new(), None),
            }
        }
        Known::Unreadable(obstacle) => {
            notes.push(format!("the arguments of the next kernel cannot be told: {obstacle}"));
            NextLine::Unknown(obstacle.to_string())
        }
        Known::Absent => match tree.read("proc/cmdline") {
            Known::Is(line) => {
                notes.push(
                    "no boot loader's file with Xen was found: the next kernel is taken to get this one's line"
                        .to_owned(),
                );
                NextLine::Known(line.to_vec(), None)
            }
            Known::Absent | Known::Unreadable(_) => {
                NextLine::Unknown("the command line of the next kernel is not known".to_owned())
            }
        },
    }
}

/// The last list of a place that its reader takes.
fn last(lists: &[Written], classic: bool) -> Option<Written> {
    lists.iter().rfind(|list| list.is_read(classic)).filter(|list| !list.text.is_empty()).cloned()
}

#[derive(Clone)]
enum Fate {
    Seized,
    Held(String),
    Unbound,
    Doubt(String),
    AsNow,
}

struct Boot<'a> {
    tree: &'a Tree,
    host: &'a Host,
    loading: &'a Loading,
    line: &'a NextLine,
}

impl Boot<'_> {
    /// XCP-ng's and XenServer's kernels have it built in, and do not all say so.
    fn is_built_in(&self) -> bool {
        let platform = self.host.distribution == Distribution::XenServer && !self.host.modules.has_pciback_loaded();
        self.host.modules.has_pciback_built_in() || platform
    }

    /// Whether pciback may be there at all: a service that is not read here may have loaded it this time, and would again.
    fn may_be_there(&self) -> bool {
        self.is_built_in() || self.loading.is_loaded() || self.host.pciback.is().is_some()
    }

    /// The list that pciback gets, or why that is not known: arguments of modprobe, then the line, then `modprobe.d`.
    fn written(&self) -> Result<Option<Written>, String> {
        let classic = self.host.modules.pciback() == PCIBACK;
        let of_module = |said: Said| match said.obstacles.first() {
            Some(obstacle) => Err(obstacle.to_string()),
            None => Ok(last(&said.written, classic)),
        };
        if !self.is_built_in()
            && let Some(list) = of_module(modules::written(self.tree))?
        {
            return Ok(Some(list));
        }
        let by_line = match self.line {
            NextLine::Known(line, location) => {
                last(&cmdline::in_line(line, Source::CommandLine, location.as_ref()), classic)
            }
            NextLine::WithoutXen => None,
            NextLine::Unknown(why) => return Err(why.clone()),
        };
        if by_line.is_some() || self.is_built_in() || self.image_lacks_options() {
            return Ok(by_line);
        }
        if let Some(image) = self.loading.image.as_ref().filter(|_| self.loading.is_in_image()) {
            return Ok(last(&image.lists, classic));
        }
        let by_image = self.loading.is_in_image() || !self.loading.before.is_empty();
        if let Some(newer) = self.loading.newer.first().filter(|_| self.loading.image.is_none() && by_image) {
            return Err(format!("the boot image cannot be read, and is older than {newer}: its list is not known"));
        }
        of_module(modprobe::written(self.tree))
    }

    /// dracut leaves `/etc/modprobe.d` out of an image that is not for this host only (059, `90kernel-modules`): a pciback that is
    /// loaded there has no list, and is not loaded again.
    fn image_lacks_options(&self) -> bool {
        let in_image = self.loading.first.is_some() || self.loading.in_image.is_some();
        self.loading.maker == Maker::Dracut && in_image && !self.loading.has_options && self.loading.image.is_none()
    }

    fn notes(&self) -> Vec<String> {
        if self.is_built_in() {
            return vec!["pciback is built in: it comes before the drivers of devices".to_owned()];
        }
        let mut notes = vec![self.about_image()];
        if !self.loading.newer.is_empty() {
            let newer = super::super::facts::some_of(&self.loading.newer.iter().collect::<Vec<_>>());
            notes.push(format!("the boot image is older than {newer}: it was not made anew since"));
        }
        if self.image_lacks_options() {
            notes.push("dracut leaves /etc/modprobe.d out of its image: pciback has no list of it there".to_owned());
        }
        let by =
            |what: &str, location: &Option<Location>| location.as_ref().map(|location| format!("{what} ({location})"));
        notes.extend(by("the boot image loads pciback before the drivers of devices", &self.loading.first));
        notes.extend(by("the boot image has pciback", &self.loading.in_image));
        notes.extend(by("the system loads pciback once its root is mounted", &self.loading.by_system));
        for (module, location) in self.loading.before.iter().chain(&self.loading.by_command) {
            notes.push(format!("modprobe loads pciback before {module} ({location})"));
        }
        if !self.loading.is_loaded() {
            notes.push("nothing that is read here loads pciback at boot".to_owned());
        }
        notes
    }

    /// The boot image, by its own contents where it was read.
    fn about_image(&self) -> String {
        let classic = self.host.modules.pciback() == PCIBACK;
        let text = |lists: &[Written]| last(lists, classic).map(|list| list.text);
        match (&self.loading.image, Image::read(self.tree)) {
            (Some(image), _) if !image.has_pciback() => {
                format!("the boot image does not hold pciback{}", self.drivers_in(image))
            }
            (Some(image), _) if text(&image.lists) != text(&modprobe::written(self.tree).written) => {
                "the boot image holds pciback, and another list than modprobe.d: it was not made anew".to_owned()
            }
            (Some(_), _) => "the boot image holds pciback, and the list of modprobe.d".to_owned(),
            (None, Known::Unreadable(obstacle)) => {
                format!("the boot image cannot be read ({}): it is taken to be made of these files", obstacle.why)
            }
            (None, _) => "the boot image is not there to be read: it is taken to be made of these files".to_owned(),
        }
    }

    /// The drivers of devices that a boot image holds, and that come first by it.
    fn drivers_in(&self, image: &Image) -> String {
        let devices = self.host.devices.is().into_iter().flat_map(|devices| devices.values());
        let module = |device: &Device| match device.linkage.is() {
            Some(Linkage::Module(name)) => Some(name.replace('-', "_")),
            Some(Linkage::BuiltIn) | None => None,
        };
        let names: BTreeSet<String> = devices.filter_map(module).filter(|name| image.modules.contains(name)).collect();
        if names.is_empty() {
            return String::new();
        }
        format!(", and {}, which come first", super::super::facts::some_of(&names.iter().collect::<Vec<_>>()))
    }

    /// Network controllers, all of which the hook of Qubes' boot image takes, and those among them that it did not keep this time.
    fn network(&self) -> (BTreeSet<Address>, BTreeSet<Address>) {
        let is_qubes = self.host.distribution == Distribution::Qubes;
        let devices = self.host.devices.is().into_iter().flatten().filter(|_| is_qubes);
        let all = devices.filter(|(_, device)| device.class.is().is_some_and(|class| qubes::takes_unlisted(*class)));
        let is_lost = |(_, device): &(&Address, &Device)| device.driver.is().is_some_and(|driver| driver != PCIBACK);
        let (lost, taken): (Vec<_>, Vec<_>) = all.partition(is_lost);
        let names = |devices: Vec<(&Address, &Device)>| devices.into_iter().map(|(address, _)| *address).collect();
        (names(taken), names(lost))
    }

    /// Lists that a platform's own program takes from other drivers: Qubes' in the boot image, SUSE's later.
    fn own_lists(&self, grammar: Grammar) -> Vec<(BTreeSet<Address>, Fate)> {
        let names = |said: Said| -> BTreeSet<Address> {
            let lists = said.written.iter().map(|list| list.read(grammar)).collect::<Vec<_>>();
            lists.iter().flat_map(hide::HideList::in_force).flat_map(|entry| entry.pattern.addresses()).collect()
        };
        let later = "the service of /etc/sysconfig/pciback takes it later, if it is enabled".to_owned();
        let mut next = self.tree.clone();
        if let NextLine::Known(line, _) = self.line {
            next.insert("proc/cmdline", crate::tree::Node::File(line.clone()));
        }
        let (network, lost) = self.network();
        let not_kept = "the hook of Qubes' boot image takes network controllers, and another driver has this one now";
        let qubes_list =
            Said { written: qubes::written(&next).written.pop().into_iter().collect(), ..Said::nothing(Source::Qubes) };
        vec![
            (late_service::taken(self.tree), Fate::Seized),
            (names(qubes_list), Fate::Seized),
            (network, Fate::Seized),
            (lost, Fate::Doubt(not_kept.to_owned())),
            (names(sysconfig::written(self.tree)), Fate::Doubt(later)),
        ]
    }

    /// A device that the list names.
    fn fate(&self, device: &Device) -> Fate {
        if self.is_built_in() {
            return Fate::Seized;
        }
        if device.is_bridge() && device.driver.is().is_none_or(|driver| driver != PCIBACK) {
            return Fate::AsNow;
        }
        match (&device.driver, &device.linkage) {
            (Known::Unreadable(obstacle), _) => Fate::Doubt(obstacle.why.clone()),
            (Known::Absent, _) if self.loading.is_loaded() => Fate::Seized,
            (Known::Absent, _) => Fate::Unbound,
            (Known::Is(driver), _) if driver == PCIBACK => self.again(),
            (Known::Is(driver), Known::Is(Linkage::BuiltIn)) => Fate::Held(driver.clone()),
            (Known::Is(driver), Known::Is(Linkage::Module(module))) => self.against(driver, module),
            (Known::Is(driver), Known::Absent | Known::Unreadable(_)) => self.against(driver, driver),
        }
    }

    /// A device that pciback has now: nothing says which driver it had to come before. Soft dependencies do not make pciback come
    /// later than it came this time.
    fn again(&self) -> Fate {
        if self.loading.first.is_some() {
            return Fate::Seized;
        }
        let mut before = self.loading.before.keys().peekable();
        if self.loading.maker == Maker::InitramfsTools
            && before.peek().is_some()
            && before.all(|name| heeds_softdep(name))
        {
            return Fate::Seized;
        }
        Fate::Doubt(
            "pciback has it now; whether it comes before the device's driver at the next boot cannot be told"
                .to_owned(),
        )
    }

    /// Whether pciback comes before a module.
    fn against(&self, driver: &str, module: &str) -> Fate {
        let name = module.replace('-', "_");
        let softdep = self.loading.before.contains_key(&name);
        let by_command = self.loading.by_command.contains_key(&name);
        // What the boot image does not hold was taken back when it was read.
        if self.loading.first.is_some() || (by_command && self.loading.image.is_some()) {
            return Fate::Seized;
        }
        match (softdep, self.loading.maker) {
            (true, Maker::InitramfsTools) if heeds_softdep(module) => Fate::Seized,
            // Behind the boot image modprobe itself loads the one before the other.
            (true, _) if self.loading.is_behind_image(&name) => Fate::Seized,
            (true, _) => Fate::Doubt(format!(
                "pciback is a soft dependency of {module}; whether that holds in the boot image cannot be told"
            )),
            (false, _) if by_command => Fate::Doubt(format!(
                "modprobe has a command that loads pciback before {module}; whether the boot image holds both cannot be told"
            )),
            (false, _) if self.loading.in_image.is_some() => {
                Fate::Doubt(format!("the boot image has pciback; whether it comes before {module} cannot be told"))
            }
            (false, _) => Fate::Held(driver.to_owned()),
        }
    }
}

/// A device that the list does not name, or that pciback is not offered.
fn without_pciback(device: &Device) -> Fate {
    match &device.driver {
        Known::Is(driver) if driver == PCIBACK => Fate::Held(SOME_DRIVER.to_owned()),
        Known::Is(_) | Known::Absent | Known::Unreadable(_) => Fate::AsNow,
    }
}
