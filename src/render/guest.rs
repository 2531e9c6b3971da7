//! What a report says of a guest's end.

use super::layout::{Column, columns, paragraph};
use super::style::{Style, paint, plural};
use super::text::escape;
use crate::report::{Code, Frontend, Guest, GuestState, Report, Severity, Verdict};

/// What came out, in one sentence.
pub(super) fn outcome(report: &Report, guest: &Guest) -> String {
    let bound = guest.devices.iter().filter(|device| device.state == GuestState::Bound).count();
    let number = guest.devices.len();
    let have = if bound == 1 || number == 1 { "has" } else { "have" };
    let devices = format!("{bound} of {number} {} {have} a driver", plural(number, "device"));
    let what = match guest.frontend {
        Frontend::Working => format!("pcifront works, and {devices}"),
        Frontend::NoDriver => "no driver took the guest's virtual PCI bus".to_owned(),
        Frontend::Failed => "pcifront failed".to_owned(),
        Frontend::Released => "the guest's devices went back to dom0".to_owned(),
        Frontend::Installed => "pcifront has the virtual PCI bus, and no more is known".to_owned(),
        Frontend::NotNeeded if number > 0 => devices,
        Frontend::NotNeeded | Frontend::Unknown => {
            let first = report.findings.iter().find(|finding| finding.severity != Severity::Info);
            return first.map_or_else(
                || "nothing is known of the guest's devices".to_owned(),
                |first| {
                    if first.code == Code::NothingRequested {
                        return "no PCI device of this guest is known".to_owned();
                    }
                    if first.code == Code::Unsettled {
                        return "whether the guest has its devices is not known".to_owned();
                    }
                    let mut letters = first.code.summary().trim_end_matches('.').chars();
                    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
                },
            );
        }
    };
    guest.kind.map_or_else(|| what.clone(), |kind| format!("{what} ({kind} guest)"))
}

/// A row for each device.
pub(super) fn devices(guest: &Guest, style: &Style) -> Vec<String> {
    let shows_real = guest.devices.iter().any(|device| device.real.is_some());
    let mut heading = vec!["ADDRESS", "STATE", "DRIVER", "DEVICE"];
    let mut kinds = vec![Column::Whole, Column::Whole, Column::Upto(16), Column::Rest];
    if shows_real {
        heading.insert(1, "IN DOM0");
        kinds.insert(1, Column::Whole);
    }
    let mut rows = vec![heading.into_iter().map(str::to_owned).collect()];
    for device in &guest.devices {
        let driver = device.driver.as_deref().map_or_else(|| "-".to_owned(), escape);
        let id = device.id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let mut row = vec![device.address.to_string(), device.state.name().to_owned(), driver, id];
        if shows_real {
            row.insert(1, device.real.map_or_else(|| "-".to_owned(), |real| real.to_string()));
        }
        rows.push(row);
    }
    let mut lines = columns(&kinds, rows, style.width, if style.ascii { "~" } else { "…" });
    for (line, device) in lines.iter_mut().skip(1).zip(&guest.devices) {
        let state = device.state.name();
        *line = line.replacen(state, &paint(state, verdict(device.state), style), 1);
    }
    if guest.devices.iter().any(|device| device.real.is_some_and(|real| real != device.address)) {
        let how = match guest.kind {
            Some("HVM") => "a guest has its own addresses: bus 0, and the slot behind `@` in pci=",
            _ => "a guest has its own addresses: slots in the order of pci=, functions as in dom0",
        };
        lines.extend(paragraph("", how, style.width));
    }
    lines
}

const fn verdict(state: GuestState) -> Verdict {
    match state {
        GuestState::Bound | GuestState::Found => Verdict::Ok,
        GuestState::Unbound => Verdict::Warning,
        GuestState::Offline | GuestState::Absent => Verdict::Critical,
        GuestState::Unknown => Verdict::Unknown,
    }
}
