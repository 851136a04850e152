//! Signals, caught before anybody is told that the gateway runs: what comes before its services are up is not lost, and does not
//! end the process on the spot.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;

/// What tells the gateway to stop: SIGTERM and SIGINT.
pub(super) struct Stops(Mutex<[Signal; 2]>);

impl Stops {
    /// Catches them from here on, and SIGHUP, which then ends nothing before the service is up that reloads: the handlers that tokio
    /// installs stay. What comes before a runtime waits for it is told when one does.
    ///
    /// # Errors
    /// If the operating system does not allow it.
    pub(super) fn catch() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let _within = runtime.enter();
        drop(signal(SignalKind::hangup())?);
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self(Mutex::new([terminate, interrupt])))
    }

    /// Waits for the next one.
    pub(super) async fn next(&self) {
        let mut signals = self.0.lock().await;
        let [terminate, interrupt] = &mut *signals;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
