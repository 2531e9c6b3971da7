//! What `watch` tells and what `check --wait` waits for: changes between two reports, and whether another one can come.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

mod support;

use std::fmt::Write as _;

use pciback_audit::audit::{Asked, Case, Listening, conclude};
use pciback_audit::record::{Decoder, Stamp};
use pciback_audit::report::{Change, Kind, Outlook, Report, Snapshot, changes, state};
use pciback_audit::timeline::{Keeps, Log, LogKind};
use support::{captures, logs_of, read, tree};

const A: &str = "0000:00:1d.0";
const B: &str = "0000:00:1d.1";

/// A dom0 with two devices, and what its kernel has printed.
#[derive(Clone)]
struct Dom0 {
    /// Who has each device; `None` when it is not there.
    owners: [Option<&'static str>; 2],
    /// What `irq_handlers` lists.
    set_up: Vec<&'static str>,
    loaded: bool,
    list: &'static str,
    micros: u64,
    log: String,
    sequence: u64,
    since: u64,
    deaf: bool,
}

impl Dom0 {
    fn new() -> Self {
        let mut dom0 = Self {
            owners: [Some(""), Some("")],
            set_up: Vec::new(),
            loaded: false,
            list: "(0000:00:1d.0)(0000:00:1d.1)",
            micros: 0,
            log: String::new(),
            sequence: 0,
            since: 0,
            deaf: false,
        };
        dom0.print("Linux version 6.1.0-56-amd64 (builder) #1 SMP");
        dom0.print("Command line: placeholder");
        dom0
    }

    fn print(&mut self, text: &str) {
        self.micros += 1_000;
        self.sequence += 1;
        let _ = writeln!(self.log, "6,{},{},-;{text}", self.sequence, self.micros);
    }

    /// Somebody listens from now on.
    fn listen(&mut self) {
        self.since = self.micros;
        self.micros += 5_000_000;
    }

    fn seizing(&mut self, device: usize) {
        self.owners[device] = Some("pciback");
        self.print(&format!("pciback {}: xen_pciback: seizing device", [A, B][device]));
    }

    fn ready(&mut self) {
        self.loaded = true;
        self.print("xen_pciback: backend is vpci");
    }

    fn tree(&self) -> String {
        let mut text = String::from(
            "proc/xen/capabilities = control_d\\n\nsys/bus/pci/devices/0000:00:00.0/class = 0x060000\\n\n\
             sys/bus/pci/drivers/ahci/\n",
        );
        for (address, owner) in [A, B].iter().zip(self.owners) {
            let Some(owner) = owner else { continue };
            let _ = writeln!(text, "sys/bus/pci/devices/{address}/class = 0x0c0300\\n");
            if !owner.is_empty() {
                let _ = writeln!(text, "sys/bus/pci/devices/{address}/driver -> ../../drivers/{owner}");
            }
        }
        if self.loaded {
            let handlers =
                self.set_up.iter().fold(String::new(), |text, address| text + address + ":off:not acking:0\\n");
            let _ = writeln!(text, "sys/bus/pci/drivers/pciback/slots = {A}\\n{B}\\n");
            let _ = writeln!(text, "sys/bus/pci/drivers/pciback/irq_handlers = {handlers}");
        }
        text
    }

    fn report(&self) -> Report {
        let mut log = Log::new(0, "kmsg".to_owned(), LogKind::Ring);
        log.keeps = Keeps::Past;
        let mut decoder = Decoder::new(0);
        decoder.feed(self.log.as_bytes(), &mut |input| log.take(input));
        decoder.finish(&mut |input| log.take(input));
        log.end();
        let since = Stamp { uptime: Some(self.since), wall: None };
        conclude(&Case {
            asked: Asked::List(self.list.as_bytes().to_vec()),
            tree: Some(tree(self.tree().as_bytes())),
            logs: vec![log],
            listening: Some(Listening { since, deaf: self.deaf.then(|| "not permitted".to_owned()) }),
            ..Case::default()
        })
    }

    fn outlook(&self) -> Outlook {
        self.report().waiting.outlook
    }
}

fn told(before: &Dom0, after: &Dom0) -> Vec<String> {
    let line = |change: &Change| match change.address {
        Some(address) => format!("{} {address} {}", change.kind.name(), change.driver.as_deref().unwrap_or("-")),
        None => change.kind.name().to_owned(),
    };
    changes(&Snapshot::of(&before.report()), &after.report()).iter().map(line).collect()
}

/// Both seized by a load that somebody listened to.
fn seized() -> Dom0 {
    let mut dom0 = Dom0::new();
    dom0.listen();
    dom0.seizing(0);
    dom0.seizing(1);
    dom0.set_up = vec![A, B];
    dom0.ready();
    dom0
}

#[test]
fn a_load_is_told_device_by_device_and_ends_in_the_verdict() {
    let mut before = Dom0::new();
    before.listen();
    let expected = ["seized 0000:00:1d.0 pciback", "seized 0000:00:1d.1 pciback", "finding-gone", "verdict"];
    assert_eq!(told(&before, &seized()), expected);
}

#[test]
fn nothing_is_told_where_nothing_changed() {
    assert_eq!(told(&seized(), &seized()), Vec::<String>::new());
    let mut later = seized();
    later.print("random: crng init done");
    assert_eq!(told(&seized(), &later), Vec::<String>::new());
}

#[test]
fn a_lost_device_is_lost_once_and_its_next_driver_is_told_apart() {
    let before = seized();
    let mut unbound = before.clone();
    (unbound.owners[0], unbound.set_up) = (Some(""), vec![B]);
    assert_eq!(told(&before, &unbound), ["lost 0000:00:1d.0 -", "verdict"]);
    let mut taken = unbound.clone();
    taken.owners[0] = Some("uhci_hcd");
    assert_eq!(told(&unbound, &taken), ["driver-changed 0000:00:1d.0 uhci_hcd"]);
    let mut back = taken.clone();
    back.seizing(0);
    back.set_up = vec![A, B];
    assert_eq!(told(&taken, &back), ["seized 0000:00:1d.0 pciback", "verdict"]);
    let mut removed = before.clone();
    (removed.owners[1], removed.set_up) = (None, vec![A]);
    assert_eq!(told(&before, &removed), ["lost 0000:00:1d.1 -", "verdict"]);
}

#[test]
fn a_device_that_was_seized_anew_between_two_looks_is_told() {
    let before = seized();
    let mut again = before.clone();
    again.micros += 2_000_000;
    again.seizing(0);
    assert_eq!(told(&before, &again), ["seized 0000:00:1d.0 pciback"]);
}

#[test]
fn lost_records_are_told_with_their_number_and_change_nothing_that_the_host_proves() {
    let before = seized();
    let mut after = before.clone();
    after.sequence += 1_816;
    after.print("random: crng init done");
    let found = changes(&Snapshot::of(&before.report()), &after.report());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].kind, found[0].lost), (Kind::RecordsLost, Some(1_816)));
}

#[test]
fn a_failed_set_up_is_told_as_a_failure() {
    let mut before = Dom0::new();
    before.listen();
    let mut after = before.clone();
    after.seizing(0);
    after.seizing(1);
    after.log += "3,9,5500000,-;pciback 0000:00:1d.1: xen_pciback: error -22 initializing device\n";
    (after.sequence, after.set_up) = (9, vec![A]);
    after.micros = 5_500_001;
    after.ready();
    assert_eq!(told(&before, &after)[..2], ["seized 0000:00:1d.0 pciback", "failed 0000:00:1d.1 pciback"]);
}

#[test]
fn the_state_names_every_device_and_ends_in_the_verdict() {
    let report = seized().report();
    let kinds: Vec<Kind> = state(&report).iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [Kind::State, Kind::State, Kind::Verdict]);
}

#[test]
fn every_capture_differs_from_nothing_by_all_it_has_and_from_itself_by_nothing() {
    for capture in captures() {
        for name in logs_of(&capture) {
            let report = conclude(&support::by_log(
                "(0000:00:1d.0)(0000:00:1d.7)",
                &read(&format!("captures/{capture}/{name}")),
            ));
            assert_eq!(changes(&Snapshot::of(&report), &report), [], "{capture}/{name}");
            let all = changes(&Snapshot::default(), &report);
            assert!(all.len() > report.devices.len(), "{capture}/{name}: {all:?}");
        }
    }
}

#[test]
fn before_the_load_there_is_something_to_wait_for() {
    let mut dom0 = Dom0::new();
    dom0.listen();
    assert_eq!((dom0.outlook(), dom0.report().waiting.settled), (Outlook::Open, 0));
    dom0.owners[1] = Some("uhci_hcd");
    assert_eq!(dom0.outlook(), Outlook::Open, "the driver does not exist yet");
}

#[test]
fn a_full_grab_is_final_as_soon_as_the_host_proves_it() {
    assert_eq!((seized().outlook(), seized().report().waiting.settled), (Outlook::Final, 2));
    let mut before_the_end = Dom0::new();
    before_the_end.listen();
    before_the_end.loaded = true;
    before_the_end.seizing(0);
    before_the_end.seizing(1);
    before_the_end.set_up = vec![A, B];
    assert_eq!(before_the_end.outlook(), Outlook::Final);
}

#[test]
fn a_held_device_is_final_at_the_end_of_the_load_and_not_before() {
    let mut dom0 = Dom0::new();
    dom0.owners[1] = Some("uhci_hcd");
    dom0.listen();
    dom0.loaded = true;
    dom0.seizing(0);
    assert_eq!(dom0.outlook(), Outlook::Open, "in the middle of the load");
    dom0.set_up = vec![A];
    assert_eq!((dom0.outlook(), dom0.report().waiting.settled), (Outlook::Open, 1));
    dom0.ready();
    assert_eq!((dom0.outlook(), dom0.report().waiting.settled), (Outlook::Final, 2));
}

#[test]
fn a_load_that_ended_before_we_listened_needs_a_quiet_second() {
    let mut dom0 = Dom0::new();
    dom0.owners[1] = Some("uhci_hcd");
    dom0.seizing(0);
    dom0.set_up = vec![A];
    dom0.ready();
    dom0.listen();
    assert_eq!(dom0.outlook(), Outlook::WhenQuiet, "the next load may be about to begin");
    dom0.owners[0] = Some("pciback");
    dom0.owners[1] = Some("pciback");
    dom0.set_up = vec![A, B];
    assert_eq!(dom0.outlook(), Outlook::Final);
}

#[test]
fn a_device_in_the_middle_of_its_set_up_is_waited_for_and_not_told_as_failed_yet() {
    let mut dom0 = Dom0::new();
    dom0.ready();
    dom0.listen();
    dom0.seizing(0);
    let waiting = dom0.report().waiting;
    assert!(waiting.unsteady && waiting.outlook == Outlook::Open, "{waiting:?}");
    dom0.set_up = vec![A];
    dom0.owners[1] = Some("uhci_hcd");
    assert!(!dom0.report().waiting.unsteady);
    assert_eq!(dom0.outlook(), Outlook::WhenQuiet);
}

#[test]
fn a_device_caught_on_its_way_out_of_pciback_is_not_told_as_failed_yet() {
    let mut dom0 = seized();
    dom0.set_up = vec![B];
    assert!(dom0.report().waiting.unsteady, "its link was read before, and pciback's list behind its unbinding");
    dom0.print("pciback 0000:00:1d.0: xen_pciback: error -22 initializing device");
    assert!(!dom0.report().waiting.unsteady, "the kernel says that it failed");
}

#[test]
fn a_void_list_is_final_at_once() {
    let mut dom0 = Dom0::new();
    dom0.list = "(0000:00:1d.0),(0000:00:1d.1)";
    dom0.listen();
    assert_eq!(dom0.outlook(), Outlook::Final);
}

#[test]
fn a_refusal_is_final_only_if_it_came_while_somebody_listened() {
    let refusal = "3,40,5600000,-;xen_pciback: Error parsing pci_devs_to_hide at \"x\"\n";
    let asked = |since: u64| {
        let mut dom0 = Dom0::new();
        dom0.log += refusal;
        dom0.since = since;
        let mut log = Log::new(0, "kmsg".to_owned(), LogKind::Ring);
        let mut decoder = Decoder::new(0);
        decoder.feed(dom0.log.as_bytes(), &mut |input| log.take(input));
        decoder.finish(&mut |input| log.take(input));
        let since = Stamp { uptime: Some(since), wall: None };
        let report = conclude(&Case {
            tree: Some(tree(dom0.tree().as_bytes())),
            logs: vec![log],
            xen_logs: Vec::new(),
            listening: Some(Listening { since, deaf: None }),
            ..Case::default()
        });
        (report.waiting.outlook, report.verdict.name())
    };
    assert_eq!(asked(5_000_000), (Outlook::Final, "critical"));
    assert_eq!(asked(6_000_000), (Outlook::Open, "critical"), "somebody may be about to try a better list");
}

#[test]
fn without_uevents_the_report_says_so_and_judges_the_same() {
    let heard = seized().report();
    let mut dom0 = seized();
    dom0.deaf = true;
    let unheard = dom0.report();
    assert_eq!(unheard.verdict, heard.verdict);
    assert!(unheard.findings.iter().any(|finding| finding.code.name() == "uevents-unheard"), "{:?}", unheard.findings);
}

#[test]
fn forged_records_are_counted_and_kept_current_however_many_there_are() {
    let mut dom0 = Dom0::new();
    dom0.listen();
    let forge = |dom0: &mut Dom0, address: &str| {
        dom0.sequence += 1;
        dom0.micros += 1_000_000;
        let _ =
            writeln!(dom0.log, "14,{},{},-;pciback {address}: xen_pciback: seizing device", dom0.sequence, dom0.micros);
    };
    (0..1_000).for_each(|_| forge(&mut dom0, A));
    (0..=0xff).for_each(|bus| (0..8).for_each(|function| forge(&mut dom0, &format!("0001:{bus:02x}:00.{function}"))));
    forge(&mut dom0, A);
    let report = dom0.report();
    let forged: Vec<_> = report.findings.iter().filter(|finding| finding.code.name() == "forged-record").collect();
    assert!(forged.len() < 300, "{} findings", forged.len());
    let ours = forged.iter().find(|finding| finding.address == Some(A.parse().unwrap())).unwrap();
    assert!(ours.message.starts_with("1001 records look"), "{}", ours.message);
    assert_eq!((ours.stamp.uptime, ours.severity.name()), (Some(dom0.micros), "warning"));
}
