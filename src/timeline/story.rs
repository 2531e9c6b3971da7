//! The logs of a case laid over each other: which boots there were, and what is known of the asked one.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;

use super::boot::Boot;
use super::hosts::{Host, hosts_of_case, is_same_name};
use super::log::Log;
use super::merge::merge;
use super::moment::{Moment, tell};
use super::window::Window;
use crate::event::Fact;
use crate::history::{Chronicle, History};
use crate::record::{BootId, Gap, Place, Stamp, between};

/// Which boot to audit, counted as journalctl does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootChoice {
    /// 0 is the last one, -1 the one before.
    FromLast(usize),
}

impl Default for BootChoice {
    fn default() -> Self {
        Self::FromLast(0)
    }
}

impl FromStr for BootChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let back = text.strip_prefix('-').unwrap_or(text);
        let number: usize = back.parse().map_err(|_not_a_number| "expected 0, -1, -2, ...")?;
        if number != 0 && back == text {
            Err("boots are counted back from the last: 0, -1, -2, ...")
        } else {
            Ok(Self::FromLast(number))
        }
    }
}

/// What the logs of a case say about the asked boot.
#[derive(Clone, Debug, Default)]
pub struct Story<'a> {
    /// The boot's id, where a log has it.
    pub id: Option<BootId>,
    /// The host, where a log names it.
    pub hostname: Option<String>,
    /// Kernel release, where a log has the banner.
    pub release: Option<String>,
    /// The boot as each log tells it: the log's number and the boot.
    pub parts: Vec<(usize, &'a Boot)>,
    /// What those facts and gaps come to that a log did not keep one by one.
    pub past: Cow<'a, Chronicle>,
    /// Facts and gaps of all logs in order, each record once.
    pub moments: Vec<Moment>,
    /// Time of the last record.
    pub end: Stamp,
    /// Whether any record has a time.
    pub timed: bool,
    /// Facts about pciback in other boots, which were left out: how many, and the last of them.
    pub left_out: (u64, Option<Arc<Fact>>),
    /// The command line of the last boot before it that is known.
    earlier_line: Option<Arc<Fact>>,
    /// Why nothing of the logs can be taken for what happened in the boot that is meant.
    pub doubt: Option<Doubt>,
}

/// Why the logs do not say what happened in the boot that is meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Doubt {
    /// Several hosts speak in them, and none was chosen: how many, and the names of some.
    SeveralHosts(usize, Vec<String>),
    /// None of the hosts has the name that was chosen.
    NoSuchHost(Vec<String>),
    /// Which of several boots is the last one cannot be told: the logs have no common times.
    LastBoot,
    /// The kernel's clock jumps back and forth: the records are in no order that is known.
    OutOfOrder,
    /// No boot is of the time that is asked about.
    OutsideWindow,
    /// A time is asked about, and the log does not say when its boot was.
    Undated,
    /// The log is a guest's, or of a kernel without Xen: the record that shows it.
    NotDom0(Arc<Fact>),
}

/// How many hosts are named.
const NAMED: usize = 4;

/// What is known of the running boot from elsewhere, to tell it from an old one in a saved log.
#[derive(Clone, Debug, Default)]
pub struct Running<'a> {
    /// Its id.
    pub id: Option<BootId>,
    /// Its kernel release.
    pub release: Option<&'a str>,
    /// The name of the host.
    pub hostname: Option<&'a str>,
    /// The host that the user chose, in logs of several.
    pub chosen: Option<&'a str>,
    /// Of which kernel a boot is wanted.
    pub wanted: Wanted,
    /// The time that is asked about.
    pub window: Window,
}

/// Of which kernel a boot is wanted, where a log holds those of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// dom0's.
    #[default]
    Dom0,
    /// A guest's.
    Guest,
}

impl<'a> Story<'a> {
    /// Picks the asked boot out of `logs`.
    ///
    /// `running` is what the host itself says, where a host is audited: a last boot that contradicts it is an old one.
    pub fn tell(logs: &'a [Log], choice: BootChoice, running: &Running<'_>) -> Self {
        let mut story = Self::default();
        let mut hosts = hosts_of_case(logs).hosts;
        let is_beyond = logs.iter().any(|log| log.beyond.of_hosts > 0);
        let chosen = story.choose(&hosts, running, is_beyond);
        let host = chosen.map(|at| hosts.swap_remove(at)).unwrap_or_default();
        hosts.iter().flat_map(|host| &host.boots).for_each(|parts| story.leave_out(parts));
        let own = host.boots_of(running.wanted);
        story.hostname = host.name;
        let boots = host.boots;
        let BootChoice::FromLast(back) = choice;
        let is_behind = |at: &usize| boots.get(*at).is_some_and(|parts| running.window.is_behind(parts));
        let (behind_window, own): (Vec<usize>, Vec<usize>) = own.into_iter().partition(is_behind);
        let asked = own.len().checked_sub(back + 1).and_then(|at| own.get(at).copied());
        let behind =
            |at: usize| boots.get(at).is_some_and(|parts| parts.iter().any(|(_, boot)| boot.is_behind_dropped));
        let is_counted = |asked: usize| behind(asked) || !own.iter().any(|at| *at > asked && behind(*at));
        let asked = asked.filter(|at| {
            let parts = boots.get(*at).map(Vec::as_slice).unwrap_or_default();
            (back > 0 && is_counted(*at)) || (back == 0 && parts.iter().all(|(_, boot)| running.agrees(boot)))
        });
        for (number, last) in logs.iter().map(|log| &log.beyond.records) {
            story.left_out.0 += number;
            story.left_out.1 = story.left_out.1.take().or_else(|| last.clone());
        }
        for (at, parts) in boots.iter().enumerate() {
            if Some(at) == asked {
                story.lay(parts);
            } else {
                story.leave_out(parts);
            }
        }
        let proof = story.parts.iter().find_map(|(_, boot)| boot.not_dom0.proof());
        if let Some(fact) = proof.filter(|_| running.wanted == Wanted::Dom0) {
            story.doubt = Some(Doubt::NotDom0(Arc::new(fact.clone())));
        } else if asked.is_some() && !host.last_is_known {
            story.doubt = Some(Doubt::LastBoot);
        } else if asked.is_none() && !behind_window.is_empty() && own.is_empty() {
            story.doubt = Some(Doubt::OutsideWindow);
        } else if asked.and_then(|at| boots.get(at)).is_some_and(|parts| running.window.cannot_place(parts)) {
            story.doubt = Some(Doubt::Undated);
        } else if story.is_disordered() {
            story.doubt = Some(Doubt::OutOfOrder);
        }
        story
    }

    /// The host that is meant: the one that was chosen, that of the audited machine, or the only one of which the logs hold
    /// records of a kernel.
    fn choose(&mut self, hosts: &[Host<'_>], running: &Running<'_>, is_beyond: bool) -> Option<usize> {
        let speaking: Vec<usize> =
            (0..hosts.len()).filter(|at| hosts.get(*at).is_some_and(|host| host.kernel_records() > 0)).collect();
        let all_named = |is: &dyn Fn(&str) -> bool| -> Vec<usize> {
            let name = |at: &usize| hosts.get(*at).and_then(|host| host.name.as_deref());
            speaking.iter().copied().filter(|at| name(at).is_some_and(is)).collect()
        };
        // A short name is that of each host which has it before its domain.
        let named = |wanted: &str| match all_named(&|name| name.eq_ignore_ascii_case(wanted)) {
            exact if exact.is_empty() => all_named(&|name| is_same_name(name, wanted)),
            exact => exact,
        };
        let names = || {
            let name = |at: &usize| hosts.get(*at).and_then(|host| host.name.clone());
            speaking.iter().filter_map(name).take(NAMED).collect()
        };
        if let Some(chosen) = running.chosen {
            // A log that names no host is taken for the one that is meant.
            let nameless = speaking.first().copied().filter(|_| speaking.len() == 1);
            let nameless = nameless.filter(|at| hosts.get(*at).is_some_and(|host| host.name.is_none()));
            return match named(chosen).as_slice() {
                [only] => Some(*only),
                [] if nameless.is_some() => nameless,
                [] => {
                    self.doubt = Some(Doubt::NoSuchHost(names()));
                    None
                }
                several => {
                    self.doubt = Some(Doubt::SeveralHosts(several.len(), names()));
                    None
                }
            };
        }
        match speaking.as_slice() {
            [] if !is_beyond => (!hosts.is_empty()).then_some(0),
            [only] if !is_beyond => Some(*only),
            _ => {
                let own = running.hostname.map(named).filter(|own| own.len() == 1).and_then(|own| own.first().copied());
                if own.is_none() {
                    self.doubt = Some(Doubt::SeveralHosts(speaking.len() + usize::from(is_beyond), names()));
                }
                own
            }
        }
    }

    /// Whether the logs hold all that the kernel said at level info and above since the boot began.
    pub fn is_complete(&self) -> bool {
        let info = self.parts.iter().any(|(_, boot)| boot.has_info());
        let gap = self.past.gaps().any() || self.moments.iter().any(|moment| matches!(moment, Moment::Gap { .. }));
        self.has_banner() && info && !gap && self.doubt.is_none()
    }

    fn is_disordered(&self) -> bool {
        self.parts.iter().any(|(_, boot)| boot.disordered)
    }

    /// Whether the boot went on long enough to show that a module which says nothing was not loaded: until user space said
    /// that the system is up, or for two minutes.
    pub fn is_long(&self) -> bool {
        const LONG: i64 = 120_000_000;
        let long = |boot: &Boot| {
            let by_kernel = boot.span.1.uptime.and_then(|uptime| i64::try_from(uptime).ok());
            by_kernel.or_else(|| between(&boot.span.0, &boot.span.1)).is_some_and(|long| long >= LONG)
        };
        // Behind the time that is asked about it may have gone on, and the module may have come.
        self.parts.iter().any(|(_, boot)| boot.is_up || long(boot)) && !self.parts.iter().any(|(_, boot)| boot.is_cut)
    }

    /// What happened to each device.
    pub fn history(&self) -> History {
        let mut chronicle = Cow::Borrowed(&*self.past);
        if !self.moments.is_empty() {
            let has_start = self.has_banner() && !chronicle.gaps().any();
            let mut told = chronicle.into_owned().with_start(has_start);
            self.moments.iter().for_each(|moment| tell(&mut told, moment));
            chronicle = Cow::Owned(told);
        }
        let mut history = chronicle.close(&self.end, self.timed);
        for found in self.parts.iter().flat_map(|(_, boot)| &boot.found) {
            // What is said of a bridge later is newer.
            if !history.bridges.contains_key(&found.address) {
                history.find((found.address, found.buses));
            }
        }
        History { earlier_line: self.earlier_line.clone(), ..history }
    }

    /// Whether a log reaches back to the start of the boot.
    pub fn has_banner(&self) -> bool {
        self.parts.iter().any(|(_, boot)| boot.banner)
    }

    fn lay(&mut self, parts: &[(usize, &'a Boot)]) {
        for (_, boot) in parts {
            self.earlier_line = self.earlier_line.take().or_else(|| boot.earlier_line.clone());
            self.id = self.id.or(boot.id);
            self.release = self.release.take().or_else(|| boot.release.clone());
            self.timed |= boot.timed;
            let later = |end: Stamp, own: Stamp| between(&end, &own).is_none_or(|ahead| ahead > 0);
            let wall = |stamp: Stamp| Stamp { uptime: None, wall: stamp.wall };
            let own = boot.span.1;
            self.end.uptime = self.end.uptime.max(own.uptime);
            if own.wall.is_some() && later(wall(self.end), wall(own)) {
                self.end.wall = own.wall;
            }
        }
        let mut chronicles = parts.iter().filter_map(|(log, boot)| Some((*log, boot.past.as_deref()?)));
        if let Some((log, past)) = chronicles.next_back() {
            self.past = Cow::Borrowed(past);
            // Two pasts cannot be laid over each other. What is left of one of them proves nothing against the other.
            if chronicles.next().is_some() {
                self.past.to_mut().gap(&Gap { place: Place { log, ..Place::default() }, lost: None });
            }
        }
        self.moments = merge(parts);
        self.parts = parts.to_vec();
    }

    fn leave_out(&mut self, parts: &[(usize, &Boot)]) {
        for (number, last) in parts.iter().map(|(_, boot)| boot.heard()) {
            self.left_out.0 += number;
            self.left_out.1 = last.or(self.left_out.1.take());
        }
    }
}

impl Running<'_> {
    fn agrees(&self, boot: &Boot) -> bool {
        let id = !matches!((self.id, boot.id), (Some(running), Some(logged)) if running != logged);
        let release = !matches!((self.release, &boot.release), (Some(running), Some(logged)) if running != logged);
        id && release
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boots_are_counted_back_from_the_last() {
        assert_eq!("0".parse(), Ok(BootChoice::FromLast(0)));
        assert_eq!("-1".parse(), Ok(BootChoice::FromLast(1)));
        for wrong in ["1", "", "-", "all", "--1"] {
            assert!(wrong.parse::<BootChoice>().is_err(), "{wrong}");
        }
    }
}
