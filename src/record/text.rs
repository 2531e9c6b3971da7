//! Lines of text: their form, the message that they belong to, and the records that were merged into one line.

use std::borrow::Cow;

use memchr::memchr;

use super::collected::Origin;
use super::container::{Container, Form};
use super::journal_short::{self, Separator};
use super::lead::Lead;
use super::peel::{blanks, chomp, split};
use super::stream::Stream;
use super::{Author, Flaw, Input, Place, Record, Unparsed, dmesg, fluent, line, losses, merged, page, terminal};

impl Stream {
    /// Takes a line with its end.
    pub(super) fn line(&mut self, whole: &[u8], place: Place, sink: &mut dyn FnMut(Input<'_>)) {
        let text = chomp(whole);
        let controls = line::has_controls(text);
        let unparsed = |why| Unparsed { place, length: whole.len() as u64, why };
        if controls && is_binary(text) {
            return self.unparsed(unparsed(Flaw::Binary), sink);
        }
        // Right behind binary bytes only clean text counts as text.
        let doubtful = self.is_binary(place) && (text.len() < 4 || controls || std::str::from_utf8(text).is_err());
        let plain = if controls { terminal::plain(text) } else { Cow::Borrowed(text) };
        let plain = self.shown(plain);
        if let Some(found) = self.collected_line(&plain) {
            return self.collected(found, place, sink);
        }
        let mut record = Record::bare(place, &plain);
        let call = self.container == Container::Call;
        let form = match self.lead {
            None => line::recognised(&mut record, &plain, &mut self.names, call),
            Some(_) => None,
        };
        let (form, plain) = match form {
            Some(form) => (form, &*plain),
            None => self.behind_lead(&mut record, &plain),
        };
        // The last line of a log may still be written.
        let torn = self.head.is_torn(plain) && whole.ends_with(b"\n");
        if form == Form::Bare {
            if (torn || fluent::is_begun(plain)) && !self.is_in_users_message() {
                return self.unparsed(unparsed(Flaw::Damaged), sink);
            }
            if let Some(separator) = journal_short::separator(plain) {
                return self.separator(separator, place, sink);
            }
            if doubtful && merged::dropped(plain).is_none() {
                return self.unparsed(unparsed(Flaw::Binary), sink);
            }
        }
        if torn && form != Form::Bare {
            self.gap(place, None, sink);
        } else if form != Form::Bare && record.program().is_none() {
            self.head.note(plain, &record.message);
        }
        let is_header = matches!(form, Form::Header { .. });
        if !is_header && self.is_note_of_loss(&record, form, sink) {
            return;
        }
        self.attribute(&mut record, form, plain);
        self.add_origin(&mut record);
        let stated = self.container.is_trusted();
        if !stated && record.author != Author::User && record.stamp.uptime.is_none() && dmesg::is_torn(&record.message)
        {
            return self.unparsed(unparsed(Flaw::Damaged), sink);
        }
        if !stated && record.author != Author::User {
            self.parts(record, form, whole.len() as u64, sink);
        } else {
            self.record(record, sink);
        }
    }

    /// Whether a line without a form is one of a user's message in a file of syslog.
    fn is_in_users_message(&self) -> bool {
        self.container == Container::Syslog && self.heading.author() == Some(Author::User)
    }

    /// Adds what a collector says of a line, where that does not say it: when it came only where no clock tells when it was made.
    fn add_origin(&self, record: &mut Record<'_>) {
        let Origin { host, wall } = &self.origin;
        if record.hostname.is_none() {
            record.hostname = host.clone().map(Cow::Owned);
        }
        if record.stamp.uptime.is_none() {
            record.stamp.wall = record.stamp.wall.or(*wall);
        }
    }

    /// The line as a page shows it, where it was copied from one. Nobody's framing survives that.
    fn shown<'a>(&mut self, line: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        if matches!(self.container, Container::Stated | Container::Call) {
            return line;
        }
        let shown = match &line {
            Cow::Borrowed(line) => page::plain(line),
            Cow::Owned(text) => Cow::Owned(page::plain(text).into_owned()),
        };
        if shown.len() != line.len() && self.container == Container::Undecided {
            self.container = Container::Text;
        }
        shown
    }

    /// Reads a line that has no form by itself, or stands in a log where something is before every line; returns its form and what of
    /// it is the log's own.
    fn behind_lead<'a>(&mut self, record: &mut Record<'a>, line: &'a [u8]) -> (Form, &'a [u8]) {
        let place = record.place;
        let mut read = |text: &'a [u8]| {
            *record = Record::bare(place, text);
            line::recognised(record, text, &mut self.names, false)
        };
        if let Some(lead) = self.lead {
            let behind = lead.behind(line);
            if let Some(text) = behind {
                let form = read(text);
                // Without a form it may be the message of a line that has no lead.
                if form.is_some() || lead == Lead::Quotation {
                    return (form.unwrap_or(Form::Bare), text);
                }
            }
            return (read(line).unwrap_or(Form::Bare), line);
        }
        if !self.known && matches!(self.container, Container::Undecided | Container::Text) {
            for (lead, text) in Lead::possible(line) {
                if let Some(form) = read(text) {
                    self.lead = Some(lead);
                    // Whoever put something before the lines has made a text of them.
                    self.container = Container::Text;
                    return (form, text);
                }
            }
            read(line);
        }
        (Form::Bare, line)
    }

    /// A line between records.
    fn separator(&mut self, separator: Separator, place: Place, sink: &mut dyn FnMut(Input<'_>)) {
        self.section();
        match separator {
            Separator::Boot(boot) => self.boot(place, Some(boot), sink),
            Separator::Reboot => self.boot(place, None, sink),
            Separator::Other => {}
        }
    }

    /// Whether a line is nothing but the kernel's note of records that a console was too slow for, or a person's mark of records that
    /// a copy leaves out. Both stand in any line of a log whose framing proves nothing.
    fn is_note_of_loss(&mut self, record: &Record<'_>, form: Form, sink: &mut dyn FnMut(Input<'_>)) -> bool {
        let stated = self.container.is_trusted() && (self.container != Container::Undecided || form == Form::Names);
        match merged::dropped(&record.message) {
            Some((count, [])) if !stated => {
                self.gap(record.place, Some(count), sink);
                true
            }
            None if form == Form::Bare && !stated && losses::elided(&record.message) => {
                self.gap(record.place, None, sink);
                true
            }
            _ => false,
        }
    }

    /// Decides the author of a line by the log that it stands in, and what kind of log that is.
    fn attribute<'a>(&mut self, record: &mut Record<'a>, form: Form, line: &'a [u8]) {
        let own_priority = form == Form::Priority && self.heading.prioritised;
        match (form, self.heading.author().filter(|_| self.container == Container::Syslog)) {
            (Form::Header { priority }, _) => {
                self.container = Container::Syslog;
                self.heading.prioritised |= priority;
                self.heading.open(record);
            }
            (Form::Bare, _) if line.starts_with(b"#") => self.section(),
            // The further lines of a user's message are text that was logged, whatever form of the kernel's they borrow.
            (_, Some(Author::User)) if !own_priority => {
                *record = Record { author: Author::User, ..Record::bare(record.place, line) };
                self.heading.complete(record);
            }
            (_, Some(Author::Kernel | Author::Unstated)) if !own_priority => self.heading.complete(record),
            (_, Some(_)) => {
                self.heading.complete(record);
                tagged(record);
                self.heading.open(record);
            }
            (Form::Names, None) if self.container.is_trusted() => {
                self.container = Container::Stated;
                self.heading.open(record);
            }
            // dmesg indents the further lines of a message.
            (Form::Bare, None) if self.container == Container::Stated && line.starts_with(b" ") => {
                record.author = self.heading.author().unwrap_or(record.author);
            }
            (_, None) if self.container == Container::Undecided => self.container = Container::Text,
            (_, None) => {}
        }
        self.known |= form != Form::Bare;
        // The further lines of a message are indented; they say nothing about the log, nor do comments.
        if form == Form::Bare && !matches!(&*record.message, [b' ' | b'#', ..]) {
            self.bare = self.bare.saturating_add(1);
        }
    }

    /// Passes on the records that were merged into one line, each but the last marked as cut.
    fn parts(&mut self, record: Record<'_>, form: Form, length: u64, sink: &mut dyn FnMut(Input<'_>)) {
        if merged::seam(&record.message).is_none() {
            if form == Form::Bare {
                self.below(record, length, sink);
            } else {
                self.wrapped(record, length, sink);
            }
            return;
        }
        self.stamped = self.stamped.saturating_add(1);
        let mut part = record.clone();
        let mut rest: &[u8] = &record.message;
        while let Some(seam) = merged::seam(rest) {
            let (before, note) = split(rest, seam.end);
            if !before.trim_ascii().is_empty() {
                self.record(Record { message: before.into(), cut: true, ..part.clone() }, sink);
            }
            if seam.dropped.is_some() {
                self.gap(record.place, seam.dropped, sink);
                // A note with the kernel's clock is a record as well: it says when that was.
                if part.stamp.uptime.is_some() && seam.start == rest.len() {
                    self.record(Record { message: note.into(), ..part.clone() }, sink);
                }
            }
            rest = stamped(&mut part, split(rest, seam.start).1);
        }
        if !rest.is_empty() {
            self.record(Record { message: rest.into(), ..part }, sink);
        }
    }
}

/// Reads the priority and the time at the front of a record that was merged into a line; returns its message.
fn stamped<'a>(record: &mut Record<'_>, text: &'a [u8]) -> &'a [u8] {
    let mut text = blanks(text);
    (record.level, record.author) = (None, Author::Unstated);
    if let Some((priority, rest)) = dmesg::priority(text) {
        record.level = Some(super::level(priority));
        record.author = dmesg::author(priority, false);
        text = rest;
    }
    match dmesg::stamp(text) {
        Some((stamp, rest)) => {
            record.stamp.uptime = stamp.uptime;
            rest
        }
        None => text,
    }
}

/// Takes `kernel: ` off the message of a record that came without a date.
fn tagged(record: &mut Record<'_>) {
    record.identifier = None;
    if record.message.starts_with(b"kernel: ") {
        record.identifier = Some(Cow::Borrowed(b"kernel"));
        match &mut record.message {
            Cow::Borrowed(text) => *text = split(text, b"kernel: ".len()).1,
            Cow::Owned(text) => drop(text.drain(..b"kernel: ".len())),
        }
    }
}

/// A NUL, mostly control characters, or some of them among bytes that are no UTF-8.
fn is_binary(text: &[u8]) -> bool {
    if memchr(0, text).is_some() {
        return true;
    }
    let strange = |byte: &&u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r' | b'\x1b');
    let controls = text.iter().filter(strange).count();
    controls > 0 && (controls * 3 > text.len() || (controls * 16 > text.len() && std::str::from_utf8(text).is_err()))
}
