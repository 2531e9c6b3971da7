//! Which way a log runs: oldest record first, or newest first, as `journalctl -r` and many log stores print it.

use std::collections::BTreeMap;

use crate::record::{Gap, Input, Place, Record, Stamp, between};

/// How many steps between records' times decide.
const ENOUGH: u64 = 16;

/// How many records may come before that is decided: a log without times has no direction.
const MOST_UNDECIDED: usize = 256;

/// How many bytes may come before it is decided.
const MOST_BYTES_UNDECIDED: usize = 4 << 20;

/// How many bytes of a log that runs backwards are kept: of its newest records.
const MOST_BYTES: usize = 16 << 20;

/// In a log that runs backwards, a record that says nothing is kept only if it is this far from the last one that was kept,
/// in microseconds.
const SPARSE: u64 = 10_000_000;

/// The beginning of a log, until it is known which way it runs; of a log that runs backwards, all that matters of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Direction {
    state: State,
    held: Vec<Input<'static>>,
    /// About so many bytes that is.
    weight: usize,
    /// Whether older records were passed over.
    is_full: bool,
    ran_backwards: bool,
    /// The last time of each host.
    last: BTreeMap<Vec<u8>, Stamp>,
    rises: u64,
    falls: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Undecided,
    Forwards,
    Backwards,
}

impl Direction {
    /// Of a log that is known to run forwards.
    pub(super) fn forwards() -> Self {
        Self { state: State::Forwards, ..Self::default() }
    }

    /// Whether inputs can be taken as they come.
    pub(super) fn is_forwards(&self) -> bool {
        self.state == State::Forwards
    }

    /// Whether it turned out to run backwards.
    pub(super) const fn ran_backwards(&self) -> bool {
        self.ran_backwards
    }

    /// Holds an input back. `matters` says whether a record says something.
    pub(super) fn hold(&mut self, input: Input<'_>, matters: bool) {
        let keep = match &input {
            Input::Record(record) => self.note(record) || matters || self.state == State::Undecided,
            Input::Gap(_) | Input::Boot(..) | Input::Unparsed(_) => true,
        };
        self.is_full |= keep && self.state == State::Backwards && self.weight >= MOST_BYTES;
        if keep && !self.is_full {
            self.weight += weight(&input);
            self.held.push(into_owned(input));
        }
        let is_much = self.held.len() >= MOST_UNDECIDED || self.weight >= MOST_BYTES_UNDECIDED;
        if self.state == State::Undecided && (self.rises + self.falls >= ENOUGH || is_much) {
            self.decide();
        }
    }

    /// What was held back, in the order of its times: at once when a log turns out to run forwards, and at its end.
    pub(super) fn release(&mut self, at_end: bool) -> Vec<Input<'static>> {
        if at_end && self.state == State::Undecided {
            self.decide();
        }
        match self.state {
            State::Forwards => std::mem::take(&mut self.held),
            State::Backwards if at_end => {
                self.state = State::Forwards;
                let mut held = std::mem::take(&mut self.held);
                if self.is_full {
                    held.push(Input::Gap(Gap { place: Place::default(), lost: None }));
                }
                held.reverse();
                held
            }
            State::Undecided | State::Backwards => Vec::new(),
        }
    }

    fn decide(&mut self) {
        let backwards = self.falls >= 2 && self.falls > 3 * self.rises;
        self.ran_backwards = backwards;
        self.state = if backwards { State::Backwards } else { State::Forwards };
    }

    /// Counts the step to this record. Says whether it is far from the last one of its host that was kept.
    fn note(&mut self, record: &Record<'_>) -> bool {
        let host = record.hostname.as_deref().unwrap_or_default();
        let Some(last) = self.last.get_mut(host) else {
            self.last.insert(host.to_vec(), record.stamp);
            return true;
        };
        let step = step(last, &record.stamp);
        if self.state == State::Undecided {
            self.rises += u64::from(step > 0);
            self.falls += u64::from(step < 0);
        }
        let far = self.state == State::Undecided || step.unsigned_abs() >= SPARSE;
        if far {
            *last = record.stamp;
        }
        far
    }
}

/// From one time to the next: by the wall clock where it moves, since that of the kernel starts again with every boot.
fn step(last: &Stamp, now: &Stamp) -> i64 {
    let wall = |stamp: &Stamp| Stamp { uptime: None, wall: stamp.wall };
    match between(&wall(last), &wall(now)) {
        Some(step) if step != 0 => step,
        _ => between(last, now).unwrap_or(0),
    }
}

/// About how many bytes an input takes.
fn weight(input: &Input<'_>) -> usize {
    let texts = match input {
        Input::Record(record) => {
            let names = [&record.hostname, &record.identifier].map(|name| name.as_deref().map_or(0, <[u8]>::len));
            record.message.len() + names.iter().sum::<usize>()
        }
        Input::Gap(_) | Input::Boot(..) | Input::Unparsed(_) => 0,
    };
    size_of::<Input<'_>>() + texts
}

fn into_owned(input: Input<'_>) -> Input<'static> {
    match input {
        Input::Record(record) => Input::Record(record.into_owned()),
        Input::Gap(gap) => Input::Gap(gap),
        Input::Boot(place, id) => Input::Boot(place, id),
        Input::Unparsed(unparsed) => Input::Unparsed(unparsed),
    }
}
