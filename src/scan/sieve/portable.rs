//! The search for every other machine: plain loops, of which the compiler makes vectors where there are some.

use super::{LITERALS, ROWS, SECOND, THIRD, is_strange};

/// How many positions are looked at before the first branch.
const STEP: usize = 128;
const WINDOW: usize = STEP + THIRD;

/// Hands every position to `candidate` where a text may have its key, in ascending order, and some others. Returns whether
/// there is a strange byte.
pub(super) fn search(block: &[u8], candidate: &mut impl FnMut(usize)) -> bool {
    let mut strange = false;
    for at in (0..block.len()).step_by(STEP) {
        let rest = block.get(at..).unwrap_or_default();
        // At the end there are line ends behind it, where no text has its key.
        let mut padded = [b'\n'; WINDOW];
        let window = rest.first_chunk().unwrap_or_else(|| {
            padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            &padded
        });
        // Without a way out of the loops they become vectors.
        strange |= window.iter().fold(0, |any, byte| any | u8::from(is_strange(*byte))) != 0;
        if may_hold(window) {
            (at..block.len().min(at + STEP)).for_each(&mut *candidate);
        }
    }
    strange
}

/// Whether the three bytes of some row stand somewhere in a window.
fn may_hold(window: &[u8; WINDOW]) -> bool {
    let from = |start: usize| window.get(start..start + STEP).unwrap_or_default();
    let places = from(0).iter().zip(from(SECOND)).zip(from(THIRD));
    places.fold(0, |any, ((a, b), c)| {
        let is = |[key, second, thirds @ ..]: &[u8; 6]| {
            let third = thirds.iter().fold(0, |any, third| any | u8::from(c == third));
            u8::from(a == key) & u8::from(b == second) & third
        };
        BYTES.iter().fold(any, |any, row| any | is(row))
    }) != 0
}

/// The bytes of all rows that there are.
#[expect(clippy::indexing_slicing, reason = "runs while compiling, and fails there")]
const BYTES: [[u8; 6]; LITERALS.len() + 2] = {
    let mut all = [[0; 6]; LITERALS.len() + 2];
    let (mut row, mut to) = (0, 0);
    while row < ROWS.len() {
        if let Some(bytes) = ROWS[row].bytes() {
            all[to] = bytes;
            to += 1;
        }
        row += 1;
    }
    all
};
