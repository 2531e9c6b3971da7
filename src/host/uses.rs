//! What dom0 itself uses a device for: storage that is mounted, a network interface that is up, the console.
//!
//! Asked before a remedy may suggest taking the device away. What cannot be read is not "nothing".

use std::collections::BTreeMap;
use std::fmt;

use crate::pci::Address;
use crate::tree::{Known, Obstacle, Tree};

/// One use dom0 has for a device or for something behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// A block device that is mounted, or carries something that is.
    Mounted {
        /// The block device.
        name: String,
        /// Where, as the mount table writes it.
        at: Vec<String>,
    },
    /// A block device that is swapped to.
    Swap(String),
    /// A block device that dom0 gives a running guest as a disk.
    GuestDisk {
        /// The block device.
        name: String,
        /// The guest.
        guest: u32,
    },
    /// A virtual function of it that a driver has: the kernel takes it away with the physical one.
    VirtualFunction {
        /// The virtual function.
        address: Address,
        /// Its driver.
        driver: String,
    },
    /// A network interface that is up.
    Interface(String),
    /// A console of the kernel.
    Console(String),
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mounted { name, .. } => write!(f, "{name} on it is mounted"),
            Self::Swap(name) => write!(f, "{name} on it is swap space"),
            Self::GuestDisk { name, guest } => write!(f, "{name} on it is a disk of guest {guest}"),
            Self::VirtualFunction { address, driver } => write!(f, "its virtual function {address} is {driver}'s"),
            Self::Interface(name) => write!(f, "network interface {name} is up"),
            Self::Console(name) => write!(f, "it carries the console ({name})"),
        }
    }
}

/// File systems that spread over several devices and name only one of them in the mount table, or none.
const POOLS: &[&str] = &["zfs", "btrfs", "bcachefs"];

const BACKENDS: &str = "sys/bus/xen-backend/devices";

/// Interface flag `IFF_UP` (include/uapi/linux/if.h).
const IFF_UP: u32 = 1;

/// The tables of the whole machine, read once.
pub(super) struct Machine {
    blocks: Known<Vec<Block>>,
    interfaces: Known<Vec<Interface>>,
    mounted: Known<Mounts>,
    swaps: Known<Vec<String>>,
    /// The guest that has a block device as a disk, by the number of that.
    guests: BTreeMap<String, u32>,
    consoles: Known<Vec<(String, String)>>,
}

struct Block {
    name: String,
    path: String,
    number: Option<String>,
    holders: Vec<String>,
}

struct Interface {
    name: String,
    path: String,
    up: Known<bool>,
}

#[derive(Default)]
struct Mounts {
    /// Where a block device is mounted, by its number.
    numbers: BTreeMap<String, Vec<String>>,
    /// The same by its name.
    sources: BTreeMap<String, Vec<String>>,
    pool: Option<String>,
}

impl Mounts {
    fn of(&self, block: &Block) -> Option<&Vec<String>> {
        let by_number = block.number.as_ref().and_then(|number| self.numbers.get(number));
        by_number.or_else(|| self.sources.get(&block.name))
    }

    fn note(&mut self, kind: &str, source: &str, at: &str) {
        if let Some(name) = device_name(source) {
            self.sources.entry(name).or_default().push(at.to_owned());
        }
        if POOLS.contains(&kind) {
            self.pool = Some(kind.to_owned());
        }
    }
}

impl Machine {
    pub(super) fn read(tree: &Tree) -> Self {
        let class = |kind: &str| {
            let names = tree.list(&format!("sys/class/{kind}"));
            names.map(|names| {
                let path =
                    |name: &str| tree.resolve(&format!("sys/class/{kind}/{name}")).is().cloned().unwrap_or_default();
                names.into_iter().map(|name| (name.to_owned(), path(name))).collect::<Vec<_>>()
            })
        };
        let blocks = class("block").map(|found| {
            let block = |(name, path): (String, String)| Block {
                number: tree.read_text(&format!("{path}/dev")).is().cloned(),
                holders: tree
                    .list(&format!("{path}/holders"))
                    .is()
                    .into_iter()
                    .flatten()
                    .map(|h| (*h).to_owned())
                    .collect(),
                name,
                path,
            };
            found.into_iter().map(block).collect()
        });
        let interfaces = class("net").map(|found| {
            let interface = |(name, path): (String, String)| {
                let up = tree.read_text(&format!("{path}/flags")).and_then(|text| {
                    let flags = u32::from_str_radix(text.trim_start_matches("0x"), 16).ok();
                    flags.map_or(Known::Absent, |flags| Known::Is(flags & IFF_UP != 0))
                });
                Interface { name, path, up }
            };
            found.into_iter().map(interface).collect()
        });
        let consoles = tree.read_text("proc/consoles").map(|text| {
            let names = text.lines().filter_map(|line| line.split_whitespace().next());
            let path = |name: &str| tree.resolve(&format!("sys/class/tty/{name}")).is().cloned().unwrap_or_default();
            names.map(|name| (name.to_owned(), path(name))).collect()
        });
        Self { blocks, interfaces, mounted: mounts(tree), swaps: swaps(tree), guests: guest_disks(tree), consoles }
    }

    /// The network interfaces of hardware that are up: not those that the kernel makes up, nor those of guests
    /// (drivers/net/xen-netback, whose devices are `sys/devices/vif-DOMAIN-NUMBER`).
    pub(super) fn links(&self) -> Known<Vec<String>> {
        let is_hardware =
            |path: &str| !path.starts_with("sys/devices/virtual/") && !path.starts_with("sys/devices/vif-");
        self.interfaces.as_ref().and_then(|interfaces| {
            let mut up = Vec::new();
            for interface in interfaces.iter().filter(|interface| is_hardware(&interface.path)) {
                match known(&interface.up, &format!("{}/flags", interface.path)) {
                    Ok(true) => up.push(interface.name.clone()),
                    Ok(false) => {}
                    Err(obstacle) => return Known::Unreadable(obstacle),
                }
            }
            Known::Is(up)
        })
    }

    /// The kernel's consoles.
    pub(super) fn consoles(&self) -> Known<Vec<String>> {
        self.consoles.as_ref().map(|consoles| consoles.iter().map(|(name, _)| name.clone()).collect())
    }

    /// What dom0 uses the device at `path`, or anything below it, for.
    pub(super) fn of(&self, tree: &Tree, path: &str) -> Known<Vec<Use>> {
        let mut uses = Vec::new();
        let mut unknown = self.storage(path, &mut uses);
        unknown = unknown.or(self.network(path, &mut uses));
        unknown = unknown.or(self.console(tree, path, &mut uses));
        match unknown {
            Some(obstacle) if uses.is_empty() => Known::Unreadable(obstacle),
            _ => Known::Is(uses),
        }
    }

    fn storage(&self, path: &str, uses: &mut Vec<Use>) -> Option<Obstacle> {
        let blocks = known(&self.blocks, "sys/class/block");
        let mounted = known(&self.mounted, "proc/self/mountinfo");
        let swaps = known(&self.swaps, "proc/swaps");
        let (blocks, mounted, swaps) = match (blocks, mounted, swaps) {
            (Ok(blocks), Ok(mounted), Ok(swaps)) => (blocks, mounted, swaps),
            (Err(obstacle), ..) | (_, Err(obstacle), _) | (.., Err(obstacle)) => return Some(obstacle),
        };
        let mut doubt = None;
        for block in blocks.iter().filter(|block| below(&block.path, path)) {
            let carriers = carriers(blocks, block);
            let at: Vec<String> = carriers.iter().filter_map(|b| mounted.of(b)).flatten().cloned().collect();
            if !at.is_empty() {
                uses.push(Use::Mounted { name: block.name.clone(), at });
            } else if carriers.iter().any(|b| swaps.contains(&b.name)) {
                uses.push(Use::Swap(block.name.clone()));
            } else if let Some(guest) = carriers.iter().find_map(|b| self.guests.get(b.number.as_ref()?)) {
                uses.push(Use::GuestDisk { name: block.name.clone(), guest: *guest });
            } else if let Some(pool) = &mounted.pool {
                let why = format!("a {pool} file system is mounted, which may use {} as well", block.name);
                doubt = Some(Obstacle { path: "proc/self/mountinfo".to_owned(), why });
            } else if let Some(why) = may_be_open(blocks, &carriers) {
                doubt = Some(Obstacle { path: "sys/class/block".to_owned(), why });
            }
        }
        doubt
    }

    fn network(&self, path: &str, uses: &mut Vec<Use>) -> Option<Obstacle> {
        let interfaces = match known(&self.interfaces, "sys/class/net") {
            Ok(interfaces) => interfaces,
            Err(obstacle) => return Some(obstacle),
        };
        let mut doubt = None;
        for interface in interfaces.iter().filter(|interface| below(&interface.path, path)) {
            match known(&interface.up, &format!("{}/flags", interface.path)) {
                Ok(true) => uses.push(Use::Interface(interface.name.clone())),
                Ok(false) => {}
                Err(obstacle) => doubt = Some(obstacle),
            }
        }
        doubt
    }

    fn console(&self, tree: &Tree, path: &str, uses: &mut Vec<Use>) -> Option<Obstacle> {
        let consoles = match known(&self.consoles, "proc/consoles") {
            Ok(consoles) => consoles,
            Err(obstacle) => return Some(obstacle),
        };
        // tty0 is drawn by the display that the firmware started (drivers/pci/vgaarb.c, boot_vga).
        let shows_tty0 = tree.read_text(&format!("{path}/boot_vga")) == Known::Is("1".to_owned());
        for (name, at) in consoles {
            if below(at, path) || (name == "tty0" && shows_tty0) {
                uses.push(Use::Console(name.clone()));
            }
        }
        None
    }
}

fn known<'a, T>(what: &'a Known<T>, path: &str) -> Result<&'a T, Obstacle> {
    match what {
        Known::Is(value) => Ok(value),
        Known::Absent => Err(Obstacle { path: path.to_owned(), why: "is not there".to_owned() }),
        Known::Unreadable(obstacle) => Err(obstacle.clone()),
    }
}

fn below(path: &str, above: &str) -> bool {
    !above.is_empty() && path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

/// The block device and everything stacked on it (LVM, RAID, encryption): each layer is a holder of the one below.
fn carriers<'a>(blocks: &'a [Block], block: &'a Block) -> Vec<&'a Block> {
    let mut carriers = vec![block];
    if let Some(disk) = multipath_disk(&block.name) {
        carriers.extend(blocks.iter().filter(|b| is_part_of(&b.name, &disk)));
    }
    let mut next = 0;
    while let Some(carrier) = carriers.get(next) {
        let above: Vec<&Block> = blocks.iter().filter(|b| carrier.holders.contains(&b.name)).collect();
        for holder in above {
            if !carriers.iter().any(|known| known.name == holder.name) {
                carriers.push(holder);
            }
        }
        next += 1;
    }
    carriers
}

/// Why a disk that is not mounted may be in use all the same: tapdisk and QEMU open a guest's logical volume, and DRBD its disk,
/// without a word in sysfs.
fn may_be_open(blocks: &[Block], carriers: &[&Block]) -> Option<String> {
    let (disk, above) = carriers.split_first()?;
    if let Some(volume) = above.first() {
        return Some(format!("{} is on {}, and may be a guest's disk", volume.name, disk.name));
    }
    let drbd = blocks.iter().find(|block| block.name.starts_with("drbd"))?;
    Some(format!("{} may be on {}", drbd.name, disk.name))
}

/// `nvme0n1` for `nvme0c3n1`: one of the paths to a disk, which itself is below `sys/devices/virtual` (drivers/nvme/host/multipath.c,
/// from 4.15 on).
fn multipath_disk(path: &str) -> Option<String> {
    let (subsystem, rest) = path.strip_prefix("nvme")?.split_once('c')?;
    let (_, namespace) = rest.split_once('n')?;
    Some(format!("nvme{subsystem}n{namespace}"))
}

fn is_part_of(name: &str, disk: &str) -> bool {
    name.strip_prefix(disk).is_some_and(|rest| rest.is_empty() || rest.starts_with('p'))
}

/// The block devices that guests have as disks, by number, and the guest (drivers/block/xen-blkback/xenbus.c, `physical_device`:
/// major and minor in hexadecimal). Disks that a program of dom0 hands out (tapdisk, QEMU) are not there.
fn guest_disks(tree: &Tree) -> BTreeMap<String, u32> {
    let hexadecimal = |text: &str| u32::from_str_radix(text, 16).ok();
    let disk = |name: &str| {
        let guest = name.strip_prefix("vbd-")?.split('-').next()?.parse().ok()?;
        let text = tree.read_text(&format!("{BACKENDS}/{name}/physical_device"));
        let (major, minor) = text.is()?.split_once(':')?;
        Some((format!("{}:{}", hexadecimal(major)?, hexadecimal(minor)?), guest))
    };
    tree.list(BACKENDS).is().into_iter().flatten().filter_map(|name| disk(name)).collect()
}

fn device_name(source: &str) -> Option<String> {
    source.strip_prefix("/dev/").map(|name| name.replace('/', "!"))
}

/// `proc/self/mountinfo` (Documentation/filesystems/proc.rst, 3.5), else `proc/mounts`.
fn mounts(tree: &Tree) -> Known<Mounts> {
    match tree.read_text("proc/self/mountinfo") {
        Known::Is(text) => {
            let mut mounts = Mounts::default();
            for line in text.lines() {
                let Some((front, back)) = line.split_once(" - ") else { continue };
                let mut front = front.split(' ').skip(2);
                let (number, at) = (front.next().unwrap_or_default(), front.nth(1).unwrap_or_default());
                mounts.numbers.entry(number.to_owned()).or_default().push(at.to_owned());
                let mut back = back.split(' ');
                mounts.note(back.next().unwrap_or_default(), back.next().unwrap_or_default(), at);
            }
            Known::Is(mounts)
        }
        Known::Absent => tree.read_text("proc/mounts").map(|text| {
            let mut mounts = Mounts::default();
            for line in text.lines() {
                let mut words = line.split(' ');
                let (source, at) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                mounts.note(words.next().unwrap_or_default(), source, at);
            }
            mounts
        }),
        Known::Unreadable(obstacle) => Known::Unreadable(obstacle),
    }
}

fn swaps(tree: &Tree) -> Known<Vec<String>> {
    tree.read_text("proc/swaps")
        .map(|text| text.lines().skip(1).filter_map(|line| device_name(line.split_whitespace().next()?)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: &str = "\
        sys/class/block/sda -> ../../devices/pci0000:00/0000:00:1f.2/ata1/block/sda\n\
        sys/class/block/sda1 -> ../../devices/pci0000:00/0000:00:1f.2/ata1/block/sda/sda1\n\
        sys/class/block/dm-0 -> ../../devices/virtual/block/dm-0\n\
        sys/devices/pci0000:00/0000:00:1f.2/ata1/block/sda/sda1/dev = 8:1\\n\n\
        sys/devices/pci0000:00/0000:00:1f.2/ata1/block/sda/sda1/holders/dm-0 -> x\n\
        sys/devices/virtual/block/dm-0/dev = 253:0\\n\n\
        sys/class/net/eth0 -> ../../devices/pci0000:00/0000:00:03.0/net/eth0\n\
        sys/devices/pci0000:00/0000:00:03.0/net/eth0/flags = 0x1003\\n\n\
        sys/class/net/eth1 -> ../../devices/pci0000:00/0000:00:04.0/net/eth1\n\
        sys/devices/pci0000:00/0000:00:04.0/net/eth1/flags = 0x1002\\n\n\
        sys/devices/pci0000:00/0000:00:02.0/boot_vga = 1\\n\n\
        proc/self/mountinfo = 22 1 253:0 / / rw shared:1 - ext4 /dev/mapper/vg-root rw\\n\n\
        proc/swaps = Filename Type Size Used Priority\\n\n\
        proc/consoles = tty0                 -WU (EC p  )    4:7\\n\n";

    fn of(manifest: &str, device: &str) -> Known<Vec<Use>> {
        let tree = Tree::from_manifest(manifest).unwrap();
        Machine::read(&tree).of(&tree, &format!("sys/devices/pci0000:00/{device}"))
    }

    #[test]
    fn storage_is_followed_through_its_layers() {
        assert_eq!(
            of(MACHINE, "0000:00:1f.2"),
            Known::Is(vec![Use::Mounted { name: "sda1".to_owned(), at: vec!["/".to_owned()] }])
        );
    }

    #[test]
    fn a_disk_with_several_paths_is_that_of_each_path() {
        let machine = "\
            sys/class/block/nvme0c1n1 -> ../../devices/pci0000:00/0000:00:05.0/nvme/nvme1/nvme0c1n1\n\
            sys/class/block/nvme0n1 -> ../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1\n\
            sys/class/block/nvme0n1p2 -> ../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p2\n\
            sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p2/dev = 259:2\\n\n\
            sys/class/net/\nproc/self/mountinfo = 22 1 259:2 / / rw - ext4 /dev/root rw\\n\n\
            proc/swaps = Filename\\n\nproc/consoles = hvc0 -W- (EC ) 229:0\\n\n";
        let root = Use::Mounted { name: "nvme0c1n1".to_owned(), at: vec!["/".to_owned()] };
        assert_eq!(of(machine, "0000:00:05.0"), Known::Is(vec![root]));
    }

    #[test]
    fn a_disk_that_a_program_may_have_open_is_a_question() {
        let volume = MACHINE.replace("22 1 253:0 / / rw", "22 1 0:1 / / rw");
        let drbd = volume.replace("sys/class/block/dm-0", "sys/class/block/drbd0").replace("holders/dm-0", "x");
        for (machine, why) in [(volume, "dm-0 is on sda1, and may be a guest's disk"), (drbd, "drbd0 may be on sda1")] {
            assert_eq!(of(&machine, "0000:00:1f.2").obstacle().unwrap().why, why);
        }
    }

    #[test]
    fn a_disk_of_a_running_guest_is_a_use() {
        let backend = "sys/bus/xen-backend/devices/vbd-3-51712/physical_device = fd:0\\n\n";
        let machine = MACHINE.replace("22 1 253:0 / / rw", "22 1 0:1 / / rw") + backend;
        let disk = Use::GuestDisk { name: "sda1".to_owned(), guest: 3 };
        assert_eq!(of(&machine, "0000:00:1f.2"), Known::Is(vec![disk]));
    }

    #[test]
    fn an_interface_that_is_up_and_the_console_are_uses() {
        assert_eq!(of(MACHINE, "0000:00:03.0"), Known::Is(vec![Use::Interface("eth0".to_owned())]));
        assert_eq!(of(MACHINE, "0000:00:04.0"), Known::Is(vec![]));
        assert_eq!(of(MACHINE, "0000:00:02.0"), Known::Is(vec![Use::Console("tty0".to_owned())]));
    }

    #[test]
    fn the_interfaces_of_hardware_are_told_from_the_kernels_own() {
        let more = "sys/class/net/lo -> ../../devices/virtual/net/lo\nsys/devices/virtual/net/lo/flags = 0x9\\n\n\
                    sys/class/net/vif1.0 -> ../../devices/vif-1-0/net/vif1.0\nsys/devices/vif-1-0/net/vif1.0/flags = 0x3\\n\n";
        let machine = Machine::read(&Tree::from_manifest(&format!("{MACHINE}{more}")).unwrap());
        assert_eq!(machine.links(), Known::Is(vec!["eth0".to_owned()]));
        assert_eq!(machine.consoles(), Known::Is(vec!["tty0".to_owned()]));
        let without = MACHINE.replace("net/eth1/flags = 0x1002\\n", "net/eth1/other = x");
        assert!(Machine::read(&Tree::from_manifest(&without).unwrap()).links().obstacle().is_some());
    }

    #[test]
    fn what_cannot_be_read_is_not_nothing() {
        for line in ["sys/class/net/", "proc/swaps", "proc/self/mountinfo", "proc/consoles", "sys/class/block/"] {
            let kept: Vec<&str> = MACHINE.lines().filter(|known| !known.trim_start().starts_with(line)).collect();
            assert!(of(&kept.join("\n"), "0000:00:04.0").obstacle().is_some(), "{line}");
        }
        let pool = MACHINE.replace("- ext4 /dev/mapper/vg-root", "- zfs rpool/root");
        let pool = pool.replace("253:0 / /", "0:31 / /");
        assert!(of(&pool, "0000:00:1f.2").obstacle().is_some());
    }
}
