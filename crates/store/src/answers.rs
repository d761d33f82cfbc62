//! Whether the database answers at all. A network that swallows everything shows in no error: a query waits for as long as
//! the kernel does, which is a quarter of an hour. So somebody asks every second, and when nothing comes back, neither on a
//! connection that is open nor on a new one, everybody hears of it and stops waiting.

use crate::Error;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use std::{
    future::poll_fn,
    io,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::Poll,
    time::{Duration, Instant},
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// Time between two questions.
const EVERY: Duration = Duration::from_secs(1);
/// How long an open connection may take to answer the smallest question.
const PATIENCE: Duration = Duration::from_secs(5);
/// After so long without any answer, on the open connection and a new one after it, the database counts as silent.
const SILENCE: Duration = Duration::from_secs(8);
/// How long a new connection may take while it does: one that was begun in the silence may never open.
const AGAIN: Duration = Duration::from_secs(3);

/// Whether the database answers; cheap to clone. It does, as far as is known, until somebody watches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers {
    silent: Arc<Silent>,
}

#[derive(Debug, Default)]
struct Silent {
    now: watch::Sender<bool>,
    /// When silence was noticed last.
    noticed: Mutex<Option<Instant>>,
}

impl Answers {
    /// Watches until the last clone is dropped. Silence is noticed within nine seconds, its end within four.
    pub(crate) fn watch(&self, options: PgConnectOptions) {
        tokio::spawn(watch(Arc::downgrade(&self.silent), options));
    }

    /// Runs work for as long as the database answers; work that waits for it is dropped when it does not.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it does not answer.
    pub(crate) fn during<T>(&self, work: impl Future<Output = T>) -> impl Future<Output = Result<T, Error>> {
        // What runs under this is a whole request or more: on the heap, so that futures which hold it stay small.
        let mut work = Box::pin(work);
        let silent = Arc::clone(&self.silent);
        async move {
            if *silent.now.borrow() {
                return Err(no_answer());
            }
            // Most requests are answered from memory: they need nobody to tell them of silence.
            if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
                return Ok(done);
            }
            let mut news = silent.now.subscribe();
            tokio::select! {
                biased;
                _ = news.wait_for(|silent| *silent) => Err(no_answer()),
                done = work => Ok(done),
            }
        }
    }
}

impl Answers {
    /// Whether a connection of this age was open when the database fell silent: a firewall may have forgotten it, and
    /// whoever gets it would wait in vain.
    pub(crate) fn may_be_dead(&self, age: Duration) -> bool {
        let noticed = self.silent.noticed.lock().unwrap_or_else(PoisonError::into_inner);
        noticed.is_some_and(|at| age >= at.elapsed())
    }
}

fn no_answer() -> Error {
    let error = io::Error::new(io::ErrorKind::TimedOut, "the database does not answer");
    Error::Unavailable(sqlx::Error::Io(error))
}

async fn watch(whom: Weak<Silent>, options: PgConnectOptions) {
    // Whoever begins has just connected: the first one may take its time.
    let mut connection = PgConnection::connect_with(&options).await.ok();
    loop {
        let Some(was) = whom.upgrade().map(|whom| *whom.now.borrow()) else {
            return;
        };
        let silent = !answers(&mut connection, &options, was).await;
        let Some(whom) = whom.upgrade() else { return };
        if silent {
            *whom.noticed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        if whom
            .now
            .send_if_modified(|was| std::mem::replace(was, silent) != silent)
        {
            if silent {
                tracing::error!("the database does not answer: what waits for it is given up");
            } else {
                tracing::info!("the database answers again");
            }
        }
        drop(whom);
        sleep(EVERY).await;
    }
}

/// Whether anything comes back: a refusal is an answer too, and whoever meets it hears of it at once.
async fn answers(
    connection: &mut Option<PgConnection>,
    options: &PgConnectOptions,
    was_silent: bool,
) -> bool {
    let begun = Instant::now();
    if let Some(mut open) = connection.take()
        && matches!(timeout(PATIENCE, open.ping()).await, Ok(Ok(())))
    {
        *connection = Some(open);
        return true;
    }
    let patience = if was_silent {
        AGAIN
    } else {
        SILENCE.saturating_sub(begun.elapsed())
    };
    match timeout(patience, PgConnection::connect_with(options)).await {
        Ok(Ok(new)) => {
            *connection = Some(new);
            true
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "the database refuses a connection");
            true
        }
        Err(_) => false,
    }
}
