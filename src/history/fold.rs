//! The one pass over the facts of a boot.

use super::{Driver, History};
use crate::event::{Event, Fact};
use crate::pci::Address;
use crate::record::Stamp;
use crate::timeline::{Moment, Story, between};

/// How far apart two seizing lines of one load can be, and the last of them and its `backend is`: they are printed
/// within milliseconds, and logs without fractions of a second round.
const RUN: i64 = 1_000_000;

pub(super) fn fold(story: &Story) -> History {
    let mut fold = Fold { history: History::default(), lines: Vec::new(), ends: 0, has_start: story.has_banner() };
    for moment in &story.moments {
        match moment {
            Moment::Fact(fact) => fold.fact(fact),
            Moment::Gap { .. } => fold.gap(),
        }
    }
    fold.finish(&story.end, story.timed);
    fold.history
}

/// A fact that bears on where a load begins.
struct Line<'a> {
    fact: &'a Fact,
    order: usize,
}

struct Fold<'a> {
    history: History,
    /// The facts about devices since the last load ended.
    lines: Vec<Line<'a>>,
    /// How many loads have ended, or may have.
    ends: usize,
    /// Whether the log holds the start of the boot, so that there was no load before the first one seen.
    has_start: bool,
}

impl<'a> Fold<'a> {
    fn fact(&mut self, fact: &'a Fact) {
        let order = fact_order(&self.lines, self.ends);
        match &fact.event {
            Event::CommandLine { .. } => {
                self.history.command_line.get_or_insert_with(|| fact.clone());
            }
            Event::ParameterRefused { .. } => self.history.parameters.push(fact.clone()),
            Event::Bridge { address, buses } => {
                self.history.bridges.insert(*address, *buses);
            }
            Event::Found { address } => self.found(*address),
            Event::BackendReady => self.ready(fact),
            Event::ListRefused { .. } => {
                self.end_load(usize::MAX);
                self.history.driver = Driver::Refused(fact.clone());
            }
            Event::Seizing { .. }
            | Event::Refused { .. }
            | Event::Failed { .. }
            | Event::SettingUp { .. }
            | Event::Assigned { .. }
            | Event::AssignFailed { .. }
            | Event::RemovedInUse { .. } => {
                self.device(fact, order);
                self.lines.push(Line { fact, order });
            }
            // Other drivers speak whenever they like: that breaks no run. Unknown words of pciback may say that it lost it.
            Event::HeldBy { .. } | Event::Unrecognised { .. } => self.device(fact, order),
            Event::Booted { .. } | Event::Noted { .. } | Event::Quoted { .. } | Event::Remark => {}
        }
    }

    fn device(&mut self, fact: &Fact, order: usize) {
        let Some(address) = fact.event.address() else { return };
        let trail = self.history.trails.entry(address).or_default();
        match &fact.event {
            Event::Seizing { .. } => {
                trail.seize(fact, order);
                if !matches!(self.history.driver, Driver::Ready(_)) {
                    self.history.driver = Driver::Loading;
                }
            }
            Event::Failed { .. } | Event::Refused { .. } => {
                if trail.seizing.is_none() {
                    trail.order = order;
                }
                trail.trouble = Some(fact.clone());
            }
            Event::RemovedInUse { .. } => trail.taken = Some(fact.clone()),
            Event::HeldBy { .. } => {
                trail.held = Some(fact.clone());
                if trail.seizing.is_some() {
                    trail.taken = Some(fact.clone());
                }
            }
            Event::Assigned { domid: Some(domid), .. } => trail.guest = Some((*domid, fact.clone())),
            // pciback does not have it, or another guest does: the record cannot tell which.
            Event::AssignFailed { .. } => trail.unsure |= trail.guest.is_none(),
            Event::Unrecognised { .. } => trail.unsure = true,
            Event::SettingUp { .. }
            | Event::Assigned { domid: None, .. }
            | Event::Booted { .. }
            | Event::CommandLine { .. }
            | Event::Found { .. }
            | Event::Bridge { .. }
            | Event::ListRefused { .. }
            | Event::ParameterRefused { .. }
            | Event::BackendReady
            | Event::Noted { .. }
            | Event::Quoted { .. }
            | Event::Remark => {}
        }
    }

    /// A device that the PCI core finds again was unplugged in between: what held it then holds it no more.
    fn found(&mut self, address: Address) {
        self.history.found.insert(address);
        if let Some(trail) = self.history.trails.get_mut(&address) {
            trail.unsure = true;
        }
    }

    fn gap(&mut self) {
        self.history.gap = true;
        self.has_start = false;
        // The end of a load may be among what is missing.
        self.ends += 1;
        for trail in self.history.trails.values_mut() {
            trail.unsure = true;
        }
    }

    /// `backend is`: the batch behind it is this load's, everything before that an earlier one's.
    fn ready(&mut self, fact: &Fact) {
        let seized = self.lines.iter().any(|line| matches!(line.fact.event, Event::Seizing { .. }));
        if matches!(self.history.driver, Driver::Refused(_)) && !seized {
            // A built-in driver says so even when its list was refused.
            return;
        }
        let first = self.ends == 0 && self.has_start;
        let (from, doubtful) = if first { (0, false) } else { self.batch(&fact.stamp) };
        self.end_load(from);
        if !first {
            self.outdate();
        }
        for trail in self.history.trails.values_mut().filter(|trail| trail.seizing.is_some()) {
            trail.doubtful |= doubtful;
            trail.over = true;
        }
        self.history.driver = Driver::Ready(fact.clone());
    }

    /// Where the run of seizing lines before `end` begins, and whether it may be something else: devices bound at run
    /// time just before the module was loaded again.
    fn batch(&self, end: &Stamp) -> (usize, bool) {
        let mut from = usize::MAX;
        let mut next: Option<&Fact> = None;
        let mut near = true;
        for line in self.lines.iter().rev() {
            let (Event::Seizing { address } | Event::Refused { address }) = &line.fact.event else {
                // Behind the run stands its set-up; between two seizing lines of one load stands nothing.
                if next.is_none() {
                    continue;
                }
                break;
            };
            let apart = between(&line.fact.stamp, next.map_or(end, |next| &next.stamp));
            let in_order = next.and_then(|next| next.event.address()).is_none_or(|next| *address < next);
            let close = apart.is_none_or(|apart| apart <= RUN);
            if next.is_some() && !(in_order && close) {
                break;
            }
            near &= apart.is_some_and(|apart| apart <= RUN);
            from = line.order;
            next = Some(line.fact);
        }
        (from, !near && self.ends > 0)
    }

    /// Ends the load before the fact number `from`.
    fn end_load(&mut self, from: usize) {
        for trail in self.history.trails.values_mut().filter(|trail| trail.order < from) {
            let stale = trail.age();
            if stale > 0 {
                self.history.stale.0 += stale;
                self.history.stale.1.clone_from(&trail.earlier);
            }
        }
        self.ends += 1;
        self.lines.clear();
    }

    /// What a device's records said before this load seized it again was of an earlier one.
    fn outdate(&mut self) {
        for trail in self.history.trails.values_mut().filter(|trail| trail.replaced > 0) {
            self.history.stale.0 += std::mem::take(&mut trail.replaced);
            self.history.stale.1.clone_from(&trail.earlier);
        }
    }

    fn finish(&mut self, end: &Stamp, timed: bool) {
        let settled = |fact: &Fact| match between(&fact.stamp, end) {
            Some(behind) => behind >= RUN,
            None => !timed,
        };
        let mut fresh: Option<usize> = None;
        for trail in self.history.trails.values_mut() {
            if let Some(seizing) = &trail.seizing
                && !trail.over
            {
                trail.over = settled(seizing);
                if !trail.over {
                    fresh = Some(fresh.map_or(trail.order, |order| order.min(trail.order)));
                }
            }
        }
        // A log that ends just behind a seizing line may end inside a new load, which the older ones would not survive.
        for trail in self.history.trails.values_mut() {
            trail.doubtful |= fresh.is_some_and(|order| trail.order < order);
        }
    }
}

fn fact_order(lines: &[Line<'_>], ends: usize) -> usize {
    // Orders of one load follow each other; those of a later load are all higher.
    lines.last().map_or(ends << 32, |line| line.order + 1)
}
