//! What git asks a credential helper, as gitcredentials(7) and git-credential(1) have it.

use std::io::{BufRead, BufReader, Read};

use url::Url;
use zeroize::Zeroizing;

use super::{Error, channel::is_origin};
use crate::domain::{RepoName, Token, is_private};

/// Git sends a few short lines; what is far from that is not git.
const MAX_BYTES: u64 = 64 * 1024;
const MAX_LINES: usize = 64;

/// The user name that goes with every token.
pub(super) const USERNAME: &str = "x-access-token";

/// The attributes of a credential that matter here. Debug shows nothing of the password.
#[derive(Default, Debug)]
pub(super) struct Description {
    protocol: String,
    host: String,
    path: Option<String>,
    username: Option<String>,
    pub password: Option<Token>,
}

impl Description {
    /// Reads `key=value` lines up to an empty line or the end. Of a repeated key the last one counts, and others than those
    /// above are ignored, as git has it.
    pub fn read(from: impl Read) -> Result<Self, Error> {
        let mut from = BufReader::new(from.take(MAX_BYTES + 1));
        let (mut description, mut bytes) = (Self::default(), 0);
        for _ in 0..=MAX_LINES {
            let mut line = Zeroizing::new(Vec::new());
            bytes += from.read_until(b'\n', &mut line)? as u64;
            if bytes > MAX_BYTES {
                return Err(Error::NotGit("it is longer than 64 KiB"));
            }
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            if line.is_empty() {
                return Ok(description);
            }
            description.add(line)?;
        }
        Err(Error::NotGit("it has more than 64 lines"))
    }

    fn add(&mut self, line: &[u8]) -> Result<(), Error> {
        if line.iter().any(|byte| matches!(byte, b'\0' | b'\r')) {
            return Err(Error::NotGit("a line has a NUL or a carriage return in it"));
        }
        let line = str::from_utf8(line).map_err(|_| Error::NotGit("a line is not UTF-8"))?;
        let (key, value) = line.split_once('=').ok_or(Error::NotGit("a line has no `=`"))?;
        let value = value.to_owned();
        match key {
            "protocol" => self.protocol = value,
            "host" => self.host = value,
            "path" => self.path = Some(value),
            "username" => self.username = Some(value),
            "password" => self.password = Some(Token::new(value)),
            _ => {}
        }
        Ok(())
    }

    /// Where git would send the token. None if no token may go there: nobody is to read it on the way, and a host is spelled
    /// plainly, so that here, in git and in curl it is the same one.
    pub fn origin(&self) -> Option<Url> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b);
        if !self.host.bytes().all(plain) {
            return None;
        }
        let url = Url::parse(&format!("{}://{}/", self.protocol, self.host)).ok()?;
        (is_origin(&url) && is_private(&url)).then_some(url)
    }

    /// True if the user is the one of tokens, or git does not say.
    pub fn is_for_tokens(&self) -> bool {
        self.username.as_deref().is_none_or(|name| name == USERNAME)
    }

    /// True if the credential is one that this program may have given.
    pub fn is_a_token(&self) -> bool {
        self.username.as_deref() == Some(USERNAME)
    }

    /// The repository that git names, which it does with `credential.useHttpPath`: none if it names none, and an error if what
    /// it names can be none.
    pub fn repository(&self) -> Result<Option<RepoName>, NoRepository> {
        let Some(path) = &self.path else { return Ok(None) };
        let path = path.trim_end_matches('/');
        // Git LFS names its own address.
        let path = path.strip_suffix("/info/lfs").unwrap_or(path);
        let path = path.strip_suffix(".git").unwrap_or(path);
        path.parse().map(Some).map_err(|_| NoRepository)
    }
}

/// A path that leads to no repository.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NoRepository;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Description {
        Description::read(text.as_bytes()).unwrap()
    }

    fn asked(protocol: &str, host: &str) -> Option<String> {
        let description = read(&format!("protocol={protocol}\nhost={host}\n"));
        description.origin().map(|url| url.origin().ascii_serialization())
    }

    #[test]
    fn reads_what_git_sends_and_no_further() {
        let description = read(
            "capability[]=authtype\nprotocol=https\nhost=github.com\npath=acme/shop.git\nwwwauth[]=Basic realm=\"GitHub\"\n\
             username=x-access-token\npassword=a=b\n\nhost=evil.example\n",
        );
        assert_eq!((&*description.protocol, &*description.host), ("https", "github.com"));
        assert_eq!(description.repository(), Ok(Some("acme/shop".parse().unwrap())));
        assert_eq!(description.password.as_ref().unwrap().expose(), "a=b");
        assert!(description.is_a_token() && description.is_for_tokens());
        assert!(!format!("{description:?}").contains("a=b"));
        assert_eq!(read("host=a\nhost=b").host, "b");
        let nothing = read("");
        assert!(nothing.origin().is_none() && nothing.is_for_tokens() && !nothing.is_a_token());
        assert_eq!(nothing.repository(), Ok(None));
    }

    #[test]
    fn what_git_does_not_send_is_refused() {
        let lines = |count| "a=b\n".repeat(count);
        assert!(Description::read(lines(MAX_LINES).as_bytes()).is_ok());
        let long = |length| format!("a={}", "x".repeat(length - 2));
        assert!(Description::read(long(MAX_BYTES as usize).as_bytes()).is_ok());
        let bad = [
            lines(MAX_LINES + 1),
            long(MAX_BYTES as usize + 1),
            "host=github.com\rhost=evil\n".into(),
            "host=github.com\0.evil\n".into(),
            "host\n".into(),
        ];
        for text in bad {
            assert!(Description::read(text.as_bytes()).is_err(), "{:.40}", text);
        }
        assert!(Description::read(&b"host=\xff\n"[..]).is_err());
        assert!(Description::read(std::io::repeat(b'x')).is_err());
    }

    #[test]
    fn a_token_goes_only_where_nobody_reads_it_on_the_way() {
        assert_eq!(asked("https", "github.com").as_deref(), Some("https://github.com"));
        assert_eq!(asked("https", "GitHub.com:443").as_deref(), Some("https://github.com"));
        assert_eq!(asked("http", "127.0.0.1:80").as_deref(), Some("http://127.0.0.1"));
        let never = [
            ("http", "github.com"),
            ("ssh", "github.com"),
            ("", "github.com"),
            ("https", ""),
            ("https", "github.com/"),
            ("https", "me@github.com"),
            ("https", "github.com?"),
            ("https", "github.com\\@evil"),
            ("https", "ｇithub.com"),
            ("https", "git%68ub.com"),
            ("https://evil", "github.com"),
        ];
        for (protocol, host) in never {
            assert_eq!(asked(protocol, host), None, "{protocol} {host}");
        }
    }

    #[test]
    fn a_path_is_a_repository_or_it_is_none() {
        let named = |path: &str| read(&format!("path={path}\n")).repository();
        let shop: RepoName = "acme/shop".parse().unwrap();
        for path in [
            "acme/shop",
            "acme/shop.git",
            "acme/shop.git/",
            "acme/shop.git/info/lfs",
            "Acme/Shop.git",
        ] {
            assert_eq!(named(path), Ok(Some(shop.clone())), "{path}");
        }
        for path in ["", "acme", "acme/shop/issues", "../shop", "acme/shop.git.git", "gist/a/b"] {
            assert_eq!(named(path), Err(NoRepository), "{path}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_in_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(description) = Description::read(bytes.as_slice()) {
                drop((description.origin(), description.repository()));
            }
        }
    }
}
