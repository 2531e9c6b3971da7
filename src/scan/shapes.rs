//! Texts that come again and again, kept once.

use std::collections::BTreeMap;
use std::sync::Arc;

use memchr::{memchr, memchr_iter};

use crate::pci::Address;

/// Stands for an address in a text whose addresses are kept apart: thousands of devices give one text.
pub(super) const MARK: u8 = 1;

/// How many bytes of text are kept in all. What comes behind that is kept with each record.
const MOST: usize = 4 << 20;

/// The number of a text.
pub(super) type Number = u32;

/// Texts that come again and again, kept once each and known by their number.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    numbers: BTreeMap<Arc<[u8]>, Number>,
    texts: Vec<Arc<[u8]>>,
    bytes: usize,
}

impl Shapes {
    /// The number of `text`, unless there are too many.
    pub(super) fn number(&mut self, text: &[u8]) -> Option<Number> {
        if let Some(number) = self.numbers.get(text) {
            return Some(*number);
        }
        let next = Number::try_from(self.texts.len()).ok()?;
        self.bytes += text.len();
        if self.bytes > MOST {
            return None;
        }
        let kept: Arc<[u8]> = text.into();
        self.texts.push(Arc::clone(&kept));
        self.numbers.insert(kept, next);
        Some(next)
    }

    pub(super) fn text(&self, number: Number) -> &[u8] {
        usize::try_from(number).ok().and_then(|at| self.texts.get(at)).map(AsRef::as_ref).unwrap_or_default()
    }
}

/// Takes the addresses out of `text`. Without any effect, and false, where that could not be undone.
pub(super) fn take_out(text: &[u8], shape: &mut Vec<u8>, addresses: &mut Vec<Address>) -> bool {
    shape.clear();
    addresses.clear();
    if memchr(MARK, text).is_some() {
        return false;
    }
    let (mut rest, mut colons) = (text, memchr_iter(b':', text));
    while let Some(colon) = colons.next() {
        let digits = rest.get(..colon).unwrap_or_default().iter().rev().take_while(|byte| byte.is_ascii_hexdigit());
        let (before, from) = rest.split_at(colon - digits.take(9).count());
        // What is read here is written again in the same way: one spelling of an address is the kernel's.
        if let Some((address, behind)) = Address::peel(from) {
            shape.extend_from_slice(before);
            shape.push(MARK);
            addresses.push(address);
            (rest, colons) = (behind, memchr_iter(b':', behind));
        }
    }
    shape.extend_from_slice(rest);
    true
}

/// Puts the addresses back.
pub(super) fn put_back(shape: &[u8], addresses: &[Address], text: &mut Vec<u8>) {
    text.clear();
    let mut from = 0;
    for (at, address) in memchr_iter(MARK, shape).zip(addresses) {
        text.extend_from_slice(shape.get(from..at).unwrap_or_default());
        spell(*address, text);
        from = at + 1;
    }
    text.extend_from_slice(shape.get(from..).unwrap_or_default());
}

/// Writes an address as the kernel does. The formatter takes ten times as long, and many are written.
fn spell(address: Address, text: &mut Vec<u8>) {
    let number = |text: &mut Vec<u8>, value: u32, least: u32| {
        let digits = (u32::BITS - value.leading_zeros()).div_ceil(4).max(least);
        let digit = |place: u32| char::from_digit((value >> (4 * place)) & 0xf, 16).map(|digit| digit as u8);
        text.extend((0..digits).rev().filter_map(digit));
    };
    number(text, address.domain(), 4);
    let parts = [(b':', address.bus(), 2), (b':', address.slot(), 2), (b'.', address.function(), 1)];
    for (mark, value, least) in parts {
        text.push(mark);
        number(text, value.into(), least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_as_it_was() {
        for (text, shape) in [
            ("pciback 0000:00:1d.0: xen_pciback: seizing device", "pciback \u{1}: xen_pciback: seizing device"),
            ("pciback 10000:e1:00.0: a 0000:00:1d.7", "pciback \u{1}: a \u{1}"),
            ("00000:00:1d.0 a0000:00:1d.0 0000:00:1D.0", "00000:00:1d.0 \u{1} 0000:00:1D.0"),
            ("a ffffffff:ff:1f.7 ff01:00:00.0", "a \u{1} \u{1}"),
            ("", ""),
            ("12:34:56 dom0", "12:34:56 dom0"),
        ] {
            let (mut shaped, mut addresses, mut back) = (Vec::new(), Vec::new(), Vec::new());
            assert!(take_out(text.as_bytes(), &mut shaped, &mut addresses), "{text}");
            assert_eq!(String::from_utf8_lossy(&shaped), shape);
            put_back(&shaped, &addresses, &mut back);
            assert_eq!(String::from_utf8_lossy(&back), text);
        }
        assert!(!take_out(b"a\x01b", &mut Vec::new(), &mut Vec::new()));
    }

    #[test]
    fn a_text_is_kept_once_and_not_without_end() {
        let mut shapes = Shapes::default();
        assert_eq!((shapes.number(b"a"), shapes.number(b"b"), shapes.number(b"a")), (Some(0), Some(1), Some(0)));
        assert_eq!(shapes.text(1), b"b");
        let many = (0..200_000_u32).filter(|n| shapes.number(format!("text number {n:010}").as_bytes()).is_some());
        assert!(many.count() < 200_000);
        assert_eq!(shapes.number(b"b"), Some(1));
    }
}
