//! Folders that are called like a host, where there are several of one name: one host's logs, or those of several machines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::source::saved::Set;

/// How many folders of one name are named.
const NAMED: usize = 3;

/// A note for each host that has several folders of its own name.
pub(super) fn notes(sets: &[Set]) -> Vec<String> {
    let mut folders: BTreeMap<&str, BTreeSet<&Path>> = BTreeMap::new();
    for set in sets {
        let Some(host) = set.host.as_deref() else { continue };
        let paths = set.files.iter().map(|file| file.path.as_path());
        let own = paths.filter_map(|path| {
            path.ancestors().skip(1).find(|folder| folder.file_name().is_some_and(|name| name == host))
        });
        folders.entry(host).or_default().extend(own);
    }
    let several = folders.iter().filter(|(_, folders)| folders.len() > 1);
    several.map(|(host, folders)| note(host, folders)).collect()
}

fn note(host: &str, folders: &BTreeSet<&Path>) -> String {
    let named: Vec<_> = folders.iter().take(NAMED).map(|folder| folder.to_string_lossy()).collect();
    let more = if folders.len() > NAMED { ", ..." } else { "" };
    let (count, named) = (folders.len(), named.join(", "));
    format!(
        "{count} folders are called {host} ({named}{more}): where their records name no host, they are taken for one host's"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::saved::FileOf;

    #[test]
    fn several_folders_of_one_name_are_noted() {
        let set = |host: &str, path: String| Set {
            name: path.clone(),
            host: Some(host.to_owned()),
            archive: None,
            files: vec![FileOf { path: path.into(), bytes: 0, modified: None, identity: None }],
        };
        let mut sets: Vec<Set> =
            (0..27).map(|day| set("dom0-a", format!("old/{day:02}/dom0-a/log/kern.log"))).collect();
        sets.push(set("dom0-a", "old/00/dom0-a/syslog".to_owned()));
        sets.push(set("dom0-b", "dom0-b/syslog".to_owned()));
        let expected = "27 folders are called dom0-a (old/00/dom0-a, old/01/dom0-a, old/02/dom0-a, ...): where their records name \
                        no host, they are taken for one host's";
        assert_eq!(notes(&sets), [expected]);
    }
}
