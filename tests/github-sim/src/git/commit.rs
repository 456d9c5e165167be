//! Commits: reading, writing, and the signature that makes one "Verified".
//!
//! GitHub signs what its API commits with a key of its own. The simulator puts a keyed hash in the same
//! place, so that a commit says by itself whether GitHub signed it, also after a clone and a push.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Git, GitError, Object, Reader, Result};

/// The key behind the simulated signatures. It guards nothing: only this simulator checks them.
const SIGNING_KEY: &[u8] = b"github-sim web-flow";
const BEGIN: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";

/// Who did something to a commit, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ident {
    pub name: String,
    pub email: String,
    /// Seconds since the epoch.
    pub when: i64,
}

impl Ident {
    fn line(&self) -> String {
        let clean = |text: &str| text.replace(['<', '>', '\n', '\0'], "");
        format!("{} <{}> {} +0000", clean(&self.name).trim(), clean(&self.email).trim(), self.when)
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.split_once('<')?;
        let (email, rest) = rest.split_once('>')?;
        let when = rest.split_whitespace().next()?.parse().ok()?;
        Some(Self { name: name.trim().to_owned(), email: email.to_owned(), when })
    }
}

/// A commit to be written.
#[derive(Clone, Debug)]
pub(crate) struct NewCommit {
    pub tree: String,
    pub parents: Vec<String>,
    pub author: Ident,
    pub committer: Ident,
    pub message: String,
    /// Whether GitHub signs it.
    pub signed: bool,
}

/// A commit that was read.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub oid: String,
    pub tree: String,
    pub parents: Vec<String>,
    pub author: Ident,
    pub committer: Ident,
    pub message: String,
    pub signature: Option<String>,
    /// The commit without its signature: what was signed.
    pub payload: String,
}

impl Commit {
    /// Whether GitHub signed exactly this commit.
    pub fn verified(&self) -> bool {
        self.signature.as_deref() == Some(sign(&self.payload).as_str())
    }

    pub(super) fn parse(object: &Object) -> Option<Self> {
        let text = String::from_utf8_lossy(&object.data);
        let (head, message) = text.split_once("\n\n")?;
        let nobody = Ident { name: String::new(), email: String::new(), when: 0 };
        let mut commit = Self {
            oid: object.oid.clone(),
            tree: String::new(),
            parents: Vec::new(),
            author: nobody.clone(),
            committer: nobody,
            message: message.to_owned(),
            signature: None,
            payload: String::new(),
        };
        for line in head.lines() {
            if let (Some(more), Some(signature)) = (line.strip_prefix(' '), &mut commit.signature) {
                signature.push('\n');
                signature.push_str(more);
                continue;
            }
            match line.split_once(' ') {
                Some(("tree", oid)) => commit.tree = oid.to_owned(),
                Some(("parent", oid)) => commit.parents.push(oid.to_owned()),
                Some(("author", who)) => commit.author = Ident::parse(who)?,
                Some(("committer", who)) => commit.committer = Ident::parse(who)?,
                Some(("gpgsig", first)) => {
                    commit.signature = Some(first.to_owned());
                    continue;
                }
                _ => {}
            }
            commit.payload.push_str(line);
            commit.payload.push('\n');
        }
        commit.payload.push('\n');
        commit.payload.push_str(message);
        Some(commit)
    }
}

fn sign(payload: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SIGNING_KEY);
    let tag = hmac::sign(&key, payload.as_bytes());
    // The empty line after the first one belongs to the format of a signature.
    format!("{BEGIN}\n\n{}\n{END}", STANDARD.encode(tag))
}

impl Reader {
    /// Reads the commit that a revision names.
    pub fn commit(&mut self, spec: &str) -> Result<Option<Commit>> {
        Ok(self.read(&format!("{spec}^{{commit}}"))?.as_ref().and_then(Commit::parse))
    }
}

impl Git {
    /// Reads a commit.
    pub fn commit(&self, spec: &str) -> Result<Option<Commit>> {
        self.reader()?.commit(spec)
    }

    /// Reads any number of commits by one process.
    pub fn commits(&self, oids: &[String]) -> Result<Vec<Commit>> {
        let mut reader = self.reader()?;
        let mut commits = Vec::with_capacity(oids.len());
        for oid in oids {
            commits.extend(reader.commit(oid)?);
        }
        Ok(commits)
    }

    /// Writes a commit and returns its oid; git checks its form.
    pub fn write_commit(&self, commit: &NewCommit) -> Result<String> {
        let mut head = format!("tree {}\n", commit.tree);
        for parent in &commit.parents {
            head.push_str(&format!("parent {parent}\n"));
        }
        head.push_str(&format!("author {}\n", commit.author.line()));
        head.push_str(&format!("committer {}\n", commit.committer.line()));
        // GitHub takes the message as it is; git alone would complain about a NUL.
        let message = commit.message.replace('\0', "");
        let signature = if commit.signed {
            let signature = sign(&format!("{head}\n{message}"));
            format!("gpgsig {}\n", signature.replace('\n', "\n "))
        } else {
            String::new()
        };
        let text = format!("{head}{signature}\n{message}");
        let oid = self.feed(&["hash-object", "-t", "commit", "-w", "--stdin"], text.as_bytes())?;
        Ok(String::from_utf8_lossy(&oid).trim().to_owned())
    }

    /// The commits of a range, newest first; further arguments choose among them.
    pub fn history(&self, args: &[&str]) -> Result<Vec<String>> {
        let mut all = vec!["rev-list"];
        all.extend_from_slice(args);
        Ok(self.text(&all)?.lines().map(str::to_owned).collect())
    }

    /// How many commits a range holds.
    pub fn count(&self, range: &str) -> Result<u64> {
        let count = self.text(&["rev-list", "--count", range])?;
        count
            .parse()
            .map_err(|_| GitError { command: format!("rev-list --count {range}"), text: count })
    }
}
