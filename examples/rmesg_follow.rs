//! rmesg's own iterator over the kernel's records, printed a line each: what `follow` is held against by `benches/live/run`.
//! `rmesg_follow kmsg` reads `/dev/kmsg`, `rmesg_follow klogctl` asks syslog(2) every ten seconds.

use std::io::Write as _;

use rmesg::Backend;

fn main() -> Result<(), String> {
    let backend = match std::env::args().nth(1).as_deref() {
        Some("kmsg") => Backend::DevKMsg,
        Some("klogctl") => Backend::KLogCtl,
        _ => return Err("usage: rmesg_follow kmsg|klogctl".to_owned()),
    };
    let mut stdout = std::io::stdout().lock();
    // It hands out an error for every loss, and goes on.
    for entry in rmesg::logs_iter(backend, false, false).map_err(|error| error.to_string())?.flatten() {
        writeln!(stdout, "{}", entry.message).map_err(|error| error.to_string())?;
    }
    Ok(())
}
