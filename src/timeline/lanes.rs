//! Cuts what a log says of each of its hosts into boots.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Bound;

use super::JITTER;
use super::boot::Boot;
use super::hosts::{MOST_NEAR, is_nameless, is_same_name, short};
use super::identity::Sameness;
use super::log::Log;
use crate::event::{Event, Said};
use crate::record::{Author, BootId, Gap, Record, Stamp};

/// How far behind a numbered record may come and still be of the same boot.
const LATE: u64 = 64;

/// How many boots of a host may be told again, where a file of a set begins before the one before it ends.
const MOST_RETOLD: usize = 64;

/// What is read of one host.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    /// The boot that its last record was of.
    pub(super) boot: usize,
    /// Its last boots, the newest last.
    pub(super) boots: VecDeque<usize>,
    /// Whether its lines of the kernel carry the kernel's clock: those that name the program, and bare ones.
    pub(super) clocked: (bool, bool),
    pub(super) reboots: u64,
    pub(super) pieces: u64,
}

impl Log {
    /// Which boot a record belongs to; begins a new one where the record says so.
    pub(super) fn boot_of(&mut self, name: &[u8], record: &Record<'_>, heard: &[Said], own: bool) -> usize {
        let banner = heard.iter().any(|said| said.author != Author::User && matches!(said.event, Event::Booted { .. }));
        // What is missing before a banner, or cannot be read, is of the boot before it.
        if banner {
            if let Some(gap) = self.waiting.take() {
                self.take_gap(gap);
            }
            self.count_pieces(name, None);
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
        let known = lane.map(|lane| lane.boot);
        if let Some(at) = self.retold(name, record, own) {
            // What is missing before it is missing from what was told last.
            if let Some(gap) = self.waiting.take() {
                self.take_gap(gap);
            }
            self.enter(name, at);
            return at;
        }
        if let Some(at) = known.filter(|_| own)
            && let Some(boot) = self.boots.get_mut(at)
            && boot.repeats_only_its_start(record, heard, banner)
        {
            let alike = boot.begun_alike(record.stamp.uptime);
            let at = self.begin(name, None);
            if let Some(boot) = self.boots.get_mut(at) {
                *boot = alike;
            }
            return at;
        }
        match known.and_then(|at| Some((at, self.boots.get(at)?))) {
            // Lines without a name may be of several hosts, and of several boots of one that has its name most of the time.
            Some((_, boot))
                if name.is_empty() && self.lanes.len() > 1 && boot.identity.contradicts_instant(&record.stamp) =>
            {
                self.begin(name, None)
            }
            Some((at, boot))
                if goes_on(boot, record, heard, banner, own)
                    && !(own && self.is_behind_other_name(name, boot, record)) =>
            {
                self.current = Some(at);
                at
            }
            _ => self.begin(name, None),
        }
    }

    /// The boot that a record is of which stands behind records of a later one: by both its clocks it is of one that was told before.
    fn retold(&self, name: &[u8], record: &Record<'_>, own: bool) -> Option<usize> {
        let lane = self.lanes.get(name).filter(|lane| own && lane.boots.len() > 1 && lane.reboots == self.reboots)?;
        let holds = |at: &usize| {
            let boot = self.boots.get(*at).filter(|boot| boot.id.is_none());
            boot.is_some_and(|boot| boot.identity.holds_instant(&record.stamp))
        };
        if holds(&lane.boot) || (name.is_empty() && self.lanes.len() > 1) {
            return None;
        }
        lane.boots.iter().rev().copied().find(holds)
    }

    /// Whether a record whose boot instant is not that of this boot shows that another one began, by what stands under the full or the
    /// short name of the host: this boot went on there to a later time of the kernel's clock, or the other one was told there before.
    fn is_behind_other_name(&self, name: &[u8], boot: &Boot, record: &Record<'_>) -> bool {
        if name.is_empty() || !boot.identity.contradicts_instant(&record.stamp) {
            return false;
        }
        let short = short(name);
        let from = (Bound::Included(short), Bound::Unbounded);
        let named = self.lanes.range::<[u8], _>(from).take_while(|(other, _)| other.starts_with(short)).take(MOST_NEAR);
        let others = named.filter(|(other, _)| ***other != *name && is_same_name(other, name));
        others.filter_map(|(_, lane)| self.boots.get(lane.boot)).any(|other| {
            if boot.identity.compare(&other.identity) == Sameness::Different {
                return other.identity.holds_instant(&record.stamp);
            }
            other.last_uptime.zip(record.stamp.uptime).is_some_and(|(before, now)| now < before)
        })
    }

    /// Whether a line without time or name stands behind the end of a boot, in a log whose lines have neither: it may be the kernel's,
    /// and is of the next boot then.
    pub(super) fn is_behind_end(&self, record: &Record<'_>) -> bool {
        let is_bare = record.stamp.uptime.is_none() && record.stamp.wall.is_none() && record.identifier.is_none();
        let boot = self.current.filter(|_| is_bare).and_then(|at| self.boots.get(at));
        boot.is_some_and(|boot| boot.ended && boot.last_uptime.is_none())
    }

    /// Whether the kernel's lines of this host and form are known to carry the kernel's clock.
    pub(super) fn clocked(&mut self, name: &[u8], record: &Record<'_>, from_kernel: bool) -> bool {
        let Some(lane) = self.lanes.get_mut(name) else { return false };
        let form = if record.identifier.is_some() { &mut lane.clocked.0 } else { &mut lane.clocked.1 };
        *form |= from_kernel && record.stamp.uptime.is_some() && record.author != Author::User;
        *form
    }

    /// Has the boot that a host is in take what could not be read since its last record, before a record of this time or at its end.
    pub(super) fn count_pieces(&mut self, name: &[u8], before: Option<Stamp>) {
        let (pieces, place) = self.pieces;
        if let Some(lane) = self.lanes.get_mut(name).filter(|lane| lane.pieces < pieces)
            && let Some(boot) = self.boots.get_mut(lane.boot)
        {
            lane.pieces = pieces;
            boot.keep_gap(Gap { place, lost: None }, before.unwrap_or(boot.span.1));
        }
    }

    fn begin(&mut self, name: &[u8], id: Option<BootId>) -> usize {
        let at = self.boots.len();
        // Doubling would leave half of it empty, for as many boots as a log names.
        if at == self.boots.capacity() {
            self.boots.reserve_exact(16 + at / 8);
        }
        self.boots.push(Boot::of(id, self.keeps.past()));
        let before = self.lanes.get(name).and_then(|lane| lane.boots.back().copied());
        if let Some(boot) = before.and_then(|before| self.boots.get_mut(before)) {
            boot.end();
        }
        self.enter(name, at);
        if let Some(lane) = self.lanes.get_mut(name) {
            if lane.boots.len() == MOST_RETOLD {
                lane.boots.pop_front();
            }
            lane.boots.push_back(at);
        }
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
                self.lanes.insert(
                    name.into(),
                    Lane { boot: at, boots: VecDeque::new(), clocked: (false, false), reboots, pieces },
                );
            }
        }
    }
}

/// The name of a record's host, empty where it has none. It is the same in either case (RFC 4343).
pub(super) fn lane_name<'a>(record: &'a Record<'_>) -> Cow<'a, [u8]> {
    let name = record.hostname.as_deref().filter(|name| !is_nameless(name)).unwrap_or_default();
    if name.iter().any(u8::is_ascii_uppercase) { name.to_ascii_lowercase().into() } else { name.into() }
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
        (Some(before), Some(now)) => {
            let jumps = now < before && boot.identity.contradicts_instant(&record.stamp);
            own && (jumps || now.saturating_add(JITTER) < before)
        }
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

/// What a line says that lacks the clock of its log: the kernel has not written it. On a console its words may stand behind what
/// another program printed, and are a doubt then.
pub(super) fn without_clock(record: &Record<'_>, said: Said) -> Said {
    let on_console = record.identifier.is_none() && record.hostname.is_none();
    if on_console && matches!(said.event, Event::Damaged { .. }) {
        return said;
    }
    Said { author: Author::User, ..said }
}

#[cfg(test)]
mod tests {
    use crate::record::Decoder;
    use crate::timeline::{BootChoice, Log, LogKind, Running, Story};

    fn log(index: usize, lines: &[&str]) -> Log {
        let mut log = Log::new(index, "log".to_owned(), LogKind::File);
        let mut decoder = Decoder::new(0);
        let text = lines.join("\n") + "\n";
        decoder.feed(text.as_bytes(), &mut |input| log.take(input));
        decoder.finish(&mut |input| log.take(input));
        log.end();
        log
    }

    /// What is known of each boot, the last one first: its first device, whether it has its banner, its gaps.
    fn boots(logs: &[Log]) -> Vec<String> {
        let running = Running { chosen: Some("gaia"), ..Running::default() };
        let tell = |back| {
            let story = Story::tell(logs, BootChoice::FromLast(back), &running);
            let devices: Vec<String> = story.history().trails.keys().map(ToString::to_string).collect();
            let gaps = story.parts.iter().filter(|(_, boot)| boot.has_gap()).count();
            let whole = if story.has_banner() { "whole" } else { "late" };
            (!story.parts.is_empty()).then(|| format!("{whole} {} {gaps}", devices.join(" ")))
        };
        (0..8).map_while(tell).collect()
    }

    const FIRST: [&str; 4] = [
        "Jan  2 08:00:00 gaia kernel: [    0.000000] Linux version 6.1.0",
        "Jan  2 08:00:25 gaia kernel: [   25.000001] pciback 0000:00:01.0: xen_pciback: seizing device",
        "Jan  2 08:00:25 gaia kernel: [   25.000002] xen_pciback: backend is vpci",
        "Jan  2 08:03:25 gaia kernel: [  205.000001] usb 1-1: new device",
    ];
    const SECOND: [&str; 4] = [
        "Jan  3 09:00:00 gaia kernel: [    0.000000] Linux version 6.1.0",
        "Jan  3 09:00:25 gaia kernel: [   25.000101] pciback 0000:00:02.0: xen_pciback: seizing device",
        "Jan  3 09:00:25 gaia kernel: [   25.000102] xen_pciback: backend is vpci",
        "Jan  3 09:03:25 gaia kernel: [  205.000101] usb 1-1: new device",
    ];

    #[test]
    fn a_boot_that_is_told_again_behind_the_next_one_is_not_part_of_that() {
        let expected = ["whole 0000:00:02.0 0", "whole 0000:00:01.0 0"];
        for (end, again) in [(1, 3), (1, 1), (2, 0), (4, 2)] {
            let lines = [&FIRST[..], &SECOND[..end], &FIRST[again..], &SECOND].concat();
            assert_eq!(
                boots(&[log(0, &lines)]),
                expected,
                "{end} lines of the second boot, then the first one from {again}"
            );
        }
    }

    #[test]
    fn a_note_of_loss_before_a_boot_that_is_told_again_is_of_the_one_told_last() {
        let note = "Jan  3 09:00:25 gaia kernel: [   25.000090] ** 4 printk messages dropped **";
        let lines = [&FIRST[..], &SECOND[..1], &[note], &FIRST[3..], &SECOND[..1], &[note], &SECOND[1..]].concat();
        assert_eq!(boots(&[log(0, &lines)]), ["whole 0000:00:02.0 1", "whole 0000:00:01.0 0"]);
    }

    #[test]
    fn what_cannot_be_read_before_a_banner_is_of_the_boot_that_ended() {
        // A crash leaves zeros where the file had grown.
        let lines = [&FIRST[..], &["\0\0\0\0"], &SECOND].concat();
        assert_eq!(boots(&[log(0, &lines)]), ["whole 0000:00:02.0 0", "whole 0000:00:01.0 1"]);
    }

    #[test]
    fn a_boot_without_its_banner_begins_where_both_clocks_jump() {
        let early = "Jan  2 08:00:01 gaia kernel: [    1.500001] usb 1-1: new device";
        let late = "Jan  3 09:00:01 gaia kernel: [    1.490001] usb 1-1: new device";
        let lines = [FIRST[0], early, late, SECOND[1], SECOND[2], SECOND[3]];
        assert_eq!(boots(&[log(0, &lines)]), ["late 0000:00:02.0 0", "whole  1"]);
    }

    #[test]
    fn a_boot_under_the_short_name_is_behind_the_one_that_went_on_under_the_full_name() {
        let full = |line: &str| line.replace(" gaia ", " gaia.example.com ");
        let early = "Jan  2 08:00:01 gaia kernel: [    1.500001] usb 1-1: new device";
        let late = "Jan  3 09:00:02 gaia kernel: [    1.700001] usb 1-1: new device";
        let (first, second) = (FIRST.map(full), SECOND.map(full));
        let lines = [FIRST[0], early, &first[1], &first[2], &first[3], late, &second[1], &second[2], &second[3]];
        assert_eq!(boots(&[log(0, &lines)]), ["late 0000:00:02.0 0", "whole 0000:00:01.0 1"]);
    }

    #[test]
    fn a_boot_that_the_short_name_began_goes_on_under_the_full_name_with_no_fall_of_its_clock() {
        let full = |line: &str| line.replace(" gaia ", " gaia.example.com ");
        let early = "Jan  3 09:00:02 gaia kernel: [    1.700001] usb 1-1: new device";
        let (first, second) = (FIRST.map(full), SECOND.map(full));
        // The end of the first boot and the beginning of the second one are lost.
        let lines = [FIRST[0], &first[1], &first[2], early, &second[1], &second[2], &second[3]];
        assert_eq!(boots(&[log(0, &lines)]), ["late 0000:00:02.0 0", "whole 0000:00:01.0 1"]);
    }

    #[test]
    fn the_case_of_a_name_tells_no_hosts_apart() {
        let logs = [
            log(0, &[FIRST[0], &FIRST[1].replace("gaia", "GAIA")]),
            log(1, &[&FIRST[2].replace("gaia", "Gaia"), FIRST[3]]),
        ];
        assert_eq!(boots(&logs), ["whole 0000:00:01.0 0"]);
    }

    #[test]
    fn a_short_and_a_full_name_that_differ_in_case_are_of_one_host() {
        let logs = [
            log(0, &[&FIRST[0].replace("gaia", "GAIA"), &FIRST[1].replace("gaia", "GAIA"), FIRST[3]]),
            log(1, &[&FIRST[1].replace("gaia", "gaia.example.com"), &FIRST[2].replace("gaia", "gaia.example.com")]),
        ];
        assert_eq!(boots(&logs), ["whole 0000:00:01.0 0"]);
    }

    #[test]
    fn boots_that_a_dead_clock_battery_has_begin_at_the_same_time_are_two() {
        let again = SECOND.map(|line| line.replace("Jan  3 09", "Jan  2 08"));
        let again = again.each_ref().map(String::as_str);
        let expected = ["whole 0000:00:02.0 0", "whole 0000:00:01.0 0"];
        assert_eq!(boots(&[log(0, &[&FIRST[..], &again].concat())]), expected, "in one log");
        assert_eq!(boots(&[log(0, &FIRST), log(1, &again)]).len(), 2, "in two logs");
        let set = "Nov 22 10:02:05 gaia kernel: [  125.000001] usb 1-1: new device";
        assert_eq!(boots(&[log(0, &[&FIRST[..3], &[set], &SECOND].concat())]), expected, "behind a clock that was set");
    }

    #[test]
    fn a_line_of_a_daemon_under_the_other_name_joins_no_boots() {
        let full = |line: &str| line.replace(" gaia ", " gaia.example.com ");
        let (first, second) = (FIRST.map(full), SECOND.map(full));
        let daemon = "Jan  3 09:00:01 gaia cron[1]: a job";
        let lines = [&first[1], &first[2], &first[3], daemon, &second[1], &second[2], &second[3]];
        assert_eq!(boots(&[log(0, &lines)]), ["late 0000:00:02.0 0", "late 0000:00:01.0 0"]);
    }

    #[test]
    fn a_note_of_loss_shows_by_its_clock_that_another_boot_began() {
        let note = "Jan  3 09:02:25 gaia kernel: [  145.000001] ** 4 printk messages dropped **";
        let late = "Jan  3 09:03:26 gaia kernel: [  206.000101] usb 1-1: new device";
        let lines = [&FIRST[..], &[note, late]].concat();
        assert_eq!(boots(&[log(0, &lines)]), ["late  1", "whole 0000:00:01.0 1"]);
    }

    #[test]
    fn of_many_parts_of_a_boot_each_tells_its_banner() {
        let mut logs: Vec<Log> = (0..100).map(|at| log(at, &FIRST[usize::from(at != 50)..])).collect();
        let other = FIRST[0].replace("6.1.0", "6.1.1");
        logs.push(log(100, &[&other, FIRST[1], FIRST[2]]));
        assert_eq!(boots(&logs).len(), 2);
    }

    #[test]
    fn a_boot_goes_on_in_the_next_part_of_its_log_where_no_clock_tells() {
        let bare = |line: &str| [line.split_at(29).0, line.split_at(44).1].concat();
        let (first, second) = (FIRST.map(bare), SECOND.map(bare));
        let part = |index: usize, lines: &[&String]| {
            let lines: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
            Log { part: (0, index), ..log(index, &lines) }
        };
        let logs =
            [part(0, &[&first[0], &first[1]]), part(1, &[&first[2], &first[3], &second[0]]), part(2, &[&second[1]])];
        assert_eq!(boots(&logs), ["whole 0000:00:02.0 0", "whole 0000:00:01.0 0"]);
    }

    #[test]
    fn of_parts_without_times_the_names_tell_the_last_boot() {
        let bare = |line: &&str| line.split_at(29).1.to_owned();
        let part = |index: usize, number: usize, lines: &[&str]| {
            let lines: Vec<String> = lines.iter().map(bare).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            Log { part: (0, number), ..log(index, &lines) }
        };
        let logs = [part(0, 1, &SECOND), part(1, 0, &FIRST)];
        assert_eq!(boots(&logs), ["whole 0000:00:02.0 0", "whole 0000:00:01.0 0"]);
        assert_eq!(Story::tell(&logs, BootChoice::default(), &Running::default()).doubt, None);
    }

    #[test]
    fn a_stretch_without_a_name_is_not_the_only_host_of_its_file_where_others_are_named() {
        let nameless = "Jan  4 10:00:00 localhost kernel: [    0.000000] Linux version 6.1.0";
        let other = "Jan  4 10:03:00 rhea kernel: [  180.000201] usb 1-1: new device";
        let logs = [log(0, &[&FIRST[..], &[nameless]].concat()), log(1, &[other])];
        assert_eq!(boots(&logs), ["whole 0000:00:01.0 0"]);
    }
}
