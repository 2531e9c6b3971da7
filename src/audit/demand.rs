//! The demand: which list is in force, and which devices it asks for on this host.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::{Asked, Case};
use crate::event::{Event, WRAPPED};
use crate::history::{Driver, History};
use crate::host::{Device, Devices, Host, LSPCI, PCIBACK};
use crate::pci::{Address, KernelVersion, Pattern};
use crate::report::{Entry as EntryReport, Request};
use crate::request::hide::{self, Grammar, HideList};
use crate::request::policy::PolicyDevice as Expected;
use crate::request::{Location, Said, Source, Written, argument, find, guests, logged, qubes, slots};
use crate::timeline::LONGEST_LINE;
use crate::tree::{Known, Obstacle, Tree};

/// What is asked for.
pub(super) struct Demand {
    /// The list in force; `None` with `--device` or `--policy`, or where no place holds one.
    pub list: Option<(Written, HideList)>,
    /// Every place that was looked at, in order.
    pub places: Vec<Said>,
    /// Every entry of it, for the report.
    pub request: Request,
    /// Every device asked for.
    pub wanted: BTreeMap<Address, Want>,
    /// Those of them behind which another one is.
    pub bridges: BTreeSet<Address>,
    /// Wildcards that match nothing.
    pub empty: Vec<String>,
    /// Addresses that only pciback's `slots` names, and that do not exist: what is left of a wildcard.
    pub remains: Vec<Address>,
    /// Whether more devices may be asked for than can be seen: a wildcard, judged by an incomplete log alone.
    pub open: bool,
    /// The grammar that lists were read by.
    pub grammar: Grammar,
    /// Whether the module is called `pciback`, so that its older key counts.
    classic: bool,
    /// What each place names, once somebody asks.
    named: OnceCell<Vec<(Source, Vec<Pattern>)>>,
}

/// Why a device is asked for.
#[derive(Clone, Debug)]
pub(super) struct Want {
    /// The entry, as written.
    pub entry: String,
    /// The bridge that the entry names, where the device is behind one.
    pub behind: Option<Address>,
}

impl Demand {
    /// Without a host, the log alone says which devices there are: all of them, if it is complete.
    pub(super) fn of(case: &Case, host: Option<&Host>, complete: bool, history: &History, grammar: Grammar) -> Self {
        let places = places(case.tree.as_ref(), host, history);
        let mut demand = Self {
            list: None,
            places,
            request: Request::default(),
            wanted: BTreeMap::new(),
            bridges: BTreeSet::new(),
            empty: Vec::new(),
            remains: Vec::new(),
            open: false,
            grammar,
            classic: host.is_some_and(|host| host.modules.pciback() == PCIBACK),
            named: OnceCell::new(),
        };
        let entries = match &case.asked {
            Asked::Devices(addresses) => {
                demand.devices(addresses.iter().map(|address| (*address, Source::Argument, None)))
            }
            Asked::Policy(policy) => {
                let at = |device: &Expected| (device.address, Source::Policy, Some(policy.at(device.line)));
                demand.devices(policy.devices.iter().map(at))
            }
            Asked::List(list) => demand.take(argument::written(list)),
            Asked::Found { from: Some(Source::Guests) } => demand.of_guests(case.tree.as_ref(), host),
            Asked::Found { from } => {
                let kernel = host.and_then(Host::kernel).or(case.options.kernel);
                if let Some(written) = demand.choose(*from, kernel) {
                    demand.take(written)
                } else {
                    demand.count_unseen(*from);
                    demand.refused(&history.driver)
                }
            }
        };
        let devices = host.and_then(|host| host.devices.is());
        // A text of `lspci` that was named may be of some devices only.
        let complete = host.map_or(complete, |host| devices.is_some() && host.lspci.as_deref() != Some(LSPCI));
        let seen = KnownDevices { devices, history, complete };
        for (text, pattern) in entries {
            demand.want(&text, pattern, &seen);
        }
        demand
    }

    /// Whether a place other than the one in force names `address`.
    pub(super) fn is_named_somewhere(&self, address: Address) -> bool {
        self.named_by(address).is_some()
    }

    /// The first kind of place that names `address`.
    pub(super) fn named_by(&self, address: Address) -> Option<Source> {
        let read = |said: &Said| {
            let lists = said.written.iter().map(|written| written.read(self.grammar));
            (said.source, lists.flat_map(|list| list.entries).map(|entry| entry.pattern).collect())
        };
        let named = self.named.get_or_init(|| self.places.iter().map(read).collect());
        let matches = |(_, patterns): &&(Source, Vec<Pattern>)| patterns.iter().any(|pattern| pattern.matches(address));
        named.iter().find(matches).map(|(source, _)| *source)
    }

    /// The last list of a place that its reader takes, also where another place is in force.
    pub(super) fn effective(&self, source: Source) -> Option<&Written> {
        let said = self.places.iter().find(|said| said.source == source)?;
        said.written.iter().rfind(|written| written.is_read(self.classic)).filter(|written| !written.text.is_empty())
    }

    /// The place and source of the list in force.
    pub(super) fn source(&self) -> Option<Source> {
        self.list.as_ref().map(|(written, _)| written.source)
    }

    /// Takes single devices, each with the place that names it.
    fn devices(&mut self, named: impl Iterator<Item = (Address, Source, Option<Location>)>) -> Vec<(String, Pattern)> {
        self.request.accepted = true;
        let mut entries = Vec::new();
        for (address, source, location) in named {
            let (text, addresses) = (address.to_string(), vec![address]);
            entries.push((text.clone(), Pattern::from(address)));
            self.request.entries.push(EntryReport { text, source, location, addresses });
        }
        entries
    }

    /// Takes what the configurations of guests name.
    fn of_guests(&mut self, tree: Option<&Tree>, host: Option<&Host>) -> Vec<(String, Pattern)> {
        let devices = host.and_then(|host| host.devices.is());
        let exists = |address| devices.is_some_and(|devices| devices.contains_key(&address));
        let (mut said, locations) = guests::wanted(tree.unwrap_or(&Tree::default()), &exists);
        let written = said.written.pop();
        self.places.push(said);
        let Some(written) = written else {
            self.count_unseen(Some(Source::Guests));
            return Vec::new();
        };
        let entries = self.take(written);
        for (entry, location) in self.request.entries.iter_mut().zip(locations) {
            entry.location = Some(location);
        }
        entries
    }

    /// The first place that holds a list. In one place the last list wins, as in the kernel.
    fn choose(&self, from: Option<Source>, kernel: Option<KernelVersion>) -> Option<Written> {
        let classic = kernel.is_some_and(KernelVersion::may_have_classic_module_name);
        let counts = |written: &&Written| written.effective || classic;
        let last = |said: &Said| {
            let effective = said.written.iter().rfind(counts);
            effective.or_else(|| said.written.last()).filter(|written| !written.text.is_empty()).cloned()
        };
        self.places.iter().filter(|said| from.is_none_or(|from| said.source == from)).find_map(last)
    }

    /// That there is no list is known only where every place that was to be looked at was seen.
    fn count_unseen(&mut self, from: Option<Source>) {
        for said in self.places.iter_mut().filter(|said| from.is_none_or(|from| said.source == from)) {
            said.obstacles.append(&mut said.unseen);
        }
    }

    /// Takes a list as the one in force, and returns the entries to judge by.
    fn take(&mut self, written: Written) -> Vec<(String, Pattern)> {
        let list = written.read(self.grammar);
        self.request.accepted = list.accepted();
        let entries = self.enter(&list, &written);
        self.list = Some((written, list));
        entries
    }

    /// What can be read of the list that the kernel refused, where no place holds one any more.
    fn refused(&mut self, driver: &Driver) -> Vec<(String, Pattern)> {
        let Driver::Refused(fact) = driver else { return Vec::new() };
        let Event::ListRefused { rest } = &fact.event else { return Vec::new() };
        let written = Written { source: Source::Log, ..argument::written(rest) };
        self.enter(&hide::read(rest, self.grammar), &written)
    }

    fn enter(&mut self, list: &HideList, written: &Written) -> Vec<(String, Pattern)> {
        let report = |entry: &hide::Entry| EntryReport {
            text: list.quote(&entry.text),
            source: written.source,
            location: written.location.clone(),
            addresses: entry.pattern.addresses().collect(),
        };
        self.request.entries = list.entries.iter().map(report).collect();
        list.entries.iter().map(|entry| (list.quote(&entry.text), entry.pattern)).collect()
    }

    fn want(&mut self, text: &str, pattern: Pattern, seen: &KnownDevices<'_>) {
        let found: Vec<Address> = if pattern.is_wildcard() {
            self.open |= !seen.complete;
            let found: Vec<Address> = seen.all().filter(|address| pattern.matches(*address)).collect();
            if found.is_empty() && seen.complete {
                self.empty.push(text.to_owned());
            }
            found
        } else {
            let mut named: Vec<Address> = pattern.addresses().collect();
            if let Some(devices) = seen.devices.filter(|_| self.source() == Some(Source::Slots)) {
                self.remains.extend(named.iter().filter(|address| !devices.contains_key(address)));
                named.retain(|address| devices.contains_key(address));
            }
            named
        };
        for address in found {
            if !pattern.is_wildcard() && seen.is_empty_bridge(address) {
                self.empty.push(text.to_owned());
            }
            self.wanted.entry(address).or_insert_with(|| Want { entry: text.to_owned(), behind: None });
            for behind in seen.behind(address) {
                self.wanted.entry(behind).or_insert_with(|| {
                    self.bridges.insert(address);
                    Want { entry: text.to_owned(), behind: Some(address) }
                });
            }
        }
    }
}

/// What devices there are, by the host or by the log.
struct KnownDevices<'a> {
    devices: Option<&'a Devices>,
    history: &'a History,
    /// Whether there can be no others: the host lists all there are, and so does the log of a whole boot.
    complete: bool,
}

impl KnownDevices<'_> {
    fn all(&self) -> impl Iterator<Item = Address> {
        let logged = self.history.found.iter().chain(self.history.trails.keys()).filter(|_| self.devices.is_none());
        self.devices.into_iter().flat_map(|devices| devices.keys()).chain(logged).copied()
    }

    /// A bridge that another driver has, with nothing behind it that could be asked for.
    fn is_empty_bridge(&self, address: Address) -> bool {
        let device = self.devices.and_then(|devices| devices.get(&address));
        let left_alone = |device: &Device| device.driver.is().is_none_or(|driver| driver != PCIBACK);
        device.is_some_and(|device| device.is_bridge() && left_alone(device)) && self.behind(address).is_empty()
    }

    fn behind(&self, bridge: Address) -> Vec<Address> {
        match self.devices {
            Some(devices) if devices.get(&bridge).is_some_and(Device::is_bridge) => {
                let behind = devices.iter().filter(|(_, device)| device.bridges.contains(&bridge));
                behind.map(|(address, _)| *address).collect()
            }
            None if self.history.bridges.contains_key(&bridge) => {
                self.all().filter(|address| self.history.is_behind(*address, bridge)).collect()
            }
            Some(_) | None => Vec::new(),
        }
    }
}

/// Every place where a list can stand, in the order in which they are asked.
fn places(tree: Option<&Tree>, host: Option<&Host>, history: &History) -> Vec<Said> {
    let mut places = tree.map(find).unwrap_or_default();
    let mut by_slots = Said::nothing(Source::Slots);
    match host.and_then(|host| host.pciback.is()).map(|pciback| &pciback.slots) {
        Some(Known::Is(page)) if !page.addresses.is_empty() => {
            by_slots.written.push(slots::written(&page.addresses.iter().copied().collect::<Vec<_>>()));
        }
        Some(Known::Unreadable(obstacle)) => by_slots.obstacles.push(obstacle.clone()),
        _ => {}
    }
    let mut by_log = Said::nothing(Source::Log);
    let command_line = places.iter_mut().find(|said| said.source == Source::CommandLine);
    let unseen = command_line.as_ref().is_none_or(|said| !said.unseen.is_empty());
    match history.command_line.as_ref().map(|fact| (&fact.event, fact.text.len())) {
        Some((Event::CommandLine { text }, ..LONGEST_LINE)) if !text.ends_with(WRAPPED) => {
            by_log.written = logged::written(text);
            // The log says what the file would.
            if let Some(said) = command_line {
                said.unseen.clear();
            }
            if unseen {
                places.retain(|said| said.source != Source::Qubes);
                places.push(qubes::in_line(text, tree.unwrap_or(&Tree::default()), None));
            }
        }
        Some(_) if unseen => {
            let why = "its \"Command line:\" record is as long as printk's limit, or is not the last, and may be cut";
            by_log.not_seen("proc/cmdline", why);
        }
        None if unseen && history.earlier_line.is_some() => {
            let why = "the log begins behind this boot's own command line: the list is that of the boot before";
            by_log.obstacles.push(Obstacle { path: "proc/cmdline".to_owned(), why: why.to_owned() });
            if let Some(Event::CommandLine { text }) = history.earlier_line.as_ref().map(|fact| &fact.event) {
                by_log.written = logged::written(text);
            }
        }
        None if unseen => {
            by_log.not_seen("proc/cmdline", "the log does not hold it: there is no \"Command line:\" record");
        }
        Some(_) | None => {}
    }
    places.extend([by_slots, by_log]);
    places
}
