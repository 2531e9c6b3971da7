//! Peeling values off the front of a text: each function returns the value and what follows it.

/// `text` cut at `at`, or all of it and nothing when it is shorter.
pub(super) fn split(text: &[u8], at: usize) -> (&[u8], &[u8]) {
    text.split_at_checked(at).unwrap_or((text, &[]))
}

/// The first bytes for which `belongs` holds, and the rest.
pub(super) fn run(text: &[u8], belongs: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    split(text, text.iter().position(|byte| !belongs(*byte)).unwrap_or(text.len()))
}

/// A run of decimal digits, perhaps empty.
pub(super) fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    run(text, |byte| byte.is_ascii_digit())
}

/// What follows a run of spaces.
pub(super) fn blanks(text: &[u8]) -> &[u8] {
    run(text, |byte| byte == b' ').1
}

/// Everything up to the next space, which is taken off the rest.
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    // Words are too short for a search by vectors.
    let (word, rest) = run(text, |byte| byte != b' ');
    (word, rest.strip_prefix(b" ").unwrap_or(rest))
}

/// The value of a run of digits, unless there are none or too many.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    // As many as always fit.
    if (1..=19).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) {
        return Some(digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')));
    }
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| match digit {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// An unsigned number of any length that fits.
pub(super) fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = digits(text);
    Some((decimal(digits)?, rest))
}

/// A number of exactly `width` digits, nine at most.
pub(super) fn fixed(text: &[u8], width: usize) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(width)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')), rest))
}

/// The line without its end: one LF, and the CRs of a serial console before it.
pub(super) fn chomp(line: &[u8]) -> &[u8] {
    let mut text = line.strip_suffix(b"\n").unwrap_or(line);
    while let Some(shorter) = text.strip_suffix(b"\r") {
        text = shorter;
    }
    text
}
