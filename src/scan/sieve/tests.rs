//! The vectors against the portable search, and both against what a search byte by byte finds.

use super::*;
use crate::event::messages;

/// Lines that must be found although no message of ours is in them.
const OTHERS: &[&str] = &[
    "uhci_hcd 0000:00:1d.0: UHCI Host Controller",
    "e1000e 10000:e1:00.0 eth0: NIC Link is Up",
    "my-pci 0000:00:1d.0: text",
    "mypci 0000:00:1d.0: text",
    "pci-stub 0000:00:1d.0: claimed by stub",
    "****** removing device 0000:00:1d.0 while still in-use! ******",
    "****** driver domain may still access this device's i/o resources!",
    "****** shutdown driver domain before binding device",
    "****** to other drivers or domains",
    "** 12 printk messages dropped **",
    "systemd-journald[211]: Missed 7 kernel messages",
    "rsyslogd: imklog: 5 messages lost due to rate-limiting",
    "rsyslogd: imuxsock lost 5 messages from pid 12 due to rate-limiting",
    "imjournal: 5 messages lost due to rate-limiting (2 allowed within 3 seconds)",
    "rsyslogd: main Q: queue full, discarding messages",
    "rsyslogd-2007: action 'action 1' suspended, next retry is Sun Nov 22 06:20:00 2026",
    "syslog-ng[400]: Destination queue full, dropping message; filename='x'",
    "Restarting system.",
    "-- Boot e3e04467517848339c5b9e97abdc7330 --",
    "-- Reboot --",
    "\u{1b}[33muhci_hcd 0000:00:1d.0\u{1b}[0m: UHCI Host Controller",
    "Comm\u{1b}[0mand line: a",
    "a\u{0}b",
];

/// What only kernels say that are older than the prefix `reboot: ` (3.11), and pciback's message for guests of 2.6.18: there is no
/// room for these among the keys.
const OLD: &[&str] = &["System halted.", "machine restart", "error enable msi for guest a status ffffffea"];

/// Lines that need not be looked at, and are many.
const IDLE: &[&str] = &[
    "",
    "x",
    "Jul  2 00:36:54 gaia sshd[812]: Accepted publickey for root from 10.0.0.7 port 51234 ssh2",
    "2026-11-22T06:20:37.123456+00:00 gaia CRON[12]: (root) CMD (a: b)",
    "2026-11-22T06:20:37.1 gaia CRON[12]: (root) CMD (a: b)",
    "Jul  2 00:36:54 gaia kernel: [    0.648270] pci 0000:00:1d.0: reg 0x10: [mem 0xfebc0000-0xfebdffff]",
    "Jul  2 00:36:54 gaia kernel: [    0.648270] pci 0000:00:1d.0: BAR 4: assigned [io  0x1000-0x103f]",
    "pci 0000:00:1d.0: PME# supported from D0 D3hot",
    "usb 1-1: New USB device found, idVendor=0627, idProduct=0001, bcdDevice= 0.00",
    "uhci_hcd 0000:00:1D.0: text",
    "uhci_hcd 000:00:1d.0: text",
    "r\u{e9}sum\u{e9} \u{1f600}\tof pci\u{a0}back\r",
];

/// Both ways, where this machine has both.
fn ways() -> Vec<Sieve> {
    vec![Sieve::new(), Sieve(Way::Portable)]
}

/// Those by vectors, to which it matters where a text stands; the portable one goes from byte to byte.
fn vectors() -> Vec<Sieve> {
    ways().into_iter().filter(|way| !matches!(way.0, Way::Portable)).collect()
}

/// What a search without any cleverness finds.
fn naive(block: &[u8]) -> (Vec<Range<usize>>, Signs) {
    // The first byte alone, as most places end there.
    let starts = |text: &[u8], at: usize| block.get(at) == text.first() && block[at..].starts_with(text);
    let goes_on =
        |ends: &[&[u8]], at: usize| ends.is_empty() || (at <= block.len() && ends.iter().any(|end| starts(end, at)));
    let mut hits: Vec<usize> = LITERALS
        .iter()
        .flat_map(|Literal { text, key, ends }| {
            let found = move |at: &usize| starts(text, *at) && goes_on(ends, at + text.len());
            (0..block.len()).filter(found).map(move |at| at + key)
        })
        .collect();
    let hex = |byte: u8| b"0123456789abcdef".contains(&byte);
    for (at, colon) in block.windows(13).enumerate() {
        let shape = "hhhh:hh:hh.hx".bytes().zip(colon);
        let is = |(wanted, byte): (u8, &u8)| match wanted {
            b'h' => hex(*byte),
            b'x' => AFTER.contains(byte),
            _ => wanted == *byte,
        };
        if shape.clone().all(is) {
            let line = &block[at..];
            let name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
            let driver = block[..at].strip_suffix(b" ").map(|before| before.iter().rev().take_while(name).count());
            let core = driver == Some(3) && block[at - 4..at] == *b"pci ";
            let told = line.get(13..).is_some_and(|rest| CORE.iter().any(|told| rest.starts_with(told)));
            if !core || told || line[12] != b':' {
                hits.push(at + 7);
            }
        }
    }
    hits.sort_unstable();
    let end = |at: usize| block[at..].iter().position(|byte| *byte == b'\n').map_or(block.len(), |end| at + end + 1);
    hits.dedup_by_key(|at| end(*at));
    let strange = block.iter().any(|byte| matches!(byte, 0..=8 | 11 | 12 | 14..=31 | 127));
    let hits: Vec<_> = hits.into_iter().map(|at| at..end(at)).collect();
    // Behind a text of the same line nobody looks for a time.
    let is_new = |at: usize| !hits.iter().any(|hit| hit.contains(&(at + EARLY_KEY)));
    let early = (0..block.len()).any(|at| {
        let time = block[at..].strip_prefix(EARLY);
        is_new(at) && time.is_some_and(|time| time.len() > 1 && time[0].is_ascii_digit() && time[1] == b'.')
    });
    (hits, Signs { strange, early })
}

/// Holds every way to these hits and signs.
fn find(ways: &[Sieve], block: &[u8], expected: &(Vec<Range<usize>>, Signs)) {
    let mut hits = vec![7..8; 3];
    for way in ways {
        let signs = way.search(block, &mut hits);
        assert_eq!((&hits, signs), (&expected.0, expected.1), "{way:?}\n{}", block.escape_ascii());
    }
}

/// Holds every way to what the search byte by byte finds.
fn agree(ways: &[Sieve], block: &[u8]) -> (Vec<Range<usize>>, Signs) {
    let expected = naive(block);
    find(ways, block, &expected);
    expected
}

/// A line as it stands in files of several kinds.
fn dressed(text: &str) -> Vec<String> {
    vec![
        text.to_owned(),
        format!("{text}\n"),
        format!("Jul  2 00:36:54 gaia kernel: [    1.648270] {text}\n"),
        format!("2026-11-22T06:20:37.123456+00:00 gaia kernel: [    1.648270] {text}\n"),
        format!("2026-11-22T06:20:37.123456+00:00 gaia kernel: {text}\n"),
        format!("<6>[    1.648270] {text}\n"),
        format!("6,1,1648270,-;{text}\n"),
    ]
}

#[test]
fn every_message_and_every_loss_is_found() {
    let examples = messages().flat_map(|message| message.examples);
    for text in examples.chain(OTHERS) {
        // What ends in an address has a line feed behind it in every file.
        for line in dressed(text).into_iter().skip(1) {
            let (hits, signs) = agree(&ways(), line.as_bytes());
            let early = matters_early(line.as_bytes()) || OLD.contains(text);
            assert!(early || signs.strange || !hits.is_empty(), "{line}");
        }
    }
}

#[test]
fn what_says_nothing_is_passed_over() {
    for text in IDLE {
        for line in dressed(text) {
            let (hits, signs) = agree(&ways(), line.as_bytes());
            assert_eq!((hits, signs.strange), (vec![], false), "{line}");
            assert_eq!(signs.early, line.contains("kernel: [    "), "{line}");
        }
    }
}

/// The shortest line that holds a text.
fn whole(literal: &Literal) -> String {
    let end = literal.ends.first().copied().unwrap_or_default();
    String::from_utf8_lossy(&[literal.text, end].concat()).into_owned()
}

#[test]
fn a_text_is_found_wherever_it_stands_between_two_vectors() {
    let (ways, vectors) = (ways(), vectors());
    let address = "a 0000:00:1d.0: ".to_owned();
    let texts: Vec<String> = LITERALS.iter().map(whole).collect();
    for text in texts.iter().chain([&address]) {
        for behind in [0, 1, 7, 31, 130] {
            let line = format!("{text}{}", "a".repeat(behind));
            let (hits, signs) = agree(&ways, line.as_bytes());
            assert_eq!(hits.len(), 1, "{line}");
            // What is cut at the end of the block is not there.
            let end = text.len() - 1 - usize::from(*text == address);
            let cut = agree(&ways, &line.as_bytes()[..end]);
            assert!(cut.0.is_empty(), "{line}");
            // The same hit behind any number of other bytes: the search byte by byte would take minutes.
            for before in 0..300 {
                let moved = format!("{}{line}", "-".repeat(before));
                let hits = hits.iter().map(|hit| hit.start + before..hit.end + before).collect();
                find(&vectors, moved.as_bytes(), &(hits, signs));
                find(&vectors, &moved.as_bytes()[..before + end], &cut);
            }
        }
    }
}

#[test]
fn a_strange_byte_is_seen_wherever_it_stands() {
    let (all, vectors) = (ways(), vectors());
    let (quiet, strange) = (Signs::default(), Signs { strange: true, ..Signs::default() });
    for length in 0..300 {
        let ways = if length < 40 { &all } else { &vectors };
        let mut block = vec![b'\n'; length];
        find(ways, &block, &(vec![], quiet));
        for at in 0..length {
            let control = u8::try_from(at % 32).unwrap();
            for byte in [control, 0x7f, 0x80 + u8::try_from(at % 128).unwrap()] {
                block[at] = byte;
                let is_quiet = matches!(byte, 9 | 10 | 13 | 0x80..);
                find(ways, &block, &(vec![], if is_quiet { quiet } else { strange }));
            }
            block[at] = b'\n';
        }
    }
}

/// Pieces of which random blocks are made: whole texts, halves of them, and what separates.
fn pieces() -> Vec<Vec<u8>> {
    let mut pieces: Vec<Vec<u8>> = LITERALS.iter().map(|literal| literal.text.to_vec()).collect();
    pieces.extend(LITERALS.iter().map(|literal| literal.text[..literal.key + THIRD].to_vec()));
    pieces.extend(LITERALS.iter().map(|literal| literal.text[literal.key..].to_vec()));
    let others = "\n| |:|.|0000|:00|:1d|.0|: |pci |xpci |[|P|0000:00:1d.0|0000:00:1d.0: |pci 0000:00:1d.0: |pci 0000:00:1d.0: [|\
                  06:20:37.123456|f|\t|\r|é|\u{1b}[0m|text text text|kernel: [    |7.";
    pieces.extend(others.split('|').map(|text| text.as_bytes().to_vec()));
    pieces
}

#[test]
fn on_random_blocks_all_agree() {
    let (ways, pieces) = (ways(), pieces());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut found = 0;
    for _ in 0..6000 {
        let mut block = Vec::new();
        for _ in 0..random(60) {
            block.extend_from_slice(&pieces[random(pieces.len())]);
            if random(4) == 0 {
                let last = block.len().saturating_sub(1 + random(3));
                block.truncate(last);
            }
        }
        found += agree(&ways, &block).0.len();
        // Bytes of all values, and of few.
        let bytes: Vec<u8> = (0..random(200)).map(|_| u8::try_from(random(256)).unwrap()).collect();
        agree(&ways, &bytes);
        let bytes: Vec<u8> = (0..random(400)).map(|_| b"pcibak:. 01-\n"[random(13)]).collect();
        agree(&ways, &bytes);
    }
    assert!(found > 5000, "{found}");
}

#[test]
fn the_lines_that_a_hit_stands_in_are_the_right_ones() {
    let lines = ["quiet", "xen_pciback: backend is vpci", "quiet", "a 0000:00:1d.0: b", "-- Reboot --", "quiet"];
    let block = lines.join("\n");
    let line = |hit: &Range<usize>| block.bytes().take(hit.start).filter(|byte| *byte == b'\n').count();
    for way in ways() {
        let mut hits = Vec::new();
        assert_eq!(way.search(block.as_bytes(), &mut hits), Signs::default());
        assert_eq!(hits.iter().map(line).collect::<Vec<_>>(), [1, 3, 4]);
    }
}
