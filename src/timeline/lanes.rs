//! Cuts what a log says of each of its hosts into boots.

use super::JITTER;
use super::boot::Boot;
use super::log::Log;
use crate::event::{Event, Said};
use crate::record::{Author, BootId, Record};

/// How far behind a numbered record may come and still be of the same boot.
const LATE: u64 = 64;

/// What is read of one host.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    /// Its boot.
    pub(super) boot: usize,
    /// Whether its lines of the kernel carry the kernel's clock: those that name the program, and bare ones.
    pub(super) clocked: (bool, bool),
    pub(super) reboots: u64,
    pub(super) pieces: u64,
}

impl Log {
    /// Which boot a record belongs to; begins a new one where the record says so.
    pub(super) fn boot_of(&mut self, name: &[u8], record: &Record<'_>, heard: &[Said], own: bool) -> usize {
        let banner = heard.iter().any(|said| said.author != Author::User && matches!(said.event, Event::Booted { .. }));
        // What is missing before a banner is missing from the boot before it.
        if banner && let Some(gap) = self.waiting.take() {
            self.take_gap(gap);
        }
        if let Some(id) = record.boot_id {
            if let Some(at) = self.ids.get(&id).copied() {
                self.enter(name, at);
                return at;
            }
            // A boot of which only records without an id were seen is another one.
            let at = self.begin(name, Some(id));
            self.ids.insert(id, at);
            return at;
        }
        // A daemon's own line without a host begins nothing.
        if name.is_empty()
            && !own
            && let Some(at) = self.current
        {
            return at;
        }
        let lane = self.lanes.get(name).filter(|lane| lane.reboots == self.reboots);
        let known = lane.and_then(|lane| Some((lane.boot, self.boots.get(lane.boot)?)));
        match known {
            // Lines without a name may be of several hosts, and of several boots of one that has its name most of the time.
            Some((_, boot))
                if name.is_empty() && self.lanes.len() > 1 && boot.identity.contradicts_instant(&record.stamp) =>
            {
                self.begin(name, None)
            }
            Some((at, boot)) if goes_on(boot, record, heard, banner, own) => {
                self.current = Some(at);
                at
            }
            _ => self.begin(name, None),
        }
    }

    fn begin(&mut self, name: &[u8], id: Option<BootId>) -> usize {
        let at = self.boots.len();
        let hostname = (!name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned());
        // Doubling would leave half of it empty, for as many boots as a log names.
        if at == self.boots.capacity() {
            self.boots.reserve_exact(16 + at / 8);
        }
        self.boots.push(Boot::of(id, hostname, self.keeps.past()));
        let before = self.lanes.get(name).map(|lane| lane.boot);
        if let Some(boot) = before.and_then(|before| self.boots.get_mut(before)) {
            boot.end();
        }
        self.enter(name, at);
        if let Some(before) = before {
            self.weigh(before);
        }
        self.current.unwrap_or(at)
    }

    /// Goes on with the boot at this place.
    fn enter(&mut self, name: &[u8], at: usize) {
        self.current = Some(at);
        let (reboots, pieces) = (self.reboots, self.pieces.0);
        match self.lanes.get_mut(name) {
            Some(lane) => (lane.boot, lane.reboots) = (at, reboots),
            None => {
                self.lanes.insert(name.into(), Lane { boot: at, clocked: (false, false), reboots, pieces });
            }
        }
    }
}

/// Whether a record goes on with a boot of its host, by its clock; the form has no boot ids.
fn goes_on(boot: &Boot, record: &Record<'_>, heard: &[Said], banner: bool, own: bool) -> bool {
    if boot.id.is_some() {
        return false;
    }
    if banner {
        let fresh = boot.records == 0 && !boot.has_gap();
        return fresh || (boot.repeats.holds(record, heard) && is_same_moment(boot, record));
    }
    let fell = match (boot.last_uptime, record.stamp.uptime) {
        (Some(before), Some(now)) => own && now.saturating_add(JITTER) < before,
        (_, None) => own && boot.ended,
        (None, Some(_)) => false,
    };
    // Its number says that the record is late, or both clocks do, not that its boot is another one.
    let late = boot.last_sequence.zip(record.place.sequence);
    let is_late = late.is_some_and(|(last, own)| own < last && own >= last.saturating_sub(LATE));
    !fell || is_late || boot.identity.holds_instant(&record.stamp)
}

/// Whether a record that was there before can be the same one: by both clocks, or else because no other record with a later
/// clock stands between.
pub(super) fn is_same_moment(boot: &Boot, record: &Record<'_>) -> bool {
    match (record.stamp.uptime, &record.stamp.wall) {
        (Some(_), Some(_)) => boot.identity.holds_instant(&record.stamp),
        (Some(now), None) => boot.span.1.uptime.is_none_or(|before| now.saturating_add(JITTER) >= before),
        (None, _) => true,
    }
}
