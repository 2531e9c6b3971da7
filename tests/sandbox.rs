//! What a process that gave up its rights can still do. Each attempt is made from inside, by this test program, which runs
//! itself again: rights do not come back.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers are part of it")]

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use pciback_audit::source::{Access, Restrictions, Rights, append, replace};
use rustix::thread::capabilities;

/// The folder that the attempts of [`inside`] are made in.
const FOLDER: &str = "PCIBACK_AUDIT_TEST_SANDBOX";

/// A folder with a log that is named, and files that are not.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("logs/kern.log", "log"), ("secret", "secret"), ("out/report", "old")] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Runs one of the ignored tests of this program in a process of its own.
fn run(test: &str, folder: &Path) {
    let this = std::env::current_exe().unwrap();
    let ran =
        Command::new(this).args(["--exact", test, "--ignored", "--nocapture"]).env(FOLDER, folder).output().unwrap();
    assert!(ran.status.success(), "{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
}

/// The folder, where this is such a process.
fn inner() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// The parts that this kernel has must hold; what it lacks was said.
fn reading(folder: &Path) -> Restrictions {
    Rights::default().reads([folder.join("logs")]).writes([folder.join("out/report")]).keep_only()
}

#[test]
fn what_was_not_named_cannot_be_opened() {
    run("inside_files", folder().path());
}

#[test]
#[ignore = "gives up the rights of its process"]
fn inside_files() {
    let Some(folder) = inner() else { return };
    let held = reading(&folder);
    assert_eq!(fs::read_to_string(folder.join("logs/kern.log")).unwrap(), "log");
    assert_eq!(fs::read_dir(folder.join("logs")).unwrap().count(), 1);
    for text in ["new", "newer"] {
        replace(&folder.join("out/report"), text.as_bytes(), Access::Umask).unwrap();
        assert_eq!(fs::read_to_string(folder.join("out/report")).unwrap(), text);
    }
    append(&folder.join("out/report")).unwrap();
    append(&folder.join("out/events")).unwrap();
    if held.landlock.is_ok() {
        assert!(fs::read(folder.join("secret")).is_err() && fs::read("/etc/passwd").is_err());
        assert!(fs::read_dir(&folder).is_err());
        assert!(File::create(folder.join("logs/kern.log")).is_err() && File::create(folder.join("new")).is_err());
        assert!(fs::remove_file(folder.join("logs/kern.log")).is_err());
        // A thread has no more rights than the one that started it.
        let read = move || fs::read(folder.join("secret")).is_err();
        assert!(std::thread::spawn(read).join().unwrap());
    }
}

#[test]
fn no_socket_is_made_and_no_program_runs() {
    run("inside_calls", folder().path());
}

#[test]
#[ignore = "gives up the rights of its process"]
fn inside_calls() {
    let Some(folder) = inner() else { return };
    let parent = rustix::process::getppid().unwrap();
    let held = reading(&folder);
    if held.calls.is_ok() {
        assert!(TcpListener::bind("127.0.0.1:0").is_err());
        assert!(UnixListener::bind(folder.join("out/socket")).is_err());
        assert!(UnixDatagram::unbound().is_err());
        assert!(rustix::process::test_kill_process(parent).is_err(), "a signal to another process");
    }
    if held.calls.is_ok() || held.landlock.is_ok() {
        assert!(Command::new("/bin/true").status().is_err());
    }
    assert!(rustix::thread::no_new_privs().unwrap_or(held.no_new_privs.is_ok()));
}

#[test]
fn a_watch_sends_to_local_sockets_only() {
    run("inside_watch", folder().path());
}

#[test]
#[ignore = "gives up the rights of its process"]
fn inside_watch() {
    let Some(folder) = inner() else { return };
    let service_manager = UnixDatagram::bind(folder.join("notify")).unwrap();
    let held = Rights::default().local_sockets().keep_only();
    let socket = UnixDatagram::unbound().unwrap();
    socket.send_to(b"READY=1", folder.join("notify")).unwrap();
    assert_eq!(service_manager.recv(&mut [0; 16]).unwrap(), 7);
    if held.calls.is_ok() {
        assert!(TcpListener::bind("127.0.0.1:0").is_err());
    }
}

#[test]
fn capabilities_are_kept_for_a_reason_only() {
    run("inside_capabilities", folder().path());
}

#[test]
#[ignore = "gives up the rights of its process"]
fn inside_capabilities() {
    if inner().is_none() {
        return;
    }
    let before = capabilities(None).unwrap().permitted;
    Rights::default().keep_only();
    // The filter leaves no call that asks, but the kernel tells the parent.
    let status = fs::read_to_string("/proc/self/status");
    assert!(status.is_err() || before.is_empty() || status.unwrap().contains("CapPrm:\t0000000000000000"));
}

#[test]
fn what_is_in_force_is_said() {
    let held = Restrictions::tried().to_string();
    for part in ["no_new_privs", "capabilities", "landlock", "seccomp"] {
        assert!(held.contains(part), "{held}");
    }
}
