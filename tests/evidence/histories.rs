//! Histories of hosts as their logs hold them: boots of known outcome, in files that are rotated, packed and overlap, beside other
//! hosts' lines, with lost records, lost banners and hosts that change their name.

use std::path::{Path, PathBuf};

use crate::common::{Folder, gzip};
use crate::world::{Dice, OUTCOMES, Outcome, boot, stamp, syslog_time};

/// A line of a log: when, and its text.
pub(crate) type Line = (u64, String);

/// What a host's name is in the records of one boot.
#[derive(Clone, Copy, Debug)]
enum Naming {
    Plain,
    /// `localhost` until the initramfs hands over.
    NamelessFirst,
    /// The full name from the middle on.
    FullLater,
    /// The full name throughout.
    Full,
}

/// What is lost of a host's lines on their way into a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    Nothing,
    /// A note stands in their place.
    Noted,
    /// Nothing shows it.
    Silent,
}

/// What happened on one host, and what is left of its lines.
pub(crate) struct History {
    pub(crate) host: String,
    /// The second in which each boot began, and what became of the devices.
    pub(crate) boots: Vec<(u64, [Outcome; 3])>,
    /// Oldest first.
    pub(crate) lines: Vec<Line>,
    pub(crate) loss: Loss,
}

impl History {
    /// So many boots of a host.
    pub(crate) fn of(dice: &mut Dice, host: &str, boots: usize) -> Self {
        let naming = dice.pick(&[
            Naming::Plain,
            Naming::Plain,
            Naming::Plain,
            Naming::NamelessFirst,
            Naming::FullLater,
            Naming::Full,
        ]);
        let mut history = Self { host: host.to_owned(), boots: Vec::new(), lines: Vec::new(), loss: Loss::Nothing };
        let mut began = 86_400 + dice.below(50_000) as u64;
        for _ in 0..boots {
            let fates = [(); 3].map(|()| if dice.one_in(3) { dice.pick(&OUTCOMES) } else { Outcome::Seized });
            history.boots.push((began, fates));
            history.tell(dice, naming);
            began += 3_600 + dice.below(80_000) as u64;
        }
        history
    }

    /// Adds the lines of the last boot. Of one boot in six the first lines are lost.
    fn tell(&mut self, dice: &mut Dice, naming: Naming) {
        let Some((began, fates)) = self.boots.last().copied() else { return };
        let host = &self.host;
        let mut told = boot("6.1.0-56-amd64", "", fates).records;
        // Times of events differ from boot to boot, and their order does not.
        let mut shift = 0;
        for record in told.iter_mut().filter(|record| record.micros > 1_000_000) {
            shift += dice.below(90_000) as u64;
            record.micros += shift;
        }
        let lost = if dice.one_in(6) { 1 + dice.below(11) } else { 0 };
        let length = told.len();
        for (number, record) in told.into_iter().enumerate().skip(lost) {
            let full = || format!("{host}.example.com");
            let name = match naming {
                Naming::NamelessFirst if number < 6 => "localhost".to_owned(),
                Naming::FullLater if number > length / 2 => full(),
                Naming::Full => full(),
                Naming::Plain | Naming::NamelessFirst | Naming::FullLater => host.clone(),
            };
            let second = began + record.micros / 1_000_000;
            let time = syslog_time(second);
            self.lines.push((second, format!("{time} {name} kernel: {} {}\n", stamp(record.micros), record.text)));
            if dice.one_in(8) {
                self.lines.push((second, format!("{time} {name} cron[{number}]: a job of many\n")));
            }
        }
    }

    /// Loses some lines in a row. Half of the time a note says so.
    pub(crate) fn lose(&mut self, dice: &mut Dice) {
        let lines = &mut self.lines;
        if lines.len() < 20 {
            return;
        }
        let from = dice.below(lines.len());
        let most = 1 + dice.below(12);
        let lost = lines.drain(from..lines.len().min(from + most)).count();
        self.loss = Loss::Silent;
        if dice.one_in(2)
            && let Some((second, line)) = lines.get(from).cloned()
            && let Some((head, _)) = line.split_once("] ")
        {
            lines.insert(from, (second, format!("{head}] ** {lost} printk messages dropped **\n")));
            self.loss = Loss::Noted;
        }
    }

    /// What became of the devices in the boot that was running at this second.
    pub(crate) fn fates_at(&self, second: u64) -> Option<[Outcome; 3]> {
        self.boots.iter().rfind(|(began, _)| *began <= second).map(|(_, fates)| *fates)
    }
}

/// A log as one to five files that its writer rotated, older ones packed: names and lines. Some begin before the one before ends,
/// as copies that were taken at different times do.
pub(crate) fn rotated(dice: &mut Dice, name: &str, lines: &[Line]) -> Vec<(String, Vec<Line>)> {
    let parts = 1 + dice.below(5).min(lines.len() / 20);
    let mut cuts: Vec<usize> = (1..parts).map(|_| dice.below(lines.len())).chain([0, lines.len()]).collect();
    cuts.sort_unstable();
    let overlap = if dice.one_in(4) { dice.below(12) } else { 0 };
    let mut files = Vec::new();
    for (number, cut) in cuts.windows(2).enumerate() {
        let part = lines[cut[0].saturating_sub(overlap)..cut[1]].to_vec();
        let age = parts - 1 - number;
        let packed = age > 1 && dice.one_in(2);
        let name = if age == 0 { name.to_owned() } else { format!("{name}.{age}{}", if packed { ".gz" } else { "" }) };
        // A file without a record of a kernel is an unreadable place where it is named (`check`), and none where it is found.
        if part.iter().any(|(_, line)| line.contains(" kernel: ")) {
            files.push((name, part));
        }
    }
    files
}

pub(crate) fn text(lines: &[Line]) -> String {
    lines.iter().map(|(_, line)| line.as_str()).collect()
}

/// Writes a file, packed where its name says so.
pub(crate) fn write(folder: &Folder, path: &str, lines: &[Line]) -> PathBuf {
    let text = text(lines).into_bytes();
    let packed = Path::new(path).extension().is_some_and(|end| end == "gz");
    folder.file(path, &if packed { gzip(&text) } else { text });
    folder.at(path)
}

/// One to five hosts, each in a folder of its own or all in one log, and the files in which each is told of.
pub(crate) fn world(dice: &mut Dice, folder: &Folder) -> Vec<(History, Vec<PathBuf>)> {
    let hosts = 1 + dice.below(5);
    let together = dice.one_in(3);
    let most = most_boots(dice);
    let mut world = Vec::new();
    let mut all: Vec<Line> = Vec::new();
    for number in 0..hosts {
        let boots = 1 + dice.below(most);
        let mut history = History::of(dice, &format!("gaia{number}"), boots);
        if dice.one_in(3) {
            history.lose(dice);
        }
        if together {
            all.extend(history.lines.iter().cloned());
            world.push((history, Vec::new()));
            continue;
        }
        let host = &history.host;
        let files = rotated(dice, "kern.log", &history.lines);
        let mut paths: Vec<PathBuf> =
            files.iter().map(|(name, lines)| write(folder, &format!("logs/{host}/{name}"), lines)).collect();
        if dice.one_in(3) {
            let rest = &history.lines[dice.below(history.lines.len())..];
            if rest.iter().any(|(_, line)| line.contains(" kernel: ")) {
                paths.push(write(folder, &format!("logs/{host}/messages"), rest));
            }
        }
        world.push((history, paths));
    }
    if together {
        all.sort_by_key(|(second, _)| *second);
        let files = rotated(dice, "syslog", &all);
        let paths: Vec<PathBuf> =
            files.iter().map(|(name, lines)| write(folder, &format!("logs/{name}"), lines)).collect();
        for (_, place) in &mut world {
            place.clone_from(&paths);
        }
    }
    world
}

/// Most histories are short.
fn most_boots(dice: &mut Dice) -> usize {
    if dice.one_in(2000) {
        return 300;
    }
    if dice.one_in(50) { 40 } else { 4 }
}
