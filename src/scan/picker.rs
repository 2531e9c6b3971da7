//! Picks the lines of a log that the judge must see: those that the search finds, and a few witnesses.
//!
//! A witness says nothing of pciback. It shows that its host went on: behind a line of pciback until that settles, before a
//! line with which something new begins, at the end of the log, and now and then between. Too many witnesses cost time and
//! change nothing; what they mean is decided by `timeline`.

use std::collections::BTreeMap;
use std::ops::Range;

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};

use super::selection::Selection;
use super::sieve::{Sieve, is_strange, matters_early};
use super::window::BLOCK;
use crate::history::is_settled;
use crate::record::{Decoder, Front, Input, Stamp, front};

/// In lines that are passed over, one of so many bytes is looked at.
const SAMPLE: u64 = 16 << 10;

/// So much of the log, or more, lies between two moments at which the last lines of hosts are selected.
const SEGMENT: u64 = 2 << 20;

/// Of so many hosts of which nothing was found in a segment the last lines are selected: where very many hosts write one log, each
/// line is the last one of its host for long.
const SILENT: usize = 64;

/// Behind a line that was found for one of these, the next lines of its host matter: what pciback says settles, and behind the end
/// of a boot another one begins.
const FOLLOWED: [&str; 5] = ["pciback", "reboot: ", "ower down", "Starting new kernel", "Restarting system"];

/// A boot begins.
const BANNER: &str = "Linux version ";

/// The kernel's first seconds, in microseconds.
const EARLY: u64 = 10_000_000;

/// How far behind a line of pciback the next lines of its host are looked for.
const FAR: u64 = 1 << 20;

/// How many lines below a line may be its end, where a mail program or a terminal broke it.
const BELOW: usize = 32;

/// Takes a selection, and leaves an empty one in its place. Says whether more is wanted.
pub(super) type Sink<'a> = dyn FnMut(&mut Selection) -> bool + 'a;

/// Picks lines of one stretch of a log.
pub(super) struct Picker<'a> {
    sieve: &'a Sieve,
    sink: &'a mut Sink<'a>,
    wanted: bool,
    selection: Selection,
    hosts: BTreeMap<Box<[u8]>, HostState>,
    hits: Vec<Range<usize>>,
    /// How many hosts have a line of pciback that is not settled, and how far the lines behind it are looked at.
    open: usize,
    open_until: u64,
    /// Whether the next line tells whose the line without a header before it may be.
    takes_next: bool,
    /// How many lines without a header may still be of the line above them.
    below: usize,
    /// The host of the last line that has one.
    last: Vec<u8>,
    /// Which [`BLOCK`] of the file the last line began in.
    block: Option<u64>,
    segment: u64,
    decoder: Decoder,
    followed: [Finder<'static>; 5],
    banner: Finder<'static>,
}

/// What a host said last in this segment.
#[derive(Debug, Default)]
struct HostState {
    /// The kernel's clock.
    uptime: Option<u64>,
    /// The last line with the kernel's time, and the last one of all, while these are not selected.
    held: [Held; 2],
    /// Whether something of it was found in this segment.
    found: bool,
    /// The last line of pciback that is not settled: its time, and where it stands.
    open: Option<(Stamp, u64)>,
}

#[derive(Debug, Default)]
struct Held {
    offset: u64,
    /// Empty where there is none.
    line: Vec<u8>,
}

/// Which lines are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Found,
    Passed,
    /// Lines of the next stretch: they only settle what came before.
    Beyond,
}

impl<'a> Picker<'a> {
    pub(super) fn new(sieve: &'a Sieve, sink: &'a mut Sink<'a>) -> Self {
        Self {
            sieve,
            sink,
            wanted: true,
            selection: Selection::default(),
            hosts: BTreeMap::new(),
            hits: Vec::new(),
            open: 0,
            open_until: 0,
            takes_next: false,
            below: 0,
            last: Vec::new(),
            block: None,
            segment: 0,
            decoder: Decoder::new(0),
            followed: FOLLOWED.map(Finder::new),
            banner: Finder::new(BANNER),
        }
    }

    /// Whether anybody still wants what is found.
    pub(super) const fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Takes whole lines that stand at `at` in the file.
    pub(super) fn block(&mut self, lines: &[u8], at: u64) {
        // The last segment stays until it is known that no more lines follow.
        if self.selection.is_full() || at >= self.segment + SEGMENT {
            self.end_segment();
            self.segment = at;
        }
        let mut hits = std::mem::take(&mut self.hits);
        let signs = self.sieve.search(lines, &mut hits);
        // Where a boot begins, any line can tell which boot it is of.
        let every = signs.strange || signs.early || hits.iter().any(|hit| self.is_banner(lines, hit));
        let mut done = 0;
        for hit in &hits {
            let start = lines.get(..hit.start).and_then(|before| memrchr(b'\n', before)).map_or(0, |end| end + 1);
            self.between(lines.get(done..start).unwrap_or_default(), at + done as u64, every);
            self.line(lines.get(start..hit.end).unwrap_or_default(), at + start as u64, Look::Found);
            done = hit.end;
        }
        self.between(lines.get(done..).unwrap_or_default(), at + done as u64, every);
        self.hits = hits;
    }

    /// Whether a boot begins with the line of a hit.
    fn is_banner(&self, lines: &[u8], hit: &Range<usize>) -> bool {
        let line = lines.get(hit.start.saturating_sub(BANNER.len())..hit.end);
        line.is_some_and(|line| self.banner.find(line).is_some())
    }

    /// Looks at lines in which nothing was found: at each if `every` says so, or while something is open before them, else at samples.
    fn between(&mut self, mut lines: &[u8], mut at: u64, every: bool) {
        while !lines.is_empty() && (every || self.goes_on(at)) {
            let (line, rest) = split_line(lines);
            // Colours may stand in the middle of the text that is searched for.
            let strange = every && line.iter().any(|byte| is_strange(*byte));
            self.line(line, at, if strange { Look::Found } else { Look::Passed });
            (lines, at) = (rest, at + line.len() as u64);
        }
        if !lines.is_empty() {
            self.sample(lines, at);
        }
    }

    /// Takes lines of the next stretch. Returns whether more of them are wanted.
    pub(super) fn beyond(&mut self, lines: &[u8], at: u64) -> bool {
        if self.goes_on(at) {
            each_line(lines, at, |line, from| self.line(line, from, Look::Beyond));
        }
        self.goes_on(at + lines.len() as u64)
    }

    /// Takes the last lines of the log: they tell how long its boots went on.
    pub(super) fn tail(&mut self, lines: &[u8], at: u64) {
        self.hosts.values_mut().for_each(|state| state.uptime = None);
        each_line(lines, at, |line, from| self.line(line, from, Look::Passed));
    }

    /// Passes over a line that is longer than any record.
    pub(super) fn too_long(&mut self, at: u64, length: u64) {
        self.selection.push_too_long(at, length);
        self.takes_next = true;
    }

    /// Takes bytes of a log that is read whole.
    pub(super) fn whole(&mut self, bytes: &[u8], at: u64) {
        self.selection.push(at, bytes);
        self.hand_on();
    }

    /// Hands on what is left.
    pub(super) fn finish(mut self) {
        self.end_segment();
    }

    /// Looks at a few lines of those that say nothing, and at the last.
    fn sample(&mut self, lines: &[u8], at: u64) {
        let end = at + lines.len() as u64;
        let mut next = at.next_multiple_of(SAMPLE);
        while next < end {
            // The first line that begins there or later.
            let place = usize::try_from(next - at).unwrap_or(usize::MAX);
            let start = match place.checked_sub(1) {
                None => Some(0),
                Some(before) => lines.get(before..).and_then(|rest| Some(place + memchr(b'\n', rest)?)),
            };
            let Some(rest) = start.and_then(|start| lines.get(start..)).filter(|rest| !rest.is_empty()) else { break };
            let (line, _) = split_line(rest);
            let from = end - rest.len() as u64;
            self.line(line, from, Look::Passed);
            next = (from + 1).next_multiple_of(SAMPLE);
        }
        // The next block may begin with a line without a header, which is of its author.
        let last = lines.get(memrchr(b'\n', lines.trim_ascii_end()).map_or(0, |end| end + 1)..).unwrap_or_default();
        self.line(last, end - last.len() as u64, Look::Passed);
    }

    fn line(&mut self, line: &[u8], at: u64, look: Look) {
        let Some(Front { host, uptime }) = front(line) else { return self.headless(line, at, look) };
        let takes_next = std::mem::take(&mut self.takes_next);
        // What is no host's line is told by the line above it.
        if look == Look::Found && !self.hosts.contains_key(host) {
            self.select_above();
        }
        self.below = if look == Look::Found { BELOW } else { 0 };
        self.last.clear();
        self.last.extend_from_slice(host);
        // By its first line the decoder tells the form of a log, and by one of each block the years are counted.
        let first = look != Look::Beyond && self.begins_block(at);
        let Self { hosts, selection, .. } = self;
        let state = match hosts.get_mut(host) {
            Some(state) => state,
            None if look == Look::Beyond => {
                if takes_next {
                    selection.push(at, line);
                }
                return;
            }
            None => hosts.entry(host.into()).or_default(),
        };
        let backwards = state.uptime.zip(uptime).is_some_and(|(before, now)| now < before);
        let open = state.open.filter(|(_, since)| at < since.saturating_add(FAR));
        let early = uptime.is_some_and(|uptime| uptime < EARLY) && look == Look::Passed && matters_early(line);
        let found = look == Look::Found || early;
        let begins = backwards || (found && self.banner.find(line).is_some());
        if begins {
            state.held.iter_mut().for_each(|held| held.select(selection));
        }
        let selected = found || takes_next || first || backwards || open.is_some();
        if selected {
            selection.push(at, line);
        }
        state.found |= found;
        if look != Look::Beyond {
            state.note(uptime, at, line, selected);
        }
        let speaks = found && self.followed.iter().any(|text| text.find(line).is_some());
        if speaks || open.is_some() {
            self.follow(host, line, at, speaks, open);
        }
    }

    /// Selects the last lines of the host of the line above.
    fn select_above(&mut self) {
        let above = self.hosts.get_mut(self.last.as_slice()).into_iter().flat_map(|state| &mut state.held);
        above.for_each(|held| held.select(&mut self.selection));
    }

    /// A line without a header is the end of the line above it, or a further line of that one's author.
    fn headless(&mut self, line: &[u8], at: u64, look: Look) {
        if look == Look::Found {
            self.select_above();
        }
        if look == Look::Found || self.takes_next || self.below > 0 {
            self.selection.push(at, line);
        }
        self.takes_next = look == Look::Found;
        self.below = self.below.saturating_sub(1);
    }

    #[expect(clippy::too_many_arguments, reason = "what is known of one line")]
    /// Follows up a line of pciback until its host says something so much later that it is settled.
    fn follow(&mut self, host: &[u8], line: &[u8], at: u64, speaks: bool, open: Option<(Stamp, u64)>) {
        let mut stamp = None;
        let mut sink = |input: Input<'_>| {
            if let Input::Record(record) = input {
                stamp = Some(record.stamp);
            }
        };
        self.decoder.feed(line, &mut sink);
        self.decoder.finish(&mut sink);
        let open = match (speaks, stamp, open) {
            (true, Some(stamp), _) => Some((stamp, at)),
            (false, Some(stamp), Some((seizing, _))) if is_settled(&seizing, &stamp) => None,
            _ => open,
        };
        if speaks {
            self.open_until = at.saturating_add(FAR);
        }
        if let Some(state) = self.hosts.get_mut(host) {
            self.open -= usize::from(state.open.is_some());
            self.open += usize::from(open.is_some());
            state.open = open;
        }
    }

    /// Whether the lines at `at` are looked at for what follows a line of pciback.
    fn is_open(&mut self, at: u64) -> bool {
        if self.open > 0 && at >= self.open_until {
            self.open = 0;
            self.hosts.values_mut().for_each(|host| host.open = None);
        }
        self.open > 0
    }

    /// Whether lines at `at` are looked at for what stands before them.
    fn goes_on(&mut self, at: u64) -> bool {
        self.is_open(at) || self.takes_next || self.below > 0
    }

    /// Whether the line at `at` is the first of its [`BLOCK`].
    fn begins_block(&mut self, at: u64) -> bool {
        let block = Some(at / BLOCK as u64);
        std::mem::replace(&mut self.block, block) != block
    }

    /// Selects the last lines of the hosts, and hands on everything so far.
    fn end_segment(&mut self) {
        let mut silent = 0;
        for state in self.hosts.values_mut() {
            silent += usize::from(!state.found);
            if state.found || silent <= SILENT {
                state.held.iter_mut().for_each(|held| held.select(&mut self.selection));
            }
            *state = HostState { open: state.open, ..HostState::default() };
        }
        self.hosts.retain(|_, state| state.open.is_some());
        self.hand_on();
    }

    fn hand_on(&mut self) {
        if !self.selection.is_empty() && self.wanted {
            self.selection.sort();
            self.wanted = (self.sink)(&mut self.selection);
        }
        self.selection.clear();
    }
}

impl HostState {
    /// Notes a line. One that is selected stands for those that were held.
    fn note(&mut self, uptime: Option<u64>, offset: u64, line: &[u8], selected: bool) {
        let [kernel, any] = &mut self.held;
        any.keep(offset, line, selected || uptime.is_some());
        if uptime.is_some() {
            kernel.keep(offset, line, selected);
            self.uptime = uptime;
        }
    }
}

impl Held {
    fn keep(&mut self, offset: u64, line: &[u8], stands_elsewhere: bool) {
        self.line.clear();
        self.offset = offset;
        if !stands_elsewhere {
            self.line.extend_from_slice(line);
        }
    }

    fn select(&mut self, selection: &mut Selection) {
        if !self.line.is_empty() {
            selection.push(self.offset, &self.line);
            self.line.clear();
        }
    }
}

/// Hands out every line with its end, and where it stands; the first one stands at `at`.
fn each_line(mut lines: &[u8], mut at: u64, mut take: impl FnMut(&[u8], u64)) {
    while !lines.is_empty() {
        let (line, rest) = split_line(lines);
        take(line, at);
        (lines, at) = (rest, at + line.len() as u64);
    }
}

/// The first line with its end, and what is behind it.
fn split_line(lines: &[u8]) -> (&[u8], &[u8]) {
    lines.split_at(memchr(b'\n', lines).map_or(lines.len(), |end| end + 1))
}

#[cfg(test)]
mod tests;
