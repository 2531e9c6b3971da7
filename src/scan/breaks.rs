//! Places where a file of several hosts could not be read: nobody knows of which host something is missing, so it counts
//! against every boot around them.

use super::set::Breaks;
use crate::record::{Gap, Place, Stamp};
use crate::timeline::{Boot, Moment};

/// The boot with a gap at each place that lies in it or at its edges, if there is any. `next` is the next boot of its host in
/// the same log.
pub(super) fn with_breaks(boot: &Boot, next: Option<&Boot>, breaks: &Breaks) -> Option<Boot> {
    let [first, last] = ends(boot)?;
    // What is missing before a banner is missing from the boot before it.
    let from = if boot.banner { first } else { 0 };
    let until = next.and_then(ends).map_or(u64::MAX, |[first, _]| first);
    let places = breaks.places.partition_point(|place| *place < from)..breaks.places.partition_point(|place| *place < until);
    let within = breaks.places.get(places).unwrap_or_default();
    let behind = breaks.last.filter(|_| breaks.places.last().is_some_and(|known| *known < until));
    let behind = behind.filter(|last| *last >= from).map(|place| place.min(last.saturating_add(1)));
    if within.is_empty() && behind.is_none() {
        return None;
    }
    let mut boot = boot.clone();
    let mut moments = std::mem::take(&mut boot.moments).into_iter().peekable();
    let mut stamp = boot.span.0;
    for place in within.iter().copied().chain(behind) {
        while let Some(moment) = moments.next_if(|moment| offset(moment) <= place) {
            stamp = *stamp_of(&moment);
            boot.moments.push(moment);
        }
        // One gap behind the other is one.
        if !matches!(boot.moments.last(), Some(Moment::Gap { .. })) {
            let next = moments.peek().map_or(stamp, |moment| *stamp_of(moment));
            let place = Place { offset: place, ..Place::default() };
            boot.moments.push(Moment::Gap { gap: Gap { place, lost: None }, stamp: next });
        }
    }
    boot.moments.extend(moments);
    Some(boot)
}

/// Where the first and the last moment of a boot stand.
fn ends(boot: &Boot) -> Option<[u64; 2]> {
    Some([offset(boot.moments.first()?), offset(boot.moments.last()?)])
}

fn offset(moment: &Moment) -> u64 {
    match moment {
        Moment::Fact(fact) => fact.place.offset,
        Moment::Gap { gap, .. } => gap.place.offset,
    }
}

fn stamp_of(moment: &Moment) -> &Stamp {
    match moment {
        Moment::Fact(fact) => &fact.stamp,
        Moment::Gap { stamp, .. } => stamp,
    }
}
