//! The other side of the status: an axum handler that does nothing else, in a process of its own as the server is.

use anyhow::Result;
use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use slipway_api_types::status::Status;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

/// Its entity tag.
pub(crate) const TAG: &str = "\"0123456789abcdef01234567\"";

/// Serves the document in a file as JSON until it is killed; 304 to whoever has it.
///
/// # Errors
/// When the file is no status, or the port is taken.
pub(crate) async fn serve(file: &Path, port: u16) -> Result<()> {
    let status: Status = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let status = Arc::new(status);
    let show = move |headers: HeaderMap| {
        let status = Arc::clone(&status);
        async move { answer(&headers, &status) }
    };
    let router = Router::new().route("/v1/status", get(show));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, router).await?;
    Ok(())
}

fn answer(headers: &HeaderMap, status: &Status) -> Response {
    if headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag == TAG) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, TAG)]).into_response();
    }
    ([(header::ETAG, TAG)], Json(status)).into_response()
}

/// The process.
pub(crate) struct Bare {
    child: Child,
    /// Where it listens.
    pub(crate) address: String,
}

impl Bare {
    /// Starts it over this document, and waits for it.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) async fn start(document: &str, dir: &Path) -> Result<Self> {
        let file = dir.join("status.json");
        std::fs::write(&file, document)?;
        let port = slipway_testkit::live::free_port();
        let child = Command::new(std::env::current_exe()?)
            .args(["bare", "--port", &port.to_string(), "--file"])
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()?;
        let bare = Self {
            child,
            address: format!("127.0.0.1:{port}"),
        };
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(&bare.address).await.is_err() {
            anyhow::ensure!(
                begun.elapsed() < Duration::from_secs(10),
                "the bare server does not start"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(bare)
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
