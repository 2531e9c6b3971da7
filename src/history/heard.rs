//! What records say, before anything is kept of it.

use std::borrow::Cow;

use crate::event::{Event, Fact, Said};
use crate::record::{Record, Stamp};

/// What a record says, of which a fact is made only to keep it.
#[derive(Debug)]
pub(super) enum Heard<'a> {
    Fact(&'a Fact),
    Said(&'a Record<'a>, &'a Said),
}

impl Heard<'_> {
    pub(super) const fn event(&self) -> &Event {
        match self {
            Self::Fact(Fact { event, .. }) | Self::Said(_, Said { event, .. }) => event,
        }
    }

    pub(super) const fn stamp(&self) -> &Stamp {
        match self {
            Self::Fact(Fact { stamp, .. }) | Self::Said(Record { stamp, .. }, _) => stamp,
        }
    }

    pub(super) fn fact(&self) -> Fact {
        match self {
            Self::Fact(fact) => Fact::clone(fact),
            Self::Said(record, said) => Fact::of(record, Said::clone(said)),
        }
    }
}

/// How often something was heard, and the last of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Last {
    pub(super) number: u64,
    last: Option<(Record<'static>, Said)>,
}

impl Last {
    /// Notes what a record says, in the place of the one before: a log without end says something all the time.
    pub(super) fn note(&mut self, record: &Record<'_>, said: &Said) {
        self.number += 1;
        let text = self.last.take().map(|(record, _)| record.message.into_owned());
        let mut text = text.unwrap_or_default();
        text.clear();
        text.extend_from_slice(&record.message);
        let program = record.identifier.as_deref().filter(|name| *name != b"kernel");
        let Record { place, stamp, level, author, boot_id, device, .. } = *record;
        let last = Record {
            place,
            stamp,
            level,
            author,
            identifier: program.map(|name| Cow::Owned(name.to_vec())),
            boot_id,
            device,
            hostname: None,
            message: Cow::Owned(text),
        };
        self.last = Some((last, said.clone()));
    }

    pub(super) fn fact(&self) -> Option<Fact> {
        self.last.as_ref().map(|(record, said)| Fact::of(record, said.clone()))
    }
}
