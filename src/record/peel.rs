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
    let mut rest = text;
    while let [b' ', behind @ ..] = rest {
        rest = behind;
    }
    rest
}

/// Everything up to the next space, which is taken off the rest.
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    // Words are too short for a search by vectors.
    let (word, rest) = run(text, |byte| byte != b' ');
    (word, rest.strip_prefix(b" ").unwrap_or(rest))
}

/// The value of a run of digits, unless there are none or too many.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    number(digits).filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
}

/// An unsigned number of any length that fits.
pub(super) fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut value: u64 = 0;
    let mut rest = text;
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        rest = behind;
    }
    (rest.len() < text.len()).then_some((value, rest))
}

/// A number of exactly `WIDTH` digits, nine at most.
pub(super) fn fixed<const WIDTH: usize>(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<WIDTH>()?;
    // Without a way out of the loop nothing is left of it.
    let read = |(value, most): (u32, u8), byte: &u8| {
        let digit = byte.wrapping_sub(b'0');
        (value * 10 + u32::from(digit), most.max(digit))
    };
    let (value, most) = digits.iter().fold((0, 0), read);
    (most < 10).then_some((value, rest))
}

/// The line without its end: one LF, and the CRs of a serial console before it.
pub(super) fn chomp(line: &[u8]) -> &[u8] {
    let mut text = line.strip_suffix(b"\n").unwrap_or(line);
    while let Some(shorter) = text.strip_suffix(b"\r") {
        text = shorter;
    }
    text
}
