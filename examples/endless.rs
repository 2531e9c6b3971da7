//! How much memory a watch needs that never ends: reads some million records of a played `/dev/kmsg` as `watch` reads the real
//! one, judges now and then, and prints the resident memory after each million. `endless [MILLIONS]`, ten without a number;
//! fails if the last million left more than the first one.

use std::io::Write as _;

use pciback_audit::audit::{Asked, Case, conclude};
use pciback_audit::source::{Drained, Reader, Ring};
use pciback_audit::timeline::{Keeps, Log, LogKind};
use rustix::io::Errno;

const MILLION: u64 = 1_000_000;

/// Records between two judgements.
const JUDGED: u64 = 50_000;

/// What the memory may grow by, in KiB: the allocator and the caches of the patterns need not be exact.
const SLACK: u64 = 256;

/// What a dom0 prints all the time.
const OTHERS: &[(u8, &str)] = &[
    (6, "random: crng init done"),
    (6, "xenbr0: port 3(vif7.0) entered forwarding state"),
    (
        6,
        "e1000e 0000:00:19.0 eth0: NIC Link is Up 1000 Mbps Full Duplex, Flow Control: Rx/Tx\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:19.0",
    ),
    (4, "xen-blkback: backend/vbd/7/51712: using 2 queues, protocol 1 (x86_64-abi) persistent grants"),
    (5, "audit: type=1400 audit(1700000000.123:45): apparmor=\\x22STATUS\\x22 operation=\\x22profile_load\\x22"),
    (30, "systemd[1]: Started Session 5 of User root."),
    (7, "xen-pciback: wants to read 2 bytes at 0x4"),
];

/// What pciback prints about device `{}`, over and over: it is loaded, devices are seized, fail, are given to guests, and
/// user space tells lies.
const OURS: &[(u8, &str)] = &[
    (6, "pciback 0000:{}: xen_pciback: seizing device"),
    (6, "xen_pciback: backend is vpci"),
    (6, "xen_pciback: vpci: 0000:{}: assign to virtual slot 0"),
    (6, "pciback 0000:{}: registering for 7"),
    (3, "pciback 0000:{}: xen_pciback: error -22 initializing device"),
    (6, "uhci_hcd 0000:{}: UHCI Host Controller"),
    (6, "pci 0000:{}: [8086:2934] type 00 class 0x0c0300"),
    (4, "pciback 0000:{}: xen_pciback: a message that nobody knows"),
    (3, "xen_pciback: Error parsing pci_devs_to_hide at \"(0000:{})\""),
    (14, "pciback 0000:{}: xen_pciback: seizing device"),
];

/// A ring buffer that is written to without end, one record in a thousand by pciback.
struct Played {
    sequence: u64,
    reads: u64,
}

impl Ring for Played {
    fn read(&mut self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
        self.reads += 1;
        if self.reads.is_multiple_of(500) {
            return Err(Errno::AGAIN);
        }
        if self.reads.is_multiple_of(99_991) {
            self.sequence += 300;
            return Err(Errno::PIPE);
        }
        let (number, turn) = (self.sequence, self.sequence / 1000);
        self.sequence += 1;
        let of = |texts: &'static [(u8, &'static str)], at: u64| {
            let at = usize::try_from(at).unwrap_or_default() % texts.len();
            texts.get(at).copied().unwrap_or_default()
        };
        let (priority, text) = if number.is_multiple_of(1000) { of(OURS, turn) } else { of(OTHERS, number) };
        // Sixty devices, of which each has every kind of record in its turn.
        let device = turn / OURS.len() as u64 % 60;
        let device = format!("00:{:02x}.{}", device / 2, device % 2);
        let record = format!("{priority},{number},{},-;{}\n", number * 700, text.replace("{}", &device));
        let room = buffer.get_mut(..record.len()).ok_or(Errno::INVAL)?;
        room.copy_from_slice(record.as_bytes());
        Ok(record.len())
    }
}

fn main() -> Result<(), String> {
    let millions = std::env::args()
        .nth(1)
        .map_or(Ok(10), |text| text.parse().map_err(|_not_a_number| "usage: endless [MILLIONS]"))?;
    let asked: Vec<_> = (0..31).filter_map(|slot| format!("0000:00:{slot:02x}.0").parse().ok()).collect();
    let mut reader = Reader::new(0, Played { sequence: 0, reads: 0 });
    let mut log = Log::new(0, "kmsg".to_owned(), LogKind::Ring);
    log.keeps = Keeps::Past;
    let (mut judged, mut after_first, mut last) = (0, None, 0);
    for million in 1..=millions {
        while log.records < million * MILLION {
            if let Drained::Ended(why) = reader.drain(4096, &mut log) {
                return Err(why.to_string());
            }
            if log.records / JUDGED > judged {
                judged = log.records / JUDGED;
                let mut log = log.clone();
                log.end();
                let case = Case { asked: Asked::Devices(asked.clone()), logs: vec![log], ..Case::default() };
                drop(conclude(&case));
            }
        }
        last = resident("VmRSS:")?;
        let first = *after_first.get_or_insert(last);
        let line = format!(
            "{million:3} million records, {judged} reports, {} lost: VmRSS {last} KiB ({:+} since the first million), RssAnon {} KiB\n",
            log.lost,
            last.cast_signed() - first.cast_signed(),
            resident("RssAnon:")?
        );
        std::io::stdout().write_all(line.as_bytes()).map_err(|error| error.to_string())?;
    }
    let most = after_first.unwrap_or_default() + SLACK;
    if last > most { Err(format!("it grows: {last} KiB are more than {most} KiB")) } else { Ok(()) }
}

/// A line of `/proc/self/status`, in KiB.
fn resident(name: &str) -> Result<u64, String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
    number.ok_or_else(|| format!("/proc/self/status has no {name}"))
}
