//! What the records of this load say about one device.

use std::sync::Arc;

use super::chronicle::RUN;
use super::observation::Observation;
use crate::event::{Event, Fact, Hold};
use crate::record::{Stamp, between};

/// What the records of this load of the module say about one device.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a doubt or a proof of its own")]
pub struct Trail {
    /// Its last seizing line of this load.
    pub seizing: Option<Arc<Fact>>,
    /// The last record of this load that hands it to a guest: pciback has it then, set up.
    pub exported: Option<Arc<Fact>>,
    /// What went wrong with it since: a failure, or a refusal.
    pub trouble: Option<Arc<Fact>>,
    /// What shows that it was lost since: another driver speaks, or pciback let it go.
    pub taken: Option<Arc<Fact>>,
    /// Its last seizing line of an earlier load.
    pub earlier: Option<Arc<Fact>>,
    /// The first record of the driver that spoke about it last.
    pub held: Option<Arc<Fact>>,
    /// The same of the driver that had it before this load seized it.
    pub before: Option<Arc<Fact>>,
    /// The last record that names pciback as its driver, other than the seizing line.
    pub bound: Option<Arc<Fact>>,
    /// The hypervisor did not register it.
    pub xen_refused: Option<Arc<Fact>>,
    /// The last guest it was given to, and the record that says so.
    pub guest: Option<(u32, Arc<Fact>)>,
    /// Whether the seizing line may belong to an earlier load instead.
    pub doubtful: bool,
    /// Whether a later record may mean that it is not pciback's.
    pub unsure: bool,
    /// Whether pciback may have let it go: what it printed is printed when a guest gives it back as well.
    pub maybe_released: bool,
    /// The last record that casts such a doubt.
    pub doubt: Option<Arc<Fact>>,
    /// A record of pciback about it cannot be read.
    pub damaged: Option<Arc<Fact>>,
    /// Whether its set-up had the time to fail: the load came to its end behind it, or a second went by.
    pub over: bool,
    /// Whether the load came to its end behind it with no record missing between.
    pub(super) sound: bool,
    /// Whether records are missing behind the last one that proves its state. Known when the history is closed.
    pub lossy: bool,
    /// How many places of missing records were known when its state was last proved.
    pub(super) gaps: u64,
    /// How many records before its last seizing line were about it: of this load, or of the one before.
    pub(super) replaced: u64,
    /// Position of the seizing line among the facts, to tell which load it belongs to.
    pub(super) order: usize,
}

impl Trail {
    /// Whether the records prove that the device was seized by this load, and has not been lost since.
    pub const fn is_settled(&self) -> bool {
        self.proof().is_some()
            && self.trouble.is_none()
            && self.taken.is_none()
            && self.damaged.is_none()
            && self.over
            && !self.doubtful
            && !self.unsure
            && !self.maybe_released
            && !self.lossy
    }

    /// The record that a settled device rests on.
    pub const fn proof(&self) -> Option<&Arc<Fact>> {
        match &self.seizing {
            Some(seizing) => Some(seizing),
            None => self.exported.as_ref(),
        }
    }

    /// Whether this load seized it beyond doubt, whatever happened then.
    pub const fn was_seized(&self) -> bool {
        self.proof().is_some() && self.trouble.is_none() && !self.doubtful
    }

    /// Whether the records show that pciback had it and has it no more.
    pub fn is_lost(&self) -> bool {
        let let_go = |fact: &Arc<Fact>| matches!(fact.event, Event::Released { .. } | Event::RemovedInUse { .. });
        self.taken.as_ref().is_some_and(|taken| self.was_seized() || let_go(taken))
    }

    /// How many records say what became of it, those that a newer seizing line outdated included.
    fn records(&self) -> u64 {
        self.replaced + u64::from(self.seizing.is_some()) + u64::from(self.trouble.is_some())
    }

    /// About so many bytes its facts take.
    pub(super) fn weight(&self) -> usize {
        let guest = self.guest.as_ref().map(|(_, fact)| fact);
        let facts = [&self.seizing, &self.exported, &self.trouble, &self.taken, &self.earlier, &self.held];
        let others = [&self.bound, &self.xen_refused, &self.damaged, &self.before, &self.doubt];
        facts.into_iter().chain(others).flatten().chain(guest).map(|fact| fact.weight()).sum()
    }

    /// Takes what a record says of the device.
    pub(super) fn mark(&mut self, heard: &Observation<'_>, order: usize, gaps: u64) {
        match heard.event {
            Event::Seizing { .. } => self.seize(heard, order, gaps),
            Event::Failed { .. } | Event::Refused { .. } => {
                if self.seizing.is_none() {
                    self.order = order;
                }
                self.trouble = Some(heard.fact());
            }
            Event::Released { .. } | Event::RemovedInUse { .. } => self.taken = Some(heard.fact()),
            Event::HeldBy { .. } | Event::Probed { .. } => {
                if matches!(heard.event, Event::HeldBy { .. }) {
                    self.held = Some(heard.fact());
                }
                // Who has it after a guest is still in it says less than that the guest is.
                let from_guest = |fact: &Arc<Fact>| matches!(fact.event, Event::RemovedInUse { .. });
                if self.proof().is_some() && !self.taken.as_ref().is_some_and(from_guest) {
                    self.taken = Some(heard.fact());
                }
            }
            Event::Assigned { domid, .. } => {
                self.export(heard, order, gaps);
                if let Some(domid) = domid {
                    self.guest = Some((*domid, heard.fact()));
                }
            }
            Event::Incident { hold: Hold::Given { domid }, .. } => self.give(heard, *domid, order, gaps),
            // pciback does not have it, or it was named twice, or another guest has it.
            Event::AssignFailed { .. } if self.exported.is_none() && self.guest.is_none() => self.doubt(heard),
            Event::Unrecognised { failing: true, .. } => self.doubt(heard),
            Event::MaybeReleased { .. } => {
                self.maybe_released = true;
                self.doubt = Some(heard.fact());
            }
            Event::Damaged { .. } => self.damaged = Some(heard.fact()),
            Event::XenRefused { .. } => self.xen_refused = Some(heard.fact()),
            Event::Bound { .. }
            | Event::SettingUp { .. }
            | Event::Noted { .. }
            | Event::Incident { hold: Hold::Bound, .. } => self.bind(heard, gaps),
            Event::Booted { .. }
            | Event::CommandLine { .. }
            | Event::Found { .. }
            | Event::Bridge { .. }
            | Event::Incident { hold: Hold::Unsaid, .. }
            | Event::AssignFailed { .. }
            | Event::Unrecognised { .. }
            | Event::ListRefused { .. }
            | Event::ParameterRefused { .. }
            | Event::BackendReady
            | Event::GuestMsiFailed { .. }
            | Event::NotDom0 { .. }
            | Event::Frontend { .. }
            | Event::BootEnds
            | Event::UserSpaceUp
            | Event::Quoted { .. }
            | Event::Remark => {}
        }
    }

    fn seize(&mut self, heard: &Observation<'_>, order: usize, gaps: u64) {
        self.replaced = self.records();
        if self.seizing.is_some() {
            self.earlier = self.seizing.take();
        }
        self.seizing = Some(heard.fact());
        self.before = self.held.take();
        self.clear();
        self.gaps = gaps;
        self.order = order;
    }

    /// Handed to a guest: whatever may be missing before this, pciback has it now.
    fn export(&mut self, heard: &Observation<'_>, order: usize, gaps: u64) {
        if self.proof().is_none() {
            self.order = order;
        }
        self.exported = Some(heard.fact());
        (self.trouble, self.taken, self.damaged, self.doubt) = (None, None, None, None);
        (self.doubtful, self.unsure, self.maybe_released, self.over, self.sound) = (false, false, false, true, true);
        self.gaps = gaps;
    }

    /// A guest has it. What handed it to that guest says so better.
    fn give(&mut self, heard: &Observation<'_>, domid: Option<u32>, order: usize, gaps: u64) {
        let exported = self.exported.take();
        self.export(heard, order, gaps);
        self.exported = exported.or_else(|| self.exported.take());
        if let Some(domid) = domid.filter(|domid| self.guest.as_ref().is_none_or(|(known, _)| known != domid)) {
            self.guest = Some((domid, heard.fact()));
        }
    }

    /// pciback is bound. That heals a gap if the set-up was known to have gone well before it.
    fn bind(&mut self, heard: &Observation<'_>, gaps: u64) {
        self.bound = Some(heard.fact());
        // Another driver had it in between: how pciback came by it again is not in the log.
        let others = |taken: &Arc<Fact>| matches!(taken.event, Event::HeldBy { .. } | Event::Probed { .. });
        if self.taken.as_ref().is_some_and(others) {
            (self.taken, self.unsure) = (None, true);
        }
        if self.sound {
            self.gaps = gaps;
        }
    }

    /// Moves what this load was said to have done to an earlier one. Returns how many records that puts aside.
    pub(super) fn age(&mut self) -> u64 {
        let stale = self.records();
        self.replaced = 0;
        if let Some(fact) = self.seizing.take() {
            self.earlier = Some(fact);
        }
        self.clear();
        stale
    }

    fn doubt(&mut self, heard: &Observation<'_>) {
        self.unsure = true;
        self.doubt = Some(heard.fact());
    }

    fn clear(&mut self) {
        (self.exported, self.trouble, self.taken, self.bound) = (None, None, None, None);
        (self.damaged, self.doubt) = (None, None);
        (self.doubtful, self.unsure, self.maybe_released, self.over, self.sound) = (false, false, false, false, false);
    }
}

/// Whether `later` is so long behind a seizing line that its set-up would have failed by then, if it did: by the kernel's
/// clock where both have it, else by the wall clock, which may have been set in between. Of times in whole seconds one second
/// apart is no proof: they may be a moment apart.
pub fn is_settled(seizing: &Stamp, later: &Stamp) -> bool {
    if let (Some(seizing), Some(later)) = (seizing.uptime, later.uptime) {
        return later.checked_sub(seizing).is_some_and(|apart| apart >= RUN.unsigned_abs());
    }
    let wall = |stamp: &Stamp| Stamp { uptime: None, wall: stamp.wall };
    let is_exact = |stamp: &Stamp| stamp.wall.is_some_and(|wall| wall.local.and_utc().timestamp_subsec_nanos() > 0);
    let needed = if is_exact(seizing) && is_exact(later) { RUN } else { 2 * RUN };
    between(&wall(seizing), &wall(later)).is_some_and(|apart| apart >= needed)
}
