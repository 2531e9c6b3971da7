//! Brings together what several threads find, in the order of the jobs, and never much of it at a time.
//!
//! No thread only collects. The thread that works on the current job passes its results on directly; the others queue theirs,
//! and the thread that ends a job passes on what is queued of the next ones. So no thread waits as long as there is work.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::selection::Selection;

/// How many selections may wait for their turn.
const WAITING: usize = 16;

/// How many more there may be of the job whose turn it is, while another thread hands on what came before.
const AHEAD: usize = 2;

/// How far a log was read that was not read to its end, and why.
pub(super) type Stopped = (u64, String);

/// What comes out of a job.
#[derive(Debug)]
pub(super) enum JobResult<'a> {
    Selection(&'a Selection),
    End(Result<(), Stopped>),
}

/// Takes the words of the jobs, by the number of the job: in their order.
pub(super) type Taker<'a> = dyn FnMut(usize, JobResult<'_>) + Send + 'a;

/// Where the threads that do jobs meet.
pub(super) struct Order<'a, 'b> {
    state: Mutex<State>,
    /// There is room, or it is another job's turn.
    room: Condvar,
    taker: Mutex<&'a mut Taker<'b>>,
}

#[derive(Debug, Default)]
struct State {
    /// The job that is to be done next.
    next: usize,
    /// The job whose words are taken.
    turn: usize,
    /// Whether a thread has the taker. Otherwise nothing waits of the job whose turn it is.
    taking: bool,
    waiting: BTreeMap<usize, VecDeque<Waiting>>,
    /// How many selections there are in `waiting`.
    selections: usize,
    /// Selections that were taken and are empty.
    used: Vec<Selection>,
    closed: bool,
}

/// A word that waits for its turn.
#[derive(Debug)]
enum Waiting {
    Selection(Selection),
    End(Result<(), Stopped>),
}

/// Keeps a thread that fails from leaving the others waiting.
pub(super) struct Guard<'o, 'a, 'b>(&'o Order<'a, 'b>);

impl<'a, 'b> Order<'a, 'b> {
    pub(super) fn new(taker: &'a mut Taker<'b>) -> Self {
        Self { state: Mutex::default(), room: Condvar::default(), taker: Mutex::new(taker) }
    }

    /// The number of the next job, for whoever will do it.
    pub(super) fn claim(&self) -> usize {
        let mut state = self.lock();
        state.next += 1;
        state.next - 1
    }

    /// Hands on what is in a selection of a job, at once or when there is room for it, and leaves an empty one in its place. Says
    /// whether more is wanted.
    pub(super) fn hand_on(&self, job: usize, selection: &mut Selection) -> bool {
        let mut state = self.lock();
        while !state.may_take(job) && !state.has_room(job) {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.may_take(job) {
            state.taking = true;
            drop(state);
            self.take(job, JobResult::Selection(selection));
            selection.clear();
            state = self.lock();
            state.taking = false;
        } else {
            let empty = state.used.pop().unwrap_or_default();
            state.selections += 1;
            state.put_by(job, Waiting::Selection(std::mem::replace(selection, empty)));
        }
        !state.closed
    }

    /// Ends a job. Says whether more are wanted.
    pub(super) fn end(&self, job: usize, outcome: Result<(), Stopped>) -> bool {
        let mut state = self.lock();
        let may_take = state.may_take(job);
        state.put_by(job, Waiting::End(outcome));
        if may_take {
            state = self.catch_up(state);
        }
        !state.closed
    }

    /// Hands on what was put by, until the next word is still to be said.
    fn catch_up<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        state.taking = true;
        while let Some((job, word)) = state.next_word() {
            drop(state);
            match word {
                Waiting::Selection(mut selection) => {
                    self.take(job, JobResult::Selection(&selection));
                    selection.clear();
                    state = self.lock();
                    state.used.push(selection);
                }
                Waiting::End(outcome) => {
                    self.take(job, JobResult::End(outcome));
                    state = self.lock();
                }
            }
            self.room.notify_all();
        }
        state.taking = false;
        self.room.notify_all();
        state
    }

    fn take(&self, job: usize, word: JobResult<'_>) {
        let mut taker = self.taker.lock().unwrap_or_else(PoisonError::into_inner);
        (taker)(job, word);
    }

    /// To be held by every thread as long as it works.
    pub(super) fn guard(&self) -> Guard<'_, 'a, 'b> {
        Guard(self)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether what this job says is to be handed on at once.
    fn may_take(&self, job: usize) -> bool {
        self.turn == job && !self.taking
    }

    fn has_room(&self, job: usize) -> bool {
        let its = self.waiting.get(&job).map_or(0, VecDeque::len);
        self.closed || self.selections < WAITING || (job == self.turn && its < AHEAD)
    }

    fn put_by(&mut self, job: usize, word: Waiting) {
        self.waiting.entry(job).or_default().push_back(word);
    }

    /// What waits of the job whose turn it is.
    fn next_word(&mut self) -> Option<(usize, Waiting)> {
        let job = self.turn;
        let word = self.waiting.get_mut(&job)?.pop_front()?;
        match &word {
            Waiting::Selection(_) => self.selections -= 1,
            Waiting::End(_) => {
                self.waiting.remove(&job);
                self.turn += 1;
            }
        }
        Some((job, word))
    }
}

impl Drop for Guard<'_, '_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().closed = true;
            self.0.room.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(number: usize) -> Selection {
        let mut selection = Selection::default();
        selection.push(number as u64, b"x");
        selection
    }

    #[test]
    fn words_come_in_the_order_of_the_jobs_and_few_wait() {
        const JOBS: usize = 7;
        const EACH: usize = 100;
        let mut heard = Vec::new();
        let mut taker = |job: usize, word: JobResult<'_>| {
            heard.push(
                if let JobResult::Selection(selection) = word {
                    selection.pieces().next().map(|(at, _)| at)
                } else {
                    None
                }
                .ok_or(job),
            );
        };
        let order = Order::new(&mut taker);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let _guard = order.guard();
                    while let job @ ..JOBS = order.claim() {
                        for number in 0..EACH {
                            assert!(order.hand_on(job, &mut selection(job * EACH + number)));
                            assert!(order.lock().selections <= WAITING + AHEAD);
                        }
                        order.end(job, Ok(()));
                    }
                });
            }
        });
        let numbers = |job| (job * EACH..(job + 1) * EACH).map(|number| Ok(number as u64)).chain([Err(job)]);
        assert!(heard.into_iter().eq((0..JOBS).flat_map(numbers)));
    }

    #[test]
    fn a_thread_that_fails_leaves_nobody_waiting() {
        let mut taker = |_: usize, _: JobResult<'_>| {};
        let order = Order::new(&mut taker);
        let failed = std::thread::scope(|scope| {
            let failing = scope.spawn(|| {
                let _guard = order.guard();
                assert_eq!(order.claim(), 1, "it fails");
            });
            failing.join().is_err()
        });
        assert!(failed);
        assert!(!order.hand_on(5, &mut selection(0)), "nothing more is wanted");
    }
}
