//! Lines that break off before their message begins.

/// What stands before the messages of the kernel's lines, by the last one of them.
#[derive(Debug, Default)]
pub(super) struct Head(Vec<u8>);

impl Head {
    /// Notes a line of the kernel that ends with this message.
    pub(super) fn note(&mut self, line: &[u8], message: &[u8]) {
        if let Some(head) = line.strip_suffix(message) {
            self.0.clear();
            self.0.extend_from_slice(head.trim_ascii_end());
        }
    }

    /// Whether a line begins as they do, and ends within what stands before the message: who wrote it, and what, is lost.
    pub(super) fn is_torn(&self, line: &[u8]) -> bool {
        let line = line.trim_ascii_end();
        let alike = |(own, other): (&u8, &u8)| own == other || (is_of_number(*own) && is_of_number(*other));
        !line.is_empty() && line.len() < self.0.len() && line.iter().zip(&self.0).all(alike)
    }
}

/// Numbers differ from line to line, and are padded with blanks.
const fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b' '
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_ends_within_its_head_is_torn() {
        let mut head = Head::default();
        assert!(!head.is_torn(b"Mar  5"));
        head.note(b"Mar  5 10:20:30 dom0 kernel: [    2.512345] text", b"text");
        for torn in ["Mar 15 1", "Mar  5 10:20:30 dom0 ke", "Mar  5 10:20:30 dom0 kernel: [ ", "M"] {
            assert!(head.is_torn(torn.as_bytes()), "{torn}");
        }
        for whole in ["", "Mar  5 10:20:30 dom0 kernel: [    2.512346]", "Mar  5 10:20:30 xen ke", "  indented", "```"]
        {
            assert!(!head.is_torn(whole.as_bytes()), "{whole}");
        }
    }
}
