//! The time and the boots that are asked about.

use std::str::FromStr;

use chrono::FixedOffset;
use clap::Args as Flags;
use pciback_audit::timeline::BootChoice;

/// Which records of the logs count by their time.
#[derive(Clone, Debug, Default, Flags)]
pub(in super::super) struct Times {
    /// Leave out boots that ended before: 2026-11-22, "2026-11-22 06:20", "2 days ago" (UTC where no zone is given)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(in super::super) since: Option<String>,
    /// Judge as of this time: leave out later records
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(in super::super) until: Option<String>,
    /// The zone of times that name none, as in syslog files: UTC, +01:00, -0330
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true, value_parser = zone)]
    pub(in super::super) log_zone: Option<FixedOffset>,
}

/// Which boots are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum BootNumber {
    /// One of them.
    One(BootChoice),
    /// Each by itself.
    All,
}

impl FromStr for BootNumber {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_number =
            text.trim_start_matches(['-', '+']).bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty();
        match text {
            "all" => Ok(Self::All),
            _ if is_number => text.parse().map(Self::One),
            _ => Err("expected 0, -1, -2, ... or all"),
        }
    }
}

/// Reads an offset from UTC. A name such as CET is several zones, and one such as Europe/Berlin another offset in summer.
fn zone(text: &str) -> Result<FixedOffset, &'static str> {
    let wrong = "expected UTC or the offset from it, such as +01:00 or -0330";
    let offset = match text.to_ascii_uppercase().as_str() {
        "UTC" | "GMT" | "Z" => FixedOffset::east_opt(0),
        _ => offset(text),
    };
    offset.ok_or(wrong)
}

/// `+01:00`, `+0100`, `+01` or `+1`.
fn offset(text: &str) -> Option<FixedOffset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some(parts), _) => parts,
        (None, 4) => digits.split_at_checked(2)?,
        (None, _) => (digits, "0"),
    };
    let number = |text: &str| {
        let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<i32>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes).filter(|minutes| *minutes < 60)?);
    FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60)).filter(|_| hours <= 14)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_an_offset() {
        for (text, seconds) in
            [("UTC", 0), ("z", 0), ("+01:00", 3600), ("+0530", 19_800), ("-03", -10_800), ("+2", 7200)]
        {
            assert_eq!(zone(text).map(|zone| zone.local_minus_utc()), Ok(seconds), "{text}");
        }
        for wrong in ["", "+", "01:00", "CET", "Europe/Berlin", "+25:00", "+01:60", "+1:2:3", "+é", "+00100", "+15"] {
            assert!(zone(wrong).is_err(), "{wrong}");
        }
    }
}
