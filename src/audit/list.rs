//! Findings about the request: the list itself.

use super::facts::{file, finding, some_of, unread, written};
use super::statuses::Judged;
use super::{Asked, Context, remedy};
use crate::event::{Event, Fact};
use crate::history::Driver;
use crate::host::own_list;
use crate::pci::Era;
use crate::report::{Code, Finding, Severity};
use crate::request;
use crate::request::hide::{self, Advice, Entry, Fault, Grammar, HideList};
use crate::request::{Source, Written};
use crate::tree::Obstacle;

pub(super) fn find(context: &Context<'_>, devices: &[Judged<'_>], findings: &mut Vec<Finding>) {
    match &context.demand.list {
        Some((place, list)) if list.fault.is_none() && asks_for_nothing(context) => {
            let message = if list.entries.is_empty() {
                "the list is empty: no device is requested"
            } else {
                "no device that the list names exists: nothing is requested that could be judged"
            };
            let mut empty = finding(Code::NothingRequested, Severity::Unknown, message);
            empty.evidence.push(written(place));
            findings.push(empty);
        }
        Some((place, list)) => {
            findings.extend(fault(context, place, list));
            findings.extend(wrapped(context, place, list));
            findings.extend(duplicates(place, list));
            findings.extend(super::overlaps::find(context, place, list));
        }
        None => findings.extend(nothing(context)),
    }
    let faulty =
        findings.iter().any(|finding| finding.code.explains_devices() && finding.code != Code::NothingRequested);
    if !faulty && let Some(refusal) = refusal(context) {
        // The refused list is what was wanted, wherever it stood.
        findings.retain(|finding| finding.code != Code::NothingRequested);
        findings.push(refusal);
    }
    findings.extend(context.demand.empty.iter().map(|entry| wildcard_empty(context, entry)));
    findings.extend(unread_place(context));
    findings.extend(super::places::find(context));
    findings.extend(super::in_force::find(context, devices));
    findings.extend(super::next_list::find(context));
}

/// Whether no device at all comes out of the list: it is empty, or only what is left of wildcards.
fn asks_for_nothing(context: &Context<'_>) -> bool {
    context.demand.wanted.is_empty() && context.demand.empty.is_empty() && !context.demand.open
}

/// What is wrong with the list in force, by the grammar of its kernel.
fn fault(context: &Context<'_>, place: &Written, list: &HideList) -> Option<Finding> {
    let is_whole = matches!(&list.fault, Some(Fault::CutShort { rest, .. }) if list.quote(rest).trim().is_empty());
    let severity = match only_next_load_reads(context, place) {
        // Nothing is behind the bracket that is missing.
        _ if is_whole => Severity::Info,
        true => Severity::Warning,
        false => Severity::Critical,
    };
    let void = "every entry of the list is void";
    let (code, message) = match list.fault.as_ref()? {
        Fault::Malformed { column, expected, found, .. } => {
            let found = found.map_or("the list ends".to_owned(), |found| format!("`{found}` stands"));
            (Code::ListMalformed, format!("column {column}: expected {expected} where {found}; {void}"))
        }
        Fault::OutOfRange { entry, part, written, most, .. } => {
            let entry = list.quote(entry);
            let message =
                format!("{entry}: {} {written} is above {most:x}, so {void}, and the kernel says nothing", part.name());
            (Code::ListOutOfRange, message)
        }
        Fault::CutShort { .. } if is_whole => (
            Code::ListCutShort,
            "the last entry lacks its closing bracket: this kernel takes it all the same, and kernels from 3.7 on refuse the list"
                .to_owned(),
        ),
        Fault::CutShort { rest, .. } => {
            let dropped: Vec<String> = list.dropped().map(|entry| list.quote(&entry.text)).collect();
            let dropped = if dropped.is_empty() { format!("`{}`", list.quote(rest)) } else { some_of(&dropped) };
            (
                Code::ListCutShort,
                format!("an entry without its closing bracket ends the list here; silently dropped: {dropped}"),
            )
        }
        Fault::TooLong { length } => (
            Code::ListTooLong,
            format!("the list has {length} characters, and the kernel takes at most 1024: it takes none of it"),
        ),
    };
    let mut found = finding(code, severity, message);
    found.evidence.push(written(place));
    found.evidence.extend(record_of(context, code).map(|fact| context.shown(fact)));
    let (note, spelling) = advice(list, context.demand.grammar);
    let said = matches!(list.fault, Some(Fault::OutOfRange { .. }));
    found.message.extend(note.filter(|_| !said).map(|note| format!("; {note}")));
    if let Some(spelling) = spelling {
        found.remedy = remedy::list(context, place, &spelling);
    }
    Some(found)
}

/// A list in `modprobe.d` beside a driver that is loaded: the next load will read it, this one did not.
fn only_next_load_reads(context: &Context<'_>, place: &Written) -> bool {
    place.source == Source::Modprobe && context.host.as_ref().is_some_and(|host| host.pciback.is().is_some())
}

/// The kernel's own record of the fault, where the log has it.
fn record_of<'a>(context: &'a Context<'_>, code: Code) -> Option<&'a Fact> {
    match (code, &context.history.driver) {
        (Code::ListMalformed, Driver::Refused(fact)) => Some(fact),
        (Code::ListTooLong, _) => context.history.parameters.iter().rfind(|fact| is_too_long(fact)).map(AsRef::as_ref),
        _ => None,
    }
}

const fn is_too_long(fact: &Fact) -> bool {
    matches!(fact.event, Event::ParameterRefused { too_long: true, .. })
}

/// What to say about the nearest valid list, and that list.
fn advice(list: &HideList, grammar: Grammar) -> (Option<String>, Option<String>) {
    match hide::advise(list.text(), grammar) {
        Some(Advice::Spelling(spelling)) => (Some(format!("the nearest valid list is {spelling}")), Some(spelling)),
        Some(Advice::LooksLike(lookalike)) => (Some(format!("it {lookalike}")), None),
        Some(Advice::TooLarge { part, written, most }) => (
            Some(format!(
                "{} {written} is above {most:x}, so that only its writer can say what was meant",
                part.name()
            )),
            None,
        ),
        None => (None, None),
    }
}

/// Numbers that wrapped around, so that the kernel takes another device than the one written (up to 3.6).
fn wrapped(context: &Context<'_>, place: &Written, list: &HideList) -> Option<Finding> {
    if context.demand.grammar.era != Era::UpTo3_6 {
        return None;
    }
    let changed = list.in_force().filter(|entry| !entry.changed.is_empty());
    let changed: Vec<String> =
        changed.map(|entry| format!("{} means {}", list.quote(&entry.text), entry.pattern)).collect();
    if changed.is_empty() {
        return None;
    }
    let message = format!(
        "this kernel lets large numbers wrap around, and takes another device than written: {}",
        some_of(&changed)
    );
    let mut found = finding(Code::ListOutOfRange, Severity::Critical, message);
    found.evidence.push(written(place));
    Some(found)
}

fn duplicates(place: &Written, list: &HideList) -> Vec<Finding> {
    let mut entries: Vec<&Entry> = list.entries.iter().collect();
    entries.sort_by_key(|entry| entry.pattern);
    let finding = |same: &[&Entry]| {
        let pattern = same.first().filter(|_| same.len() > 1)?.pattern;
        let spellings: Vec<String> = same.iter().map(|entry| list.quote(&entry.text)).collect();
        let message = format!("{pattern} is named {} times: {}", spellings.len(), some_of(&spellings));
        let mut found = finding(Code::DuplicateEntry, Severity::Info, message);
        found.address = pattern.addresses().next().filter(|_| !pattern.is_wildcard());
        found.evidence.push(written(place));
        Some(found)
    };
    entries.chunk_by(|one, other| one.pattern == other.pattern).filter_map(finding).collect()
}

/// The kernel refused a list: that is the finding, even when no place holds the list any more.
fn refusal(context: &Context<'_>) -> Option<Finding> {
    if context.story.doubt.is_some() || context.host.as_ref().is_some_and(|host| host.pciback.is().is_some()) {
        return None;
    }
    if let Driver::Refused(fact) = &context.history.driver
        && let Event::ListRefused { rest } = &fact.event
    {
        let quoted = String::from_utf8_lossy(rest);
        let message = format!(
            "the kernel refused the last list given to it, at `{quoted}`: the module was not loaded, and nothing was seized"
        );
        let mut found = finding(Code::ListMalformed, Severity::Critical, message);
        found.evidence.push(context.shown(fact));
        if let Some(spelling) = hide::nearest(rest, context.demand.grammar) {
            found.message = format!("{}; the nearest valid list from there on is {spelling}", found.message);
            found.remedy = vec![
                format!(
                    "# write {spelling} in place of {quoted}, in the command that loaded the module or where this finds it:"
                ),
                "#   grep -rs pciback /etc/modprobe.d /etc/default".to_owned(),
                "# then load the module again".to_owned(),
            ];
        }
        return Some(found);
    }
    let fact = context.history.parameters.iter().rfind(|fact| is_too_long(fact))?;
    if !matches!(context.history.driver, Driver::Unheard) {
        return None;
    }
    let message = "the kernel refused the list for its length: more than 1024 characters";
    let mut found = finding(Code::ListTooLong, Severity::Critical, message);
    found.evidence.push(context.shown(fact));
    Some(found)
}

fn nothing(context: &Context<'_>) -> Option<Finding> {
    let Asked::Found { from } = context.case.asked else {
        let message = "no device is named: nothing is requested that could be judged";
        return asks_for_nothing(context).then(|| finding(Code::NothingRequested, Severity::Unknown, message));
    };
    let applies =
        |said: &&request::Said| from.is_some() || !said.source.is_of_some_hosts() || !said.obstacles.is_empty();
    let looked =
        context.demand.places.iter().filter(|said| from.is_none_or(|from| said.source == from)).filter(applies);
    let looked: Vec<&str> = looked.map(|said| said.source.in_words()).collect();
    let looked = if looked.is_empty() {
        "no place to look at was given".to_owned()
    } else {
        format!("looked at {}", looked.join(", "))
    };
    let message = format!("no list of devices for pciback is in force: {looked}");
    let mut found = finding(Code::NothingRequested, Severity::Unknown, message);
    let obstacles = context.demand.places.iter().flat_map(|said| &said.obstacles);
    found.evidence.extend(obstacles.map(unread));
    found.remedy = vec!["# name the devices by hand, with --hide or --device".to_owned()];
    found.remedy.extend(remedy::place(context));
    Some(found)
}

fn wildcard_empty(context: &Context<'_>, entry: &str) -> Finding {
    let message = format!("no device exists under {entry}");
    let mut found = finding(Code::WildcardEmpty, Severity::Warning, message);
    found.evidence.extend(context.host.is_some().then(|| file("sys/bus/pci/devices", Some("lists none of them"))));
    found
}

/// What makes the list in force doubtful: a place that outranks it could not be read, or the platform keeps its own elsewhere. A
/// place that the user left out does not count.
fn unread_place(context: &Context<'_>) -> Option<Finding> {
    let source = context.demand.source()?;
    if source == Source::Guests {
        let own = context.demand.places.iter().find(|said| said.source == source)?;
        let message =
            format!("guests may want more devices: a configuration cannot be read ({})", own.obstacles.first()?);
        let mut found = finding(Code::HostUnreadable, Severity::Unknown, message);
        found.evidence.extend(own.obstacles.iter().map(unread));
        return Some(found);
    }
    if context.case.asked != (Asked::Found { from: None }) {
        return None;
    }
    // A log tells of its own list, and may say that it is of another boot.
    let own = |said: &&request::Said| source == Source::Log && said.source == source;
    let before = context.demand.places.iter().take_while(|said| said.source != source);
    // A platform's own list adds to the one in force.
    let adds = |said: &&request::Said| matches!(said.source, Source::Qubes | Source::Sysconfig);
    let behind = context.demand.places.iter().skip_while(|said| said.source != source);
    let before = before.chain(context.demand.places.iter().filter(own)).chain(behind.filter(adds));
    let mut obstacles: Vec<Obstacle> = before.flat_map(|said| &said.obstacles).cloned().collect();
    let mut message = "another list may be in force: what would say so cannot be read";
    if let Some(own) = context.case.tree.as_ref().and_then(own_list).filter(|_| source == Source::Slots) {
        message =
            "pciback's slots shows what it was given, and not what was wanted: the platform's own list is not read";
        obstacles.insert(0, own);
    }
    let message = format!("{message} ({})", obstacles.first()?);
    let mut found = finding(Code::HostUnreadable, Severity::Unknown, message);
    found.evidence.extend(obstacles.iter().map(unread));
    Some(found)
}
