use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A directory with these files; a name that ends in `/` is a directory.
fn tree(names: &[&str]) -> TempDir {
    let top = tempfile::tempdir().unwrap();
    for name in names {
        let path = top.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if name.ends_with('/') { fs::create_dir_all(path).unwrap() } else { fs::write(path, "text\n").unwrap() }
    }
    top
}

/// The sets found below `top` by these paths in it, without `top`.
fn found(top: &TempDir, names: &[&str]) -> (Vec<String>, Vec<String>) {
    let paths: Vec<_> = names.iter().map(|name| top.path().join(name)).collect();
    let (sets, obstacles) = find(&paths);
    let short = |path: &Path| path.strip_prefix(top.path()).unwrap_or(path).to_str().unwrap().to_owned();
    let set = |set: &Set| set.files.iter().map(|file| short(&file.path)).collect::<Vec<_>>().join(" ");
    let obstacle = |obstacle: &Obstacle| {
        let why = obstacle.why.split(", which").next().unwrap();
        format!("{}: {why}{}", short(&obstacle.path), if obstacle.counts { "" } else { " (note)" })
    };
    (sets.iter().map(set).collect(), obstacles.iter().map(obstacle).collect())
}

#[test]
fn a_directory_is_walked_in_the_order_of_its_names() {
    let top = tree(&[
        "b/kern.log",
        "b/kern.log.1",
        "a.log",
        "c/d/e/syslog",
        "b-2/messages",
        "wtmp",
        "btmp.1",
        "x/.a.log.swp",
    ]);
    assert_eq!(
        found(&top, &[""]),
        (["a.log", "b/kern.log.1 b/kern.log", "b-2/messages", "c/d/e/syslog"].map(str::to_owned).to_vec(), vec![],)
    );
    assert_eq!(found(&top, &["wtmp", "x/.a.log.swp"]).0, ["wtmp", "x/.a.log.swp"], "what is named is read");
}

#[test]
fn a_file_is_read_once_by_its_own_name() {
    let top = tree(&["a/kern.log-20261122", "b/messages"]);
    symlink("kern.log-20261122", top.path().join("a/current")).unwrap();
    symlink("../b", top.path().join("a/elsewhere")).unwrap();
    symlink("nowhere", top.path().join("a/dangling")).unwrap();
    fs::hard_link(top.path().join("b/messages"), top.path().join("b/same")).unwrap();
    let all = ["a/kern.log-20261122", "b/messages"].map(str::to_owned).to_vec();
    assert_eq!(found(&top, &[""]), (all.clone(), vec![]));
    assert_eq!(found(&top, &["", "a", "b/messages", "b", ""]), (all, vec![]));
    assert_eq!(found(&top, &["a/current", "a"]).0, ["a/current"], "as the user called it");
}

#[test]
fn what_is_no_log_is_left_alone_where_it_is_found_and_refused_where_it_is_named() {
    let top = tree(&["a.log"]);
    rustix::fs::mknodat(rustix::fs::CWD, top.path().join("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(top.path().join("socket")).unwrap();
    assert_eq!(found(&top, &[""]), (vec!["a.log".to_owned()], vec![]));
    assert_eq!(found(&top, &["fifo", "fifo"]), (vec!["fifo".to_owned()], vec![]));
    assert_eq!(found(&top, &["socket"]).1, ["socket: is a device, not a log"]);
    assert_eq!(found(&top, &["none"]).1, ["none: cannot be read: no such file or directory"]);
    assert_eq!(found(&top, &["/dev/null"]).1, ["/dev/null: is a device, not a log"]);
}

#[test]
fn files_that_the_kernel_makes_up_are_never_read() {
    let top = tree(&["a.log"]);
    symlink("/proc/version", top.path().join("version.log")).unwrap();
    assert_eq!(found(&top, &[""]), (vec!["a.log".to_owned()], vec![]));
    for path in ["/proc", "/proc/version", "/sys", "/sys/kernel/uevent_seqnum"] {
        assert_eq!(found(&top, &[path]).1, [format!("{path}: is made up by the running kernel, and is no saved log")]);
    }
}

#[test]
fn an_empty_directory_is_said_to_be_empty_unless_its_files_were_named() {
    let top = tree(&["none/", "some/a.log"]);
    assert_eq!(found(&top, &["none"]).1, ["none: holds no file"]);
    assert_eq!(found(&top, &["some/a.log", "some"]), (vec!["some/a.log".to_owned()], vec![]));
}

#[test]
fn of_a_support_archive_the_logs_are_read_and_the_host_is_known() {
    let top = tree(&[
        "cases/sosreport-x/sos_commands/kernel/dmesg",
        "cases/sosreport-x/sos_commands/pci/lspci",
        "cases/sosreport-x/var/log/messages",
        "cases/sosreport-x/var/log/journal/0123/system.journal",
        "cases/sosreport-x/etc/modprobe.d/xen.conf",
        "cases/sosreport-x/version.txt",
        "cases/other.txt",
    ]);
    fs::write(top.path().join("cases/sosreport-x/etc/hostname"), "gaia.example.com\n").unwrap();
    let (sets, obstacles) = find(&[top.path().join("cases")]);
    let shown: Vec<_> = sets
        .iter()
        .map(|set| {
            (
                set.files[0].path.file_name().unwrap().to_str().unwrap(),
                set.archive.as_ref().and_then(|archive| archive.hostname.as_deref()),
            )
        })
        .collect();
    let host = Some("gaia.example.com");
    assert_eq!(shown, [("other.txt", None), ("dmesg", host), ("system.journal", host), ("messages", host)]);
    assert_eq!(obstacles, []);
}

#[test]
fn standard_input_is_read_once_and_has_neither_length_nor_time() {
    let (sets, obstacles) = find(&[PathBuf::from("-"), PathBuf::from("-")]);
    let input = FileOf { path: PathBuf::from("-"), bytes: 0, modified: None, identity: None };
    assert_eq!(sets, [Set { name: "-".to_owned(), host: None, files: vec![input], archive: None }]);
    assert_eq!(obstacles, []);
}

#[test]
fn a_directory_that_is_closed_stands_in_the_way() {
    use std::os::unix::fs::PermissionsExt as _;
    let top = tree(&["a.log", "closed/b.log"]);
    fs::set_permissions(top.path().join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(top.path().join("closed")).is_err() {
        assert_eq!(
            found(&top, &[""]),
            (vec!["a.log".to_owned()], vec!["closed: cannot be read: permission denied".to_owned()])
        );
    }
    fs::set_permissions(top.path().join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_file_tells_its_length_its_time_and_its_host() {
    let top = tree(&["gaia/kern.log"]);
    let path = top.path().join("gaia/kern.log");
    fs::File::options().write(true).open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let (sets, _) = find(std::slice::from_ref(&path));
    let about = fs::metadata(&path).unwrap();
    let identity = Some((about.dev(), about.ino()));
    let file = FileOf { path: path.clone(), bytes: 5, modified: DateTime::from_timestamp(0, 0), identity };
    assert_eq!(
        sets,
        [Set {
            name: path.to_str().unwrap().to_owned(),
            host: Some("gaia".to_owned()),
            files: vec![file],
            archive: None
        }]
    );
}
