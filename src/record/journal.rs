//! Journal entries: what their fields say, in whichever format they are written.
//!
//! systemd.journal-fields(7); systemd src/journal/journald-kmsg.c, `dev_kmsg_record` (252).

use std::borrow::Cow;

use super::peel::decimal;
use super::{Author, BootId, Place, Record, Stamp, time};
use crate::pci::Address;

/// What one field holds. The journal may hold a field several times.
#[derive(Debug, Default, PartialEq, Eq)]
enum Field<'a> {
    #[default]
    Absent,
    Once(Cow<'a, [u8]>),
    /// Several different values: the first one.
    Several(Cow<'a, [u8]>),
    /// A value that the writer left out, or that is none of ours.
    Withheld,
}

impl<'a> Field<'a> {
    fn add(&mut self, value: Option<Cow<'a, [u8]>>) {
        *self = match (std::mem::take(self), value) {
            (Self::Absent, Some(value)) => Self::Once(value),
            (Self::Once(first), Some(value)) if first == value => Self::Once(first),
            (Self::Once(first) | Self::Several(first), _) => Self::Several(first),
            (Self::Absent | Self::Withheld, _) => Self::Withheld,
        }
    }

    /// The only value.
    fn only(&self) -> Option<&[u8]> {
        match self {
            Self::Once(value) => Some(value),
            Self::Absent | Self::Several(_) | Self::Withheld => None,
        }
    }

    fn first(self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Once(value) | Self::Several(value) => Some(value),
            Self::Absent | Self::Withheld => None,
        }
    }

    fn number(&self) -> Option<u64> {
        decimal(self.only()?)
    }
}

/// The fields that the audit has a use for.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    message: Field<'a>,
    /// The message under the name that Vector's journald source gives it, beside the journal's own names of other fields.
    renamed_message: Field<'a>,
    priority: Field<'a>,
    facility: Field<'a>,
    identifier: Field<'a>,
    transport: Field<'a>,
    hostname: Field<'a>,
    boot_id: Field<'a>,
    device: Field<'a>,
    source_monotonic: Field<'a>,
    monotonic: Field<'a>,
    source_realtime: Field<'a>,
    realtime: Field<'a>,
    known: bool,
}

/// Why an entry is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRecord {
    /// It has no message, which the journal allows.
    Silent,
    /// Its message was left out by the writer, or is no text.
    Withheld(Author),
    /// None of its fields is one of the journal's.
    Foreign,
    /// It is not what its format demands.
    Damaged,
}

impl<'a> Fields<'a> {
    /// Takes the next field; `None` stands for a value that is no text or bytes.
    pub(super) fn add(&mut self, name: &[u8], value: Option<Cow<'a, [u8]>>) {
        let field = match name {
            b"MESSAGE" => &mut self.message,
            b"message" => return self.renamed_message.add(value),
            b"PRIORITY" => &mut self.priority,
            b"SYSLOG_FACILITY" => &mut self.facility,
            b"SYSLOG_IDENTIFIER" => &mut self.identifier,
            b"_TRANSPORT" => &mut self.transport,
            b"_HOSTNAME" => &mut self.hostname,
            b"_BOOT_ID" => &mut self.boot_id,
            b"_KERNEL_DEVICE" => &mut self.device,
            b"_SOURCE_MONOTONIC_TIMESTAMP" => &mut self.source_monotonic,
            b"__MONOTONIC_TIMESTAMP" => &mut self.monotonic,
            b"_SOURCE_REALTIME_TIMESTAMP" => &mut self.source_realtime,
            b"__REALTIME_TIMESTAMP" => &mut self.realtime,
            _ => return,
        };
        self.known = true;
        field.add(value);
    }

    /// Puts the fields together.
    pub(super) fn record(self, place: Place) -> Result<Record<'a>, NoRecord> {
        if !self.known {
            return Err(NoRecord::Foreign);
        }
        let stamp = Stamp {
            // The journal's own monotonic time is when it got the record, which may be seconds later.
            uptime: self.source_monotonic.number().or_else(|| self.monotonic.number()),
            wall: self.source_realtime.number().or_else(|| self.realtime.number()).and_then(time::unix),
        };
        let author = self.author();
        let device = match author {
            Author::User => None,
            Author::Kernel | Author::Unstated => self.device.only().and_then(|name| name.strip_prefix(b"+pci:")),
        };
        let record = Record {
            stamp,
            author,
            level: self.priority.number().and_then(|level| u8::try_from(level).ok()).filter(|level| *level < 8),
            boot_id: self.boot_id.only().and_then(BootId::parse),
            device: device.and_then(Address::from_kernel),
            hostname: self.hostname.first(),
            identifier: self.identifier.first(),
            ..Record::bare(place, &[])
        };
        let message = if self.message == Field::Absent { self.renamed_message } else { self.message };
        match message {
            Field::Once(message) | Field::Several(message) => Ok(Record { message, ..record }),
            // journald keeps no record of the kernel without its text (src/journal/journald-kmsg.c, `dev_kmsg_record`).
            Field::Absent if author == Author::Kernel => Err(NoRecord::Withheld(author)),
            Field::Absent => Err(NoRecord::Silent),
            Field::Withheld => Err(NoRecord::Withheld(author)),
        }
    }

    /// Who wrote the entry. `_TRANSPORT` is journald's word, but covers what user space wrote into `/dev/kmsg` too; the
    /// facility tells those apart, but on other transports it is whatever the sender claims.
    fn author(&self) -> Author {
        let transport = self.transport.only();
        let kernel = self.identifier.only().is_none_or(|identifier| identifier == b"kernel");
        match (&self.facility, transport) {
            (Field::Once(facility), Some(b"kernel")) if **facility == *b"0" => Author::Kernel,
            (Field::Absent, Some(b"kernel")) if self.device.only().is_some() => Author::Kernel,
            (Field::Absent, Some(b"kernel")) if self.identifier.only().is_some() && kernel => Author::Unstated,
            // --output-fields has left out what would tell.
            (Field::Absent, None) if self.transport == Field::Absent && kernel => Author::Unstated,
            (Field::Once(facility), None) if self.transport == Field::Absent && kernel && **facility == *b"0" => {
                Author::Unstated
            }
            _ => Author::User,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn author(fields: &[(&str, &'static str)]) -> Author {
        let mut all = Fields::default();
        all.add(b"MESSAGE", Some(Cow::Borrowed(b"x")));
        for (name, value) in fields {
            all.add(name.as_bytes(), Some(Cow::Borrowed(value.as_bytes())));
        }
        all.record(Place::default()).unwrap().author
    }

    #[test]
    fn only_journald_and_the_facility_together_prove_the_kernel() {
        let (facility, transport, identifier) = ("SYSLOG_FACILITY", "_TRANSPORT", "SYSLOG_IDENTIFIER");
        for (fields, expected) in [
            (&[(facility, "0"), (transport, "kernel")][..], Author::Kernel),
            (&[(facility, "1"), (transport, "kernel")], Author::User),
            (&[(facility, "0"), (transport, "journal")], Author::User),
            (&[(facility, "0"), (transport, "syslog"), (identifier, "kernel")], Author::User),
            (&[(facility, "0"), (facility, "1"), (transport, "kernel")], Author::User),
            (&[(facility, "0"), (transport, "kernel"), (transport, "syslog")], Author::User),
            (&[(transport, "kernel"), ("_KERNEL_DEVICE", "+pci:0000:00:1d.7")], Author::Kernel),
            (&[(transport, "kernel"), (identifier, "kernel")], Author::Unstated),
            (&[(transport, "kernel"), (identifier, "lab")], Author::User),
            (&[(transport, "kernel")], Author::User),
            (&[(identifier, "kernel")], Author::Unstated),
            (&[(facility, "0")], Author::Unstated),
            (&[(identifier, "lab")], Author::User),
            (&[], Author::Unstated),
        ] {
            assert_eq!(author(fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_message_under_another_name_is_one_only_beside_fields_of_the_journal() {
        let read = |names: &[&str]| {
            let mut fields = Fields::default();
            for name in names {
                fields.add(name.as_bytes(), Some(Cow::Owned(name.as_bytes().to_vec())));
            }
            fields.record(Place::default()).map(|record| String::from_utf8_lossy(&record.message).into_owned())
        };
        assert_eq!(read(&["message", "_TRANSPORT"]).as_deref(), Ok("message"));
        assert_eq!(read(&["message", "MESSAGE"]).as_deref(), Ok("MESSAGE"));
        assert_eq!(read(&["message", "host"]), Err(NoRecord::Foreign));
    }

    #[test]
    fn the_kernels_own_uptime_goes_before_that_of_the_journal() {
        let mut fields = Fields::default();
        for (name, value) in [
            ("__MONOTONIC_TIMESTAMP", "24865535"),
            ("_SOURCE_MONOTONIC_TIMESTAMP", "7"),
            ("__REALTIME_TIMESTAMP", "1795331153830344"),
            ("MESSAGE", "x"),
        ] {
            fields.add(name.as_bytes(), Some(Cow::Borrowed(value.as_bytes())));
        }
        let record = fields.record(Place::default()).unwrap();
        assert_eq!(record.stamp.uptime, Some(7));
        assert_eq!(record.stamp.wall.unwrap().local.to_string(), "2026-11-22 07:05:53.830344");
    }
}
