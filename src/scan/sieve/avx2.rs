//! The search with vectors of 32 bytes. The only file with `unsafe`, and all that it does there is to call code for
//! processors that have AVX2 on one that was seen to have it: no load is unchecked.
//!
//! The last four bits of a byte say which byte it has to be and which one has to stand three behind, so five instructions
//! look for up to sixteen texts in 32 places. Of an address what follows it is looked at as well: otherwise the fraction of
//! a second in RFC 3339 times would pass for one, on every line.

use std::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256,
    _mm256_set1_epi8, _mm256_setr_epi64x, _mm256_shuffle_epi8, _mm256_subs_epu8, _mm256_testz_si256,
};

use super::{AFTER, BEHIND, ROWS, Row, SECOND};

const WIDTH: usize = 32;
/// How many positions are looked at before the first branch.
const STEP: usize = 4 * WIDTH;
/// What is read for them.
const WINDOW: usize = STEP + BEHIND;

/// Proof that this processor has AVX2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// Hands every position to `candidate` where a text may have its key, in ascending order. Returns whether there is a
    /// strange byte.
    pub(super) fn search(self, block: &[u8], candidate: &mut impl FnMut(usize)) -> bool {
        #[expect(unsafe_code, reason = "vectors of 32 bytes are not in every processor, and twice as fast")]
        // SAFETY: `search` asks for nothing but AVX2, and only `detect` makes a `Self`.
        unsafe {
            search(block, candidate)
        }
    }
}

#[target_feature(enable = "avx2")]
fn search(block: &[u8], candidate: &mut impl FnMut(usize)) -> bool {
    let mut least = _mm256_set1_epi8(-1);
    let mut at = 0;
    while let Some(window) = block.get(at..).and_then(<[u8]>::first_chunk) {
        look(window, at, &mut least, candidate);
        at += STEP;
    }
    // What is left is looked at with line ends behind it, where no text has its key.
    let rest = block.get(at..).unwrap_or_default();
    let mut padded = [b'\n'; STEP + WINDOW];
    padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    for half in [0, STEP] {
        if let Some(window) = padded.get(half..).and_then(<[u8]>::first_chunk) {
            look(window, at + half, &mut least, candidate);
        }
    }
    let below = _mm256_subs_epu8(_mm256_set1_epi8(b' '.cast_signed()), least);
    _mm256_testz_si256(below, below) == 0
}

/// Looks at the first [`STEP`] positions of a window that stands at `at`.
#[inline]
#[target_feature(enable = "avx2")]
fn look(window: &[u8; WINDOW], at: usize, least: &mut __m256i, candidate: &mut impl FnMut(usize)) {
    let found = [0, WIDTH, 2 * WIDTH, 3 * WIDTH].map(|from| {
        let keys = load(window, from);
        let text = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(twice(TEXT), keys), keys);
        *least = _mm256_min_epu8(*least, _mm256_or_si256(keys, text));
        pairs(keys, load(window, from + SECOND), load(window, from + BEHIND))
    });
    let any = found.into_iter().reduce(|any, some| _mm256_or_si256(any, some));
    if any.is_none_or(|any| _mm256_testz_si256(any, any) == 1) {
        return;
    }
    for (from, found) in (at..).step_by(WIDTH).zip(found) {
        let mut bits = _mm256_movemask_epi8(found).cast_unsigned();
        while bits != 0 {
            candidate(from + bits.trailing_zeros() as usize);
            bits &= bits - 1;
        }
    }
}

/// Where there is a key, its second byte, and what must be behind it.
#[inline]
#[target_feature(enable = "avx2")]
fn pairs(keys: __m256i, seconds: __m256i, behind: __m256i) -> __m256i {
    let key = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(twice(KEYS), keys), keys);
    let second = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(twice(SECONDS), keys), seconds);
    let after = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(twice(ENDS), behind), behind);
    let third = _mm256_or_si256(_mm256_shuffle_epi8(twice(ENDLESS), keys), after);
    _mm256_and_si256(_mm256_and_si256(key, second), third)
}

/// 32 bytes of the window, by one instruction: all is known when this is compiled.
#[inline]
#[target_feature(enable = "avx2")]
fn load(window: &[u8; WINDOW], from: usize) -> __m256i {
    let word = |at: usize| {
        let bytes = window.get(from + at..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| i64::from_le_bytes(*bytes))
    };
    _mm256_setr_epi64x(word(0), word(8), word(16), word(24))
}

/// Sixteen bytes that are looked up by the last four bits of another. A byte above 7f finds 0.
type Table = [u8; 16];

/// The table as the shuffle wants it.
#[inline]
#[target_feature(enable = "avx2")]
fn twice(table: Table) -> __m256i {
    let half = |at: usize| table.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| i64::from_le_bytes(*bytes));
    _mm256_setr_epi64x(half(0), half(8), half(0), half(8))
}

/// The control characters that a text may hold.
const TEXT: Table = own(&[b'\t', b'\n', b'\r']);

/// What follows an address.
const ENDS: Table = own(&AFTER);

/// The keys.
const KEYS: Table = {
    let mut keys = own(&[]);
    let mut nibble = 0;
    while nibble < keys.len() {
        if let Some((key, _)) = ROWS[nibble].pair() {
            keys[nibble] = key;
        }
        nibble += 1;
    }
    keys
};

/// What stands behind them.
const SECONDS: Table = {
    let mut seconds = [0; 16];
    let mut nibble = 0;
    while nibble < seconds.len() {
        if let Some((_, second)) = ROWS[nibble].pair() {
            seconds[nibble] = second;
        }
        nibble += 1;
    }
    seconds
};

/// All bits where nothing more is asked.
const ENDLESS: Table = {
    let mut endless = [0xff; 16];
    let mut nibble = 0;
    while nibble < endless.len() {
        if matches!(ROWS[nibble], Row::Address) {
            endless[nibble] = 0;
        }
        nibble += 1;
    }
    endless
};

/// A table in which these bytes find themselves, and no other does.
const fn own(bytes: &[u8]) -> Table {
    // No byte with these last bits finds itself: it would need others.
    let mut table = [0xff; 16];
    table[15] = 0;
    let mut left = bytes;
    while let [byte, rest @ ..] = left {
        table[(*byte & 15) as usize] = *byte;
        left = rest;
    }
    table
}
