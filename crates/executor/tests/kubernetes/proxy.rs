//! A proxy in front of a real API server that loses answers: the API server has acted, and nobody is told.

use http::Request;
use kube::client::Body;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// What becomes of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives.
    Arrives,
    /// The connection breaks instead.
    Lost,
    /// 500 arrives instead.
    Replaced,
}

/// Says what becomes of the answer to the n-th request (from 1) of a method to a path.
pub(crate) type Rule = fn(method: &str, path: &str, n: usize) -> Fate;

pub(crate) struct Proxy {
    pub(crate) url: String,
    /// How often each method and path (without query) came through.
    pub(crate) seen: Arc<Mutex<HashMap<String, usize>>>,
}

impl Proxy {
    pub(crate) async fn start(upstream: kube::Client, rule: Rule) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let seen = Arc::new(Mutex::new(HashMap::new()));
        let counted = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, upstream.clone(), Arc::clone(&counted), rule));
            }
        });
        Self { url, seen }
    }

    pub(crate) fn count(&self, method: &str, path: &str) -> usize {
        self.seen
            .lock()
            .unwrap()
            .get(&format!("{method} {path}"))
            .copied()
            .unwrap_or_default()
    }
}

async fn serve(
    stream: TcpStream,
    upstream: kube::Client,
    seen: Arc<Mutex<HashMap<String, usize>>>,
    rule: Rule,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            head.push(line.trim_end().to_owned());
        }
        let header = |name: &str| {
            let all = head.iter().filter_map(|line| line.split_once(": "));
            all.filter(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.to_owned())
                .next()
        };
        let mut body = vec![0; header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0)];
        stream.read_exact(&mut body).await.ok()?;
        let mut words = head[0].split(' ').map(str::to_owned);
        let (method, target) = (words.next()?, words.next()?);
        let path = target.split('?').next()?.to_owned();
        let watch = target.contains("watch=true");
        let n = {
            let mut seen = seen.lock().unwrap();
            let n = seen.entry(format!("{method} {path}")).or_default();
            *n += 1;
            *n
        };
        let (mut code, mut answer) = (503, b"no watches here".to_vec());
        if !watch {
            let request = Request::builder()
                .method(method.as_str())
                .uri(&target)
                .header("content-type", header("content-type").unwrap_or_default())
                .body(Body::from(body))
                .ok()?;
            let response = upstream.send(request).await.ok()?;
            code = response.status().as_u16();
            answer = response.into_body().collect_bytes().await.ok()?.to_vec();
        }
        match rule(&method, &path, n) {
            Fate::Arrives => {}
            Fate::Lost => return None,
            Fate::Replaced => (code, answer) = (500, b"{\"message\": \"something broke\"}".to_vec()),
        }
        let head = format!("HTTP/1.1 {code} x\r\nContent-Length: {}\r\n\r\n", answer.len());
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(&answer).await.ok()?;
    }
}
