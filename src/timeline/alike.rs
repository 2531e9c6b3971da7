//! Boots that begin at the same time by a clock that is not set, as where its battery is dead.

use std::collections::BTreeSet;

use super::JITTER;
use super::boot::Boot;
use super::identity::{Sameness, is_late};
use super::moment::Moment;
use crate::event::Said;
use crate::record::Record;

impl Boot {
    /// Whether another boot began with the banner that this one has, at the same time of a clock that begins alike with every boot: of
    /// what was said by then it repeats only what every boot says.
    pub(super) fn repeats_only_its_start(&mut self, record: &Record<'_>, heard: &[Said], banner: bool) -> bool {
        let Some(now) = record.stamp.uptime.filter(|_| self.id.is_none() && !heard.is_empty()) else { return false };
        let is_repeated = self.repeats.holds(record, heard);
        if banner {
            let falls = self.last_uptime.is_some_and(|before| now.saturating_add(JITTER) < before);
            self.repeats_start |= falls && is_repeated && self.identity.holds_instant(&record.stamp);
            return false;
        }
        let was_told = self.repeats_start && self.span.1.uptime.is_some_and(|end| now <= end);
        if was_told && is_late(now) && is_repeated {
            self.repeats_start = false;
        }
        was_told && !is_repeated && self.identity.holds_instant(&record.stamp)
    }

    /// What it said before this time of the kernel's clock that every boot says at the same time, as another boot that said it.
    pub(super) fn begun_alike(&self, until: Option<u64>) -> Self {
        let is_before = |uptime: Option<u64>| uptime < until && uptime.is_some_and(|uptime| !is_late(uptime));
        let moments = self.moments.iter().filter(|moment| is_before(moment.stamp().uptime));
        let found = self.found.iter().filter(|found| is_before(found.uptime()));
        let mut alike = Self {
            hostname: self.hostname.clone(),
            release: self.release.clone(),
            banner: self.banner,
            info: self.info,
            quiet: self.quiet,
            timed: self.timed,
            not_dom0: self.not_dom0.clone(),
            records: self.records,
            kernel_records: self.kernel_records,
            notable: self.notable,
            trusted: self.trusted,
            span: (self.span.0, self.span.0),
            moments: moments.cloned().collect(),
            found: found.copied().collect(),
            places: self.places,
            ..Self::default()
        };
        alike.identity.begun_alike(&self.identity);
        alike
    }

    /// Whether both are of one boot. Where the clock of a machine begins alike with every boot, because its battery is dead, two
    /// whole boots of the same kernel are told apart by what they say at the same times of the kernel's clock.
    pub(super) fn compare(&self, other: &Self) -> Sameness {
        let by_identity = self.identity.compare(&other.identity);
        let may_be_two = self.banner && other.banner && self.id.and(other.id).is_none();
        if by_identity == Sameness::Same && may_be_two && self.says_otherwise(other) {
            return Sameness::Different;
        }
        by_identity
    }

    /// Whether both say something as far as both were told, and never at the same time of the kernel's clock.
    fn says_otherwise(&self, other: &Self) -> bool {
        if self.identity.shares_records(&other.identity) {
            return false;
        }
        let end = self.span.1.uptime.min(other.span.1.uptime).unwrap_or_default();
        let (own, others) = (self.late_facts(end), other.late_facts(end));
        own.len() > 1 && others.len() > 1 && own.is_disjoint(&others)
    }

    /// The times of facts by the kernel's clock until `end`, where no other boot has the same.
    fn late_facts(&self, end: u64) -> BTreeSet<u64> {
        let times = self.moments.iter().filter_map(|moment| match moment {
            Moment::Fact(fact) => fact.stamp.uptime,
            Moment::Gap { .. } => None,
        });
        times.filter(|uptime| is_late(*uptime) && *uptime <= end).collect()
    }
}
