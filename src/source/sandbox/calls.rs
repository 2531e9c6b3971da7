//! The seccomp filter: which system calls are left. The others answer that they do not exist (`ENOSYS`), for which every libc
//! has another way or an error.

use std::collections::BTreeMap;

use libc::c_long;
use rustix::process::getpid;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use super::Rights;

/// What reading, judging and writing need, on every architecture. No socket is made and no program run; `socketpair`, `sendto`
/// and `recvfrom` are between the threads of the process.
const ALWAYS: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fadvise64,
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_futex,
    libc::SYS_getdents64,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_prlimit64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_renameat2,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_socketpair,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_sysinfo,
    libc::SYS_tkill,
    libc::SYS_umask,
    libc::SYS_uname,
    libc::SYS_unlinkat,
    libc::SYS_write,
    libc::SYS_writev,
];

/// The same under names that newer architectures do without.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_lstat,
    libc::SYS_open,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_stat,
    libc::SYS_time,
    libc::SYS_unlink,
];
#[cfg(target_arch = "aarch64")]
const OLDER: &[c_long] = &[libc::SYS_renameat];
#[cfg(target_arch = "riscv64")]
const OLDER: &[c_long] = &[];

const CHILD: &[c_long] = &[libc::SYS_kill, libc::SYS_pidfd_send_signal, libc::SYS_wait4, libc::SYS_waitid];

const LOCAL_SOCKETS: &[c_long] =
    &[libc::SYS_connect, libc::SYS_getsockopt, libc::SYS_sendmsg, libc::SYS_setsockopt, libc::SYS_shutdown];

/// Requests of ioctl(2) that put bytes into the queue of a terminal, where a shell takes them for typed commands
/// (include/uapi/asm-generic/ioctls.h).
const TYPING: [u64; 2] = [0x5412, 0x541c];

/// Conditions of which one must hold.
type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// Has every other call of this thread, and of those that it starts, fail.
pub(super) fn allow_only(rights: &Rights) -> Result<(), String> {
    let apply = || {
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        let missing = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
        let filter = SeccompFilter::new(rules(rights)?, missing, SeccompAction::Allow, arch)?;
        seccompiler::apply_filter(&BpfProgram::try_from(filter)?)
    };
    apply().map_err(|error: Error| error.to_string())
}

fn rules(rights: &Rights) -> Result<Rules, Error> {
    let ring: &[c_long] = if rights.ring { &[libc::SYS_syslog] } else { &[] };
    let child = if rights.child { CHILD } else { &[] };
    let sockets = if rights.local_sockets { LOCAL_SOCKETS } else { &[] };
    let calls = [ALWAYS, OLDER, ring, child, sockets].concat();
    let mut rules: Rules = calls.into_iter().map(|call| (call, Vec::new())).collect();
    // Signals to this process only: it ends itself by the one that came.
    rules.insert(libc::SYS_tgkill, vec![only_for(own_process())?]);
    let others = TYPING.map(|request| condition(1, SeccompCmpOp::Ne, request));
    rules.insert(libc::SYS_ioctl, vec![SeccompRule::new(others.into_iter().collect::<Result<_, _>>()?)?]);
    if rights.local_sockets {
        let local = u64::from(libc::AF_UNIX.unsigned_abs());
        rules.insert(libc::SYS_socket, vec![only_for(local)?]);
    }
    Ok(rules)
}

fn own_process() -> u64 {
    u64::from(getpid().as_raw_nonzero().get().unsigned_abs())
}

/// Calls whose first argument is this.
fn only_for(value: u64) -> Result<SeccompRule, Error> {
    Ok(SeccompRule::new(vec![condition(0, SeccompCmpOp::Eq, value)?])?)
}

fn condition(argument: u8, compared: SeccompCmpOp, value: u64) -> Result<SeccompCondition, Error> {
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compared, value)?)
}
