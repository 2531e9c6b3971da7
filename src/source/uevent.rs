//! The kernel's uevents: it says over a netlink socket when devices, drivers and modules come and go
//! (`kobject_uevent_env` in `lib/kobject_uevent.c`).
//!
//! A uevent says where to look, and nothing of it is believed: what it leads to is a new reading of the host. Kernels before
//! 4.14 send none when a driver takes or leaves a device (`bind`, `unbind`; drivers/base/dd.c), and pciback's own lists change
//! without one, so whoever watches must look from time to time all the same.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketAddrAny, SocketFlags, SocketType, sockopt};

use super::error::UeventsError;
use crate::pci::Address;

/// The multicast group of the kernel's own messages. Those of udev, behind its rules, are in group 2.
const KERNEL: u32 = 1;

/// Room for the messages that come while nobody reads, in bytes: some thousand devices may come at once.
const ROOM: usize = 1 << 20;

/// Longest message: 2 KiB of variables behind the path (`UEVENT_BUFFER_SIZE` in include/linux/kobject.h).
const LONGEST: usize = 16 << 10;

/// How many reads one call makes, so that a flood cannot hold the caller.
const MOST_READS: u32 = 4096;

/// How many devices are told apart; more are all.
const MOST_DEVICES: usize = 256;

/// What the driver is called among the PCI drivers, and what its other half is called among those of xenbus.
const DRIVERS: &[&[u8]] = &[b"pciback", b"xen-pciback"];

/// What the module is called, in Xen's own kernels and in Linux from 3.1.
const MODULES: &[&[u8]] = &[b"pciback", b"xen_pciback"];

/// What has changed on the host since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noticed {
    /// PCI devices that came, went, or were taken or left by a driver.
    pub devices: BTreeSet<Address>,
    /// There were too many of them, or some without an address: any may have changed.
    pub all: bool,
    /// pciback's driver or its module came or went.
    pub driver: bool,
    /// Messages were lost or could not be read: anything may have changed.
    pub lost: bool,
    /// Why no more messages will come.
    pub ended: Option<UeventsError>,
}

impl Noticed {
    /// Whether there is anything to look at.
    pub fn any(&self) -> bool {
        !self.devices.is_empty() || self.all || self.driver || self.lost || self.ended.is_some()
    }

    fn take(&mut self, message: &[u8]) {
        match read(message) {
            Uevent::Device(Some(address)) if self.devices.len() < MOST_DEVICES || self.devices.contains(&address) => {
                self.devices.insert(address);
            }
            Uevent::Device(_) => self.all = true,
            Uevent::Driver => self.driver = true,
            Uevent::Other => {}
            Uevent::Damaged => self.lost = true,
        }
    }
}

/// The socket that the messages come from. It can be polled.
#[derive(Debug)]
pub struct Uevents {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Uevents {
    /// Begins to listen. Whatever happens from now on is noticed; read the host after this, not before.
    ///
    /// Any user may listen. Where it fails all the same (a container without netlink) the error says why.
    pub fn open() -> Result<Self, UeventsError> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(KOBJECT_UEVENT))
            .map_err(UeventsError::Os)?;
        // Above net.core.rmem_max only with CAP_NET_ADMIN. With less room more may be lost, which is said.
        if sockopt::set_socket_recv_buffer_size_force(&socket, ROOM).is_err() {
            sockopt::set_socket_recv_buffer_size(&socket, ROOM).unwrap_or_default();
        }
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, KERNEL)).map_err(UeventsError::Os)?;
        Ok(Self { socket, buffer: vec![0; LONGEST] })
    }

    /// Reads the messages that have come, without waiting.
    pub fn drain(&mut self) -> Noticed {
        let mut noticed = Noticed::default();
        for _ in 0..MOST_READS {
            // With TRUNC the length is the message's, even where the buffer is shorter.
            match rustix::net::recvfrom(&self.socket, self.buffer.as_mut_slice(), RecvFlags::TRUNC) {
                Ok((_, length, sender)) if is_kernel(sender.as_ref()) => match self.buffer.get(..length) {
                    Some(message) => noticed.take(message),
                    None => noticed.lost = true,
                },
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(Errno::NOBUFS) => noticed.lost = true,
                Err(error) => {
                    noticed.ended = Some(UeventsError::Os(error));
                    break;
                }
            }
        }
        noticed
    }
}

impl AsFd for Uevents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether a message is from the kernel, whose port is 0, to all who listen: a process can send messages too, from the port
/// of its own socket.
fn is_kernel(sender: Option<&SocketAddrAny>) -> bool {
    let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender.clone()).ok());
    sender == Some(SocketAddrNetlink::new(0, KERNEL))
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Uevent {
    /// A PCI device came, went, moved, or was taken or left by a driver.
    Device(Option<Address>),
    /// pciback's driver or module came or went.
    Driver,
    /// Nothing of ours.
    Other,
    /// No message of the kernel's form.
    Damaged,
}

/// Reads `ACTION@DEVPATH\0KEY=value\0...`.
fn read(message: &[u8]) -> Uevent {
    let mut parts = message.strip_suffix(b"\0").unwrap_or_default().split(|byte| *byte == 0);
    let header = parts.next().unwrap_or_default();
    let (mut action, mut path, mut subsystem, mut slot) = (None, None, None, None);
    for part in parts {
        let Some((key, value)) = cut(part, b'=') else { continue };
        let known = match key {
            b"ACTION" => &mut action,
            b"DEVPATH" => &mut path,
            b"SUBSYSTEM" => &mut subsystem,
            b"PCI_SLOT_NAME" => &mut slot,
            _ => continue,
        };
        if known.replace(value).is_some() {
            return Uevent::Damaged;
        }
    }
    let (Some(action), Some(path), Some(subsystem)) = (action, path, subsystem) else { return Uevent::Damaged };
    if cut(header, b'@') != Some((action, path)) {
        return Uevent::Damaged;
    }
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    match (subsystem, action) {
        (b"pci", b"add" | b"remove" | b"change" | b"move" | b"bind" | b"unbind") => {
            Uevent::Device(slot.and_then(Address::from_kernel))
        }
        (b"drivers", _) if DRIVERS.contains(&name) => Uevent::Driver,
        (b"module", _) if MODULES.contains(&name) => Uevent::Driver,
        _ => Uevent::Other,
    }
}

/// What stands before the first `sign`, and what behind it.
fn cut(text: &[u8], sign: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(text.iter().position(|byte| *byte == sign)?)?;
    Some((before, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use rustix::net::SendFlags;

    use super::*;

    /// As a kernel 6.18 sent them when their `uevent` files were written to.
    const DEVICE: &str = "change@/devices/pci0000:00/0000:00:01.0\0ACTION=change\0\
        DEVPATH=/devices/pci0000:00/0000:00:01.0\0SUBSYSTEM=pci\0SYNTH_UUID=0\0DRIVER=virtio-pci\0PCI_CLASS=FFFF00\0\
        PCI_ID=1AF4:1045\0PCI_SUBSYS_ID=1AF4:1045\0PCI_SLOT_NAME=0000:00:01.0\0\
        MODALIAS=pci:v00001AF4d00001045sv00001AF4sd00001045bcFFscFFi00\0SEQNUM=821\0";
    const DRIVER: &str = "add@/bus/pci/drivers/8250_mid\0ACTION=add\0DEVPATH=/bus/pci/drivers/8250_mid\0\
        SUBSYSTEM=drivers\0SYNTH_UUID=0\0SEQNUM=822\0";
    const BUS: &str = "change@/bus/pci\0ACTION=change\0DEVPATH=/bus/pci\0SUBSYSTEM=bus\0SYNTH_UUID=0\0SEQNUM=823\0";
    const NET: &str = "change@/devices/virtual/net/lo\0ACTION=change\0DEVPATH=/devices/virtual/net/lo\0SUBSYSTEM=net\0\
        SYNTH_UUID=0\0INTERFACE=lo\0IFINDEX=1\0SEQNUM=824\0";
    /// As `kobject_uevent_env` writes it for a module (kernel/module/sysfs.c).
    const MODULE: &str = "add@/module/xen_pciback\0ACTION=add\0DEVPATH=/module/xen_pciback\0SUBSYSTEM=module\0\
        SEQNUM=4711\0";

    #[test]
    fn the_kernels_messages_are_told_apart() {
        let device = Uevent::Device("0000:00:01.0".parse().ok());
        for action in ["add", "remove", "change", "move", "bind", "unbind"] {
            assert_eq!(read(DEVICE.replace("change", action).as_bytes()), device, "{action}");
        }
        assert_eq!(read(DEVICE.replace("change", "offline").as_bytes()), Uevent::Other);
        for name in ["pciback", "xen-pciback"] {
            assert_eq!(read(DRIVER.replace("8250_mid", name).as_bytes()), Uevent::Driver, "{name}");
        }
        for name in ["pciback", "xen_pciback"] {
            assert_eq!(read(MODULE.replace("xen_pciback", name).as_bytes()), Uevent::Driver, "{name}");
        }
        for other in [DRIVER, BUS, NET, &MODULE.replace("xen_pciback", "xen_pciback_not")] {
            assert_eq!(read(other.as_bytes()), Uevent::Other, "{other:?}");
        }
    }

    #[test]
    fn a_device_without_an_address_may_be_any() {
        for (from, to) in [("0000:00:01.0\0MOD", "0000:00:1.0\0MOD"), ("PCI_SLOT_NAME=", "SLOT=")] {
            let message = DEVICE.replace(from, to);
            assert_eq!(read(message.as_bytes()), Uevent::Device(None), "{message:?}");
            let mut noticed = Noticed::default();
            noticed.take(message.as_bytes());
            assert!(noticed.all && noticed.any() && !noticed.lost);
        }
    }

    #[test]
    fn damage_is_a_loss_wherever_a_message_is_cut() {
        for length in 0..DEVICE.len() {
            let cut = read(&DEVICE.as_bytes()[..length]);
            // Between two variables the cut cannot be seen. What is left names the device, or any.
            let seen = matches!(cut, Uevent::Damaged | Uevent::Device(_));
            assert!(seen, "{length}: {cut:?}");
        }
        for damaged in [
            "",
            "\0",
            "libudev\0ACTION=add\0DEVPATH=/a\0SUBSYSTEM=pci\0",
            "add@/a\0ACTION=remove\0DEVPATH=/a\0SUBSYSTEM=pci\0",
            "add@/a\0ACTION=add\0DEVPATH=/b\0SUBSYSTEM=pci\0",
            "add@/a\0ACTION=add\0DEVPATH=/a\0SUBSYSTEM=net\0SUBSYSTEM=pci\0",
        ] {
            assert_eq!(read(damaged.as_bytes()), Uevent::Damaged, "{damaged:?}");
        }
    }

    #[test]
    fn more_devices_than_are_told_apart_are_all() {
        let mut noticed = Noticed::default();
        for bus in 0..=255 {
            noticed.take(DEVICE.replace("00:01.0", &format!("{bus:02x}:01.0")).as_bytes());
        }
        assert_eq!((noticed.devices.len(), noticed.all), (MOST_DEVICES, false));
        noticed.take(DEVICE.as_bytes());
        assert!(!noticed.all, "it is one of them");
        noticed.take(DEVICE.replace("00:01.0", "00:02.0").as_bytes());
        assert_eq!((noticed.devices.len(), noticed.all), (MOST_DEVICES, true));
    }

    #[test]
    fn only_the_kernels_port_and_group_are_heard() {
        let heard = |port, group| is_kernel(Some(&SocketAddrNetlink::new(port, group).into()));
        assert!(heard(0, KERNEL));
        assert!(!heard(4711, KERNEL), "a process, to all");
        assert!(!heard(4711, 0), "a process, to us");
        assert!(!heard(0, 0));
        assert!(!heard(0, 2), "udev's group");
        assert!(!is_kernel(None));
    }

    #[test]
    fn what_a_process_sends_is_not_noticed() {
        let mut uevents = match Uevents::open() {
            Ok(uevents) => uevents,
            Err(why) => return assert!(matches!(why, UeventsError::Os(_)), "{why}"),
        };
        let port = rustix::net::getsockname(&uevents).unwrap();
        let port = SocketAddrNetlink::try_from(port).unwrap().pid();
        let process = rustix::net::socket(AddressFamily::NETLINK, SocketType::DGRAM, Some(KOBJECT_UEVENT)).unwrap();
        let forged = DEVICE.replace("00:01.0", "ff:1f.7");
        let to = SocketAddrNetlink::new(port, 0);
        match rustix::net::sendto(&process, forged.as_bytes(), SendFlags::empty(), &to) {
            Ok(length) => {
                assert_eq!(length, forged.len());
                // It was there to be heard.
                let mut buffer = [0; LONGEST];
                let (_, length, sender) = rustix::net::recvfrom(&uevents, &mut buffer[..], RecvFlags::PEEK).unwrap();
                assert!(!is_kernel(sender.as_ref()) || buffer[..length] != *forged.as_bytes());
            }
            // Without CAP_NET_ADMIN the kernel does not let it through at all.
            Err(error) => assert_eq!(error, Errno::PERM),
        }
        let forged = "0000:ff:1f.7".parse().unwrap();
        assert!(!uevents.drain().devices.contains(&forged));
    }
}
