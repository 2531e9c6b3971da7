//! Journal entries as JSON objects: `journalctl -o json`, `json-pretty`, `json-seq` and `json-sse`.
//!
//! systemd src/shared/logs-show.c, `output_json` (252).

use super::journal::{Fields, NoRecord};
use super::json::{Value, members};
use super::{Place, Record};

/// How many bytes before the object belong to its format: the record separator of `json-seq` (RFC 7464), or the
/// `data: ` of `json-sse`. `None` when there are too few to tell.
pub(super) fn lead(bytes: &[u8]) -> Option<usize> {
    const EVENT: &[u8] = b"data: {";
    match bytes {
        [0x1e, ..] => Some(1),
        _ if bytes.starts_with(EVENT) => Some(EVENT.len() - 1),
        _ if EVENT.starts_with(bytes) => None,
        _ => Some(0),
    }
}

/// Reads a whole object. Log stores put the entry one level deeper, beside what they know themselves.
pub(super) fn decode(whole: &[u8], place: Place) -> Result<Record<'_>, NoRecord> {
    let mut fields = Fields::default();
    let mut damaged = false;
    members(whole, |name, value| match value {
        Value::Object(inner) if matches!(&*name, b"_source" | b"fields" | b"journal") => {
            damaged |= members(inner, |name, value| fields.add(&name, value.into_bytes())).is_none();
        }
        value @ (Value::Text(_)
        | Value::Number(_)
        | Value::Bytes(_)
        | Value::Null
        | Value::Object(_)
        | Value::Array(_)
        | Value::Other) => {
            fields.add(&name, value.into_bytes());
        }
    })
    .filter(|()| !damaged)
    .ok_or(NoRecord::Damaged)?;
    fields.record(place)
}
