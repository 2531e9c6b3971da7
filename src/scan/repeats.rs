//! What was heard before: the kernel says the same of the same few devices again and again.

use super::batch::{Batch, Words};
use crate::event::{Event, Recogniser, Said};
use crate::record::{Author, Record};

/// How many messages are known at a time, a power of two: those of a few hosts.
const SLOTS: usize = 1 << 10;

/// What of a hash tells the slot.
const SHIFT: u32 = u64::BITS - SLOTS.trailing_zeros();

/// Longer messages are not kept.
const LONGEST: usize = 256;

/// What a record says, as far as those who pick records out ask for it: the most important of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sign {
    #[default]
    Nothing,
    Something,
    /// The kernel, or whoever may be it, says that a load came to its end.
    Ready,
    /// That a boot begins.
    Booted,
    /// That a device is seized.
    Seizing,
}

impl Sign {
    fn of(said: &Said) -> Self {
        if said.author == Author::User {
            Self::Something
        } else if matches!(said.event, Event::Seizing { .. }) {
            Self::Seizing
        } else if matches!(said.event, Event::Booted { .. }) {
            Self::Booted
        } else if matches!(said.event, Event::BackendReady) {
            Self::Ready
        } else {
            Self::Something
        }
    }
}

/// Hears what records say. Messages that said one thing each are known for a while: one that says it again need not be
/// recognised again, nor kept again in the same batch.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    slots: Vec<Option<Message>>,
    /// What the last record said, unless it was known: then its slot.
    said: Vec<Said>,
    known: Option<usize>,
    /// The number of the batch.
    batch: u64,
}

#[derive(Debug)]
struct Message {
    text: Vec<u8>,
    said: Said,
    sign: Sign,
    /// Where it is in a batch, by the number of that.
    words: Option<(u64, Words)>,
}

impl Repeats {
    /// Hears what a record says.
    pub(super) fn hear(&mut self, record: &Record<'_>) -> Sign {
        let text = record.message.as_ref();
        self.said.clear();
        self.known = None;
        // What a message says is known by its text and its author alone, where the record has nothing else.
        let knowable = text.len() <= LONGEST && record.level.is_none() && record.device.is_none();
        let at = if knowable { place(text) } else { SLOTS };
        if let Some(Some(known)) = self.slots.get(at)
            && known.text == text
            && known.said.author == record.author
        {
            self.known = Some(at);
            return known.sign;
        }
        Recogniser::get().hear(record, &mut |heard| self.said.push(heard));
        let sign = self.said.iter().map(Sign::of).max().unwrap_or_default();
        if knowable
            && let [said] = self.said.as_slice()
            && said.author == record.author
        {
            self.know(at, text, said.clone(), sign);
        }
        sign
    }

    fn know(&mut self, at: usize, text: &[u8], said: Said, sign: Sign) {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
        }
        if let Some(slot) = self.slots.get_mut(at) {
            let mut kept = slot.take().map(|known| known.text).unwrap_or_default();
            kept.clear();
            kept.extend_from_slice(text);
            *slot = Some(Message { text: kept, said, sign, words: None });
            self.known = Some(at);
        }
    }

    /// Adds the record that was heard last to a batch. `same` is as for [`Batch::record`].
    pub(super) fn tell(&mut self, record: &Record<'_>, batch: &mut Batch, same: bool) {
        let known = self.known.and_then(|at| self.slots.get_mut(at)?.as_mut());
        let words = match known {
            Some(Message { words: Some((number, words)), .. }) if *number == self.batch => words.clone(),
            Some(known) => {
                self.said.clear();
                self.said.push(known.said.clone());
                let words = batch.words(&known.text, &mut self.said);
                known.words = Some((self.batch, words.clone()));
                words
            }
            None => batch.words(&record.message, &mut self.said),
        };
        batch.record(record, words, same);
    }

    /// Begins another batch, which has no words yet.
    pub(super) const fn forget_batch(&mut self) {
        self.batch += 1;
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
    use super::super::batch::Piece;
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
        let mut batch = Batch::default();
        for round in 0..4 {
            let mut all = Vec::new();
            for text in &texts {
                for (author, level) in
                    [(Author::Unstated, None), (Author::User, None), (Author::Kernel, Some(3)), (Author::Kernel, None)]
                {
                    let record = Record { level, author, ..Record::bare(Place::default(), text.as_bytes()) };
                    let mut expected = Vec::new();
                    Recogniser::get().hear(&record, &mut |heard| expected.push(heard));
                    let sign = repeats.hear(&record);
                    assert_eq!(sign == Sign::Nothing, expected.is_empty(), "{text}");
                    let kernels = expected.iter().filter(|said| said.author != Author::User);
                    assert_eq!(sign > Sign::Something, kernels.map(Sign::of).max() > Some(Sign::Something), "{text}");
                    if sign != Sign::Nothing {
                        repeats.tell(&record, &mut batch, false);
                        all.push((text.as_bytes().to_vec(), author, expected));
                    }
                }
            }
            let mut told = Vec::new();
            for piece in batch.pieces() {
                let Piece::Run(run) = piece else { panic!("{piece:?}") };
                run.each(run.common(), |record, said| {
                    told.push((record.message.to_vec(), record.author, said.to_vec()));
                });
            }
            // In the second round a batch has most of the words already.
            assert!(told.ends_with(&all), "round {round}");
            if round > 0 {
                batch.clear();
                repeats.forget_batch();
            }
        }
        assert!(repeats.slots.iter().flatten().count() > texts.len() / 4);
    }
}
