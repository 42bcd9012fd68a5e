//! A connection to the server as the rest of this room uses one: a call returns when the answer is there.
//!
//! The client is asynchronous. Each thread of the store that talks to a server has a runtime of its own, in which the connections that it
//! opened live; so a call costs a write and a read of the socket on the thread that asked, and no hop to another.

use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::{AsyncConnectionWrapper, BlockOn};
use std::cell::OnceCell;
use std::future::Future;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// A connection to a PostgreSQL server.
pub type PgLink = AsyncConnectionWrapper<AsyncPgConnection, Here>;

/// The runtime of the thread that opened a connection. It goes with the connection to another thread.
#[derive(Debug, Clone)]
pub struct Here(Arc<Runtime>);

thread_local! {
    static HERE: OnceCell<Here> = const { OnceCell::new() };
}

impl Here {
    /// The runtime of this thread.
    ///
    /// # Errors
    /// When the system has no more of what a runtime needs.
    pub(super) fn new() -> std::io::Result<Self> {
        HERE.with(|here| {
            if let Some(here) = here.get() {
                return Ok(here.clone());
            }
            let made = Self(Arc::new(Builder::new_current_thread().enable_all().build()?));
            Ok(here.get_or_init(|| made).clone())
        })
    }
}

impl BlockOn for Here {
    fn block_on<F: Future>(&self, work: F) -> F::Output {
        self.0.block_on(work)
    }

    #[expect(clippy::expect_used, reason = "a connection is opened in the runtime of its thread, which is kept from then on")]
    fn get_runtime() -> Self {
        Self::new().expect("the runtime of this thread")
    }
}
