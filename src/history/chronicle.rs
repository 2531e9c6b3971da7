//! The one pass over the facts of a boot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::line;
use super::observation::{Last, Observation};
use super::{Driver, Gaps, History, Trail};
use crate::event::{Event, Fact, Hold, Said};
use crate::pci::Address;
use crate::record::{Gap, Record, Stamp, between};

/// How far apart two seizing lines of one load can be, and the last of them and its `backend is`: they are printed
/// within milliseconds, and logs without fractions of a second round.
pub(super) const RUN: i64 = 1_000_000;

/// How many refused parameters are kept; only the last one is ever shown.
const PARAMETERS_KEPT: usize = 8;

/// How many devices of a boot are told apart: as many as one PCI segment has. The rest is counted.
pub(super) const MOST_DEVICES: usize = 1 << 16;

/// About how many bytes of records about devices are kept: of so many devices a short record each.
const MOST_BYTES: usize = 18 << 20;

/// What the facts of one boot come to so far: takes each once, in order, and keeps no more than the host has devices,
/// however many come.
#[derive(Clone, Debug, Default)]
pub struct Chronicle {
    /// What is known of the boot but for its devices.
    history: History,
    trails: BTreeMap<Address, Trail>,
    /// The last run of seizing lines since the last load ended.
    run: Option<Run>,
    /// Whether a device was seized since the last load ended.
    seized: bool,
    /// Position of the last fact about a device since the last load ended.
    order: Option<usize>,
    /// How many loads have ended, or may have.
    ends: usize,
    /// Whether the log holds the start of the boot, so that there was no load before the first one seen.
    has_start: bool,
    /// How many records said something about pciback.
    heard: u64,
    /// The last of these, where somebody may ask for it.
    last: Option<Last>,
    /// The devices that records of pciback since the last load's beginning are about.
    live: BTreeSet<Address>,
    /// About so many bytes the records take that the trails keep.
    kept: usize,
}

/// Seizing lines of which each follows the one before it as those of one load do.
#[derive(Clone, Debug)]
struct Run {
    /// Position of the first.
    from: usize,
    /// The last.
    address: Address,
    stamp: Stamp,
    /// Whether all are known to be less than [`RUN`] apart.
    near: bool,
    /// Whether another fact about a device came behind the last: between two seizing lines of one load stands nothing.
    broken: bool,
}

impl Chronicle {
    /// Of a boot whose start is known to be among the facts, wherever it comes.
    #[must_use]
    pub fn with_start(mut self, has_start: bool) -> Self {
        self.has_start |= has_start;
        self
    }

    /// The same, which keeps the last of what was heard about pciback.
    #[must_use]
    pub fn with_last(mut self) -> Self {
        self.last = Some(Last::default());
        self
    }

    /// What records said about pciback: how often, and the last of it where that is kept.
    pub fn heard(&self) -> (u64, Option<Arc<Fact>>) {
        (self.heard, self.last.as_ref().and_then(Last::fact))
    }

    /// The kernel's command line, from its own record.
    pub fn command_line(&self) -> Option<&Fact> {
        self.history.command_line.as_deref()
    }

    /// About so many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.kept + self.trails.len() * size_of::<(Address, Trail)>()
    }

    /// The places where records are missing.
    pub const fn gaps(&self) -> Gaps {
        self.history.gaps
    }

    /// The history, of a boot whose last record was made at `end`, where any record has a time (`timed`). Its trails are laid close
    /// together: a map that grew in order is half empty.
    pub fn close(&self, end: &Stamp, timed: bool) -> History {
        let trails = self.trails.iter().map(|(address, trail)| (*address, trail.clone())).collect();
        let mut history = History { trails, seizing: self.seized, ..self.history.clone() };
        history.finish(end, timed);
        history
    }

    /// Takes the next fact.
    pub fn fact(&mut self, fact: &Arc<Fact>) {
        self.tell(&Observation::fact_of(fact));
    }

    /// Takes what the next record says. Of most records nothing is kept, and no fact made.
    pub(crate) fn hear(&mut self, record: &Record<'_>, said: &Said) {
        self.tell(&Observation::said_by(record, said));
        if said.event.is_pciback() {
            self.heard += 1;
            if let Some(last) = &mut self.last {
                last.note(record, said);
            }
        }
    }

    fn tell(&mut self, heard: &Observation<'_>) {
        // Orders of one load follow each other; those of a later load are all higher.
        let order = self.order.map_or(self.ends << 32, |order| order + 1);
        match heard.event {
            Event::Booted { .. } => self.has_start |= self.ends == 0 && self.order.is_none(),
            Event::CommandLine { text } => line::take(&mut self.history.command_line, heard, text),
            Event::ParameterRefused { .. } => self.parameter(heard),
            Event::Bridge { address, buses } => self.history.find((*address, Some(*buses))),
            Event::Found { address } => self.found(*address),
            Event::BackendReady => self.ready(heard),
            Event::ListRefused { .. } => {
                self.end_load(usize::MAX);
                self.history.driver = Driver::Refused(heard.fact());
            }
            Event::Seizing { address } | Event::Refused { address } => {
                self.device(heard, order);
                self.follow(*address, heard.stamp, order);
                self.seized |= matches!(heard.event, Event::Seizing { .. });
                self.order = Some(order);
            }
            Event::Failed { .. }
            | Event::SettingUp { .. }
            | Event::Assigned { .. }
            | Event::Incident { hold: Hold::Given { .. }, .. }
            | Event::AssignFailed { .. }
            | Event::Released { .. }
            | Event::MaybeReleased { .. }
            | Event::RemovedInUse { .. } => {
                self.device(heard, order);
                if let Some(run) = &mut self.run {
                    run.broken = true;
                }
                self.order = Some(order);
            }
            // These break no run: other drivers and the PCI core speak whenever they like.
            Event::HeldBy { .. }
            | Event::Probed { .. }
            | Event::Bound { .. }
            | Event::Noted { .. }
            | Event::XenRefused { .. }
            | Event::Incident { .. }
            | Event::GuestMsiFailed { .. }
            | Event::Unrecognised { failing: false, .. } => self.device(heard, order),
            Event::Unrecognised { failing: true, .. } | Event::Damaged { .. } => {
                self.doubt(heard);
                self.device(heard, order);
            }
            Event::NotDom0 { .. }
            | Event::Frontend { .. }
            | Event::BootEnds
            | Event::UserSpaceUp
            | Event::Quoted { .. }
            | Event::Remark => {}
        }
    }

    /// A record that may be about any device, as long as it names none.
    fn doubt(&mut self, heard: &Observation<'_>) {
        if heard.event.address().is_none() {
            self.history.damaged.get_or_insert_with(|| heard.fact());
        }
    }

    fn parameter(&mut self, heard: &Observation<'_>) {
        if self.history.parameters.len() == PARAMETERS_KEPT {
            self.history.parameters.remove(0);
        }
        self.history.parameters.push(heard.fact());
    }

    /// Takes what is said of a device, as long as there is room for it. Past that nothing is known of the device.
    fn device(&mut self, heard: &Observation<'_>, order: usize) {
        self.kept += self.history.unrecognised.hear(heard);
        let Some(address) = heard.event.address() else { return self.history.incidents.note_guest(heard) };
        let trails = &mut self.trails;
        let known = trails.get(&address).map(Trail::weight);
        let is_full = self.kept >= MOST_BYTES;
        if is_full || (known.is_none() && trails.len() >= MOST_DEVICES) {
            self.history.beyond += 1;
            if let Some(trail) = trails.get_mut(&address) {
                *trail = Trail { unsure: true, ..Trail::default() };
            }
        } else {
            self.follow_device(heard, address, order);
        }
        let now = self.trails.get(&address).map_or(0, Trail::weight);
        self.kept = (self.kept + now).saturating_sub(known.unwrap_or(0));
    }

    fn follow_device(&mut self, heard: &Observation<'_>, address: Address, order: usize) {
        let Self { history, trails, live, .. } = self;
        let gaps = history.gaps.places;
        let trail = trails.entry(address).or_default();
        if !history.incidents.hear(heard, address, trail) {
            history.beyond += 1;
        }
        if heard.event.is_pciback() {
            live.insert(address);
        }
        trail.mark(heard, order, gaps);
        if matches!(heard.event, Event::Seizing { .. }) {
            history.last_seizing = Some(*heard.stamp);
            if !matches!(history.driver, Driver::Ready(_)) {
                history.driver = Driver::Loading;
            }
        }
    }

    /// A device that the PCI core finds again was unplugged in between: what held it then holds it no more.
    fn found(&mut self, address: Address) {
        self.history.find((address, None));
        if let Some(trail) = self.trails.get_mut(&address) {
            trail.unsure = true;
        }
    }

    /// Takes a place where records are missing.
    pub fn gap(&mut self, gap: &Gap) {
        let gaps = &mut self.history.gaps;
        gaps.places += 1;
        gaps.lost = gaps.lost.saturating_add(gap.lost.unwrap_or(0));
        gaps.uncounted |= gap.lost.is_none();
        self.has_start = false;
        // The end of a load may be among what is missing.
        self.ends += 1;
    }

    /// Puts a seizing line behind the run that it continues, or begins a new one.
    fn follow(&mut self, address: Address, stamp: &Stamp, order: usize) {
        let apart = self.run.as_ref().and_then(|run| between(&run.stamp, stamp));
        let close = apart.is_none_or(|apart| apart <= RUN);
        let known = apart.is_some_and(|apart| apart <= RUN);
        self.run = Some(match self.run.take() {
            Some(run) if !run.broken && run.address < address && close => {
                Run { address, stamp: *stamp, near: run.near && known, ..run }
            }
            _ => Run { from: order, address, stamp: *stamp, near: true, broken: false },
        });
    }

    /// `backend is`: the batch behind it is this load's, everything before that an earlier one's.
    fn ready(&mut self, heard: &Observation<'_>) {
        if matches!(self.history.driver, Driver::Refused(_)) && !self.seized {
            // A built-in driver says so even when its list was refused.
            return;
        }
        let first = self.ends == 0 && self.has_start;
        let (from, doubtful) = if first { (0, false) } else { self.batch(heard.stamp) };
        self.end_load(from);
        if !first {
            self.outdate();
        }
        let gaps = self.history.gaps.places;
        for address in &self.live {
            let Some(trail) = self.trails.get_mut(address) else { continue };
            if trail.seizing.is_some() {
                trail.doubtful |= doubtful;
                trail.over = true;
                trail.sound |= trail.gaps == gaps && !doubtful;
            }
        }
        self.history.driver = Driver::Ready(heard.fact());
    }

    /// Where the run of seizing lines before `end` begins, and whether it may be something else: devices bound at run
    /// time just before the module was loaded again.
    fn batch(&self, end: &Stamp) -> (usize, bool) {
        let Some(run) = &self.run else { return (usize::MAX, false) };
        let near = run.near && between(&run.stamp, end).is_some_and(|apart| apart <= RUN);
        (run.from, !near && self.ends > 0)
    }

    /// Ends the load before the fact number `from`.
    fn end_load(&mut self, from: usize) {
        let Self { trails, kept, history: History { stale, .. }, .. } = self;
        self.live.retain(|address| {
            let Some(trail) = trails.get_mut(address).filter(|trail| trail.order < from) else { return true };
            let before = trail.weight();
            let records = trail.age();
            *kept = (*kept + trail.weight()).saturating_sub(before);
            if records > 0 {
                stale.0 += records;
                stale.1.clone_from(&trail.earlier);
            }
            false
        });
        self.ends += 1;
        (self.run, self.seized, self.order) = (None, false, None);
    }

    /// What a device's records said before this load seized it again was of an earlier one.
    fn outdate(&mut self) {
        let Self { trails, history: History { stale, .. }, .. } = self;
        for address in &self.live {
            if let Some(trail) = trails.get_mut(address).filter(|trail| trail.replaced > 0) {
                stale.0 += std::mem::take(&mut trail.replaced);
                stale.1.clone_from(&trail.earlier);
            }
        }
    }
}
