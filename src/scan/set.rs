//! One set of files: its bytes go through one decoder after the other into one log.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::selection::{Selected, Selection};
use crate::record::{Decoder, Flaw, Input, Place, Unparsed};
use crate::source::saved::Set;
use crate::timeline::{Bounds, Log, LogKind, Window};

/// Files of a set are this far apart in the places of its records, so that a place tells the file.
pub(super) const FILE_SHIFT: u32 = 40;

/// How many names of hosts in a log of an archive are looked at.
const MOST_NAMES: usize = 1 << 16;

/// How much is kept of a set: each boot of each host is judged, not the last one alone.
const BOUNDS: Bounds = Bounds { boots: 64 << 20, hosts: 1 << 15 };

/// Which file of its set a place is in.
pub(super) fn file_of(offset: u64) -> usize {
    usize::try_from(offset >> FILE_SHIFT).unwrap_or(usize::MAX)
}

/// What is known of a set of files.
#[derive(Debug)]
pub(super) struct HostLog {
    pub(super) log: Log,
    /// The host by the path, for a log whose records name none.
    host: Option<String>,
    archive: Option<PathBuf>,
    ended: bool,
    modified: Vec<Option<DateTime<Utc>>>,
    decoder: Decoder,
    /// Where the byte behind the last one stands that the decoder has.
    next: u64,
    /// Lines of the next part, which the part before it selected.
    late: Selection,
    pub(super) reading: Reading,
}

/// What is noted while the records are read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// What could not be read, file by file: the first place, the reason, and how often.
    pub(super) flaws: BTreeMap<usize, (u64, String, u64)>,
}

impl HostLog {
    pub(super) fn new(index: usize, set: &Set, window: Window) -> Self {
        let mut log = Log::new(index, set.name.clone(), LogKind::File);
        let name = |(number, file): (usize, &crate::source::saved::FileOf)| {
            ((number as u64) << FILE_SHIFT, file.path.to_string_lossy().into_owned())
        };
        log.files = set.files.iter().enumerate().map(name).collect();
        log.bounds = BOUNDS;
        log.window = window;
        Self {
            log,
            host: set.host.clone(),
            archive: set.archive.as_ref().map(|archive| archive.top.clone()),
            ended: false,
            modified: set.files.iter().map(|file| file.modified).collect(),
            decoder: Decoder::behind(0),
            next: 0,
            late: Selection::default(),
            reading: Reading::default(),
        }
    }

    /// Takes a selection of a part that ends at `end`.
    pub(super) fn take(&mut self, selection: &Selection, end: u64) {
        // The part goes on behind its first selections, and what the part before it selected may stand further on.
        let end = selection.pieces().last().map_or(0, |(offset, _)| offset + 1).min(end);
        let mut late = std::mem::take(&mut self.late);
        if late.is_empty() {
            selection.pieces().take_while(|(offset, _)| *offset < end).for_each(|piece| self.piece(piece));
        } else {
            late.push_from(selection, 0);
            late.sort();
            late.pieces().take_while(|(offset, _)| *offset < end).for_each(|piece| self.piece(piece));
        }
        let rest = if late.is_empty() { selection } else { &late };
        self.late.push_from(rest, end);
    }

    fn piece(&mut self, (offset, piece): (u64, Selected<'_>)) {
        // It was selected twice.
        if offset < self.next {
            return;
        }
        let Self { log, decoder, reading, next, modified, .. } = self;
        log.modified = modified.get(file_of(offset)).copied().flatten();
        let mut sink = |input: Input<'_>| reading.take(input, log);
        if offset != *next {
            // The rest of a record that goes on behind its line was passed over.
            if !decoder.is_at_rest() {
                decoder.finish(&mut sink);
            }
            decoder.skip_to(offset);
        }
        match piece {
            Selected::Bytes(bytes) => {
                decoder.feed(bytes, &mut sink);
                *next = offset + bytes.len() as u64;
            }
            Selected::TooLong(length) => {
                let place = Place { offset, ..Place::default() };
                sink(Input::Unparsed(Unparsed { place, length, why: Flaw::TooLong }));
            }
        }
    }

    /// Notes that a file could not be read from a place on.
    pub(super) fn miss(&mut self, offset: u64) {
        let place = Place { offset, log: self.log.index, ..Place::default() };
        self.log.take(Input::Unparsed(Unparsed { place, length: 0, why: Flaw::CutShort }));
    }

    /// Ends a file.
    pub(super) fn end_file(&mut self, number: usize) {
        let late = std::mem::take(&mut self.late);
        late.pieces().for_each(|piece| self.piece(piece));
        let Self { log, decoder, reading, .. } = self;
        log.modified = self.modified.get(number).copied().flatten();
        decoder.finish(&mut |input| reading.take(input, log));
        log.dates.end_file(log.modified);
        self.next = (number as u64 + 1) << FILE_SHIFT;
        self.decoder = Decoder::behind(self.next);
    }

    /// Ends the set. If none of its records named a host, its path or its archive does.
    pub(super) fn end(mut self) -> Log {
        self.close();
        let named = self.names().next().is_some();
        if let Some(host) = self.host.filter(|_| !named) {
            self.log.boots.iter_mut().for_each(|boot| boot.hostname = Some(host.clone()));
        }
        self.log
    }

    fn close(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.log.end();
        }
    }

    /// The hosts that its records name.
    fn names(&self) -> impl Iterator<Item = &String> {
        self.log.boots.iter().filter_map(|boot| boot.hostname.as_ref())
    }
}

/// The logs of an archive are of one host, which is that of its records, else that of its own file `hostname`, else that of its
/// path.
pub(super) fn name_archives(logs: &mut [HostLog], hostnames: &BTreeMap<PathBuf, String>) {
    let mut names: BTreeMap<PathBuf, BTreeMap<String, String>> = BTreeMap::new();
    for log in logs.iter_mut().filter(|log| log.archive.is_some()) {
        log.close();
        let of_archive = names.entry(log.archive.clone().unwrap_or_default()).or_default();
        for name in log.names().take(MOST_NAMES) {
            let short = name.split('.').next().unwrap_or(name).to_owned();
            of_archive.entry(short).or_insert_with(|| name.clone());
        }
    }
    for log in logs {
        let Some(archive) = &log.archive else { continue };
        let named = names.get(archive).filter(|names| names.len() == 1).and_then(|names| names.values().next());
        if let Some(name) = named.or_else(|| hostnames.get(archive)) {
            log.host = Some(name.clone());
        }
    }
}

impl Reading {
    fn take(&mut self, mut input: Input<'_>, log: &mut Log) {
        match &mut input {
            Input::Record(record) => record.place.log = log.index,
            Input::Unparsed(unparsed) => {
                unparsed.place.log = log.index;
                self.flaw(unparsed.place.offset, unparsed.why.words());
            }
            Input::Gap(gap) => gap.place.log = log.index,
            Input::Boot(..) => {}
        }
        log.take(input);
    }

    fn flaw(&mut self, offset: u64, why: &str) {
        self.flaws.entry(file_of(offset)).or_insert_with(|| (offset, why.to_owned(), 0)).2 += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_part_before_selected_waits_for_its_place() {
        let lines: Vec<Vec<u8>> =
            (0..6).map(|number| format!("[    {number}.000000] pciback: {number}\n").into_bytes()).collect();
        let selection = |numbers: &[u64]| {
            let mut selection = Selection::default();
            for number in numbers {
                selection.push(number * 100, &lines[usize::try_from(*number).expect("it is small")]);
            }
            selection
        };
        let file = crate::source::saved::FileOf { path: "kern.log".into(), bytes: 0, modified: None, identity: None };
        let set = Set { name: "kern.log".to_owned(), host: None, files: vec![file], archive: None };
        let mut log = HostLog::new(0, &set, Window::default());
        // The first part ends at 200 and looked on as far as 400; the second one comes in two selections.
        log.take(&selection(&[0, 1, 4]), 200);
        log.take(&selection(&[2]), 600);
        log.take(&selection(&[3, 4, 5]), 600);
        log.end_file(0);
        assert_eq!(log.end().records, 6);
    }
}
