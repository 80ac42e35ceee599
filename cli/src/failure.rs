//! How a command ends when it does not succeed.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// Why a command failed.
pub(crate) enum Failure {
    /// It was asked in a way that cannot be answered: exit code 2.
    Usage(String),
    /// It was refused or went wrong: exit code 1.
    Refused(String),
    /// Nobody reads standard output any more.
    Hangup,
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::Refused(message.into())
    }
    /// A failure of the output file.
    pub(crate) fn output(path: &std::path::Path, error: &dyn fmt::Display) -> Self {
        Self::Refused(format!("{}: {error}", path.display()))
    }
    /// Says it in one line on standard error.
    pub(crate) fn report(&self) -> ExitCode {
        let (message, code) = match self {
            Self::Usage(message) => (message, 2),
            Self::Refused(message) => (message, 1),
            Self::Hangup => return ExitCode::SUCCESS,
        };
        crate::say(&format!("error: {}", one_line(message)));
        ExitCode::from(code)
    }
}

impl From<swath::Error> for Failure {
    fn from(error: swath::Error) -> Self {
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            let text = cause.to_string();
            // Many causes repeat what the outer error said.
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            source = cause.source();
        }
        Self::Refused(message)
    }
}

/// Errors of standard output; files name themselves through [`Failure::output`].
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Hangup } else { Self::Refused(format!("standard output: {error}")) }
    }
}

/// The text without line breaks and other control characters (names inside of files may hold any).
fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line() {
        assert_eq!(one_line("a\n  b\r\n\tc \u{1b}[31m"), "a b c [31m");
        let error = swath::Error::storage("no answer").caused_by(io::Error::other("first\nsecond"));
        match Failure::from(error) {
            Failure::Refused(message) => assert_eq!(one_line(&message), "no answer: first second"),
            _ => panic!("another kind"),
        }
    }
}
