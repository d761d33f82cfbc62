//! Where output goes: standard output, or in tests a text that can be read.

use super::exit::Failure;
use std::io;

/// The end of the pipe.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sink {
    #[cfg(test)]
    kept: std::sync::Arc<std::sync::Mutex<String>>,
}

impl Sink {
    /// Writes all of it, now.
    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "in tests it is where the text is kept")]
    pub(crate) fn write(&self, text: &str) -> Result<(), Failure> {
        use io::Write as _;
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|error| unwritable(&error))
    }

    /// Keeps it.
    #[cfg(test)]
    pub(crate) fn write(&self, text: &str) -> Result<(), Failure> {
        self.kept
            .lock()
            .map_err(|_| unwritable(&io::ErrorKind::Other.into()))?
            .push_str(text);
        Ok(())
    }

    /// What was written.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> String {
        self.kept.lock().unwrap().clone()
    }
}

/// Writes beside the output. Nobody can be told when that fails.
pub(crate) fn beside(text: &str) {
    use io::Write as _;
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn unwritable(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::PipeClosed,
        _ => Failure::unavailable(format!("the output cannot be written: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::exit::Exit;

    #[test]
    fn a_reader_that_has_enough_is_no_failure() {
        assert_eq!(unwritable(&io::ErrorKind::BrokenPipe.into()).exit(), Exit::Done);
        assert_eq!(
            unwritable(&io::ErrorKind::StorageFull.into()).exit(),
            Exit::Unavailable
        );
    }
}
