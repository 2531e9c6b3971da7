//! Which card it is: vendor and device id.

use std::fmt;
use std::str::FromStr;

/// Vendor and device id of a PCI device: `8086:1521`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Vendor.
    pub vendor: u16,
    /// Device.
    pub device: u16,
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.device)
    }
}

/// A text is no pair of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdsError;

impl fmt::Display for IdsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected vendor and device in hexadecimal, four digits each, such as 8086:1521 (lspci -n shows it)",
        )
    }
}

impl std::error::Error for IdsError {}

impl FromStr for Ids {
    type Err = IdsError;

    /// Reads ids as `lspci -n` prints them: four digits each, in either case.
    fn from_str(text: &str) -> Result<Self, IdsError> {
        let number = |digits: &str| {
            let whole = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            u16::from_str_radix(digits, 16).ok().filter(|_| whole).ok_or(IdsError)
        };
        let (vendor, device) = text.split_once(':').ok_or(IdsError)?;
        Ok(Self { vendor: number(vendor)?, device: number(device)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_lspci_prints_them() {
        for text in ["8086:10fb", "8086:10FB"] {
            assert_eq!(text.parse(), Ok(Ids { vendor: 0x8086, device: 0x10fb }));
        }
        for wrong in
            ["", ":", "8086", "8086:", "8086:1", "8086:01521", "+086:1521", "8086:1521:0", "0x8086:0x1521", "é086:1521"]
        {
            assert_eq!(wrong.parse::<Ids>(), Err(IdsError), "{wrong}");
        }
    }
}
