//! What is left of a body when the answer is there: a client that sends all of it before it listens would be cut off in
//! the middle, and hear of a broken pipe instead of what is wrong.

use axum::{
    body::{Body, BodyDataStream, Bytes},
    extract::Request,
    http::{HeaderMap, Version, header},
};
use futures::{Stream, StreamExt as _};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

/// What is smaller is on its way already, and taken in by the kernel.
const LARGE: u64 = 64 * 1024;
/// How much is read on, in bytes: whoever sends more is cut off.
const MOST: usize = 64 * 1024 * 1024;
/// For how long.
const PATIENCE: Duration = Duration::from_secs(5);

/// The body of a request, for who handles it and for who reads on afterwards.
#[derive(Clone)]
pub(super) struct Rest(Arc<Mutex<Reading>>);

struct Reading {
    stream: BodyDataStream,
    /// The client waits to be told to send.
    waits: bool,
    begun: bool,
    over: bool,
}

impl Rest {
    /// Keeps a hand on the body of a request, if it is large or of a length that is not told.
    pub(super) fn of(request: &mut Request) -> Option<Self> {
        if request.version() >= Version::HTTP_2 || !is_large(request.headers()) {
            return None;
        }
        let waits = request.headers().contains_key(header::EXPECT);
        let stream = std::mem::take(request.body_mut()).into_data_stream();
        let rest = Self(Arc::new(Mutex::new(Reading {
            stream,
            waits,
            begun: false,
            over: false,
        })));
        *request.body_mut() = Body::from_stream(rest.clone());
        Some(rest)
    }

    /// Reads what is left, within bounds. A client that waits to be told to send (`Expect: 100-continue`) and was not
    /// told is not told now.
    pub(super) async fn read_on(mut self) {
        let unasked = {
            let reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            reading.waits && !reading.begun
        };
        if unasked {
            return;
        }
        let all = async {
            let mut read = 0;
            while let Some(Ok(chunk)) = self.next().await {
                read += chunk.len();
                if read > MOST {
                    return;
                }
            }
        };
        // Out of patience it is cut off, as it would have been at once.
        let _ = tokio::time::timeout(PATIENCE, all).await;
    }
}

impl Stream for Rest {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reading.begun = true;
        if reading.over {
            return Poll::Ready(None);
        }
        let polled = reading.stream.poll_next_unpin(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            reading.over = true;
        }
        polled
    }
}

fn is_large(headers: &HeaderMap) -> bool {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) => length > LARGE,
        None => headers.contains_key(header::TRANSFER_ENCODING),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A request with so many pieces of a kilobyte, and how many of them were taken.
    fn sent(pieces: usize, more: &[(header::HeaderName, &str)]) -> (Request, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let body = stream::iter(0..pieces).map(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(Bytes::from(vec![0; 1024]))
        });
        let mut request = Request::new(Body::from_stream(body));
        for (name, value) in more {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        (request, taken)
    }

    #[tokio::test]
    async fn what_nobody_read_of_a_large_body_is_read_on_within_bounds() {
        let length = (header::CONTENT_LENGTH, "1024000");
        let (mut request, taken) = sent(1_000, &[length]);
        let rest = Rest::of(&mut request).unwrap();
        let mut body = request.into_body().into_data_stream();
        body.next().await.unwrap().unwrap();
        drop(body);
        rest.read_on().await;
        assert_eq!(taken.load(Ordering::SeqCst), 1_000);
        let (mut request, taken) = sent(100_000, &[(header::TRANSFER_ENCODING, "chunked")]);
        let rest = Rest::of(&mut request).unwrap();
        drop(request);
        rest.read_on().await;
        assert_eq!(taken.load(Ordering::SeqCst), MOST / 1024 + 1);
    }

    #[tokio::test]
    async fn whoever_waits_to_be_told_to_send_is_not_told_when_the_answer_is_there() {
        let (mut request, taken) = sent(
            1_000,
            &[
                (header::CONTENT_LENGTH, "1024000"),
                (header::EXPECT, "100-continue"),
            ],
        );
        let rest = Rest::of(&mut request).unwrap();
        drop(request);
        rest.read_on().await;
        assert_eq!(taken.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_small_body_is_left_alone() {
        assert!(Rest::of(&mut sent(1, &[(header::CONTENT_LENGTH, "1024")]).0).is_none());
        assert!(Rest::of(&mut sent(0, &[]).0).is_none());
    }
}
