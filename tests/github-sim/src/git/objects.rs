//! Reading objects: one `cat-file --batch` process answers any number of questions.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::{Git, GitError, Result};

/// An object with its contents.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub oid: String,
    /// `blob`, `tree`, `commit` or `tag`
    pub kind: String,
    pub data: Vec<u8>,
}

/// A running `cat-file --batch`.
pub(crate) struct Reader {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Reader {
    /// Reads the object that a revision names; nothing when there is none.
    pub fn read(&mut self, spec: &str) -> Result<Option<Object>> {
        self.ask(spec).map_err(|e| GitError {
            command: format!("cat-file --batch ({spec})"),
            text: e.to_string(),
        })
    }

    fn ask(&mut self, spec: &str) -> std::io::Result<Option<Object>> {
        if spec.is_empty() || spec.contains('\n') {
            return Ok(None);
        }
        let stdin = self.stdin.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
        writeln!(stdin, "{spec}")?;
        stdin.flush()?;
        let mut header = String::new();
        self.stdout.read_line(&mut header)?;
        let mut words = header.trim_end().rsplitn(3, ' ');
        let (size, kind, oid) = (words.next(), words.next(), words.next());
        let (Some(Ok(size)), Some(kind), Some(oid)) = (size.map(str::parse::<usize>), kind, oid)
        else {
            // "<spec> missing" or "<spec> ambiguous"
            return Ok(None);
        };
        let mut data = vec![0; size + 1];
        self.stdout.read_exact(&mut data)?;
        data.truncate(size);
        Ok(Some(Object { oid: oid.to_owned(), kind: kind.to_owned(), data }))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stdin = None;
        // The process ends at the end of its input; waiting leaves no zombie.
        let _ = self.child.wait();
    }
}

impl Git {
    /// Starts a reader; it ends when it is dropped.
    pub fn reader(&self) -> Result<Reader> {
        let failed = |text: String| GitError { command: "cat-file --batch".to_owned(), text };
        let mut command = self.command(&["cat-file", "--batch"]);
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|e| failed(e.to_string()))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| failed("no output".to_owned()))?;
        Ok(Reader { child, stdin, stdout: BufReader::new(stdout) })
    }

    /// Reads one object.
    pub fn object(&self, spec: &str) -> Result<Option<Object>> {
        self.reader()?.read(spec)
    }

    /// Writes a blob.
    pub fn write_blob(&self, data: &[u8]) -> Result<String> {
        let oid = self.feed(&["hash-object", "-w", "--stdin"], data)?;
        Ok(String::from_utf8_lossy(&oid).trim().to_owned())
    }

    /// Writes any number of blobs by one process, and returns their oids in order.
    pub fn write_blobs<'a>(&self, blobs: impl Iterator<Item = &'a [u8]>) -> Result<Vec<String>> {
        let mut input = Vec::new();
        let mut count = 0;
        for data in blobs {
            count += 1;
            input.extend_from_slice(
                format!("blob\nmark :{count}\ndata {}\n", data.len()).as_bytes(),
            );
            input.extend_from_slice(data);
            input.extend_from_slice(b"\n");
        }
        if count == 0 {
            return Ok(Vec::new());
        }
        for mark in 1..=count {
            input.extend_from_slice(format!("get-mark :{mark}\n").as_bytes());
        }
        input.extend_from_slice(b"done\n");
        let answer = self.feed(&["fast-import", "--quiet", "--done", "--cat-blob-fd=1"], &input)?;
        Ok(String::from_utf8_lossy(&answer).lines().map(str::to_owned).collect())
    }

    /// The oid and kind of each object asked for, by one process; nothing for one that is missing.
    pub fn kinds(&self, oids: &[&str]) -> Result<Vec<Option<String>>> {
        if oids.is_empty() {
            return Ok(Vec::new());
        }
        let input = oids.join("\n") + "\n";
        let answer = self.feed(&["cat-file", "--batch-check=%(objecttype)"], input.as_bytes())?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        Ok(answer
            .lines()
            .map(|line| (!line.contains(' ')).then(|| line.trim().to_owned()))
            .collect())
    }
}
