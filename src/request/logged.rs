//! The command line as the kernel's own log repeats it.

use super::cmdline::in_line;
use super::{Source, Written};

/// How the record begins: on x86 in arch/x86/kernel/setup.c, and on every architecture in init/main.c.
const PREFIXES: [&[u8]; 2] = [b"Kernel command line:", b"Command line:"];

/// The lists in the text of a "Command line:" record, with its beginning or without.
pub fn written(record: &[u8]) -> Vec<Written> {
    let line = PREFIXES.iter().find_map(|prefix| record.strip_prefix(*prefix)).unwrap_or(record);
    in_line(line, Source::Log, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_a_command_line() {
        for record in ["Command line: ", "Kernel command line: ", ""] {
            let text = format!("{record}placeholder root=/dev/sda1 xen-pciback.hide=(00:1d.0) quiet");
            let found = written(text.as_bytes());
            assert_eq!((found.len(), &found[0].text[..], found[0].source), (1, &b"(00:1d.0)"[..], Source::Log));
        }
    }
}
