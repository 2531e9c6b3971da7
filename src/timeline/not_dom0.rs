//! What shows that a log is of no dom0.

use std::sync::Arc;

use crate::event::{Event, Fact, Frontend, Mark};

/// What shows that the kernel of a boot does not run as dom0.
#[derive(Clone, Debug, Default)]
pub struct NotDom0 {
    /// It is a guest's, or one without Xen.
    pub(super) sure: Option<Arc<Fact>>,
    /// It sets pcifront up, as a guest does that has no PCI device of its own.
    pub(super) frontend: Option<Arc<Fact>>,
    /// The PCI core found a device.
    pub(super) has_devices: bool,
}

impl NotDom0 {
    pub(super) fn note(&mut self, event: &Event, fact: impl FnOnce() -> Arc<Fact>) {
        if let Event::NotDom0 { mark } = event {
            let known = if *mark == Mark::Frontend { &mut self.frontend } else { &mut self.sure };
            known.get_or_insert_with(fact);
        } else if matches!(event, Event::Frontend { said } if !matches!(said, Frontend::Kind(_))) {
            self.sure.get_or_insert_with(fact);
        }
        self.has_devices |= matches!(event, Event::Found { .. } | Event::Bridge { .. });
    }

    /// The record that shows it.
    pub fn proof(&self) -> Option<&Fact> {
        self.sure.as_deref().or(self.frontend.as_deref().filter(|_| !self.has_devices))
    }

    /// Whether the kernel is one that PCI devices can be given to.
    pub fn has_frontend_stub(&self) -> bool {
        self.frontend.is_some()
    }

    /// Takes in what the same boot shows further on.
    pub(super) fn join(&mut self, later: Self) {
        self.sure = self.sure.take().or(later.sure);
        self.frontend = self.frontend.take().or(later.frontend);
        self.has_devices |= later.has_devices;
    }
}
