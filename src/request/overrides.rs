//! Drivers that are forced on devices: `driverctl set-override` keeps them below `/etc/driverctl.d` (driverctl(8)), udev
//! rules write `driver_override`, and `vfio-pci.ids=` and `pci-stub.ids=` name ids that a stub driver takes
//! (`drivers/vfio/pci/vfio_pci.c`, `drivers/pci/pci-stub.c`).

use super::arguments::{arguments, same_name};
use super::register::expand;
use super::{Location, modprobe};
use crate::pci::Address;
use crate::tree::Tree;

/// One device, or one kind of device, that is forced on a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The device, where it is named by its address.
    pub device: Device,
    /// The driver.
    pub driver: String,
    /// Where it is written.
    pub location: Location,
    /// The text there.
    pub text: String,
}

/// How a device is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Device {
    /// By its address.
    At(Address),
    /// By vendor and device id.
    Of(u16, u16),
}

/// Every such setting of a machine.
pub fn find(tree: &Tree) -> Vec<Override> {
    let mut found = by_driverctl(tree);
    found.extend(by_rules(tree));
    for (location, line) in modprobe::lines(tree) {
        let Some((module, given)) = modprobe::options(&line) else { continue };
        found.extend(by_ids(given, &location, &|key| key == b"ids", &|stub| same_name(module, stub.as_bytes())));
    }
    if let Some(line) = tree.read("proc/cmdline").is() {
        let location = Location::on_host("proc/cmdline", None);
        for stub in STUBS {
            let is_its = |key: &[u8]| same_name(key, format!("{stub}.ids").as_bytes());
            found.extend(by_ids(line, &location, &is_its, &|one| one == stub));
        }
    }
    found
}

/// Drivers that take devices by their ids alone.
const STUBS: [&str; 2] = ["vfio-pci", "pci-stub"];

/// A file `pci-0000:02:00.0` that holds the driver's name.
fn by_driverctl(tree: &Tree) -> Vec<Override> {
    let mut found = Vec::new();
    for path in expand(tree, "etc/driverctl.d/pci-*") {
        let name = path.rsplit('/').next().unwrap_or_default();
        let address = Address::from_kernel(name.trim_start_matches("pci-").as_bytes());
        let driver = tree.read_text(&path).is().cloned().filter(|driver| !driver.is_empty());
        if let (Some(address), Some(driver)) = (address, driver) {
            let location = Location::on_host(&path, None);
            found.push(Override { device: Device::At(address), text: driver.clone(), driver, location });
        }
    }
    found
}

/// `KERNEL=="0000:02:00.0", ..., ATTR{driver_override}="vfio-pci"` (udev(7)).
fn by_rules(tree: &Tree) -> Vec<Override> {
    let mut found = Vec::new();
    for path in expand(tree, "etc/udev/rules.d/*.rules") {
        let text = tree.read(&path).is().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with('#')) {
            let value = |key: &str| Some(line.split_once(key)?.1.split('"').next()?.to_owned());
            let address = value("KERNEL==\"").and_then(|name| Address::from_kernel(name.as_bytes()));
            let driver = value("ATTR{driver_override}=\"").filter(|driver| !driver.is_empty());
            if let (Some(address), Some(driver)) = (address, driver) {
                let column = line.find("ATTR{driver_override}").map_or(1, |at| at + 1);
                let location = Location::at(&path, number, column);
                found.push(Override { device: Device::At(address), driver, location, text: line.trim().to_owned() });
            }
        }
    }
    found
}

fn by_ids(
    line: &[u8],
    location: &Location,
    is_ids: &dyn Fn(&[u8]) -> bool,
    is_meant: &dyn Fn(&str) -> bool,
) -> Vec<Override> {
    let mut found = Vec::new();
    let Some(driver) = STUBS.into_iter().find(|stub| is_meant(stub)) else { return found };
    for argument in arguments(line).into_iter().filter(|argument| is_ids(&argument.key)) {
        let value = String::from_utf8_lossy(argument.value.as_deref().unwrap_or_default()).into_owned();
        for ids in value.split(',') {
            let mut numbers = ids.split(':').map(|number| u16::from_str_radix(number, 16).ok());
            if let (Some(Some(vendor)), Some(Some(device))) = (numbers.next(), numbers.next()) {
                let (device, driver) = (Device::Of(vendor, device), driver.to_owned());
                let text = format!("{}={value}", String::from_utf8_lossy(&argument.key));
                found.push(Override { device, driver, location: location.clone(), text });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_force_a_driver_is_seen() {
        let manifest = "etc/driverctl.d/pci-0000:02:00.0 = vfio-pci\\n\n\
            etc/udev/rules.d/a.rules = # KERNEL==\"0000:03:00.0\", ATTR{driver_override}=\"x\"\\n\
            SUBSYSTEM==\"pci\", KERNEL==\"0000:04:00.0\", ATTR{driver_override}=\"pci-stub\"\\n\n\
            etc/modprobe.d/v.conf = options vfio_pci disable_vga=1 ids=1002:67df\\noptions snd ids=1:2\\n\n\
            proc/cmdline = vfio-pci.ids=10de:1c03,8086:1521:x quiet\\n\n";
        let found = find(&Tree::from_manifest(manifest).unwrap());
        let shown: Vec<String> = found.iter().map(|o| format!("{} {} {:?}", o.location, o.driver, o.device)).collect();
        assert_eq!(shown.len(), 5, "{shown:?}");
        assert!(shown[0].starts_with("/etc/driverctl.d/pci-0000:02:00.0 vfio-pci At("));
        assert!(shown[1].starts_with("/etc/udev/rules.d/a.rules:2:43 pci-stub At("));
        assert_eq!(shown[2], "/etc/modprobe.d/v.conf:1 vfio-pci Of(4098, 26591)");
        assert_eq!(shown[3], "/proc/cmdline vfio-pci Of(4318, 7171)");
    }
}
