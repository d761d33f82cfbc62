//! A small generator of load: connections that are kept, each with one request under way at a time.
//!
//! It writes the same bytes again and again and reads answers without making anything of them but their status and length,
//! so that on a machine it shares with the server it takes as little of it as can be.

use anyhow::{Context as _, Result, bail, ensure};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// What is asked, of whom, by how many.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// `127.0.0.1:8080`.
    pub(crate) address: String,
    /// Path to `GET`.
    pub(crate) path: String,
    /// Further header lines.
    pub(crate) headers: Vec<(String, String)>,
    /// Connections.
    pub(crate) connections: usize,
    /// The status that every answer must have.
    pub(crate) status: u16,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answered {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Bytes of one answer's body.
    pub(crate) body_bytes: usize,
    /// How long each answer took, in milliseconds.
    pub(crate) latencies: Vec<f64>,
}

impl Load {
    /// Asks for this long.
    ///
    /// # Errors
    /// When an answer has another status, or a connection breaks.
    pub(crate) async fn run(&self, duration: Duration) -> Result<Answered> {
        let mut request = format!("GET {} HTTP/1.1\r\nhost: {}\r\n", self.path, self.address);
        for (name, value) in &self.headers {
            for part in [name.as_str(), ": ", value.as_str(), "\r\n"] {
                request.push_str(part);
            }
        }
        request.push_str("\r\n");
        let mut streams = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            let stream = TcpStream::connect(&self.address).await;
            let stream = stream.with_context(|| format!("cannot connect to {}", self.address))?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for stream in streams {
            let (request, status) = (request.clone().into_bytes(), self.status);
            tasks.spawn(async move { ask(stream, &request, status, begun + duration).await });
        }
        let mut all = Answered::default();
        while let Some(one) = tasks.join_next().await {
            let (latencies, body_bytes) = one??;
            all.latencies.extend(latencies);
            all.body_bytes = body_bytes;
        }
        ensure!(!all.latencies.is_empty(), "nothing was answered");
        all.rate = crate::stats::count(all.latencies.len()) / begun.elapsed().as_secs_f64();
        Ok(all)
    }
}

async fn ask(
    mut stream: TcpStream,
    request: &[u8],
    status: u16,
    until: Instant,
) -> Result<(Vec<f64>, usize)> {
    let mut latencies = Vec::with_capacity(1 << 14);
    let mut buffer = vec![0; 64 * 1024];
    let mut body = 0;
    let mut asked = Instant::now();
    while asked < until {
        stream.write_all(request).await?;
        body = answer(&mut stream, &mut buffer, status).await?;
        let now = Instant::now();
        latencies.push(now.duration_since(asked).as_secs_f64() * 1000.0);
        asked = now;
    }
    Ok((latencies, body))
}

/// Reads one answer; the length of its body.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8], status: u16) -> Result<usize> {
    let mut filled = 0;
    loop {
        ensure!(filled < buffer.len(), "an answer's head is too long");
        let read = stream.read(&mut buffer[filled..]).await?;
        ensure!(read > 0, "the server closed the connection");
        let searched = filled.saturating_sub(3);
        filled += read;
        let Some(end) = find_end(&buffer[searched..filled]) else {
            continue;
        };
        let head = &buffer[..searched + end];
        let came = std::str::from_utf8(head.get(9..12).unwrap_or_default()).unwrap_or_default();
        if came.parse() != Ok(status) {
            bail!(
                "an answer is {came}, not {status}: {}",
                String::from_utf8_lossy(&buffer[..filled])
            );
        }
        let body = content_length(head);
        let mut left = (head.len() + body).saturating_sub(filled);
        while left > 0 {
            let room = left.min(buffer.len());
            let read = stream.read(&mut buffer[..room]).await?;
            ensure!(read > 0, "the server closed the connection");
            left -= read;
        }
        return Ok(body);
    }
}

/// Where the head ends, its empty line included.
fn find_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

fn content_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length:";
    head.split(|byte| *byte == b'\n')
        .find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME))
        .and_then(|line| std::str::from_utf8(&line[NAME.len()..]).ok())
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn the_length_of_a_body_is_read_whatever_its_case() {
        assert_eq!(
            content_length(b"HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n"),
            42
        );
        assert_eq!(
            content_length(b"HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n"),
            0
        );
        assert_eq!(find_end(b"a\r\n\r\nbody"), Some(5));
        assert_eq!(find_end(b"a\r\n"), None);
    }

    #[tokio::test]
    async fn an_answer_that_comes_in_pieces_is_one_and_another_status_is_a_failure() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                        for piece in ["HTTP/1.1 200 OK\r\ncontent-le", "ngth: 6\r\n\r", "\nabc", "def"] {
                            stream.write_all(piece.as_bytes()).await.unwrap();
                            tokio::task::yield_now().await;
                        }
                    }
                });
            }
        });
        let mut load = Load {
            address,
            path: "/".to_owned(),
            headers: Vec::new(),
            connections: 2,
            status: 200,
        };
        let answered = load.run(Duration::from_millis(50)).await.unwrap();
        assert_eq!(answered.body_bytes, 6);
        assert!(answered.rate > 0.0);
        load.status = 304;
        assert!(load.run(Duration::from_millis(50)).await.is_err());
    }
}
