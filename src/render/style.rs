//! How a report looks to a person: its width and colours, and words in their number.

use crate::report::Verdict;

/// How a report is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Columns of the terminal or page.
    pub width: usize,
    /// Whether the terminal understands colours.
    pub colour: bool,
    /// Whether notes are shown, and every proof.
    pub verbose: bool,
    /// Whether only ASCII can be shown.
    pub ascii: bool,
}

/// `text` in the colour of a verdict, where colours are wanted.
pub(super) fn paint(text: &str, verdict: Verdict, style: &Style) -> String {
    if !style.colour {
        return text.to_owned();
    }
    let code = match verdict {
        Verdict::Ok => 32,
        Verdict::Warning => 33,
        Verdict::Unknown => 35,
        Verdict::Critical => 31,
    };
    format!("\x1b[1;{code}m{text}\x1b[0m")
}

/// The noun in its number.
pub(super) fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// The same for a count that may be larger than memory.
pub(super) fn plural_of(count: u64, noun: &str) -> String {
    plural(usize::try_from(count).unwrap_or(usize::MAX), noun)
}
