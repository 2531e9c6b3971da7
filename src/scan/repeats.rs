//! What was heard before: the kernel says the same of the same few devices again and again.

use crate::event::{Event, Recogniser, Said};
use crate::record::{Author, Record};

/// How many messages are known at a time, a power of two: those of a few hosts.
const SLOTS: usize = 1 << 10;

/// What of a hash tells the slot.
const SHIFT: u32 = u64::BITS - SLOTS.trailing_zeros();

/// Longer messages are not kept.
const LONGEST: usize = 256;

/// Messages that said one thing each, and what that was. One that says it again need not be recognised again.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    slots: Vec<Option<Message>>,
}

#[derive(Debug)]
struct Message {
    text: Vec<u8>,
    author: Author,
    event: Event,
}

impl Repeats {
    /// Fills `said` with what a record says.
    pub(super) fn hear(&mut self, record: &Record<'_>, said: &mut Vec<Said>) {
        said.clear();
        let text = record.message.as_ref();
        // What a message says is known by its text and its author alone, where the record has nothing else.
        if text.len() > LONGEST || record.level.is_some() || record.device.is_some() {
            Recogniser::get().hear(record, &mut |heard| said.push(heard));
            return;
        }
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
        }
        let at = place(text);
        if let Some(Some(known)) = self.slots.get(at)
            && known.text == text
            && known.author == record.author
        {
            said.push(Said { event: known.event.clone(), author: record.author });
            return;
        }
        Recogniser::get().hear(record, &mut |heard| said.push(heard));
        if let [Said { event, author }] = said.as_slice()
            && *author == record.author
            && let Some(slot) = self.slots.get_mut(at)
        {
            let mut kept = slot.take().map(|known| known.text).unwrap_or_default();
            kept.clear();
            kept.extend_from_slice(text);
            *slot = Some(Message { text: kept, author: *author, event: event.clone() });
        }
    }
}

/// The slot of a text. Texts of one slot are compared, so it need only be quick.
fn place(text: &[u8]) -> usize {
    /// 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming 6.4).
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: &[u8; 8]| (hash.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(SPREAD);
    let hash = text.as_chunks().0.iter().fold(text.len() as u64, mix);
    let hash = text.last_chunk().map_or(hash, |word| mix(hash, word));
    usize::try_from(hash >> SHIFT).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::messages;
    use crate::record::Place;

    #[test]
    fn what_is_heard_again_is_the_same() {
        let mut repeats = Repeats::default();
        let quoted = "note: pciback 0000:00:1d.0: seizing device";
        let driver = "uhci_hcd 0000:00:1d.0: UHCI Host Controller";
        let two = "pciback 0000:00:1d.0: seizing device pciback 0000:00:1d.1: seizing device";
        let texts: Vec<_> =
            messages().flat_map(|message| message.examples).copied().chain([quoted, driver, two, ""]).collect();
        for _ in 0..3 {
            for text in &texts {
                for (author, level) in
                    [(Author::Unstated, None), (Author::User, None), (Author::Kernel, Some(3)), (Author::Kernel, None)]
                {
                    let record = Record { level, author, ..Record::bare(Place::default(), text.as_bytes()) };
                    let (mut said, mut expected) = (Vec::new(), Vec::new());
                    Recogniser::get().hear(&record, &mut |heard| expected.push(heard));
                    repeats.hear(&record, &mut said);
                    assert_eq!(said, expected, "{text}");
                }
            }
        }
        assert!(repeats.slots.iter().flatten().count() > texts.len() / 4);
    }
}
