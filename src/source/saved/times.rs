//! The order of the files of a set by the times of their records. Names are given by people and programs that copy logs; they
//! decide only where the records have no times.

use std::io::Read as _;

use chrono::NaiveDateTime;

use super::{FileOf, Obstacle, Set};
use crate::record::{Decoder, Input};
use crate::source::{Contents, open_regular};
use crate::timeline::Dates;

/// How much of a file is looked at.
const HEAD: u64 = 8 << 10;

/// Of how many records the middle one stands for all: the clock of one host may be wrong.
const ENOUGH: usize = 64;

/// Puts the files of each set into the order of their records. Says where the names say otherwise.
pub(super) fn order(sets: &mut [Set]) -> Vec<Obstacle> {
    let mut notes = Vec::new();
    for set in sets.iter_mut().filter(|set| set.files.len() > 1) {
        let times: Option<Vec<NaiveDateTime>> = set.files.iter().map(time).collect();
        let Some(times) = times.filter(|times| !times.is_sorted()) else { continue };
        let mut files: Vec<(NaiveDateTime, FileOf)> = times.into_iter().zip(set.files.drain(..)).collect();
        files.sort_by_key(|(time, _)| *time);
        set.files = files.into_iter().map(|(_, file)| file).collect();
        let why =
            "is a log of several files: the times of their records are in another order than their names, and decide";
        notes.push(Obstacle { path: set.name.clone().into(), why: why.to_owned(), counts: false });
    }
    notes
}

/// The time of a file's first records; one without a year is of the last year before the file was written.
fn time(file: &FileOf) -> Option<NaiveDateTime> {
    let Contents::Log(reader) = Contents::of(open_regular(&file.path).ok()?).ok()? else { return None };
    let mut head = Vec::new();
    // What was unpacked before an error still tells the time.
    let _read = reader.take(HEAD).read_to_end(&mut head);
    let mut times = Vec::new();
    let mut sink = |input: Input<'_>| {
        if let Input::Record(record) = input
            && let Some(wall) = record.stamp.wall.filter(|_| times.len() < ENOUGH)
        {
            let mut dates = Dates::default();
            dates.note(&wall, 0);
            times.push(dates.so_far(wall, file.modified).utc());
        }
    };
    Decoder::new(0).feed(&head, &mut sink);
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}
