//! What happened in a boot, one after the other.

use std::sync::Arc;

use crate::event::Fact;
use crate::history::Chronicle;
use crate::record::{Gap, Record, Stamp};

/// A fact, or a place where facts may be missing.
#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    /// Something happened.
    Fact(Arc<Fact>),
    /// Records are missing, or could not be read.
    Gap {
        /// Where, and how many.
        gap: Gap,
        /// Time of the first record behind it.
        stamp: Stamp,
    },
}

impl Moment {
    /// When it happened.
    pub fn stamp(&self) -> &Stamp {
        match self {
            Self::Fact(fact) => &fact.stamp,
            Self::Gap { stamp, .. } => stamp,
        }
    }
}

/// Has a chronicle take a fact or a gap.
pub(super) fn tell(past: &mut Chronicle, moment: &Moment) {
    match moment {
        Moment::Fact(fact) => past.fact(fact),
        Moment::Gap { gap, .. } => past.gap(gap),
    }
}

/// The text of a record, made once for all facts of it.
#[derive(Debug, Default)]
pub(super) struct Text(Option<Arc<[u8]>>);

impl Text {
    pub(super) fn of(&mut self, record: &Record<'_>) -> Arc<[u8]> {
        Arc::clone(self.0.get_or_insert_with(|| record.message.as_ref().into()))
    }
}
