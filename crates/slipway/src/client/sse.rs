//! Server-sent events: the format, and a subscription that reconnects where it was cut off.

use super::{
    exit::{Exit, Failure},
    http::{Api, Query},
};
use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures::StreamExt as _;
use slipway_api_types::event::Event;
use std::time::Duration;
use tokio::{sync::mpsc, task::JoinHandle};

/// A stream that is silent for longer is taken for dead: the server sends comments to keep it alive.
const SILENCE: Duration = Duration::from_mins(1);

/// One message of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The last id seen so far, of this or an earlier message.
    pub(crate) id: Option<String>,
    /// What kind; `message` when it says none.
    pub(crate) event: String,
    /// Its data lines, joined.
    pub(crate) data: String,
}

/// Reads messages from bytes as they come, wherever they are cut.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    after_cr: bool,
    begun: bool,
    id: Option<String>,
    event: String,
    data: Option<String>,
}

impl Parser {
    /// The messages that are complete with these bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        for &byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => messages.extend(self.end_of_line()),
                _ => self.line.push(byte),
            }
        }
        messages
    }

    fn end_of_line(&mut self) -> Option<Message> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let mut line = line.as_ref();
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let data = self.data.take()?;
            let event = if event.is_empty() {
                "message".to_owned()
            } else {
                event
            };
            return Some(Message {
                id: self.id.clone(),
                event,
                data,
            });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                none => *none = Some(value.to_owned()),
            },
            "event" => value.clone_into(&mut self.event),
            "id" if !value.contains('\0') => self.id = (!value.is_empty()).then(|| value.to_owned()),
            // A comment (no field name), `retry` (the back-off here is our own), or what is not known.
            _ => {}
        }
        None
    }
}

/// What a subscription tells.
#[derive(Debug)]
pub(crate) enum Signal {
    /// The stream is open: from here on nothing is missed.
    Open,
    /// Something happened.
    Event(Box<Event>),
    /// The stream broke; it is being opened again.
    Lost(String),
    /// It cannot be had, and trying again will not help.
    Ended(Failure),
}

/// A stream of events that is opened again whenever it breaks, from where it was.
#[derive(Debug)]
pub(crate) struct Subscription {
    signals: mpsc::Receiver<Signal>,
    task: JoinHandle<()>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Subscription {
    /// Subscribes to what `query` filters, after the event with that number.
    pub(crate) fn new(api: Api, query: Query, after: Option<i64>) -> Self {
        let (sender, signals) = mpsc::channel(256);
        let task = tokio::spawn(listen(api, query, after.map(|seq| seq.to_string()), sender));
        Self { signals, task }
    }

    /// The next signal; none after [`Signal::Ended`].
    pub(crate) async fn next(&mut self) -> Option<Signal> {
        self.signals.recv().await
    }

    /// The next signal if it is there already.
    pub(crate) fn ready(&mut self) -> Option<Signal> {
        self.signals.try_recv().ok()
    }
}

async fn listen(api: Api, query: Query, mut after: Option<String>, sender: mpsc::Sender<Signal>) {
    let backoff = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(15))
        .without_max_times()
        .with_jitter();
    let mut waits = backoff.build();
    loop {
        let mut asked = None;
        let lost = match api.events(&query, after.as_deref()).await {
            Ok(response) => {
                if sender.send(Signal::Open).await.is_err() {
                    return;
                }
                waits = backoff.build();
                match read(response, &mut after, &sender).await {
                    Some(lost) => lost,
                    None => return,
                }
            }
            Err(failure) if failure.exit() == Exit::Unavailable => {
                if let Failure::Refused(refusal) = &failure {
                    asked = refusal.retry_after;
                }
                failure.to_string()
            }
            Err(failure) => {
                let _ = sender.send(Signal::Ended(failure)).await;
                return;
            }
        };
        if sender.send(Signal::Lost(lost)).await.is_err() {
            return;
        }
        tokio::time::sleep(asked.or_else(|| waits.next()).unwrap_or(Duration::from_secs(15))).await;
    }
}

/// Reads one stream to its end; why it ended, or none when nobody listens any more.
async fn read(
    response: reqwest::Response,
    after: &mut Option<String>,
    sender: &mpsc::Sender<Signal>,
) -> Option<String> {
    let mut chunks = response.bytes_stream();
    let mut parser = Parser::default();
    loop {
        let chunk = match tokio::time::timeout(SILENCE, chunks.next()).await {
            Err(_) => return Some("the stream of events went silent".into()),
            Ok(None) => return Some("the server ended the stream of events".into()),
            Ok(Some(Err(error))) => return Some(super::exit::chain(&error)),
            Ok(Some(Ok(chunk))) => chunk,
        };
        for message in parser.feed(&chunk) {
            if message.id.is_some() {
                *after = message.id;
            }
            // Kinds of message that this version does not know are not events, and no reason to stop.
            if let Ok(event) = serde_json::from_str(&message.data) {
                sender.send(Signal::Event(event)).await.ok()?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: Option<&str>, event: &str, data: &str) -> Message {
        Message {
            id: id.map(str::to_owned),
            event: event.into(),
            data: data.into(),
        }
    }

    const STREAM: &str = "\u{feff}: hello\n\nid: 7\nevent: deployment.running\ndata: {\"a\":\ndata: \"ü\"}\n\n\
        retry: 5\ndata:x\r\n\r\nid:9\rdata\r\r:ping\n\nevent: left.over\n\ndata: y\n\ndata: unfinished\n";

    fn expected() -> Vec<Message> {
        vec![
            message(Some("7"), "deployment.running", "{\"a\":\n\"ü\"}"),
            message(Some("7"), "message", "x"),
            message(Some("9"), "message", ""),
            message(Some("9"), "message", "y"),
        ]
    }

    #[test]
    fn comments_many_lines_and_every_kind_of_line_end_are_read() {
        assert_eq!(Parser::default().feed(STREAM.as_bytes()), expected());
    }

    #[test]
    fn it_does_not_matter_where_a_stream_is_cut() {
        for at in 0..STREAM.len() {
            let mut parser = Parser::default();
            let mut messages = parser.feed(&STREAM.as_bytes()[..at]);
            messages.extend(parser.feed(&STREAM.as_bytes()[at..]));
            assert_eq!(messages, expected(), "cut at {at}");
        }
        let mut parser = Parser::default();
        let messages: Vec<_> = STREAM.bytes().flat_map(|byte| parser.feed(&[byte])).collect();
        assert_eq!(messages, expected());
    }
}
