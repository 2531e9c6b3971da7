//! A small simulated dom0 as ground truth: two devices, every way through six actions, and evidence taken away.
//!
//! Sound: ok only if all requested devices are seized. Useful: with nothing taken away the verdict is the truth.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

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
    Reboot,
    /// User space writes a seizing line.
    Forge(usize),
}

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
            Action::Unbind(device) if self.owners[device] != Owner::Nobody => world.owners[device] = Owner::Nobody,
            Action::OtherDriver(device) if self.owners[device] == Owner::Nobody => {
                world.owners[device] = Owner::Other;
                world.told[device] = Owner::Other;
                world.print(6, &format!("uhci_hcd {}: UHCI Host Controller", ADDRESSES[device]));
            }
            Action::Bind(device) if self.loaded && self.owners[device] == Owner::Nobody => {
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
                let text = format!("pciback {}: xen_pciback: seizing device", ADDRESSES[device]);
                world.print(14, &text);
            }
            Action::Load
            | Action::Reload
            | Action::Break(_)
            | Action::Unbind(_)
            | Action::OtherDriver(_)
            | Action::Bind(_) => return None,
        }
        Some(world)
    }

    fn seizing(&mut self, device: usize) {
        self.print(6, &format!("pciback {}: xen_pciback: seizing device", ADDRESSES[device]));
    }

    fn load(&mut self) {
        self.loaded = true;
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
        self.owners = self.owners.map(|owner| if owner == Owner::Other { owner } else { Owner::Nobody });
    }

    fn tree(&self) -> Tree {
        let mut text = String::from("proc/xen/capabilities = control_d\\n\n");
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
            let slots = format!("{}\\n", ADDRESSES.join("\\n"));
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

    /// Every boot as a text file holds it that does not say who wrote its lines; or as one that does.
    fn file(&self, says_author: bool) -> Vec<u8> {
        let mut text = String::new();
        for record in self.older.iter().chain(&self.ring) {
            let time = format!("[{:5}.{:06}]", record.micros / 1_000_000, record.micros % 1_000_000);
            let prefix = if says_author { format!("<{}>", record.priority) } else { String::new() };
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
        let mut key = format!("{:?}{}", self.owners, self.loaded);
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
            worlds = worlds.iter().flat_map(|world| ACTIONS.iter().filter_map(|action| world.after(*action))).collect();
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
