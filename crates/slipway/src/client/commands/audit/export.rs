//! The record as a file, as it comes.

use crate::client::{Context, exit::Failure, files, http::Query};
use clap::Args;
use futures::StreamExt as _;
use slipway_domain::counted;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Where to; standard output by default
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// An export that comes in pieces, which are cut anywhere, also within a character: what is passed on is lines.
#[derive(Debug, Default)]
struct Lines {
    /// How many there were.
    count: usize,
    /// The line of which the end has not come yet.
    begun: Vec<u8>,
    /// Whether the last line was the last of an export.
    has_ended: bool,
}

impl Lines {
    fn take(
        &mut self,
        piece: &[u8],
        mut pass_on: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            if !self.begun.ends_with(b"\n") {
                continue;
            }
            pass_on(&self.begun)?;
            self.has_ended = self.begun.starts_with(b"{\"checkpoint\"");
            self.count += 1;
            self.begun.clear();
        }
        Ok(())
    }

    /// How many entries it was, when all of it has come.
    fn finish(self) -> Result<usize, Failure> {
        if self.has_ended && self.begun.is_empty() {
            return Ok(self.count.saturating_sub(2));
        }
        Err(Failure::unavailable(
            "the export was cut off: it does not end with the checkpoint; ask again",
        ))
    }
}

impl Export {
    pub(super) async fn run(self, cx: &Context) -> Result<(), Failure> {
        let response = cx.api.stream(&["v1", "audit", "export"], &Query::new()).await?;
        let mut to = self.file.as_deref().map(files::create).transpose()?;
        let mut lines = Lines::default();
        let mut pieces = response.bytes_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| {
                Failure::unavailable(format!(
                    "the export was cut off: {}",
                    crate::client::exit::chain(&error)
                ))
            })?;
            lines.take(&piece, |line| match &mut to {
                Some(to) => to.write(line),
                None => cx.out.print(&String::from_utf8_lossy(line)),
            })?;
        }
        let entries = lines.finish()?;
        cx.out.note(&format!(
            "{} and the signed checkpoint",
            counted(entries, "entry", "entries")
        ));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORT: &str =
        "{\"slipway_audit_export\":1}\n{\"actor\":\"Žofie 😀\"}\n{\"actor\":\"ö\"}\n{\"checkpoint\":\"—\"}\n";

    /// What arrives of pieces, as it is printed; and what is said at the end.
    fn printed<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> (String, Result<usize, Failure>) {
        let (mut lines, mut printed) = (Lines::default(), String::new());
        for piece in pieces {
            lines
                .take(piece, |line| {
                    printed += &String::from_utf8_lossy(line);
                    Ok(())
                })
                .unwrap();
        }
        (printed, lines.finish())
    }

    #[test]
    fn pieces_that_are_cut_anywhere_arrive_byte_for_byte() {
        let bytes = EXPORT.as_bytes();
        for size in 1..=bytes.len() {
            let (text, entries) = printed(bytes.chunks(size));
            assert_eq!(
                (text.as_str(), entries.unwrap()),
                (EXPORT, 2),
                "pieces of {size} bytes"
            );
        }
        for cut in 0..bytes.len() {
            let (before, after) = bytes.split_at(cut);
            assert_eq!(printed([before, after]).0, EXPORT, "cut after {cut} bytes");
        }
    }

    #[test]
    fn what_does_not_end_with_the_checkpoint_was_cut_off() {
        for cut in 0..EXPORT.len() {
            let (_, entries) = printed([&EXPORT.as_bytes()[..cut]]);
            assert!(
                entries.unwrap_err().to_string().contains("cut off"),
                "after {cut} bytes"
            );
        }
    }
}
