//! The PCI hierarchy as `lspci -tv` draws it: what is behind a bridge stands below it.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::fit;
use super::style::{Style, paint};
use super::table::{guest, heading, tail};
use super::text::escape;
use crate::pci::Address;
use crate::report::{Device, Node, Report, Stated};

/// How a branch, the last one, and what goes on beside them are drawn.
struct Strokes {
    branch: &'static str,
    last: &'static str,
    beside: &'static str,
}

const ASCII: Strokes = Strokes { branch: "+-", last: "\\-", beside: "| " };
const LINES: Strokes = Strokes { branch: "├─", last: "└─", beside: "│ " };

/// The report, its devices as a tree.
pub fn tree(report: &Report, style: &Style) -> String {
    let mut lines = heading(report, style);
    let drawing = Drawing::of(report, style);
    if !drawing.nodes.is_empty() {
        lines.push(String::new());
        lines.extend(drawing.lines());
    }
    lines.extend(tail(report, style));
    lines.join("\n") + "\n"
}

struct Drawing<'a> {
    nodes: BTreeMap<Address, Option<&'a Node>>,
    judged: BTreeMap<Address, &'a Device>,
    /// What is below each bridge, and on each bus that is below none.
    below: BTreeMap<Option<Address>, Vec<Address>>,
    stated: Stated,
    strokes: Strokes,
    style: &'a Style,
}

impl<'a> Drawing<'a> {
    fn of(report: &'a Report, style: &'a Style) -> Self {
        let judged: BTreeMap<Address, &Device> = report.devices.iter().map(|device| (device.address, device)).collect();
        let mut nodes: BTreeMap<Address, Option<&Node>> =
            report.hierarchy.iter().map(|node| (node.address, Some(node))).collect();
        for address in judged.keys() {
            nodes.entry(*address).or_insert(None);
        }
        let mut below: BTreeMap<Option<Address>, Vec<Address>> = BTreeMap::new();
        for (address, node) in &nodes {
            let parent = node.and_then(|node| node.parent).filter(|parent| nodes.contains_key(parent));
            below.entry(parent.filter(|parent| parent != address)).or_default().push(*address);
        }
        let strokes = if style.ascii { ASCII } else { LINES };
        Self { nodes, judged, below, stated: Stated::by(&report.findings), strokes, style }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut drawn = BTreeSet::new();
        self.level(None, "", &mut drawn, &mut lines);
        lines
    }

    /// Draws what is below a bridge, bus by bus. A tree that was made to run in a circle is drawn once.
    fn level(&self, above: Option<Address>, before: &str, drawn: &mut BTreeSet<Address>, lines: &mut Vec<String>) {
        /// Deeper, nothing could be read on a page.
        const DEEPEST: usize = 64;
        let Some(all) = self.below.get(&above).filter(|_| before.chars().count() < DEEPEST) else { return };
        let mut buses: BTreeMap<(u32, u8), Vec<Address>> = BTreeMap::new();
        for address in all {
            buses.entry((address.domain(), address.bus())).or_default().push(*address);
        }
        let number = buses.len();
        for (at, ((domain, bus), devices)) in buses.into_iter().enumerate() {
            let last_bus = at + 1 == number;
            let (start, under) = if above.is_none() {
                (format!("[{domain:04x}:{bus:02x}]"), String::new())
            } else {
                let stroke = if last_bus { self.strokes.last } else { self.strokes.branch };
                let beside = if last_bus { "  " } else { self.strokes.beside };
                (format!("{before}{stroke}[{bus:02x}]"), format!("{before}{beside}"))
            };
            lines.push(start);
            for (at, address) in devices.iter().enumerate() {
                if !drawn.insert(*address) {
                    continue;
                }
                let last = at + 1 == devices.len();
                let stroke = if last { self.strokes.last } else { self.strokes.branch };
                let beside = if last { "  " } else { self.strokes.beside };
                lines.push(self.line(&format!("{under}{stroke}"), *address));
                self.level(Some(*address), &format!("{under}{beside}"), drawn, lines);
            }
        }
    }

    /// A device with who has it, its status and its name.
    fn line(&self, before: &str, address: Address) -> String {
        let judged = self.judged.get(&address);
        let node = self.nodes.get(&address).copied().flatten();
        let driver = node.and_then(|node| node.driver.as_deref()).or_else(|| judged?.driver.as_deref());
        let status = judged.map_or("", |device| device.status.name());
        let id = node.and_then(|node| node.id).map(|id| id.to_string());
        let label = judged.and_then(|device| device.label.clone().or_else(|| device.name.clone()));
        let name = label.or_else(|| node?.name.clone()).or(id).unwrap_or_default();
        let driver = driver.map_or_else(|| "-".to_owned(), escape);
        let place = format!("{:02x}.{:x}", address.slot(), address.function());
        let guest = judged.and_then(|device| guest(device)).map(|guest| format!("for {}", escape(&guest)));
        let text = [driver.as_str(), status, guest.as_deref().unwrap_or_default(), &escape(&name)]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join("  ");
        let room = self.style.width.saturating_sub(before.chars().count() + place.len() + 2).max(20);
        let text = fit(&text, room, if self.style.ascii { '~' } else { '…' });
        let verdict = judged.map(|device| device.status.verdict_by(address, &self.stated));
        let text = match verdict {
            Some(verdict) => {
                text.replacen(&format!("  {status}"), &format!("  {}", paint(status, verdict, self.style)), 1)
            }
            None => text,
        };
        format!("{before}{place}  {text}").trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::report::Status;

    fn node(address: &str, parent: Option<&str>, driver: &str) -> Node {
        let read = |text: &str| text.parse().unwrap();
        Node { address: read(address), parent: parent.map(read), driver: Some(driver.to_owned()), id: None, name: None }
    }

    #[test]
    fn what_is_behind_a_bridge_stands_below_it() {
        let held = "0000:01:00.0";
        let device = Device { address: held.parse().unwrap(), ..sample::device(1, Status::Held, Some("nvme")) };
        let mut report = sample::report(2, vec![device], Vec::new());
        report.hierarchy = vec![
            node("0000:00:01.0", None, "pcieport"),
            node(held, Some("0000:00:01.0"), "nvme"),
            node("0000:00:1f.2", None, "ahci"),
        ];
        let style = Style { width: 80, colour: false, verbose: false, ascii: true };
        let text = tree(&report, &style);
        assert!(text.contains("[0000:00]\n+-01.0  pcieport\n| \\-[01]\n|   \\-00.0  nvme  held"), "{text}");
        assert!(text.contains("\n\\-1f.2  ahci"), "{text}");
        let text = tree(&report, &Style { ascii: false, colour: true, ..style });
        assert!(text.contains("└─") && text.contains("\u{1b}[1;31mheld"), "{text}");
    }

    #[test]
    fn a_circle_of_bridges_ends() {
        let mut report = sample::report(0, Vec::new(), Vec::new());
        report.hierarchy =
            vec![node("0000:00:01.0", Some("0000:00:02.0"), "a"), node("0000:00:02.0", Some("0000:00:01.0"), "b")];
        let style = Style { width: 80, colour: false, verbose: false, ascii: true };
        assert!(!tree(&report, &style).is_empty());
    }
}
