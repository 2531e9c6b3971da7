//! Text files of many sections, as SUSE's supportconfig writes them: `#==[ Command ]===#` or `#==[ Log File ]===#`, then
//! `# /bin/dmesg -T` or `# /var/log/messages - Last 500 Lines`, then what it printed or holds (supportutils,
//! `bin/supportconfig`, `log_cmd` and `log_files`).

use std::io::{self, BufRead, Read};

use super::archive::{is_journal_text, is_syslog};

const HEADER: &[u8] = b"#==[ ";

/// Longest line that is kept whole to be told by; a longer one is no header.
const LONGEST: u64 = 64 << 10;

/// Most logs that are taken of one file.
const MOST: usize = 32;

/// The logs among the sections of a file, read one after the other: [`Sections::next`], then [`Read`] to its end.
pub(super) struct Sections<R> {
    reader: R,
    /// Whether a section of this title is taken.
    takes: fn(&str) -> bool,
    /// What of the current line was not handed on yet, from `at`.
    line: Vec<u8>,
    at: usize,
    /// Line feeds still to be handed on, so that lines keep their numbers.
    passed: u64,
    lines: u64,
    taken: usize,
    inside: bool,
}

impl<R: BufRead> Sections<R> {
    /// Those that hold a log of the kernel.
    pub(super) const fn new(reader: R) -> Self {
        Self::of(reader, is_log)
    }

    /// Those that `takes` takes by their title.
    pub(super) const fn of(reader: R, takes: fn(&str) -> bool) -> Self {
        Self { reader, takes, line: Vec::new(), at: 0, passed: 0, lines: 0, taken: 0, inside: false }
    }

    /// Goes on to the next section that holds a log, and says what it is.
    pub(super) fn next(&mut self) -> io::Result<Option<String>> {
        self.inside = false;
        let mut header = self.line.starts_with(HEADER);
        loop {
            if !std::mem::take(&mut header) {
                if !self.advance()? {
                    return Ok(None);
                }
                if !self.line.starts_with(HEADER) {
                    continue;
                }
            }
            if !self.advance()? {
                return Ok(None);
            }
            header = self.line.starts_with(HEADER);
            let Some(title) = title(&self.line).filter(|title| (self.takes)(title)) else { continue };
            if self.taken == MOST {
                return Err(io::Error::other(format!("only the first {MOST} logs in it are read")));
            }
            self.taken += 1;
            (self.inside, self.passed) = (true, self.lines);
            self.at = self.line.len();
            return Ok(Some(title));
        }
    }

    /// Takes the next line, or a piece of one that is too long. False at the end.
    fn advance(&mut self) -> io::Result<bool> {
        let continued = !self.line.is_empty() && !self.line.ends_with(b"\n");
        self.line.clear();
        self.at = 0;
        let read = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.line)?;
        self.lines += u64::from(self.line.ends_with(b"\n"));
        // The middle of a long line is no header.
        if continued && self.line.starts_with(HEADER) {
            self.line.insert(0, b' ');
        }
        Ok(read > 0)
    }
}

impl<R: BufRead> Read for Sections<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.inside || buffer.is_empty() {
            return Ok(0);
        }
        if self.passed > 0 {
            let feeds = buffer.len().min(usize::try_from(self.passed).unwrap_or(usize::MAX));
            buffer.iter_mut().take(feeds).for_each(|byte| *byte = b'\n');
            self.passed -= feeds as u64;
            return Ok(feeds);
        }
        if self.at >= self.line.len() && (!self.advance()? || self.line.starts_with(HEADER)) {
            self.inside = false;
            return Ok(0);
        }
        let left = self.line.get(self.at..).unwrap_or_default();
        let length = left.len().min(buffer.len());
        for (byte, from) in buffer.iter_mut().zip(left) {
            *byte = *from;
        }
        self.at += length;
        Ok(length)
    }
}

/// Whether a file that begins like this is made of sections.
pub(super) fn is_sectioned(head: &[u8]) -> bool {
    head.windows(HEADER.len()).any(|window| window == HEADER)
}

/// What the line below a header names.
fn title(line: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(line.strip_prefix(b"# ")?);
    let text = text.trim_end();
    (!text.ends_with("File not found")).then(|| text.to_owned())
}

/// Whether a section holds a log: what `dmesg` or `journalctl` printed, or a file of syslog.
fn is_log(title: &str) -> bool {
    let path = title.split(" - ").next().unwrap_or(title);
    let mut words = path.split_whitespace();
    let name = words.next().and_then(|word| word.rsplit('/').next()).unwrap_or_default();
    let rest = path.split_once(' ').map_or("", |(_, rest)| rest);
    let base = name.split(['-', '.']).next().unwrap_or(name);
    match name {
        "dmesg" => true,
        "journalctl" => is_journal_text(&format!("journalctl {rest}")),
        _ => is_syslog(name) || is_syslog(base) || name.starts_with("vmcore-dmesg"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let mut sections = Sections::new(text.as_bytes());
        let mut found = Vec::new();
        while let Some(title) = sections.next().unwrap() {
            let mut text = String::new();
            sections.read_to_string(&mut text).unwrap();
            found.push((title, text));
        }
        found
    }

    #[test]
    fn only_logs_are_taken_and_lines_keep_their_numbers() {
        let text = "Supportconfig\n#==[ Command ]===#\n# /bin/uname -a\nLinux\n\
                    #==[ Command ]===#\n# /bin/dmesg -T\na\nb\n\n#==[ Log File ]===#\n# /var/log/warn\nc\n\
                    #==[ Log File ]===#\n# /var/log/messages - Last 500 Lines\nd\n\
                    #==[ Log File ]===#\n# /var/log/kern.log - File not found\n";
        let expected = [
            ("/bin/dmesg -T", format!("{}a\nb\n\n", "\n".repeat(6))),
            ("/var/log/messages - Last 500 Lines", format!("{}d\n", "\n".repeat(14))),
        ];
        assert_eq!(read(text), expected.map(|(title, text)| (title.to_owned(), text)));
    }

    #[test]
    fn a_file_that_is_cut_or_hostile_ends() {
        assert_eq!(read("#==[ Command ]===#"), []);
        assert_eq!(
            read("#==[ Command ]===#\n#==[ Command ]===#\n# dmesg\nx"),
            [("dmesg".to_owned(), "\n\n\nx".to_owned())]
        );
        let long = format!("#==[ Command ]===#\n# dmesg\n{}", "#==[ ".repeat(40_000));
        assert!(read(&long)[0].1.len() < long.len());
        let many = "#==[ Command ]===#\n# dmesg\n".repeat(MOST + 1);
        let mut sections = Sections::new(many.as_bytes());
        assert!((0..=MOST).any(|_| sections.next().is_err()));
    }
}
