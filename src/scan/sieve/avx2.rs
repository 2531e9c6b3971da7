//! The search with vectors of 32 bytes. The only file with `unsafe`, and all that it does there is to call code for
//! processors that have AVX2 on one that was seen to have it: no load is unchecked.
//!
//! The last four bits of a byte say which byte it has to be, and which ones have to stand three and five behind it: fourteen
//! instructions look for up to sixteen texts in 32 places.

use std::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_max_epi8, _mm256_min_epu8, _mm256_movemask_epi8,
    _mm256_or_si256, _mm256_set1_epi8, _mm256_setr_epi64x, _mm256_shuffle_epi8, _mm256_subs_epu8, _mm256_testz_si256,
};

use super::{ROWS, SECOND, THIRD};

const WIDTH: usize = 32;
/// How many positions are looked at together.
const STEP: usize = 4 * WIDTH;
/// How many steps are listed before they are looked at.
const LISTED: usize = 32;
/// What is read for a step.
const WINDOW: usize = STEP + THIRD;

/// Proof that this processor has AVX2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// Hands every position to `candidate` where a text may have its key, in ascending order. Returns whether there is a
    /// strange byte.
    #[expect(clippy::unused_self, reason = "it is the proof")]
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
    let mut controls = Controls::none();
    let mut steps = Steps { steps: [(0, 0); LISTED], count: 0 };
    let mut at = 0;
    while let Some(window) = block.get(at..).and_then(<[u8]>::first_chunk) {
        steps.list(at, look(window, &mut controls), candidate);
        at += STEP;
    }
    // What is left is looked at with line ends behind it, where no text has its key.
    let rest = block.get(at..).unwrap_or_default();
    let mut padded = [b'\n'; STEP + WINDOW];
    padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    for half in [0, STEP] {
        if let Some(window) = padded.get(half..).and_then(<[u8]>::first_chunk) {
            steps.list(at + half, look(window, &mut controls), candidate);
        }
    }
    steps.hand_on(candidate);
    controls.any()
}

/// The steps in which something was found: where, and a bit for each position. They are listed without a branch, because where
/// every fifth step holds something no branch is foreseen, and each that is not costs as much as a step.
struct Steps {
    steps: [(usize, u128); LISTED],
    count: usize,
}

impl Steps {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn list(&mut self, at: usize, found: [__m256i; 4], candidate: &mut impl FnMut(usize)) {
        let bits = found.map(|vector| u128::from(_mm256_movemask_epi8(vector).cast_unsigned()));
        let bits = bits.into_iter().rev().fold(0, |all, bits| all << WIDTH | bits);
        if let Some(step) = self.steps.get_mut(self.count) {
            *step = (at, bits);
        }
        self.count += usize::from(bits != 0);
        if self.count == LISTED {
            self.hand_on(candidate);
        }
    }

    /// Hands every position to `candidate`.
    fn hand_on(&mut self, candidate: &mut impl FnMut(usize)) {
        for (at, mut bits) in self.steps.iter().take(self.count).copied() {
            while bits != 0 {
                candidate(at + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
        self.count = 0;
    }
}

/// What tells in the end whether there were control characters that no text holds.
struct Controls {
    /// The least byte of each place that is none of those a text holds.
    least: __m256i,
    /// The greatest ASCII character of each place: the last one of all is a control character, too.
    most: __m256i,
}

impl Controls {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn none() -> Self {
        Self { least: _mm256_set1_epi8(-1), most: _mm256_set1_epi8(0) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn note(&mut self, bytes: __m256i) {
        let text = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(twice(TEXT), bytes), bytes);
        self.least = _mm256_min_epu8(self.least, _mm256_or_si256(bytes, text));
        self.most = _mm256_max_epi8(self.most, bytes);
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn any(&self) -> bool {
        let low = _mm256_subs_epu8(_mm256_set1_epi8(b' '.cast_signed()), self.least);
        let delete = _mm256_cmpeq_epi8(_mm256_set1_epi8(0x7f), self.most);
        !is_zero(_mm256_or_si256(low, delete))
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn is_zero(vector: __m256i) -> bool {
    _mm256_testz_si256(vector, vector) == 1
}

/// What there is at the first [`STEP`] positions of a window.
#[inline]
#[target_feature(enable = "avx2")]
fn look(window: &[u8; WINDOW], controls: &mut Controls) -> [__m256i; 4] {
    [
        triples::<0>(window, controls),
        triples::<WIDTH>(window, controls),
        triples::<{ 2 * WIDTH }>(window, controls),
        triples::<{ 3 * WIDTH }>(window, controls),
    ]
}

/// Where there is a key with its second and its third byte.
#[inline]
#[target_feature(enable = "avx2")]
fn triples<const FROM: usize>(window: &[u8; WINDOW], controls: &mut Controls) -> __m256i {
    let (keys, seconds, thirds) = (load(window, FROM), load(window, FROM + SECOND), load(window, FROM + THIRD));
    controls.note(keys);
    let key = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(twice(KEYS), keys), keys);
    let second = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(twice(SECONDS), keys), seconds);
    let [one, two, three, four] =
        THIRDS.map(|table| _mm256_cmpeq_epi8(_mm256_shuffle_epi8(twice(table), keys), thirds));
    let third = _mm256_or_si256(_mm256_or_si256(one, two), _mm256_or_si256(three, four));
    _mm256_and_si256(_mm256_and_si256(key, second), third)
}

/// 32 bytes of the window, by one instruction: all is known when this is compiled.
#[inline]
#[target_feature(enable = "avx2")]
fn load<const LENGTH: usize>(window: &[u8; LENGTH], from: usize) -> __m256i {
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

/// The control characters that a text may hold. Where there is none, what has other last bits and so finds no equal.
const TEXT: Table = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, b'\t', b'\n', 0xff, 0xff, b'\r', 0xff, 0];

const KEYS: Table = table(0);
const SECONDS: Table = table(1);
const THIRDS: [Table; 4] = [table(2), table(3), table(4), table(5)];

/// One of the six bytes of each row.
#[expect(clippy::indexing_slicing, reason = "runs while compiling, and fails there")]
const fn table(which: usize) -> Table {
    let mut table = [0xff; 16];
    // As in `TEXT`.
    table[15] = 0;
    let mut row = 0;
    while row < ROWS.len() {
        if let Some(bytes) = ROWS[row].bytes() {
            table[row] = bytes[which];
        }
        row += 1;
    }
    table
}
