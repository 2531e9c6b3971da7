//! Why a log does not settle a device.

use std::sync::Arc;

use super::Context;
use crate::event::{Event, Fact};
use crate::history::Trail;

/// Why the log does not settle it, and the record that it is about.
pub(super) fn why<'a>(context: &'a Context<'_>, trail: &'a Trail) -> Option<(String, Option<&'a Fact>)> {
    let any = context.history.damaged.as_deref();
    if let Some(damaged) = &trail.damaged {
        return Some(told("a record of pciback about it cannot be read: it is cut, or damaged", Some(damaged)));
    }
    if let Some(failure) = any.filter(|any| is_unknown_failure(any)) {
        let message = format!("pciback says that something failed, and not of which device: {}", excerpt(failure));
        return Some((message, Some(failure)));
    }
    let doubt = trail.doubt.as_deref().filter(|doubt| trail.unsure && is_unknown_failure(doubt));
    if let Some(failure) = doubt {
        return Some((
            format!("pciback says what may be a failure: {}", excerpt(failure)),
            trail.proof().map(AsRef::as_ref),
        ));
    }
    if let Some(proof) = trail.proof() {
        let message = if trail.doubtful {
            "its seizing line may belong to an earlier load of the module"
        } else if trail.lossy {
            "a record that contradicts its seizing line may be among those that are missing"
        } else if trail.unsure || trail.maybe_released {
            "a later record may mean that it is not pciback's"
        } else if any.is_some() {
            "a record of pciback that cannot be read may be about it"
        } else {
            "the log ends too soon behind its seizing line to show that its set-up went well"
        };
        return Some(told(message, Some(proof)));
    }
    if let Some(bound) = &trail.bound {
        return Some(told("pciback is bound to it, and the log does not say that its set-up went well", Some(bound)));
    }
    let message = "the log ends before pciback's load came to its end: that no record is about it proves nothing";
    context.is_complete.then(|| told(message, None))
}

fn is_unknown_failure(fact: &Fact) -> bool {
    matches!(fact.event, Event::Unrecognised { failing: true, .. })
}

fn told<'a>(message: &str, fact: Option<&'a Arc<Fact>>) -> (String, Option<&'a Fact>) {
    (message.to_owned(), fact.map(AsRef::as_ref))
}

/// A record in a message: its first line, or the beginning of that.
fn excerpt(fact: &Fact) -> String {
    const LONGEST: usize = 160;
    let text = String::from_utf8_lossy(&fact.text);
    text.lines().next().unwrap_or_default().chars().take(LONGEST).collect()
}
