#![expect(clippy::string_slice, reason = "the texts are ASCII")]

use super::super::selection::Selected;
use super::*;

/// The lines that are selected of a log that is read in one stretch.
fn picked(log: &str) -> Vec<String> {
    let sieve = Sieve::new();
    let mut lines = Vec::new();
    let mut sink = |selection: &mut Selection| {
        for (offset, piece) in selection.pieces() {
            let Selected::Bytes(bytes) = piece else { panic!("{piece:?}") };
            let offset = usize::try_from(offset).unwrap();
            assert_eq!(&log.as_bytes()[offset..offset + bytes.len()], bytes, "it stands there");
            lines.push(String::from_utf8_lossy(bytes).trim_end().to_owned());
        }
        true
    };
    let mut picker = Picker::new(&sieve, &mut sink);
    let mut at = 0;
    for block in log.as_bytes().split_inclusive(|byte| *byte == b'\n').collect::<Vec<_>>().chunks(500) {
        let block = block.concat();
        picker.block(&block, at);
        at += block.len() as u64;
    }
    picker.finish();
    lines
}

fn line(second: usize, host: &str, text: &str) -> String {
    let clock = format!("{:02}:{:02}:{:02}", 6 + second / 3600, second / 60 % 60, second % 60);
    format!("Nov 22 {clock} {host} kernel: [{second:5}.000000] {text}\n")
}

fn web(number: usize) -> String {
    format!("Nov 22 06:{:02}:00 www nginx[811]: GET /index/{number}\n", number / 1000)
}

#[test]
fn of_silent_hosts_few_lines_are_selected() {
    let log: String = (0..100_000).map(web).collect();
    let lines = picked(&log);
    assert!(lines.len() < 200, "{}", lines.len());
    assert!(lines.contains(&web(0).trim_end().to_owned()));
}

#[test]
fn behind_a_line_of_pciback_its_host_is_followed_until_that_settles_however_many_hosts_there_are() {
    let seizing = "pciback 0000:00:1d.0: xen_pciback: seizing device";
    let mut log = String::new();
    for host in 0..40 {
        log += &line(50, &format!("h{host}"), seizing);
    }
    (0..3000).for_each(|number| log += &web(number));
    for second in [50, 52, 54] {
        for host in 0..40 {
            log += &line(second, &format!("h{host}"), "usb 1-1: text");
        }
    }
    (0..3000).for_each(|number| log += &web(number));
    let lines = picked(&log);
    for host in 0..40 {
        let own = lines.iter().filter(|line| line.contains(&format!(" h{host} "))).collect::<Vec<_>>();
        assert!(own.iter().any(|line| line.contains("[   52.")), "{own:?}");
    }
}

#[test]
fn a_clock_that_begins_again_is_seen_on_silent_lines() {
    let mut log: String = (0..300).map(|second| line(second, "gaia", "usb 1-1: text")).collect();
    log += &line(3, "gaia", "usb 1-1: text");
    (0..5000).for_each(|number| log += &web(number));
    let lines = picked(&log);
    let times: Vec<&str> = lines.iter().filter(|line| line.contains(" gaia ")).map(|line| &line[29..41]).collect();
    assert!(times.ends_with(&["[  299.00000", "[    3.00000"]), "{times:?}");
}

#[test]
fn behind_a_line_without_a_host_the_next_one_is_selected() {
    let log = web(1) + "** 3 printk messages dropped **\n" + &line(70, "gaia", "usb 1-1: text") + &web(2);
    let lines = picked(&log);
    assert!(lines.iter().any(|line| line.contains(" gaia ")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("dropped")), "{lines:?}");
}
