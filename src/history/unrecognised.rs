//! What pciback says in a boot and nobody knows.

use std::sync::Arc;

use super::observation::Observation;
use crate::event::{Event, Fact};

/// How many different texts are kept.
const KEPT: usize = 4;

/// The records of pciback that are none of its known messages.
#[derive(Clone, Debug, Default)]
pub struct Unrecognised {
    /// How many.
    pub count: u64,
    /// The first of them, each text once.
    pub first: Vec<Arc<Fact>>,
}

impl Unrecognised {
    /// Takes what is one of them. Returns about so many bytes that are kept of it.
    pub(super) fn hear(&mut self, heard: &Observation<'_>) -> usize {
        if !matches!(heard.event, Event::Unrecognised { .. }) {
            return 0;
        }
        self.count = self.count.saturating_add(1);
        if self.first.len() == KEPT {
            return 0;
        }
        let fact = heard.fact();
        if self.first.iter().any(|known| known.text == fact.text) {
            return 0;
        }
        let weight = fact.weight();
        self.first.push(fact);
        weight
    }
}
