//! One file: its bytes go through a decoder into a log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::selection::{Selected, Selection};
use crate::record::{Decoder, Flaw, Input, Place, Unparsed};
use crate::source::saved::{FileOf, names_host, number_sets};
use crate::timeline::{Bounds, Log, LogKind, Window};

/// How many names of hosts in a log are looked at.
const MOST_NAMES: usize = 1 << 16;

/// How much is kept of a log: each boot of each host is judged, not the last one alone.
const BOUNDS: Bounds = Bounds { boots: 64 << 20, hosts: 1 << 15, found_with_records: false };

/// What is known of a file.
#[derive(Debug)]
pub(super) struct HostLog {
    pub(super) log: Log,
    pub(super) archive: Option<PathBuf>,
    decoder: Decoder,
    /// Where the byte behind the last one stands that the decoder has.
    next: u64,
    /// Lines of the next part, which the part before it selected.
    late: Selection,
    /// What could not be read: the first place, the reason, and how often.
    pub(super) flaws: Option<(u64, &'static str, u64)>,
}

impl HostLog {
    pub(super) fn new(index: usize, file: &FileOf, window: Window) -> Self {
        let mut log = Log::new(index, file.path.to_string_lossy().into_owned(), LogKind::File);
        (log.bounds, log.modified, log.window) = (BOUNDS, file.modified, window);
        Self { log, archive: None, decoder: Decoder::new(index), next: 0, late: Selection::default(), flaws: None }
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
        let Self { log, decoder, flaws, next, .. } = self;
        let index = log.index;
        let mut sink = |input: Input<'_>| take(input, log, flaws);
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
                let place = Place { log: index, offset, ..Place::default() };
                sink(Input::Unparsed(Unparsed { place, length, why: Flaw::TooLong }));
            }
        }
    }

    /// Notes that a file could not be read from a place on.
    pub(super) fn miss(&mut self, offset: u64) {
        let place = Place { offset, log: self.log.index, ..Place::default() };
        self.log.take(Input::Unparsed(Unparsed { place, length: 0, why: Flaw::CutShort }));
    }

    /// Ends the file.
    pub(super) fn end_file(&mut self) {
        let late = std::mem::take(&mut self.late);
        late.pieces().for_each(|piece| self.piece(piece));
        let Self { log, decoder, flaws, .. } = self;
        decoder.finish(&mut |input| take(input, log, flaws));
        self.log.end();
    }

    /// Its archive, or else its directory.
    fn place(&self) -> PathBuf {
        let directory = || Path::new(&self.log.name).parent().map(Path::to_path_buf);
        self.archive.clone().or_else(directory).unwrap_or_default()
    }

    /// The hosts that its records name.
    fn names(&self) -> impl Iterator<Item = &String> {
        self.log.boots.iter().filter_map(|boot| boot.hostname.as_ref())
    }
}

/// The logs, each with the host by where it is kept. The logs of an archive are of one host, which is that of its records, else that of
/// its own file `hostname`, else that of its path. So is what a directory holds under names such as `dmesg`, where the records of all its
/// logs name one host.
pub(super) fn named(mut logs: Vec<HostLog>, hostnames: &BTreeMap<PathBuf, String>) -> impl Iterator<Item = Log> {
    number_sets(logs.iter_mut().map(|log| &mut log.log));
    let mut names: BTreeMap<PathBuf, BTreeMap<String, String>> = BTreeMap::new();
    for log in &logs {
        let of_place = names.entry(log.place()).or_default();
        for name in log.names().take(MOST_NAMES) {
            let short = name.split('.').next().unwrap_or(name).to_ascii_lowercase();
            of_place.entry(short).or_insert_with(|| name.clone());
        }
    }
    logs.into_iter().map(move |mut log| {
        let only = names.get(&log.place()).filter(|names| names.len() == 1).and_then(|names| names.values().next());
        let only = only.filter(|_| log.archive.is_some() || !names_host(Path::new(&log.log.name)));
        let by_archive = || log.archive.as_ref().and_then(|archive| hostnames.get(archive));
        log.log.host = only.or_else(by_archive).cloned().or(log.log.host);
        log.log
    })
}

fn take(input: Input<'_>, log: &mut Log, flaws: &mut Option<(u64, &'static str, u64)>) {
    if let Input::Unparsed(unparsed) = &input {
        flaws.get_or_insert((unparsed.place.offset, unparsed.why.words(), 0)).2 += 1;
    }
    log.take(input);
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
        let file = FileOf { path: "kern.log".into(), bytes: 0, modified: None, identity: None };
        let mut log = HostLog::new(0, &file, Window::default());
        // The first part ends at 200 and looked on as far as 400; the second one comes in two selections.
        log.take(&selection(&[0, 1, 4]), 200);
        log.take(&selection(&[2]), 600);
        log.take(&selection(&[3, 4, 5]), 600);
        log.end_file();
        assert_eq!(log.log.records, 6);
    }
}
