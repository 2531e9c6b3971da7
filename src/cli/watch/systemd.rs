//! What systemd is told, where it asks (`sd_notify(3)`): that the watch is ready, how things stand, that it is alive.

use std::time::Duration;

use pciback_audit::report::{Report, verdict};
use sd_notify::NotifyState;

/// The service manager, if there is one: all of this does nothing without `NOTIFY_SOCKET`.
#[derive(Default)]
pub(super) struct Systemd {
    /// When it was told last that we are alive, and how often it wants to hear that.
    watchdog: Option<(Duration, Duration)>,
}

impl Systemd {
    /// The backlog is read, or the configuration is again.
    pub(super) fn ready(&mut self, report: &Report) {
        // Half of the time that systemd waits, as sd_watchdog_enabled(3) advises.
        self.watchdog = sd_notify::watchdog_enabled().map(|limit| (Duration::ZERO, limit / 2));
        send(&[NotifyState::Ready]);
        self.status(report);
    }

    /// How things stand, in one line.
    #[expect(clippy::unused_self, reason = "reads as what the service manager is told")]
    pub(super) fn status(&self, report: &Report) {
        send(&[NotifyState::Status(&verdict(report).message)]);
    }

    /// When it must hear again that we are alive.
    pub(super) fn due(&self) -> Option<Duration> {
        self.watchdog.map(|(last, period)| last + period)
    }

    /// We are alive.
    pub(super) fn alive(&mut self, now: Duration) {
        if let Some((last, period)) = &mut self.watchdog
            && now >= *last + *period
        {
            *last = now;
            send(&[NotifyState::Watchdog]);
        }
    }

    /// Everything is read again.
    #[expect(clippy::unused_self, reason = "reads as what the service manager is told")]
    pub(super) fn reloading(&self) {
        // `Type=notify-reload` wants to know when it began.
        let since = NotifyState::monotonic_usec_now().ok();
        let state: Vec<NotifyState<'_>> = [NotifyState::Reloading].into_iter().chain(since).collect();
        send(&state);
    }

    /// The watch is about to end.
    #[expect(clippy::unused_self, reason = "reads as what the service manager is told")]
    pub(super) fn stopping(&self) {
        send(&[NotifyState::Stopping]);
    }
}

fn send(state: &[NotifyState<'_>]) {
    // A manager that does not listen any more changes nothing for us.
    sd_notify::notify(state).unwrap_or_default();
}
