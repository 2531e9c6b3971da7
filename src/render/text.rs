//! Makes text from elsewhere harmless for a terminal.
//!
//! Whoever may plug in a USB stick or write to the log decides what stands in it: an escape sequence could rewrite the
//! screen, a right-to-left override could make one command look like another.

use std::fmt::Write as _;

/// `text` with every character that a terminal would act on, or that hides itself, written as `\xNN` or `\u{NNNN}`.
pub fn escape(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if !is_harmful(letter) {
            safe.push(letter);
        } else if letter.is_ascii() {
            write!(safe, "\\x{:02x}", u32::from(letter)).unwrap_or_default();
        } else {
            write!(safe, "\\u{{{:04x}}}", u32::from(letter)).unwrap_or_default();
        }
    }
    safe
}

/// Whether it is nothing but letters, digits, signs and blanks of ASCII, as nearly all text is.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Controls of ASCII and Latin-1, bidirectional controls, characters without width, other line ends, and tags.
pub(super) fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_spelt_out() {
        assert_eq!(escape("\u{1b}[2J\u{7f}\n\t"), "\\x1b[2J\\x7f\\x0a\\x09");
        assert_eq!(escape("\u{9b}31m"), "\\u{009b}31m");
        assert_eq!(
            escape("a\u{202e}b\u{200b}c\u{feff}\u{2028}\u{e0041}"),
            "a\\u{202e}b\\u{200b}c\\u{feff}\\u{2028}\\u{e0041}"
        );
        assert_eq!(escape("Contrôleur Ωμέγα 控制器 \u{fffd}"), "Contrôleur Ωμέγα 控制器 \u{fffd}");
    }
}
