//! What records say, before anything is kept of it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::event::{Event, Fact, Said};
use crate::record::{BootId, Place, Record, Stamp};

/// What a record says, of which a fact is made only to keep it.
#[derive(Debug)]
pub(super) struct Observation<'a> {
    pub(super) event: &'a Event,
    pub(super) stamp: &'a Stamp,
    from: From<'a>,
}

/// What a fact is made of.
#[derive(Debug)]
enum From<'a> {
    Fact(&'a Arc<Fact>),
    Said(&'a Record<'a>, &'a Said),
}

impl<'a> Observation<'a> {
    pub(super) fn fact_of(fact: &'a Arc<Fact>) -> Self {
        Self { event: &fact.event, stamp: &fact.stamp, from: From::Fact(fact) }
    }

    pub(super) const fn said_by(record: &'a Record<'a>, said: &'a Said) -> Self {
        Self { event: &said.event, stamp: &record.stamp, from: From::Said(record, said) }
    }

    pub(super) fn fact(&self) -> Arc<Fact> {
        match self.from {
            From::Fact(fact) => Arc::clone(fact),
            From::Said(record, said) => Arc::new(Fact::of(record, said.clone())),
        }
    }
}

/// The last that was heard: what a fact is made of, if anybody asks for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Last {
    place: Place,
    stamp: Stamp,
    boot_id: Option<BootId>,
    program: Option<Vec<u8>>,
    text: Vec<u8>,
    said: Option<Said>,
}

impl Last {
    /// Notes what a record says, in the place of the one before: a log without end says something all the time.
    pub(super) fn note(&mut self, record: &Record<'_>, said: &Said) {
        self.place = record.place;
        self.stamp = record.stamp;
        self.boot_id = record.boot_id;
        self.program = record.program().map(<[u8]>::to_vec);
        self.text.clear();
        self.text.extend_from_slice(&record.message);
        self.said = Some(said.clone());
    }

    pub(super) fn fact(&self) -> Option<Arc<Fact>> {
        let identifier = self.program.as_deref().map(Cow::Borrowed);
        let Self { place, stamp, boot_id, .. } = *self;
        let record = Record { stamp, identifier, boot_id, ..Record::bare(place, &self.text) };
        self.said.clone().map(|said| Arc::new(Fact::of(&record, said)))
    }
}
