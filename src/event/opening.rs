//! What stands in front of a message: who speaks, and about which device.

use crate::pci::Address;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// The driver core in pciback's name, about a device: `pciback 0000:00:1d.0: `, perhaps with the module's name behind it.
    Driver,
    /// The module in its own name, perhaps with a device: `xen_pciback: `, `pciback: `, `xen-pciback: 0000:00:1d.0: `.
    Module,
    /// pciback as the backend of a guest: `xen-pciback pci-1-0: `.
    Backend,
    /// The PCI core about a device without a driver: `pci 0000:00:1d.0: `.
    Core,
    /// The kernel about itself: nothing stands in front of the text.
    Kernel,
}

/// The beginning of a message, and the text behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening<'a> {
    /// From the first byte of what stands in front.
    pub(super) message: &'a [u8],
    pub(super) speaker: Speaker,
    /// The device, where one is named in front.
    pub(super) device: Option<Address>,
    /// Whether the module's name stands behind the device: from 5.8 on it marks most of pciback's own texts.
    pub(super) own: bool,
    pub(super) text: &'a [u8],
}

impl<'a> Opening<'a> {
    /// Takes off what stands in front of `message`. `None` where it begins as a message about a device does and the
    /// address cannot be read.
    pub(super) fn of(message: &'a [u8]) -> Option<Self> {
        if let Some(rest) = message.strip_prefix(b"pci ") {
            let (address, text) = Address::peel(rest)?;
            let text = text.strip_prefix(b": ")?;
            return Some(Self { message, speaker: Speaker::Core, device: Some(address), own: false, text });
        }
        match Name::of(message) {
            Name::Opens(opening) => Some(opening),
            Name::Broken => None,
            Name::Other => Some(Self { message, speaker: Speaker::Kernel, device: None, own: false, text: message }),
        }
    }

    fn of_module(message: &'a [u8], text: &'a [u8]) -> Self {
        let text = module(text).unwrap_or(text);
        let named = Address::peel(text).and_then(|(address, rest)| Some((address, rest.strip_prefix(b": ")?)));
        let (device, text) = named.map_or((None, text), |(address, text)| (Some(address), text));
        Self { message, speaker: Speaker::Module, device, own: true, text }
    }

    fn of_device(message: &'a [u8], text: &'a [u8]) -> Option<Self> {
        let (address, text) = Address::peel(text)?;
        let text = text.strip_prefix(b": ")?;
        let own = module(text);
        Some(Self {
            message,
            speaker: Speaker::Driver,
            device: Some(address),
            own: own.is_some(),
            text: own.unwrap_or(text),
        })
    }
}

/// Whether a message begins with one of pciback's names.
#[derive(Debug)]
pub(super) enum Name<'a> {
    /// It does.
    Opens(Opening<'a>),
    /// The name stands there, and behind it neither a text nor a device.
    Broken,
    /// It does not.
    Other,
}

impl<'a> Name<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        let (own, rest) = match message {
            [b'x', b'e', b'n', b'_' | b'-', rest @ ..] => (true, rest),
            _ => (false, message),
        };
        let Some(rest) = rest.strip_prefix(b"pciback") else { return Self::Other };
        if let Some(text) = rest.strip_prefix(b": ") {
            return Self::Opens(Opening::of_module(message, text));
        }
        let Some(text) = rest.strip_prefix(b" ") else { return Self::Other };
        if text.starts_with(b"pci-") {
            return Self::Opens(Opening { message, speaker: Speaker::Backend, device: None, own: true, text });
        }
        let device = if own { None } else { Opening::of_device(message, text) };
        device.map_or(Self::Broken, Self::Opens)
    }
}

fn module(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'x', b'e', b'n', b'_' | b'-', rest @ ..] => rest.strip_prefix(b"pciback: "),
        _ => None,
    }
}

/// The first address in `text`.
pub(super) fn address_in(text: &[u8]) -> Option<Address> {
    memchr::memchr_iter(b':', text).find_map(|colon| {
        let before = text.get(..colon)?;
        let digits = before.iter().rev().take(9).take_while(|byte| byte.is_ascii_hexdigit()).count();
        Address::peel(text.get(colon - digits..)?).map(|(address, _)| address)
    })
}
