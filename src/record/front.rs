//! The front of a line of a syslog file, read without decoding the line: a search looks at some thousand lines for each that it
//! selects.

use memchr::{memchr, memchr_iter};

/// The kernel's time stands in this many bytes of a line, or nowhere.
const FRONT: usize = 160;

/// Where a line comes from and when, as far as it takes to choose lines without decoding them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Front<'a> {
    pub(crate) host: &'a [u8],
    /// Microseconds.
    pub(crate) uptime: Option<u64>,
}

/// The host of a line of syslog (RFC 3164, RFC 3339, RFC 5424), and the kernel's time in it.
pub(crate) fn front(line: &[u8]) -> Option<Front<'_>> {
    let rest = match line {
        [b'<', rest @ ..] => {
            let end = rest.iter().take(4).position(|byte| *byte == b'>')?;
            let rest = rest.get(end + 1..)?;
            rest.strip_prefix(b"1 ").unwrap_or(rest)
        }
        _ => line,
    };
    let words = match rest.first()? {
        b'0'..=b'9' => 1,
        b'A'..=b'Z' => 3,
        _ => return None,
    };
    let rest = (0..words).try_fold(rest, |rest, _| {
        let rest = rest.get(memchr(b' ', rest)?..)?;
        Some(rest.trim_ascii_start())
    })?;
    let (host, rest) = rest.split_at(memchr(b' ', rest)?);
    Some(Front { host, uptime: uptime(rest) })
}

/// The kernel's time, in microseconds: `[    5.721955]`.
fn uptime(text: &[u8]) -> Option<u64> {
    let front = text.get(..FRONT).unwrap_or(text);
    memchr_iter(b'[', front).find_map(|at| {
        let text = front.get(at + 1..)?.trim_ascii_start();
        let dot = text.iter().take(13).position(|byte| *byte == b'.')?;
        let (seconds, rest) = text.split_at(dot);
        let [b'.', micros @ .., b']'] = rest.get(..8)? else { return None };
        let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u64>().ok();
        number(seconds)?.checked_mul(1_000_000)?.checked_add(number(micros)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_of_a_line_names_its_host_and_the_kernels_time() {
        for (line, host, uptime) in [
            ("Nov  2 00:36:54 gaia kernel: [    1.648270] text", "gaia", Some(1_648_270)),
            ("Nov 22 00:36:54.123 gaia kernel[0]: [12345.648270] text", "gaia", Some(12_345_648_270)),
            ("2026-11-22T06:20:37.123456+00:00 gaia kernel: [ 1.648270] a", "gaia", Some(1_648_270)),
            ("<6>Nov 22 00:36:54 gaia kernel: text", "gaia", None),
            ("<6>1 2026-11-22T06:20:37Z gaia kernel - - - [    1.648270] a", "gaia", Some(1_648_270)),
            ("Nov 22 00:36:54 gaia sshd[12]: a [1.5] b", "gaia", None),
        ] {
            assert_eq!(front(line.as_bytes()), Some(Front { host: host.as_bytes(), uptime }), "{line}");
        }
        for line in ["", "\n", "<", "<6", "<66666>a b c d", "a", "MESSAGE=x", "Nov 22", "\u{e9}"] {
            assert_eq!(front(line.as_bytes()), None, "{line}");
        }
    }
}
