//! What the records of this load say about one device.

use super::heard::Heard;
use crate::event::Fact;

/// What the records of this load of the module say about one device.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// Its last seizing line of this load.
    pub seizing: Option<Fact>,
    /// What went wrong with it since: a failure, or a refusal.
    pub trouble: Option<Fact>,
    /// What shows that it was lost since: another driver speaks, or pciback was unbound.
    pub taken: Option<Fact>,
    /// Its last seizing line of an earlier load.
    pub earlier: Option<Fact>,
    /// The first record of the driver that spoke about it last.
    pub held: Option<Fact>,
    /// The last guest it was given to, and the record that says so.
    pub guest: Option<(u32, Fact)>,
    /// Whether the seizing line may belong to an earlier load instead.
    pub doubtful: bool,
    /// Whether a record that contradicts the seizing line may be missing.
    pub unsure: bool,
    /// Whether its set-up had the time to fail: the load came to its end behind it, or a second went by.
    pub over: bool,
    /// How many records before its last seizing line were about it: of this load, or of the one before.
    pub(super) replaced: u64,
    /// Position of the seizing line among the facts, to tell which load it belongs to.
    pub(super) order: usize,
}

impl Trail {
    /// Whether the records prove that the device was seized by this load, and has not been lost since.
    pub const fn is_settled(&self) -> bool {
        self.seizing.is_some()
            && self.trouble.is_none()
            && self.taken.is_none()
            && self.over
            && !self.doubtful
            && !self.unsure
    }

    /// Whether this load seized it beyond doubt, whatever happened then.
    pub const fn was_seized(&self) -> bool {
        self.seizing.is_some() && self.trouble.is_none() && !self.doubtful
    }

    /// How many records say what became of it, those that a newer seizing line outdated included.
    fn records(&self) -> u64 {
        self.replaced + u64::from(self.seizing.is_some()) + u64::from(self.trouble.is_some())
    }

    pub(super) fn seize(&mut self, heard: &Heard<'_>, order: usize) {
        self.replaced = self.records();
        // A device may be seized again and again, and then the line before is the earlier one.
        if self.seizing.is_some() {
            std::mem::swap(&mut self.seizing, &mut self.earlier);
        }
        match &mut self.seizing {
            Some(spare) => heard.replace(spare),
            None => self.seizing = Some(heard.fact()),
        }
        self.trouble = None;
        self.taken = None;
        self.held = None;
        (self.doubtful, self.unsure, self.over) = (false, false, false);
        self.order = order;
    }

    /// Moves what this load was said to have done to an earlier one. Returns how many records that puts aside.
    pub(super) fn age(&mut self) -> u64 {
        let stale = self.records();
        self.replaced = 0;
        if let Some(fact) = self.seizing.take() {
            self.earlier = Some(fact);
        }
        self.trouble = None;
        self.taken = None;
        (self.doubtful, self.unsure, self.over) = (false, false, false);
        stale
    }
}
