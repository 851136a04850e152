//! A thread with a runtime of its own, for connections that outlive whoever asks them.
//!
//! The gateway's runtimes come and go with its services, and commands have none. What is started here runs until the
//! [`Background`] is dropped.

use std::io;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The thread; it ends with this value.
#[derive(Debug)]
pub(super) struct Background {
    /// Starts tasks on it, from anywhere.
    pub(super) handle: Handle,
    _until_dropped: oneshot::Sender<()>,
}

impl Background {
    /// Starts the thread.
    pub(super) fn start(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (until_dropped, dropped) = oneshot::channel();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || drop(runtime.block_on(dropped)))?;
        Ok(Self {
            handle,
            _until_dropped: until_dropped,
        })
    }
}
