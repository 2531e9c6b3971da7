//! Brings what several threads find to the one that puts it together: in the order of the jobs, and never much of it at a
//! time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::batch::Batch;
use super::work::Failure;

/// How many batches may wait for their turn: those of one part where every line is ours, so that another thread can go on
/// with the next.
const WAITING: usize = 40;

/// How many more there may be of the job whose turn it is. It is never kept waiting for the others.
const AHEAD: usize = 8;

/// What comes out of a job.
#[derive(Debug)]
pub(super) enum Word {
    Batch(Batch),
    End(Result<(), Failure>),
}

/// Where the threads that do jobs and the one that takes what they find meet.
#[derive(Debug, Default)]
pub(super) struct Order {
    state: Mutex<State>,
    /// Something was said.
    said: Condvar,
    /// Something was taken.
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The job that is to be done next.
    next: usize,
    /// The job whose words are taken.
    turn: usize,
    words: BTreeMap<usize, VecDeque<Word>>,
    /// How many batches there are in `words`.
    waiting: usize,
    /// Batches that were taken and are empty: memory that one thread gives back, another one cannot use as well.
    used: Vec<Batch>,
    closed: bool,
}

/// Keeps a thread that fails from leaving the others waiting.
pub(super) struct Guard<'a>(&'a Order);

impl Order {
    /// The number of the next job, for whoever will do it.
    pub(super) fn claim(&self) -> usize {
        let mut state = self.lock();
        state.next += 1;
        state.next - 1
    }

    /// Hands on what is in a batch of a job, when there is room for it, and leaves an empty one in its place. Says whether
    /// more is wanted.
    pub(super) fn hand_on(&self, job: usize, batch: &mut Batch) -> bool {
        let mut state = self.lock();
        while !state.has_room(job) {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let empty = state.used.pop().unwrap_or_default();
        state.waiting += 1;
        self.say(state, job, Word::Batch(std::mem::replace(batch, empty)))
    }

    /// Ends a job. Says whether more are wanted.
    pub(super) fn end(&self, job: usize, outcome: Result<(), Failure>) -> bool {
        self.say(self.lock(), job, Word::End(outcome))
    }

    fn say(&self, mut state: MutexGuard<'_, State>, job: usize, word: Word) -> bool {
        state.words.entry(job).or_default().push_back(word);
        // Whoever takes it is not waked for nothing.
        if job == state.turn {
            self.said.notify_one();
        }
        !state.closed
    }

    /// What a job says next; to be asked until it ends, job after job. Nothing if the threads have failed.
    pub(super) fn take(&self, job: usize) -> Option<Word> {
        let mut state = self.lock();
        if state.turn != job {
            state.turn = job;
            self.room.notify_all();
        }
        loop {
            if let Some(word) = state.words.get_mut(&job).and_then(VecDeque::pop_front) {
                match &word {
                    Word::Batch(_) => {
                        state.waiting -= 1;
                        self.room.notify_all();
                    }
                    Word::End(_) => drop(state.words.remove(&job)),
                }
                return Some(word);
            }
            if state.closed {
                return None;
            }
            state = self.said.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives back a batch that was taken.
    pub(super) fn give_back(&self, mut batch: Batch) {
        batch.clear();
        self.lock().used.push(batch);
    }

    /// To be held by every thread as long as it works.
    pub(super) fn guard(&self) -> Guard<'_> {
        Guard(self)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self, job: usize) -> bool {
        let its = self.words.get(&job).map_or(0, VecDeque::len);
        self.closed || self.waiting < WAITING || (job == self.turn && its < AHEAD)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().closed = true;
            self.0.said.notify_all();
            self.0.room.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::Piece;
    use super::*;
    use crate::record::{Place, Record};

    /// A batch of one record, whose message is the number.
    fn batch(number: usize) -> Batch {
        let mut batch = Batch::default();
        batch.record(&Record::bare(Place { line: number as u64, ..Place::default() }, &[]), &mut Vec::new());
        batch
    }

    fn line(word: &Word) -> Option<u64> {
        let Word::Batch(batch) = word else { return None };
        let record = |piece| if let Piece::Record(record, _) = piece { Some(record.place.line) } else { None };
        batch.pieces().find_map(record)
    }

    #[test]
    fn words_come_in_the_order_of_the_jobs_and_few_wait() {
        const JOBS: usize = 7;
        const EACH: usize = 100;
        let order = Order::default();
        let mut taken = Vec::new();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let _guard = order.guard();
                    while let job @ ..JOBS = order.claim() {
                        (0..EACH).for_each(|number| assert!(order.hand_on(job, &mut batch(job * EACH + number))));
                        order.end(job, Ok(()));
                    }
                });
            }
            for job in 0..JOBS {
                while let Some(word) = order.take(job) {
                    let Word::Batch(_) = word else { break };
                    taken.extend(line(&word));
                    assert!(order.lock().waiting <= WAITING + AHEAD);
                }
            }
        });
        assert!(taken.into_iter().eq(0..(JOBS * EACH) as u64));
    }

    #[test]
    fn a_thread_that_fails_leaves_nobody_waiting() {
        let order = Order::default();
        let failed = std::thread::scope(|scope| {
            let failing = scope.spawn(|| {
                let _guard = order.guard();
                assert_eq!(order.claim(), 1, "it fails");
            });
            assert!(order.take(0).is_none());
            failing.join().is_err()
        });
        assert!(failed);
        assert!(!order.hand_on(5, &mut batch(0)), "nothing more is wanted");
    }
}
