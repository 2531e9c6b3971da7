//! The logs in an archive, read as the archive is: each becomes a log of its own.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::Collector;
use super::order::Stopped;
use super::picker::Sink;
use super::selection::{Member, Remark, Selection};
use super::set::HostLog;
use super::work::{NO_LOG, Reading};
use crate::source::saved::{FileOf, host, hostname};
use crate::source::{Allowance, Bounded, Contents, Role, Tar, role};

/// Most logs of one archive.
const MOST_LOGS: usize = 4096;

/// Most bytes, unpacked, that are read of one log in an archive.
const MOST_OF_ONE: u64 = 16 << 30;

/// How deep archives may lie in archives: sos-collector packs those of several hosts into one.
const DEEPEST: usize = 2;

/// How much more is read of an archive.
struct Left {
    logs: usize,
    depth: usize,
    packed: Allowance,
}

impl Reading<'_> {
    /// The logs in an archive that is called `name`, of which so much may be unpacked.
    pub(super) fn archive(
        &self,
        name: &str,
        tar: Tar<Box<dyn Read + '_>>,
        packed: Allowance,
        sink: &mut Sink<'_>,
    ) -> Result<(), Stopped> {
        self.members(name, tar, &mut Left { logs: MOST_LOGS, depth: DEEPEST, packed }, sink)
    }

    fn members(
        &self,
        name: &str,
        mut tar: Tar<Box<dyn Read + '_>>,
        left: &mut Left,
        sink: &mut Sink<'_>,
    ) -> Result<(), Stopped> {
        while let Some(found) = tar.next().map_err(|error| (0, self.why(&error)))? {
            let role = role(&found.path);
            if role == Role::Other {
                continue;
            }
            if self.progress.is_stopped() {
                return Err((0, self.why(&io::ErrorKind::Interrupted.into())));
            }
            let member = Arc::new(Member { archive: name.to_owned(), path: found.path, modified: found.modified });
            if role == Role::Hostname {
                if let Some(name) = hostname(&mut tar) {
                    remark(&member, Remark::Hostname(name), sink);
                }
                continue;
            }
            let few = || (0, format!("only the first {MOST_LOGS} logs in it are read"));
            left.logs = left.logs.checked_sub(1).ok_or_else(few)?;
            let read = match found.closed {
                Some(why) => Err((0, why.to_owned())),
                None => self.member(&member, &mut tar, left, sink),
            };
            match read {
                Ok(()) => {}
                Err((_, why)) if why == NO_LOG => remark(&member, Remark::PassedOver, sink),
                Err((offset, why)) => remark(&member, Remark::Failed(offset, why), sink),
            }
        }
        Ok(())
    }

    /// One file in an archive.
    fn member(
        &self,
        member: &Arc<Member>,
        reader: impl Read,
        left: &mut Left,
        sink: &mut Sink<'_>,
    ) -> Result<(), Stopped> {
        match Contents::within(reader, &left.packed).map_err(|why| (0, why))? {
            Contents::Log(reader) => {
                let mut take = |selection: &mut Selection| {
                    selection.member = Some(Arc::clone(member));
                    sink(selection)
                };
                self.log(Bounded::new(reader, MOST_OF_ONE), false, &mut take)
            }
            Contents::Archive(..) if left.depth == 0 => {
                Err((0, "is an archive in archives, which is not read".to_owned()))
            }
            Contents::Archive(inner, _) => {
                left.depth -= 1;
                let read = self.members(&format!("{}:{}", member.archive, member.path), inner, left, sink);
                left.depth += 1;
                read
            }
        }
    }
}

fn remark(member: &Arc<Member>, remark: Remark, sink: &mut Sink<'_>) {
    let mut selection = Selection::default();
    (selection.member, selection.remark) = (Some(Arc::clone(member)), Some(remark));
    sink(&mut selection);
}

impl Collector<'_> {
    /// The number of the log of a file in an archive. The files are read one after the other.
    pub(super) fn member(&mut self, member: &Arc<Member>) -> usize {
        if let Some((current, index)) = &self.current
            && Arc::ptr_eq(current, member)
        {
            return *index;
        }
        self.end_member();
        let index = self.logs.len();
        let path = format!("{}:{}", member.archive, member.path).into();
        let file = FileOf { path, bytes: 0, modified: member.modified, identity: None };
        let by_path = host(Path::new(&member.path));
        // The archive itself, without those around it.
        let own = || host(Path::new(member.archive.rsplit(':').next().unwrap_or_default()));
        let mut log = HostLog::new(index, &file, self.window);
        (log.log.host, log.archive) = (by_path.or_else(own), Some(member.archive.clone().into()));
        self.logs.push(log);
        self.current = Some((Arc::clone(member), index));
        index
    }

    /// Ends the log of the file in an archive that was read last.
    pub(super) fn end_member(&mut self) {
        if let Some((_, index)) = self.current.take()
            && let Some(log) = self.logs.get_mut(index)
        {
            log.end_file();
            self.weigh(index);
        }
    }
}
