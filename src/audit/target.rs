//! Where the lines go.

use std::{fmt, path::PathBuf, str::FromStr};

/// Where the audit is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// This process' standard output, where nothing else is written while it serves.
    Stdout,
    /// A regular file, appended to.
    File(PathBuf),
}

/// Why a text says no place for the audit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("must be stdout, or a file's path with a / in it, such as /var/log/ghbroker/audit.jsonl")]
pub struct InvalidTarget;

impl FromStr for Target {
    type Err = InvalidTarget;

    /// `stdout`, or a path. A path needs a slash, so that `off`, `none` or `Stdout` is a mistake and not a file's name.
    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        match text {
            "stdout" => Ok(Self::Stdout),
            path if path.contains('/') && !path.contains('\0') => Ok(Self::File(path.into())),
            _ => Err(InvalidTarget),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_stdout_or_a_path_and_never_a_word_that_means_off() {
        assert_eq!("stdout".parse(), Ok(Target::Stdout));
        for path in ["/var/log/audit.jsonl", "./audit.jsonl", "logs/stdout"] {
            let target: Target = path.parse().unwrap();
            assert_eq!(target, Target::File(path.into()));
            assert_eq!(target.to_string(), path);
        }
        for bad in ["", "off", "none", "Stdout", "stderr", "-", "audit.jsonl", "/a\0b"] {
            assert_eq!(bad.parse::<Target>(), Err(InvalidTarget), "{bad:?}");
        }
    }
}
