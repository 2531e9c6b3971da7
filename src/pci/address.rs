//! PCI addresses (`dddd:bb:dd.f`) and the patterns a hide list can name.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Where a PCI function sits: `dddd:bb:dd.f`, all numbers hexadecimal.
///
/// Printed as the kernel prints it (`%04x:%02x:%02x.%d`, `pci_setup_device` in drivers/pci/probe.c): the domain has
/// four digits, or five and more for domains above `ffff` such as those of Intel VMD (`10000:e1:00.0`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    domain: u32,
    /// Bus, slot and function in one number: addresses are compared all the time.
    rest: u16,
}

impl Address {
    /// The address with these numbers, or `None` when the slot is above `1f` or the function above `7`.
    pub const fn new(domain: u32, bus: u8, slot: u8, function: u8) -> Option<Self> {
        if slot > 0x1f || function > 7 {
            return None;
        }
        Some(Self { domain, rest: (bus as u16) << 8 | (slot as u16) << 3 | function as u16 })
    }

    /// The PCI domain (segment): the part before the first colon.
    pub const fn domain(self) -> u32 {
        self.domain
    }

    /// The bus number.
    pub const fn bus(self) -> u8 {
        self.rest.to_be_bytes()[0]
    }

    /// The slot (device number) on its bus, `0` to `1f`.
    pub const fn slot(self) -> u8 {
        self.rest.to_be_bytes()[1] >> 3
    }

    /// The function in its slot, `0` to `7`.
    pub const fn function(self) -> u8 {
        self.rest.to_be_bytes()[1] & 7
    }

    /// Domain, bus, slot and function in one number, so that the next function is the next number.
    pub const fn number(self) -> u64 {
        (self.domain as u64) << 16 | self.rest as u64
    }

    /// Reads an address exactly as the kernel prints it at the start of `text`, and returns what follows it.
    ///
    /// Stricter than [`FromStr`]: lower case, at least four digits of domain, two of bus and slot, one of function. A
    /// longer number does not match, so that `0000:00:1d.10` is no address with something behind it.
    pub fn peel(text: &[u8]) -> Option<(Self, &[u8])> {
        let (domain, rest) = domain(text)?;
        let &[b':', b1, b2, b':', s1, s2, b'.', f, ref rest @ ..] = rest else { return None };
        if rest.first().is_some_and(u8::is_ascii_hexdigit) {
            return None;
        }
        let byte = |high: u8, low: u8| u8::try_from(digit(high) << 4 | digit(low)).ok();
        Some((Self::new(domain, byte(b1, b2)?, byte(s1, s2)?, byte(b'0', f)?)?, rest))
    }

    /// Reads `text` as one address in the kernel's own spelling, with nothing around it.
    pub fn from_kernel(text: &[u8]) -> Option<Self> {
        match Self::peel(text)? {
            (address, []) => Some(address),
            _ => None,
        }
    }

    /// The address without its domain when that is 0, as people and `xl` write it: `00:1d.0`.
    pub fn short(self) -> String {
        if self.domain == 0 {
            format!("{:02x}:{:02x}.{:x}", self.bus(), self.slot(), self.function())
        } else {
            self.to_string()
        }
    }
}

/// The domain, and what follows it.
fn domain(text: &[u8]) -> Option<(u32, &[u8])> {
    if let [d1, d2, d3, d4, rest @ ..] = text
        && rest.first() == Some(&b':')
    {
        let value = [d1, d2, d3, d4].iter().fold(0, |value, byte| value << 4 | digit(**byte));
        return (value <= 0xffff).then_some((value, rest));
    }
    let length = text.iter().take(9).position(|byte| *byte == b':')?;
    let (digits, rest) = text.split_at_checked(length)?;
    if !(5..=8).contains(&length) || digits.first() == Some(&b'0') || digits.iter().any(|byte| digit(*byte) > 0xf) {
        return None;
    }
    Some((digits.iter().fold(0, |value, byte| value << 4 | digit(*byte)), rest))
}

/// The value of a digit as the kernel prints it, or so much that no number of two bytes has it in it.
const fn digit(byte: u8) -> u32 {
    const NONE: u32 = 1 << 16;
    match byte {
        b'0'..=b'9' => (byte - b'0') as u32,
        b'a'..=b'f' => (byte - b'a') as u32 + 10,
        _ => NONE,
    }
}

impl Ord for Address {
    /// In bus order.
    fn cmp(&self, other: &Self) -> Ordering {
        self.number().cmp(&other.number())
    }
}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus(), self.slot(), self.function())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no PCI address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    what: &'static str,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected dddd:bb:dd.f or bb:dd.f in hexadecimal, such as 0000:00:1d.0", self.what)
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads an address as a person writes it: the domain may be left out, digits in either case, leading zeros at will.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = |what| AddressError { what };
        let number = |digits: &str, most: u32, what: &'static str| {
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(wrong("not a PCI address"));
            }
            u32::from_str_radix(digits, 16).ok().filter(|n| *n <= most).ok_or(wrong(what))
        };
        let (front, function) = text.rsplit_once('.').ok_or(wrong("no function (the part behind the dot)"))?;
        let mut parts = front.split(':');
        let (domain, bus, slot) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(bus), Some(slot), None, None) => ("0", bus, slot),
            (Some(domain), Some(bus), Some(slot), None) => (domain, bus, slot),
            _ => return Err(wrong("not a PCI address")),
        };
        let small = |n: u32| u8::try_from(n).map_err(|_out_of_range| wrong("not a PCI address"));
        let domain = number(domain, u32::MAX, "the domain is too large")?;
        let bus = small(number(bus, 0xff, "the bus is above ff")?)?;
        let slot = small(number(slot, 0x1f, "the slot is above 1f")?)?;
        let function = small(number(function, 7, "the function is above 7")?)?;
        Self::new(domain, bus, slot, function).ok_or(wrong("not a PCI address"))
    }
}

/// What one entry of a hide list names: an address, or every slot or function of a part of the bus.
///
/// `None` stands for `*`. pciback (drivers/xen/xen-pciback/pci_stub.c, `pcistub_device_id_add`, from 3.7) expands it to
/// all 8 or 256 addresses when it reads the list, whether devices exist there or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    /// PCI domain.
    pub domain: u32,
    /// Bus number.
    pub bus: u8,
    /// Slot, or `None` for every slot of the bus.
    pub slot: Option<u8>,
    /// Function, or `None` for every function of the slot.
    pub function: Option<u8>,
}

impl Pattern {
    /// Whether more than one address can match.
    pub const fn is_wildcard(self) -> bool {
        self.slot.is_none() || self.function.is_none()
    }

    /// Whether `address` is one of those named.
    pub fn matches(self, address: Address) -> bool {
        self.domain == address.domain
            && self.bus == address.bus()
            && self.slot.is_none_or(|slot| slot == address.slot())
            && self.function.is_none_or(|function| function == address.function())
    }

    /// Every address named, in bus order: what the kernel adds to pciback's `slots` for the entry.
    pub fn addresses(self) -> impl Iterator<Item = Address> {
        let slots = self.slot.map_or(0..=0x1f, |slot| slot..=slot);
        slots.flat_map(move |slot| {
            let functions = self.function.map_or(0..=7, |function| function..=function);
            functions.filter_map(move |function| Address::new(self.domain, self.bus, slot, function))
        })
    }
}

impl From<Address> for Pattern {
    fn from(address: Address) -> Self {
        let (slot, function) = (Some(address.slot()), Some(address.function()));
        Self { domain: address.domain, bus: address.bus(), slot, function }
    }
}

impl fmt::Display for Pattern {
    /// The entry in the full form that every tool reads: `(0000:00:1d.0)`, `(0000:00:1d.*)`, `(0000:00:*.*)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({:04x}:{:02x}:", self.domain, self.bus)?;
        match self.slot {
            Some(slot) => write!(f, "{slot:02x}.")?,
            None => write!(f, "*.")?,
        }
        match self.function {
            Some(function) => write!(f, "{function:x})"),
            None => write!(f, "*)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_spelling_is_read_exactly() {
        let (address, rest) = Address::peel(b"0000:00:1d.7: seizing").unwrap();
        assert_eq!((address.to_string().as_str(), rest), ("0000:00:1d.7", &b": seizing"[..]));
        assert_eq!(Address::from_kernel(b"10000:e1:00.0").unwrap().domain(), 0x10000);
        for wrong in [
            "0000:00:1D.0",
            "000:00:1d.0",
            "0000:00:1d.8",
            "0000:00:20.0",
            "0000:00:1d.00",
            "00000:00:1d.0",
            "g000:00:1d.0",
            "000g:00:1d.0",
            "1g000:00:1d.0",
            "100000000:00:1d.0",
            "0000:g0:1d.0",
            "0000:00:g0.0",
            "0000:00:1d.g",
            "00:1d.0",
            "",
        ] {
            assert_eq!(Address::from_kernel(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn people_may_leave_out_the_domain() {
        let expected = Address::new(0, 0, 0x1d, 0).unwrap();
        for text in ["00:1d.0", "0000:00:1d.0", "0:0:1D.0"] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for wrong in ["", "1d.0", "00:1d", "00:1d.8", "00:20.0", "100:00.0", "00:1d.*", "+0:1d.0", "0:0:0:1d.0"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wildcard_names_all_its_addresses_in_bus_order() {
        let bus = Pattern { domain: 0, bus: 2, slot: None, function: None };
        assert_eq!(bus.addresses().count(), 256);
        assert!(bus.addresses().is_sorted());
        assert!(bus.matches("02:01.0".parse().unwrap()) && !bus.matches("03:01.0".parse().unwrap()));
        assert_eq!(bus.to_string(), "(0000:02:*.*)");
    }
}
