//! What another program put before every line of a log: the marks of a quotation, numbers of lines, names of files.

use super::peel::{blanks, digits, run};

/// The kind of text before the lines of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// `> `, `>> `, `> > `: a mail or a post in a forum that quotes the log.
    Quotation,
    /// `12:` of `grep -n`, `    12` and a tab of `cat -n`, `     12 ` of `less -N`.
    Number,
    /// `/var/log/kern.log:`, `kern.log.1:12:` of `grep` over several files.
    File,
}

impl Lead {
    /// The line behind a lead of this kind, if it has one.
    pub(super) fn behind(self, line: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Quotation => quotation(line),
            Self::Number => number(blanks(line), b":\t "),
            Self::File => {
                let (name, rest) = run(line, |byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'+' | b'~' | b'@')
                });
                let rest = rest.strip_prefix(b":").filter(|_| !name.is_empty())?;
                Some(number(rest, b":").unwrap_or(rest))
            }
        }
    }

    /// Every kind of lead that a line may have, with the line behind it.
    pub(super) fn possible(line: &[u8]) -> impl Iterator<Item = (Self, &[u8])> {
        // A number may be the name of a file, but not the other way round.
        let kinds = [Self::Quotation, Self::Number, Self::File].into_iter();
        kinds.filter_map(move |kind| Some((kind, kind.behind(line)?)))
    }
}

/// Past the marks of a quotation, and the one blank behind each.
fn quotation(line: &[u8]) -> Option<&[u8]> {
    let mut rest = line.strip_prefix(b">")?;
    loop {
        let text = rest.strip_prefix(b" ").unwrap_or(rest);
        match text.strip_prefix(b">") {
            Some(further) => rest = further,
            None => return Some(text),
        }
    }
}

/// Past a number, and one of the bytes that may stand behind it.
fn number<'a>(text: &'a [u8], ends: &[u8]) -> Option<&'a [u8]> {
    let (number, rest) = digits(text);
    let (end, rest) = rest.split_first()?;
    (!number.is_empty() && ends.contains(end)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lead_is_taken_off() {
        for (line, lead) in [
            ("> text", Lead::Quotation),
            (">> text", Lead::Quotation),
            ("> > >text", Lead::Quotation),
            ("12:text", Lead::Number),
            ("    12\ttext", Lead::Number),
            ("     12 text", Lead::Number),
            ("/var/log/kern.log:text", Lead::File),
            ("kern.log.1:12:text", Lead::File),
        ] {
            assert_eq!(lead.behind(line.as_bytes()), Some(&b"text"[..]), "{line}");
        }
        assert_eq!(Lead::Quotation.behind(b">  indented"), Some(&b" indented"[..]));
        for line in ["text", "[    1.000000] text", "12", ":text", ""] {
            assert_eq!(Lead::possible(line.as_bytes()).count(), 0, "{line}");
        }
    }
}
