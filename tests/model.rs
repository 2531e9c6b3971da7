//! A small simulated dom0 as ground truth: two devices, every way through six actions, and evidence taken away.
//!
//! Guests come and go, and devices are released: with records, as the kernel prints them, or without any. Records are also put in
//! another order and cut short.
//!
//! Sound: ok only if all requested devices are seized. Useful: with nothing taken away the verdict is the truth.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may end in a panic")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pciback_audit::audit::{Asked, Case, Options, conclude};
use pciback_audit::report::Verdict;
use pciback_audit::tree::Tree;
use support::{endless_log, log};

const ADDRESSES: [&str; 2] = ["0000:00:1d.0", "0000:00:1d.1"];
const LIST: &str = "(0000:00:1d.0)(0000:00:1d.1)";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// `modprobe xen-pciback hide=LIST`.
    Load,
    /// `rmmod`, which leaves no record, and the same again.
    Reload,
    /// `modprobe` with a list that is refused, after `rmmod`.
    LoadWrongList,
    /// The next set-up of this device fails.
    Break(usize),
    /// The device is unbound from whoever has it. No record.
    Unbind(usize),
    /// Another driver takes the device.
    OtherDriver(usize),
    /// `echo` to pciback's `bind`: seized at run time.
    Bind(usize),
    /// `xl pci-assignable-remove`, of which the kernel says nothing, or that its state could not be put back.
    Release(usize, Said),
    /// A guest starts with the device.
    Export(usize),
    /// The guest has ended: no record, or that the device's state could not be put back.
    GiveBack(usize, Said),
    Reboot,
    /// User space writes a seizing line.
    Forge(usize),
}

/// What the kernel says when a device is let go or given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    /// `Could not reload PCI state`: printed by `pcistub_device_release` and by `pcistub_put_pci_dev`, 3.4 and later.
    NotReloaded,
    /// `MSI-X release failed`: printed by `pcistub_device_release` alone, 3.4 and later.
    MsixRelease,
}

/// What is tried in every order.
const ACTIONS: [Action; 14] = [
    Action::Load,
    Action::Reload,
    Action::LoadWrongList,
    Action::Break(0),
    Action::Break(1),
    Action::Unbind(0),
    Action::Unbind(1),
    Action::OtherDriver(0),
    Action::OtherDriver(1),
    Action::Bind(0),
    Action::Bind(1),
    Action::Reboot,
    Action::Forge(0),
    Action::Forge(1),
];

/// What is tried in every order beside a load: of guests and releases.
const OF_GUESTS: [Action; 14] = [
    Action::Load,
    Action::Reload,
    Action::Export(0),
    Action::Export(1),
    Action::GiveBack(0, Said::Nothing),
    Action::GiveBack(0, Said::NotReloaded),
    Action::Release(0, Said::Nothing),
    Action::Release(0, Said::NotReloaded),
    Action::Release(0, Said::MsixRelease),
    Action::Release(1, Said::MsixRelease),
    Action::OtherDriver(0),
    Action::Bind(0),
    Action::Unbind(1),
    Action::Reboot,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Nobody,
    Pciback { usable: bool },
    Other,
}

#[derive(Clone)]
struct Record {
    priority: u8,
    micros: u64,
    text: String,
}

#[derive(Clone)]
struct World {
    owners: [Owner; 2],
    /// The owners as the records tell them: what happens without a record does not show.
    told: [Owner; 2],
    broken: [bool; 2],
    /// Whether a guest has the device.
    exported: [bool; 2],
    /// Whether the device was let go by hand: its slot is gone as well.
    released: [bool; 2],
    loaded: bool,
    /// All that the kernel keeps of this boot, and what a log file has of the boots before.
    ring: Vec<Record>,
    older: Vec<Record>,
    micros: u64,
    actions: Vec<Action>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            owners: [Owner::Nobody; 2],
            told: [Owner::Nobody; 2],
            broken: [false; 2],
            exported: [false; 2],
            released: [false; 2],
            loaded: false,
            ring: Vec::new(),
            older: Vec::new(),
            micros: 0,
            actions: Vec::new(),
        };
        world.boot();
        world
    }

    fn boot(&mut self) {
        self.older.append(&mut self.ring);
        self.owners = [Owner::Nobody; 2];
        self.told = self.owners;
        self.exported = [false; 2];
        self.released = [false; 2];
        self.loaded = false;
        self.micros = 0;
        self.print(5, "Linux version 6.1.0-56-amd64 (builder) #1 SMP");
        self.print(6, "Command line: placeholder");
        self.micros = 5_000_000;
    }

    fn print(&mut self, priority: u8, text: &str) {
        self.micros += 1_000;
        self.ring.push(Record { priority, micros: self.micros, text: text.to_owned() });
    }

    /// Whether the action changes anything; then the world after it.
    fn after(&self, action: Action) -> Option<Self> {
        let mut world = self.clone();
        world.actions.push(action);
        // Between two commands of a person some time goes by.
        world.micros += 3_000_000;
        match action {
            Action::Load if !self.loaded => world.load(),
            Action::Reload if self.loaded => {
                world.unload();
                world.load();
            }
            Action::LoadWrongList => {
                world.unload();
                world.print(3, "xen_pciback: Error parsing pci_devs_to_hide at \"(0000:82.0.0)\"");
                world.told =
                    world.told.map(|owner| if matches!(owner, Owner::Pciback { .. }) { Owner::Nobody } else { owner });
            }
            Action::Break(device) if !self.broken[device] => world.broken[device] = true,
            Action::Unbind(device) if self.owners[device] != Owner::Nobody && !self.exported[device] => {
                world.owners[device] = Owner::Nobody;
            }
            Action::Release(device, said) if self.is_held(device) && !self.exported[device] => {
                world.owners[device] = Owner::Nobody;
                world.released[device] = true;
                world.let_go(device, said);
            }
            Action::Export(device) if self.is_usable(device) && !self.exported[device] => world.export(device),
            Action::GiveBack(device, said) if self.exported[device] => {
                world.exported[device] = false;
                world.let_go(device, said);
            }
            Action::OtherDriver(device) if self.owners[device] == Owner::Nobody => {
                world.owners[device] = Owner::Other;
                world.told[device] = Owner::Other;
                world.print(6, &format!("uhci_hcd {}: UHCI Host Controller", ADDRESSES[device]));
            }
            Action::Bind(device) if self.loaded && self.owners[device] == Owner::Nobody => {
                world.released[device] = false;
                world.seizing(device);
                if self.broken[device] {
                    world.told[device] = Owner::Nobody;
                    world.print(4, &format!("pciback: probe of {} failed with error -22", ADDRESSES[device]));
                } else {
                    world.owners[device] = Owner::Pciback { usable: true };
                    world.told[device] = world.owners[device];
                }
            }
            Action::Reboot => world.boot(),
            Action::Forge(device) => {
                world.print(14, &format!("pciback {}: xen_pciback: seizing device", ADDRESSES[device]));
            }
            Action::Load
            | Action::Reload
            | Action::Break(_)
            | Action::Unbind(_)
            | Action::OtherDriver(_)
            | Action::Release(..)
            | Action::Export(_)
            | Action::GiveBack(..)
            | Action::Bind(_) => return None,
        }
        Some(world)
    }

    fn seizing(&mut self, device: usize) {
        self.print(6, &format!("pciback {}: xen_pciback: seizing device", ADDRESSES[device]));
    }

    fn is_held(&self, device: usize) -> bool {
        matches!(self.owners[device], Owner::Pciback { .. })
    }

    fn is_usable(&self, device: usize) -> bool {
        self.owners[device] == Owner::Pciback { usable: true }
    }

    /// `xenbus.c` and `vpci.c`, 3.1 and later: the records of an export.
    fn export(&mut self, device: usize) {
        let address = ADDRESSES[device];
        self.exported[device] = true;
        self.print(6, &format!("pciback {address}: xen_pciback: vpci: assign to virtual slot {device}"));
        self.print(6, &format!("pciback {address}: registering for 3"));
        self.told[device] = Owner::Pciback { usable: true };
    }

    /// The record of a release or of a return. One that says that the device was let go, or may have been, ends what the log proves.
    fn let_go(&mut self, device: usize, said: Said) {
        let text = match said {
            Said::Nothing => return,
            Said::NotReloaded => "xen_pciback: Could not reload PCI state",
            Said::MsixRelease => "xen_pciback: MSI-X release failed (-16)",
        };
        self.print(if said == Said::MsixRelease { 4 } else { 6 }, &format!("pciback {}: {text}", ADDRESSES[device]));
        self.told[device] = Owner::Nobody;
    }

    fn load(&mut self) {
        self.loaded = true;
        self.released = [false; 2];
        self.told = self.told.map(|owner| if owner == Owner::Other { owner } else { Owner::Nobody });
        let free: Vec<usize> = (0..2).filter(|device| self.owners[*device] == Owner::Nobody).collect();
        for device in &free {
            self.seizing(*device);
        }
        for device in free {
            let usable = !self.broken[device];
            if !usable {
                self.print(3, &format!("pciback {}: xen_pciback: error -22 initializing device", ADDRESSES[device]));
            }
            self.owners[device] = Owner::Pciback { usable };
            self.told[device] = self.owners[device];
        }
        self.print(6, "xen_pciback: backend is vpci");
    }

    fn unload(&mut self) {
        self.loaded = false;
        self.exported = [false; 2];
        self.owners = self.owners.map(|owner| if owner == Owner::Other { owner } else { Owner::Nobody });
    }

    fn tree(&self) -> Tree {
        // Another driver's directory: where none is, pciback's proves nothing by not being there.
        let mut text = String::from("proc/xen/capabilities = control_d\\n\nsys/bus/pci/drivers/uhci_hcd/\n");
        let mut handlers = String::new();
        for (address, owner) in ADDRESSES.iter().zip(self.owners) {
            let _ = writeln!(text, "sys/bus/pci/devices/{address}/class = 0x0c0300\\n");
            match owner {
                Owner::Nobody => {}
                Owner::Pciback { usable } => {
                    let _ = writeln!(text, "sys/bus/pci/devices/{address}/driver -> ../../drivers/pciback");
                    handlers += if usable { address } else { "" };
                    handlers += if usable { ":off:not acking:0\\n" } else { "" };
                }
                Owner::Other => {
                    let _ = writeln!(text, "sys/bus/pci/devices/{address}/driver -> ../../drivers/uhci_hcd");
                }
            }
        }
        if self.loaded {
            let listed = ADDRESSES.iter().zip(self.released).filter(|(_, released)| !released);
            let slots = listed.fold(String::new(), |slots, (address, _)| slots + address + "\\n");
            let _ = writeln!(text, "sys/bus/pci/drivers/pciback/slots = {slots}");
            let _ = writeln!(text, "sys/bus/pci/drivers/pciback/irq_handlers = {handlers}");
            let _ = writeln!(text, "sys/module/xen_pciback/parameters/hide = {LIST}\\n");
        }
        support::tree(text.as_bytes())
    }

    /// The records as `/dev/kmsg` gives them, without those at `missing`.
    fn kmsg(&self, missing: &dyn Fn(usize) -> bool) -> Vec<u8> {
        let mut text = String::new();
        for (number, record) in self.ring.iter().enumerate().filter(|(number, _)| !missing(*number)) {
            let _ = writeln!(text, "{},{number},{},-;{}", record.priority, record.micros, record.text);
        }
        text.into_bytes()
    }

    /// Every boot as a text file holds it that does not say who wrote its lines; or as one that does (`dmesg -x`).
    fn file(&self, says_author: bool) -> Vec<u8> {
        let mut text = String::new();
        for record in self.older.iter().chain(&self.ring) {
            let time = format!("[{:5}.{:06}]", record.micros / 1_000_000, record.micros % 1_000_000);
            let facility = if record.priority < 8 { "kern" } else { "user" };
            let level =
                ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"][usize::from(record.priority % 8)];
            let prefix = if says_author { format!("{facility:<6}:{level:<6}: ") } else { String::new() };
            let _ = writeln!(text, "{prefix}{time} {}", record.text);
        }
        text.into_bytes()
    }

    /// With a last line, which gives the last action the time to be over.
    fn settled(&self) -> Self {
        let mut settled = self.clone();
        settled.micros += 3_000_000;
        settled.print(6, "random: crng init done");
        settled
    }

    /// All that was printed, with the pauses in between, and who owns what now.
    fn visible(&self) -> String {
        let mut key = format!("{:?}{}{:?}{:?}", self.owners, self.loaded, self.exported, self.released);
        let mut before = 0;
        for record in self.older.iter().chain(&self.ring) {
            let pause = record.micros.abs_diff(before) > 1_000_000;
            let _ = write!(key, "\n{} {pause} {}", record.priority, record.text);
            before = record.micros;
        }
        key
    }

    fn all_seized(&self) -> bool {
        self.loaded && self.owners == [Owner::Pciback { usable: true }; 2]
    }

    fn all_told_seized(&self) -> bool {
        self.told == [Owner::Pciback { usable: true }; 2]
    }
}

fn verdict(tree: Option<Tree>, bytes: Option<&[u8]>, trust_log: bool) -> Verdict {
    let logs = bytes.map(|bytes| log(0, "log", bytes)).into_iter().collect();
    let options = Options { trust_log, ..Options::default() };
    conclude(&Case { asked: Asked::List(LIST.as_bytes().to_vec()), tree, logs, options, ..Case::default() }).verdict
}

/// Every world that can be reached by up to `most` actions. Ways that differ only in what nobody can see, such as the
/// order of two unbinds, lead to one world.
fn every_world(most: usize, check: fn(&World)) {
    every_world_of(&ACTIONS, most, check);
}

/// The same with these actions.
fn every_world_of(actions: &[Action], most: usize, check: fn(&World)) {
    let mut seen = BTreeSet::new();
    let mut shown = BTreeSet::new();
    let mut worlds = vec![World::new()];
    for left in (0..=most).rev() {
        worlds.retain(|world| seen.insert(format!("{}{:?}", world.visible(), world.broken)));
        // What will go wrong next time cannot be judged yet.
        let fresh: Vec<&World> = worlds.iter().filter(|world| shown.insert(world.visible())).collect();
        std::thread::scope(|scope| {
            for some in fresh.chunks(fresh.len().div_ceil(4).max(1)) {
                scope.spawn(move || some.iter().map(|world| world.settled()).for_each(|world| check(&world)));
            }
        });
        if left > 0 {
            worlds = worlds.iter().flat_map(|world| actions.iter().filter_map(|action| world.after(*action))).collect();
        }
    }
}

#[test]
fn with_all_the_evidence_the_verdict_is_the_truth() {
    every_world(6, |world| {
        let found = verdict(Some(world.tree()), Some(&world.kmsg(&|_| false)), false);
        let forged_against = found == Verdict::Warning && !world.all_seized();
        let expected = if world.all_seized() { Verdict::Ok } else { Verdict::Critical };
        assert!(found == expected && !forged_against, "{:?}: {found}, not {expected}", world.actions);
    });
}

#[test]
fn the_host_alone_is_enough_where_it_can_tell() {
    every_world(4, |world| {
        let found = verdict(Some(world.tree()), None, false);
        assert_eq!(found == Verdict::Ok, world.all_seized(), "{:?}: {found}", world.actions);
    });
}

#[test]
fn the_log_alone_says_ok_exactly_when_its_records_do() {
    every_world(5, |world| {
        let ring = verdict(None, Some(&world.kmsg(&|_| false)), false);
        assert_sound(ring, world.all_told_seized(), world, "ring");
        if ring == Verdict::Ok {
            assert_eq!(verdict(None, Some(&world.file(true)), false), Verdict::Ok, "{:?}: file", world.actions);
        }
        let unstated = verdict(None, Some(&world.file(false)), false);
        assert_ne!(unstated, Verdict::Ok, "{:?}: nobody knows who wrote it", world.actions);
    });
}

#[test]
fn a_log_that_is_not_kept_fact_by_fact_is_judged_like_one_that_is() {
    every_world(4, |world| {
        let bytes = world.kmsg(&|at| at % 7 == world.actions.len());
        for tree in [None, Some(world.tree())] {
            let judged = |log| {
                let asked = Asked::List(LIST.as_bytes().to_vec());
                let report = conclude(&Case { asked, tree: tree.clone(), logs: vec![log], ..Case::default() });
                format!("{report:?}")
            };
            assert_eq!(judged(endless_log(&bytes)), judged(log(0, "log", &bytes)), "{:?}", world.actions);
        }
    });
}

/// With a whole log of loads only, ok is also found where it is true; a device bound at run time just before a load is
/// not taken for the load's.
fn assert_sound(found: Verdict, told: bool, world: &World, what: &str) {
    assert!(found != Verdict::Ok || told, "{:?}: {what} says ok", world.actions);
    let only_loads = !world.actions.iter().any(|action| matches!(action, Action::Bind(_) | Action::Forge(_)));
    if only_loads && told {
        assert_eq!(found, Verdict::Ok, "{:?}: {what} is of no use", world.actions);
    }
}

#[test]
fn a_visible_gap_in_place_of_any_record_never_improves_a_verdict() {
    every_world(4, |world| {
        let whole = verdict(None, Some(&world.kmsg(&|_| false)), false);
        // What is missing at the very end cannot be seen, and what is missing at the start is a ring that wrapped.
        for lost in 0..world.ring.len() - 1 {
            let found = verdict(None, Some(&world.kmsg(&|number| number == lost)), false);
            assert!(
                found >= whole || found == Verdict::Unknown,
                "{:?}: {whole} became {found} without record {lost}",
                world.actions
            );
            let wrapped = verdict(None, Some(&world.kmsg(&|number| number <= lost)), false);
            assert!(
                wrapped >= whole || wrapped == Verdict::Unknown,
                "{:?}: {whole} became {wrapped} from {lost} on",
                world.actions
            );
        }
    });
}

#[test]
fn each_file_made_unreadable_never_yields_a_false_ok() {
    every_world(4, |world| {
        let whole = world.tree();
        let kmsg = world.kmsg(&|_| false);
        let files: Vec<String> =
            whole.nodes().map(|(path, _)| path.to_owned()).filter(|path| !path.is_empty()).collect();
        for file in files {
            let mut tree = Tree::default();
            let below = format!("{file}/");
            for (path, node) in whole.nodes().filter(|(path, _)| !path.starts_with(&below)) {
                tree.insert(path, node.clone());
            }
            tree.insert(&file, pciback_audit::tree::Node::Unreadable("permission denied".to_owned()));
            let found = verdict(Some(tree), Some(&kmsg), false);
            assert!(found != Verdict::Ok || world.all_seized(), "{:?}: ok without {file}", world.actions);
        }
    });
}

#[test]
fn no_subset_of_the_records_yields_a_false_ok() {
    every_world(3, |world| {
        // The last record stays: what is missing behind it cannot be seen, and is not of the log's moment.
        let droppable = world.ring.len() - 1;
        for dropped in 0..1_u32 << droppable {
            let kmsg = world.kmsg(&|number| number < droppable && dropped >> number & 1 == 1);
            let alone = verdict(None, Some(&kmsg), false);
            assert!(alone != Verdict::Ok || world.all_told_seized(), "{:?}: ok without {dropped:b}", world.actions);
            let with_host = verdict(Some(world.tree()), Some(&kmsg), false);
            assert_eq!(with_host == Verdict::Ok, world.all_seized(), "{:?}: {with_host}, {dropped:b}", world.actions);
        }
    });
}

// --- Guests and releases.

#[test]
fn with_all_the_evidence_guests_and_releases_are_judged_by_their_truth() {
    every_world_of(&OF_GUESTS, 4, |world| {
        let found = verdict(Some(world.tree()), Some(&world.kmsg(&|_| false)), false);
        // A device that somebody released by hand, slot and all, is a warning.
        let by_hand = |device: usize| world.loaded && world.released[device] && !world.is_held(device);
        let fine = |device: usize| world.loaded && world.is_usable(device);
        let expected = match [0, 1].map(|device| (fine(device), by_hand(device))) {
            [(true, _), (true, _)] => Verdict::Ok,
            [(one, by_hand), (other, also)] if (one || by_hand) && (other || also) => Verdict::Warning,
            _ => Verdict::Critical,
        };
        assert_eq!(found, expected, "{:?}", world.actions);
    });
}

#[test]
fn a_log_with_guests_and_releases_is_ok_only_if_its_records_say_so() {
    every_world_of(&OF_GUESTS, 4, |world| {
        let ring = verdict(None, Some(&world.kmsg(&|_| false)), false);
        assert!(ring != Verdict::Ok || world.all_told_seized(), "{:?}: ok", world.actions);
        let only_loads = !world.actions.iter().any(|action| matches!(action, Action::Bind(_)));
        if only_loads && world.all_told_seized() {
            assert_eq!(ring, Verdict::Ok, "{:?}: of no use", world.actions);
        }
    });
}

#[test]
fn no_record_of_a_guest_or_a_release_that_is_lost_yields_a_false_ok() {
    every_world_of(&OF_GUESTS, 3, |world| {
        for lost in 0..world.ring.len() - 1 {
            let kmsg = world.kmsg(&|number| number == lost);
            let alone = verdict(None, Some(&kmsg), false);
            assert!(alone != Verdict::Ok || world.all_told_seized(), "{:?}: ok without record {lost}", world.actions);
            let with_host = verdict(Some(world.tree()), Some(&kmsg), false);
            assert_eq!(with_host == Verdict::Ok, world.all_seized(), "{:?}: {with_host} without {lost}", world.actions);
        }
    });
}

// --- Records in another order, and cut short.

#[test]
fn records_in_any_order_never_yield_a_false_ok() {
    let check = |world: &World| {
        let in_order = verdict(None, Some(&world.kmsg(&|_| false)), false);
        let kmsg = String::from_utf8(world.kmsg(&|_| false)).unwrap();
        let lines: Vec<&str> = kmsg.lines().collect();
        // Newest first; two neighbours swapped; one half behind the other.
        let mut orders = vec![
            lines.iter().rev().copied().collect::<Vec<_>>(),
            [&lines[lines.len() / 2..], &lines[..lines.len() / 2]].concat(),
        ];
        for at in 1..lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(at - 1, at);
            orders.push(swapped);
        }
        for order in orders {
            let text = order.join("\n") + "\n";
            let found = verdict(None, Some(text.as_bytes()), false);
            assert!(
                found == in_order || found == Verdict::Unknown,
                "{:?}: {in_order} became {found}\n{text}",
                world.actions
            );
        }
    };
    every_world_of(&ACTIONS, 3, check);
    every_world_of(&OF_GUESTS, 3, check);
}

#[test]
fn a_record_cut_short_never_yields_a_false_ok() {
    let check = |world: &World| {
        let kmsg = String::from_utf8(world.kmsg(&|_| false)).unwrap();
        let lines: Vec<&str> = kmsg.lines().collect();
        for cut in (0..lines.len()).filter(|at| lines[*at].contains(";pciback 0000:")) {
            let head = lines[cut].find(';').unwrap() + 1 + "pciback".len();
            for length in [head + 1, head + 9, head + 14, head + 27, lines[cut].len() - 1] {
                let line = &lines[cut][..length.clamp(head, lines[cut].len() - 1)];
                let mut cut_short = lines.clone();
                cut_short[cut] = line;
                let text = cut_short.join("\n") + "\n";
                let found = verdict(None, Some(text.as_bytes()), false);
                assert!(found != Verdict::Ok || world.all_told_seized(), "{:?}: ok\n{text}", world.actions);
                let with_host = verdict(Some(world.tree()), Some(text.as_bytes()), false);
                assert_eq!(with_host == Verdict::Ok, world.all_seized(), "{:?}: {with_host}\n{text}", world.actions);
            }
        }
    };
    every_world_of(&ACTIONS, 3, check);
    every_world_of(&OF_GUESTS, 3, check);
}
