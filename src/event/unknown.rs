//! Records that name pciback and are none of its known messages: texts of others under its name, new wordings, and damage.

use super::Event;
use super::opening::{Name, Opening, Speaker, address_in};
use super::recogniser::{MOST, Recogniser};
use super::template::{Match, is_start_of_address};
use crate::pci::Address;

/// What a text holds that tells of a failure, in small letters.
const FAILURES: [&str; 9] =
    ["fail", "error", "cannot", "can't", "refus", "reject", "unable", "not supported", "invalid"];

/// Records that hold a name of pciback and nothing else.
const NAMES: [&[u8]; 5] = [b"pciback", b"xen_pciback", b"xen-pciback", b"xen_pciback:", b"xen-pciback:"];

/// Shortest stretch of a message at which `[    1.648270]` can stand.
const STAMP: usize = "[1.648270]".len();

impl Recogniser {
    /// What `message` says of pciback's devices, where it begins with one of pciback's names and is no known message.
    /// Empty where it does not.
    pub(super) fn unknown(&self, message: &[u8], debug: bool) -> Vec<Event> {
        let opening = match Name::of(message) {
            Name::Opens(opening) => opening,
            Name::Broken => return damaged(message).or_else(|| self.torn(message)).into_iter().collect(),
            Name::Other if NAMES.contains(&whole(message)) => return vec![Event::Damaged { address: None }],
            Name::Other => return Vec::new(),
        };
        let failing = !debug && reads_like_failure(opening.text);
        let address = opening.device.or_else(|| address_in(opening.text));
        if opening.speaker == Speaker::Backend {
            // Of a guest's set-up, which takes no device from pciback.
            return vec![Event::Unrecognised { address, failing: failing && address.is_some() }];
        }
        if opening.speaker == Speaker::Module
            && let Some(torn) = self.torn(message)
        {
            return vec![torn];
        }
        let mut others = self.quoted(opening.text);
        if !others.is_empty() || self.is_cut(&opening) || self.goes_on(&opening) {
            others.insert(0, Event::Damaged { address });
            return others;
        }
        // The driver core names the driver that is bound, whatever the text (drivers/base/core.c dev_driver_string).
        let bound =
            opening.device.filter(|_| opening.speaker == Speaker::Driver).map(|address| Event::Bound { address });
        match bound {
            Some(bound) if !opening.own => vec![bound],
            bound => [Event::Unrecognised { address, failing }].into_iter().chain(bound).collect(),
        }
    }

    /// The messages of pciback that `text` holds and that would change a device's state, as doubts: each was merged into
    /// another's line, or somebody quotes it.
    pub(super) fn quoted(&self, text: &[u8]) -> Vec<Event> {
        let mut found = Vec::new();
        let mut from = 0;
        for at in self.pciback.find_iter(text) {
            let before = text.get(..at).unwrap_or_default();
            let prefix = before.ends_with(b"xen_") || before.ends_with(b"xen-");
            let start = if prefix { at - 4 } else { at };
            let inside = before.get(..start).unwrap_or(before).last().is_some_and(u8::is_ascii_alphanumeric);
            if at < from || inside {
                continue;
            }
            let quote = text.get(start..).unwrap_or_default();
            let doubt = match Name::of(quote) {
                Name::Opens(opening) => {
                    from = text.len() - opening.text.len();
                    self.decided(&opening)
                }
                Name::Broken if quote.trim_ascii_end().len() > "pciback".len() => damaged(quote),
                Name::Broken | Name::Other => None,
            };
            let Some(doubt) = doubt else { continue };
            if found.len() == MOST {
                found.push(Event::Damaged { address: None });
                break;
            }
            if found.last() != Some(&doubt) {
                found.push(doubt);
            }
        }
        found
    }

    /// The doubt that a message in the middle of a record casts, if it would change a device's state.
    fn decided(&self, opening: &Opening<'_>) -> Option<Event> {
        if let Some(heard) = self.first(opening) {
            return decides(&heard.event).then(|| Event::Damaged { address: heard.event.address() });
        }
        // What else stands behind the driver's name and the device is not to be read in the middle of another's line.
        (opening.speaker == Speaker::Driver).then_some(Event::Damaged { address: opening.device })
    }

    /// A message of pciback that would change a device's state, behind the module's name, where the device's cannot be read.
    pub(super) fn torn(&self, message: &[u8]) -> Option<Event> {
        let some = Address::new(0, 0, 0, 0)?;
        self.pciback.find_iter(message).take(MOST).find_map(|at| {
            let (before, rest) = message.split_at_checked(at)?;
            let text = rest.strip_prefix(b"pciback: ")?;
            let before = before.strip_suffix(b"xen_").or_else(|| before.strip_suffix(b"xen-"))?;
            let opening = Opening { message: text, speaker: Speaker::Driver, device: Some(some), own: true, text };
            let heard = self.first(&opening).filter(|heard| heard.event.address() == Some(some))?;
            decides(&heard.event).then(|| Event::Damaged { address: address_in(before) })
        })
    }

    /// Whether the text ends inside one of pciback's own, or another record begins in it.
    pub(super) fn is_cut(&self, opening: &Opening<'_>) -> bool {
        let all = opening.text.trim_ascii_end();
        let text = before_cut(all);
        let second = [&b"xen_pciback: "[..], b"xen-pciback: "].iter().any(|prefix| prefix.starts_with(text));
        if text.is_empty() || (second && !opening.own) {
            return true;
        }
        let cut = Opening { text, ..*opening };
        self.rows.iter().filter(|row| row.decisive).any(|row| match row.template.compare(&cut) {
            Match::Cut => true,
            Match::Whole { rest, .. } => text.len() < all.len() && rest.trim_ascii().is_empty(),
            Match::Differs => false,
        })
    }

    /// Whether a message that decides about the device begins the text, and something stands behind it. A single word can
    /// begin any text.
    fn goes_on(&self, opening: &Opening<'_>) -> bool {
        self.first(opening).is_some_and(|heard| {
            let length = opening.text.len() - heard.rest.len();
            decides(&heard.event) && opening.text.get(..length).is_some_and(|text| text.contains(&b' '))
        })
    }
}

/// Whether a message ends within pciback's name.
pub(super) fn is_begun(message: &[u8]) -> bool {
    let message = message.trim_ascii_end();
    let begins = |name: &[u8]| name.starts_with(message) && name.len() > message.len();
    !message.is_empty() && [&b"pciback"[..], b"xen_pciback", b"xen-pciback"].into_iter().any(begins)
}

/// Whether an event changes what is known of a device's set-up.
pub(super) const fn decides(event: &Event) -> bool {
    matches!(
        event,
        Event::Seizing { .. }
            | Event::Failed { .. }
            | Event::Refused { .. }
            | Event::Released { .. }
            | Event::MaybeReleased { .. }
            | Event::RemovedInUse { .. }
            | Event::ListRefused { .. }
            | Event::Unrecognised { failing: true, .. }
    )
}

fn reads_like_failure(text: &[u8]) -> bool {
    let text = text.to_ascii_lowercase();
    FAILURES.iter().any(|word| memchr::memmem::find(&text, word.as_bytes()).is_some())
}

/// `pciback 0000:00:1d`, `pciback 0000:00:1d.0 x`: damage, with the device where that much can be read. `None` where the text
/// only begins with the word.
fn damaged(message: &[u8]) -> Option<Event> {
    let rest = whole(message).strip_prefix(b"pciback")?.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let domain = (4..=8).contains(&digits) && rest.get(digits) == Some(&b':');
    let address = Address::peel(rest).map(|(address, _)| address);
    (is_start_of_address(rest) || domain || address.is_some()).then_some(Event::Damaged { address })
}

/// What a tool puts where it cut a line: a pager, a terminal, the soft line break of a mail (RFC 2045, section 6.7).
const CUTS: [&str; 5] = ["…", "...", ">", "=", "\\"];

/// A text without the mark of a tool that cut it.
fn whole(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_end();
    CUTS.iter().find_map(|mark| text.strip_suffix(mark.as_bytes())).unwrap_or(text).trim_ascii_end()
}

/// The part of a text before the place where it was cut: a mark at its end, an ellipsis, or the stamp of another record.
fn before_cut(text: &[u8]) -> &[u8] {
    let text = whole(text);
    let ellipsis = ["…", "..."].iter().filter_map(|mark| memchr::memmem::find(text, mark.as_bytes()));
    let stamp = memchr::memchr_iter(b'[', text).find(|at| text.get(*at..).and_then(stamp).is_some());
    let end = ellipsis.chain(stamp).min().unwrap_or(text.len());
    let before = text.get(..end).unwrap_or(text);
    // The priority before a stamp belongs to the other record.
    let priority = memchr::memrchr(b'<', before)
        .filter(|at| before.get(*at..).is_some_and(|rest| priority(rest).is_some_and(|(_, rest)| rest.is_empty())));
    before.get(..priority.unwrap_or(end)).unwrap_or(before).trim_ascii_end()
}

/// What stands behind the kernel's stamp, `[    1.648270]`.
pub(super) fn stamp(text: &[u8]) -> Option<&[u8]> {
    if text.len() < STAMP {
        return None;
    }
    let text = text.strip_prefix(b"[")?.trim_ascii_start();
    let seconds = text.iter().take(12).take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, rest) = text.get(seconds..)?.strip_prefix(b".")?.split_at_checked(6)?;
    let is_stamp = seconds > 0 && fraction.iter().all(u8::is_ascii_digit);
    rest.strip_prefix(b"]").filter(|_| is_stamp)
}

/// `<6>`: the number, and what stands behind it.
pub(super) fn priority(text: &[u8]) -> Option<(u32, &[u8])> {
    let rest = text.strip_prefix(b"<")?;
    let digits = rest.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    Some((std::str::from_utf8(number).ok()?.parse().ok()?, rest.strip_prefix(b">")?))
}
