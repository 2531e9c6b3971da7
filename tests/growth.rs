//! Time and memory of an audit grow as the log does. Memory is what is allocated at the peak; for time stands how often and how many
//! bytes are allocated in all (limits of processor time are held by `tests/cases/run`).

#![expect(unsafe_code, reason = "an allocator that counts")]
#![allow(clippy::unwrap_used, reason = "a test may end in a panic")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use common::Folder;
use pciback_audit::audit::{Asked, Case, conclude};
use pciback_audit::scan::{Progress, Scan};
use pciback_audit::source::Logs;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static TOTAL: AtomicUsize = AtomicUsize::new(0);
static TIMES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes on to the system's allocator as it came; beside it numbers are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        TOTAL.fetch_add(layout.size(), Relaxed);
        TIMES.fetch_add(1, Relaxed);
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[derive(Clone, Copy, Debug)]
struct Taken {
    peak: usize,
    total: usize,
    times: usize,
}

fn taken(work: impl FnOnce()) -> Taken {
    let before = (LIVE.load(Relaxed), TOTAL.load(Relaxed), TIMES.load(Relaxed));
    PEAK.store(before.0, Relaxed);
    work();
    Taken {
        peak: PEAK.load(Relaxed) - before.0,
        total: TOTAL.load(Relaxed) - before.1,
        times: TIMES.load(Relaxed) - before.2,
    }
}

fn check(folder: &Folder, name: &str) -> Taken {
    taken(|| {
        let mut logs = Logs::default();
        logs.file(&folder.at(name));
        let asked = Asked::List(b"(0000:00:1d.0)".to_vec());
        drop(conclude(&Case { asked, logs: logs.into_inner(), ..Case::default() }));
    })
}

fn scan(folder: &Folder, name: &str) -> Taken {
    taken(|| {
        let asked = Asked::List(b"(0000:00:1d.0)".to_vec());
        let scan = Scan { paths: vec![folder.at(name)], asked, threads: 1, ..Scan::default() };
        scan.run(&Progress::default(), &mut |_, _| true);
    })
}

const MIB: usize = 1 << 20;
/// Allocated whatever the log: expressions, buffers.
const BASE: usize = 48 * MIB;

/// Four times the log takes five times as much at most, beside what any log takes.
#[track_caller]
fn holds(what: &str, small: Taken, large: Taken, most: usize) {
    assert!(large.peak <= most, "{what}: {} MiB at the peak, {} are allowed", large.peak / MIB, most / MIB);
    let grows = |small: usize, large: usize, base: usize| large <= 5 * small + base;
    let right = grows(small.total, large.total, BASE) && grows(small.times, large.times, 200_000);
    assert!(right && grows(small.peak, large.peak, 8 * MIB), "{what}: {small:?} became {large:?}");
}

/// `text` makes a log of so many parts. Both commands are held to their bounds, and to growth in proportion.
fn grows_as_its_log(what: &str, parts: usize, text: impl Fn(usize) -> String) {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = Folder::new();
    folder.file("small", text(parts).as_bytes());
    folder.file("large", text(4 * parts).as_bytes());
    holds(&format!("check, {what}"), check(&folder, "small"), check(&folder, "large"), 64 * MIB);
    holds(&format!("scan, {what}"), scan(&folder, "small"), scan(&folder, "large"), 160 * MIB);
}

fn banner(host: &str) -> String {
    format!(
        "Nov 22 06:00:00 {host} kernel: [    0.000000] Linux version 6.1.0 (b@b) #1 SMP\n\
         Nov 22 06:00:00 {host} kernel: [    0.000000] Command line: root=/dev/sda1 ro\n"
    )
}

fn load(host: &str, second: usize) -> String {
    format!(
        "Nov 22 06:00:05 {host} kernel: [{second:5}.000000] pciback 0000:00:1d.0: xen_pciback: seizing device\n\
         Nov 22 06:00:05 {host} kernel: [{second:5}.200000] xen_pciback: backend is vpci\n"
    )
}

#[test]
fn with_its_lines() {
    grows_as_its_log("plain lines", 20_000, |lines| {
        let mut text = banner("a") + &load("a", 5);
        for line in 0..lines {
            let _ = writeln!(text, "Nov 22 06:00:10 a kernel: [{:5}.000000] usb 1-1: device number {line}", 10 + line);
        }
        text
    });
}

#[test]
fn with_its_loads() {
    grows_as_its_log("loads", 4_000, |loads| {
        banner("a") + &(0..loads).map(|n| load("a", 5 + 3 * n)).collect::<String>()
    });
}

#[test]
fn with_its_addresses() {
    grows_as_its_log("addresses", 15_000, |addresses| {
        let mut text = banner("a") + &load("a", 5);
        for n in 0..addresses {
            let address = format!("{:x}:{:02x}:{:02x}.{}", 0x10000 + (n >> 16), n >> 8 & 255, n >> 3 & 31, n & 7);
            let _ = writeln!(text, "Nov 22 06:01:00 a kernel: [   60.000000] foo {address}: hi");
        }
        text
    });
}

#[test]
fn with_its_boots() {
    grows_as_its_log("boots", 1_500, |boots| (0..boots).map(|_| banner("a") + &load("a", 5)).collect());
}

#[test]
fn with_its_banners() {
    grows_as_its_log("banners", 5_000, |banners| "Linux version 6.1.0\n".repeat(banners));
}

#[test]
fn with_its_gaps() {
    grows_as_its_log("gaps", 15_000, |gaps| {
        let mut text = String::from("5,0,0,-;Linux version 6.1.0\n6,1,0,-;Command line: placeholder\n");
        for n in 1..=gaps {
            let _ = writeln!(text, "6,{},{n}000,-;usb 1-1: device number {n}", 3 * n);
        }
        text
    });
}

#[test]
fn with_its_kernels() {
    grows_as_its_log("banners of as many kernels", 15_000, |banners| {
        (0..banners)
            .map(|n| format!("[    0.000000] Linux version 6.1.{n} (a@b) (gcc) #1 SMP\n"))
            .collect::<Vec<_>>()
            .concat()
    });
}

#[test]
fn with_its_command_lines() {
    grows_as_its_log("command lines", 4_000, |boots| {
        let words = "word ".repeat(180);
        let boot =
            |n| format!("[    0.000000] Linux version 6.1.0 (a@b) #{n}\n[    0.000000] Command line: {words}{n}\n");
        (0..boots).map(boot).collect()
    });
}

#[test]
fn with_its_many_boot_ids() {
    grows_as_its_log("as many boot ids as there are entries", 12_000, |ids| {
        let entry = |n| {
            format!(
                "{{\"_BOOT_ID\":\"{n:032x}\",\"MESSAGE\":\"pciback 0000:00:1d.0: seizing device\",\"_TRANSPORT\":\"kernel\",\"SYSLOG_FACILITY\":\"0\"}}\n"
            )
        };
        (1..=ids).map(entry).collect()
    });
}

#[test]
fn with_its_many_hosts() {
    grows_as_its_log("as many hosts as there are lines", 12_000, |hosts| {
        let line = |n| {
            format!(
                "Nov 22 06:00:05 host{n:05} kernel: [    5.000001] pciback 0000:00:1d.0: xen_pciback: seizing device\n"
            )
        };
        (0..hosts).map(line).collect()
    });
}

#[test]
fn with_what_is_said_of_its_devices() {
    grows_as_its_log("devices that failed", 16_000, |devices| {
        let mut text = banner("a");
        for n in 0..devices {
            let address = format!("{:04x}:{:02x}:{:02x}.{}", n >> 16, n >> 8 & 255, n >> 3 & 31, n & 7);
            let header = format!("Nov 22 06:00:05 a kernel: [    5.{:06}]", n % 1_000_000);
            let _ = writeln!(text, "{header} pciback {address}: xen_pciback: seizing device");
            let _ = writeln!(text, "{header} pciback: probe of {address} failed with error -22");
            let _ = writeln!(text, "{header} foo {address}: {}", "word ".repeat(60));
        }
        text
    });
}

#[test]
fn with_the_devices_that_nobody_asked_for() {
    grows_as_its_log("devices that pciback has unasked", 16_384, |devices| {
        let mut text = banner("a");
        for n in 0..devices {
            let address = format!("{:04x}:{:02x}:{:02x}.{}", n >> 16, n >> 8 & 255, n >> 3 & 31, n & 7);
            let header = format!("Nov 22 06:00:05 a kernel: [    5.{n:06}]");
            let _ = writeln!(text, "{header} pciback {address}: xen_pciback: seizing device");
        }
        text + "Nov 22 06:00:06 a kernel: [    6.200000] xen_pciback: backend is vpci\n"
    });
}

#[test]
fn with_its_refused_lists() {
    grows_as_its_log("refused lists", 10_000, |lists| {
        let words = "word ".repeat(200);
        let line = |n| format!("[{:5}.000000] xen_pciback: Error parsing pci_devs_to_hide at \"{n}{words}\"\n", 5 + n);
        (0..lists).map(line).collect()
    });
}

#[test]
fn with_a_log_that_runs_backwards() {
    grows_as_its_log("records, newest first", 10_000, |records| {
        let words = "word ".repeat(100);
        let line = |n| format!("[{:5}.000001] xen_pciback: {n} {words}\n", 5 + n);
        (0..records).rev().map(line).collect()
    });
}

#[test]
fn with_its_boot_ids() {
    grows_as_its_log("boot ids", 1_000, |ids| {
        let entry = |n| {
            format!(
                "{{\"_BOOT_ID\":\"{n:032x}\",\"MESSAGE\":\"Linux version 6\",\"_TRANSPORT\":\"kernel\",\"SYSLOG_FACILITY\":\"0\"}}\n"
            )
        };
        (1..=ids).map(entry).collect()
    });
}

#[test]
fn with_its_hosts() {
    grows_as_its_log("hosts", 1_500, |hosts| (0..hosts).map(|n| load(&format!("host{n:05}"), 5)).collect());
}

#[test]
fn with_the_length_of_a_line() {
    grows_as_its_log("messages in a line", 2_000, |messages| {
        "pciback 0000:00:1d.0: seizing device ".repeat(messages) + "\n"
    });
}

#[test]
fn with_the_logs_of_one_boot() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = Folder::new();
    folder.file("log", (banner("a") + &load("a", 5)).as_bytes());
    let times = |logs: usize| {
        taken(|| {
            let mut read = Logs::default();
            (0..logs).for_each(|_| drop(read.file(&folder.at("log"))));
            drop(conclude(&Case { logs: read.into_inner(), ..Case::default() }));
        })
    };
    holds("logs of one boot", times(200), times(800), 64 * MIB);
}

#[test]
fn with_records_of_users() {
    grows_as_its_log("forged records", 10_000, |records| {
        let mut text = String::from("5,0,0,-;Linux version 6.1.0\n6,1,0,-;Command line: placeholder\n");
        for n in 2..records + 2 {
            let _ = writeln!(text, "14,{n},{n}000,-;pciback 0000:00:1d.0: xen_pciback: seizing device");
        }
        text
    });
}
