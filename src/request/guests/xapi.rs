//! Guests of XAPI (XenServer, XCP-ng): its database, `state.db`, or what xen-bugtool keeps of it.

use super::super::Location;
use super::markup::{Tag, tags, unescaped};
use super::{Guest, Wanted};
use crate::pci::{Address, Pattern};

/// The guests of this host. A machine is a row of the table `VM`; its devices are in `pci` of its `other_config`, as
/// `0/0000:04:00.0,1/0000:04:00.1` (xen-api, `ocaml/xapi/pciops.ml`, `other_pcidevs_of_vm`). XAPI takes them from dom0's drivers when it
/// starts the guest (xenopsd, `device.ml`, `PCI.bind`). The database is that of the pool: of several hosts, `own` is the uuid of this
/// one, and only machines that run there or are to run there count.
pub(super) fn read(text: &str, path: &str, own: Option<&str>) -> Vec<Guest> {
    let mut hosts: Vec<(String, String)> = Vec::new();
    let mut rows: Vec<(Guest, Vec<String>)> = Vec::new();
    let mut table = String::new();
    for tag in tags(text) {
        match (tag.name, table.as_str()) {
            ("table", _) if !tag.empty => tag.attribute("name").unwrap_or_default().clone_into(&mut table),
            ("/table", _) => table.clear(),
            ("row", "VM") => rows.extend(machine(&tag, path)),
            ("row", "host") => hosts.extend(of(&tag, "ref").zip(of(&tag, "uuid"))),
            _ => {}
        }
    }
    let own = hosts.iter().find(|(_, uuid)| Some(uuid.as_str()) == own).map(|(reference, _)| reference);
    let is_own = |places: &[String]| hosts.len() < 2 || own.is_some_and(|own| places.contains(own));
    let mut guests = Vec::new();
    for (mut guest, places) in rows.into_iter().filter(|(_, places)| is_own(places)) {
        let runs_elsewhere = own.is_some_and(|own| places.first() != Some(own)) && hosts.len() > 1;
        guest.domid = guest.domid.filter(|_| !runs_elsewhere);
        guests.push(guest);
    }
    guests
}

/// What is read of a row.
const FIELDS: [&str; 11] = [
    "ref",
    "uuid",
    "name__label",
    "other__config",
    "is__a__template",
    "is__a__snapshot",
    "is__control__domain",
    "power__state",
    "domid",
    "resident__on",
    "affinity",
];

/// The rows of a database that [`read`] needs, as one. The rest is long, and some of it is secret.
pub(super) fn abridged(text: &str) -> String {
    let mut table = String::new();
    let mut kept = "<database>".to_owned();
    for tag in tags(text) {
        match (tag.name, table.as_str()) {
            ("table", _) if !tag.empty => {
                tag.attribute("name").unwrap_or_default().clone_into(&mut table);
                kept.extend(["<table name=\"", &table, "\">"]);
            }
            ("/table", _) => {
                table.clear();
                kept.push_str("</table>");
            }
            ("row", "VM") if machine(&tag, "").is_some() => kept.push_str(&row(&tag)),
            ("row", "host") => kept.push_str(&row(&tag)),
            _ => {}
        }
    }
    kept + "</database>"
}

fn row(tag: &Tag<'_>) -> String {
    let field = |name: &&str| Some(format!(" {name}=\"{}\"", tag.attribute(name)?.replace('"', "&quot;")));
    format!("<row{}/>", FIELDS.iter().filter_map(field).collect::<String>())
}

/// The guest of a row that names devices, and the hosts where it runs and where it is to run.
fn machine(tag: &Tag<'_>, path: &str) -> Option<(Guest, Vec<String>)> {
    let is = |name: &str| tag.attribute(name) == Some("true");
    if is("is__a__template") || is("is__a__snapshot") || is("is__control__domain") {
        return None;
    }
    let settings = of(tag, "other__config")?;
    let devices: Vec<Wanted> = value(&settings, "pci")?
        .split(',')
        .filter_map(|device| device.rsplit('/').next()?.trim().parse::<Address>().ok())
        .map(|address| Wanted {
            pattern: Pattern::from(address),
            // The whole database is one line.
            location: Location { path: format!("/{path}"), line: None, column: None },
            seized_at_start: true,
            slot: None,
        })
        .collect();
    let running = tag.attribute("power__state") == Some("Running");
    let domid = tag.attribute("domid").and_then(|domid| domid.parse().ok()).filter(|domid| running && *domid > 0);
    let starts = value(&settings, "auto_poweron") == Some("true");
    let guest = Guest { name: of(tag, "name__label")?, path: path.to_owned(), starts, domid, devices };
    Some((guest, ["resident__on", "affinity"].iter().filter_map(|name| of(tag, name)).collect()))
}

/// An attribute as it is meant: XAPI writes blanks as `%.` (xen-api, `ocaml/database/xml_spaces.ml`).
fn of(tag: &Tag<'_>, name: &str) -> Option<String> {
    let text = unescaped(tag.attribute(name)?);
    Some(text.replace("%.", " ").replace("%n", "\n").replace("%t", "\t").replace("%%", "%"))
}

/// The value of a key in a map: `(('pci' '0/0000:04:00.0')('auto_poweron' 'true'))`, with blanks between the parts or without.
fn value<'a>(map: &'a str, key: &str) -> Option<&'a str> {
    let mut parts = map.split('\'').skip(1).step_by(2);
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        if name == key {
            return Some(value);
        }
    }
    None
}
