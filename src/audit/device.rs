//! The file or stdout: opened so that it keeps what it is given, and followed when it is rotated.

use std::{
    fs::{self, File, FileType, Metadata, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    os::{
        fd::AsFd,
        unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{Target, prompt::Prompt};

/// Mode of a new file: the audit says who may do what, and is nobody else's to read or to write.
const MODE: u32 = 0o600;

/// Whether a file was rotated is looked at no more often: a look takes half as long as a line. Until then lines go into the
/// old one, which is there still.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Why the audit cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Something that keeps nothing, or never can be written to.
    #[error(
        "the audit cannot be switched off, and {path} is {kind}, which may not keep it: \
         name a regular file, or say stdout"
    )]
    NotRegular {
        /// The path as configured.
        path: PathBuf,
        /// What is there, with its article.
        kind: &'static str,
    },
    /// The file cannot be made or opened.
    #[error(
        "the audit's file {path} cannot be opened ({source}): \
         make its directory, and let this process write there"
    )]
    File {
        /// The path as configured.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Stdout leads nowhere.
    #[error(
        "the audit cannot be switched off, and stdout is closed or /dev/null: \
         give stdout to what collects it, or name a regular file"
    )]
    NoStdout,
    /// Stdout cannot be used.
    #[error("stdout cannot be used for the audit ({0}): name a regular file")]
    Stdout(#[source] io::Error),
    /// The writer cannot be started.
    #[error("the audit's thread cannot be started ({0}): let this process have more threads")]
    Thread(#[source] io::Error),
}

/// What is written to.
pub(super) struct Device {
    out: Box<dyn Write + Send>,
    prompt: Prompt,
    /// For a file, how to notice that it was rotated.
    place: Option<Place>,
    /// What was written last is not the end of a line.
    mid_line: bool,
    /// The last write failed: the handle may be of no more use (a network file system's goes stale).
    failed: bool,
}

/// A file by its path, and the one that was opened there.
struct Place {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// When this was looked at last.
    looked: Instant,
    look_every: Duration,
}

impl Device {
    /// Opens what is configured.
    pub(super) fn open(target: &Target) -> Result<Self, OpenError> {
        match target {
            Target::Stdout => Self::stdout(),
            Target::File(path) => Self::file(path, LOOK_EVERY),
        }
    }

    /// Anything that takes bytes, beginning with a line.
    pub(super) fn new(out: impl Write + Send + 'static) -> Self {
        let prompt = Prompt::never();
        Self { out: Box::new(out), prompt, place: None, mid_line: false, failed: false }
    }

    /// One that promises to take each line at once.
    #[cfg(test)]
    pub(super) fn prompt(out: impl Write + Send + 'static) -> Self {
        Self { prompt: Prompt::always(), ..Self::new(out) }
    }

    /// A handle of its own, past the buffer and the lock of [`io::Stdout`]: a line is out when the write returns.
    fn stdout() -> Result<Self, OpenError> {
        let own = io::stdout().as_fd().try_clone_to_owned().map_err(OpenError::Stdout)?;
        let file = File::from(own);
        if is_null(&file.metadata().map_err(OpenError::Stdout)?) {
            return Err(OpenError::NoStdout);
        }
        Ok(Self::of_file(file))
    }

    fn of_file(file: File) -> Self {
        Self { prompt: Prompt::of(&file), ..Self::new(file) }
    }

    /// A file, of which this is to be looked at so often.
    fn file(path: &Path, look_every: Duration) -> Result<Self, OpenError> {
        let failed = |source| OpenError::File { path: path.to_owned(), source };
        let regular = |kind: FileType| match kind_of(kind) {
            None => Ok(()),
            Some(kind) => Err(OpenError::NotRegular { path: path.to_owned(), kind }),
        };
        // Before it is opened, as that waits for ever at a FIFO that nobody reads.
        match fs::metadata(path) {
            Ok(there) => regular(there.file_type())?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let file =
            OpenOptions::new().append(true).create(true).mode(MODE).open(path).map_err(failed)?;
        let opened = file.metadata().map_err(failed)?;
        regular(opened.file_type())?;
        let place = Place {
            path: path.to_owned(),
            device: opened.dev(),
            inode: opened.ino(),
            looked: Instant::now(),
            look_every,
        };
        let mid_line = opened.len() > 0 && !ends_a_line(path).unwrap_or(false);
        Ok(Self { place: Some(place), mid_line, ..Self::of_file(file) })
    }

    /// Opens the file anew if it was moved or removed (as logrotate does), or if the last write failed.
    fn follow(&mut self) -> io::Result<()> {
        if let Some(place) = &mut self.place
            && (self.failed || place.is_left())
        {
            *self = Self::file(&place.path, place.look_every).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Whether a write of so many bytes ends at once. One after a failure may not.
    pub(super) fn is_prompt(&self, bytes: usize) -> bool {
        !self.failed && self.prompt.takes(bytes)
    }

    /// Notes how long a write took that began then.
    pub(super) fn note(&mut self, begin: Instant) {
        self.prompt.note(begin);
    }

    /// Writes whole lines, on a line of their own. Says how many bytes the operating system took, and what stopped it.
    pub(super) fn write(&mut self, lines: &[u8]) -> (usize, io::Result<()>) {
        if let Err(error) = self.follow() {
            return (0, Err(error));
        }
        if self.mid_line
            && let (_, Err(error)) = self.put(b"\n")
        {
            return (0, Err(error));
        }
        self.put(lines)
    }

    /// As `write_all`, but says how far it came.
    fn put(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let mut rest = bytes;
        let outcome = loop {
            if rest.is_empty() {
                break Ok(());
            }
            match self.out.write(rest) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.failed = outcome.is_err();
        let taken = bytes.len() - rest.len();
        if let Some(last) = bytes.get(..taken).and_then(<[u8]>::last) {
            self.mid_line = *last != b'\n';
        }
        (taken, outcome)
    }
}

impl Place {
    /// Whether the path leads to something else by now, or nowhere.
    fn is_left(&mut self) -> bool {
        let now = Instant::now();
        if now.duration_since(self.looked) < self.look_every {
            return false;
        }
        self.looked = now;
        let same = |now: Metadata| now.dev() == self.device && now.ino() == self.inode;
        !fs::metadata(&self.path).is_ok_and(same)
    }
}

/// Whether a file that is not empty ends with a whole line: a full disk may have cut off what an earlier run wrote.
fn ends_a_line(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// What a file is, with its article; none for a regular one.
fn kind_of(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a FIFO")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

/// Whether this is /dev/null, by whatever name.
fn is_null(file: &Metadata) -> bool {
    let same = |null: Metadata| null.rdev() == file.rdev();
    file.file_type().is_char_device() && fs::metadata("/dev/null").is_ok_and(same)
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::{fs::PermissionsExt, net::UnixListener},
        process::Command,
    };

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    /// A file that is looked at each time.
    fn file(path: &Path) -> Device {
        Device::file(path, Duration::ZERO).unwrap()
    }

    #[track_caller]
    fn write(device: &mut Device, text: &str) {
        let (taken, outcome) = device.write(text.as_bytes());
        outcome.unwrap();
        assert_eq!(taken, text.len());
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[track_caller]
    fn refusal(path: &Path) -> String {
        match Device::open(&Target::File(path.to_owned())) {
            Ok(_) => panic!("{} was opened", path.display()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_new_file_is_its_owners_alone_and_an_old_one_is_appended_to() {
        let folder = folder();
        let path = folder.path().join("audit.jsonl");
        write(&mut file(&path), "{1}\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        write(&mut file(&path), "{2}\n");
        assert_eq!(read(&path), "{1}\n{2}\n");
    }

    #[test]
    fn refuses_what_is_no_regular_file_and_says_why() {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        let _listener = UnixListener::bind(at("socket")).unwrap();
        std::os::unix::fs::symlink("/dev/null", at("link")).unwrap();
        for (path, kind) in [
            (PathBuf::from("/dev/null"), "a device"),
            (at("link"), "a device"),
            (at("fifo"), "a FIFO"),
            (at("socket"), "a socket"),
            (folder.path().to_owned(), "a directory"),
        ] {
            let said = refusal(&path);
            let expected = format!("{} is {kind}", path.display());
            assert!(said.contains(&expected) && said.contains("cannot be switched off"), "{said}");
        }
        let said = refusal(&at("no/audit.jsonl"));
        assert!(said.contains("no/audit.jsonl cannot be opened (No such file"), "{said}");
    }

    #[test]
    fn knows_dev_null_by_any_name() {
        let metadata = |path: &str| fs::metadata(path).unwrap();
        assert!(is_null(&metadata("/dev/null")));
        assert!(!is_null(&metadata("/dev/zero")));
        assert!(!is_null(&metadata("/")));
    }

    #[test]
    fn follows_a_rotation_and_begins_the_new_file_with_a_line() {
        let folder = folder();
        let (path, old) = (folder.path().join("audit.jsonl"), folder.path().join("audit.jsonl.1"));
        let mut device = file(&path);
        write(&mut device, "{1}\n{half");
        fs::rename(&path, &old).unwrap();
        write(&mut device, "{2}\n");
        assert_eq!((read(&old).as_str(), read(&path).as_str()), ("{1}\n{half", "{2}\n"));
        // logrotate's `create`: another file is there already.
        fs::rename(&path, &old).unwrap();
        fs::write(&path, "").unwrap();
        write(&mut device, "{3}\n");
        assert_eq!((read(&old).as_str(), read(&path).as_str()), ("{2}\n", "{3}\n"));
        // Its `copytruncate`: the same file, emptied.
        OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
        write(&mut device, "{4}\n");
        assert_eq!(read(&path), "{4}\n");
    }

    #[test]
    fn fails_while_the_directory_is_gone_or_another_thing_has_the_path() {
        let folder = folder();
        let (inside, aside) = (folder.path().join("logs"), folder.path().join("aside"));
        fs::create_dir(&inside).unwrap();
        let path = inside.join("audit.jsonl");
        let mut device = file(&path);
        fs::rename(&inside, &aside).unwrap();
        let (taken, outcome) = device.write(b"{1}\n");
        assert!(taken == 0 && outcome.unwrap_err().to_string().contains("cannot be opened"));
        fs::create_dir(&inside).unwrap();
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        let (taken, outcome) = device.write(b"{2}\n");
        assert!(taken == 0 && outcome.unwrap_err().to_string().contains("is a device"));
        fs::remove_file(&path).unwrap();
        write(&mut device, "{3}\n");
        assert_eq!(
            (read(&path).as_str(), read(&aside.join("audit.jsonl")).as_str()),
            ("{3}\n", "")
        );
    }

    #[test]
    fn begins_a_line_after_one_that_an_earlier_run_left_unfinished() {
        let folder = folder();
        let path = folder.path().join("audit.jsonl");
        for (there, expected) in
            [("{1}\n{half", "{1}\n{half\n{2}\n"), ("{1}\n", "{1}\n{2}\n"), ("", "{2}\n")]
        {
            fs::write(&path, there).unwrap();
            write(&mut file(&path), "{2}\n");
            assert_eq!(read(&path), expected);
        }
    }

    #[test]
    fn goes_on_after_an_interruption_and_opens_the_file_anew_after_a_failure() {
        /// Fails as told, last first, then takes a byte at a time.
        struct Fails(Vec<ErrorKind>);
        impl Write for Fails {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.pop().map_or(Ok(bytes.len().min(1)), |kind| Err(kind.into()))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let folder = folder();
        let path = folder.path().join("audit.jsonl");
        let mut device = file(&path);
        device.out =
            Box::new(Fails(vec![ErrorKind::StaleNetworkFileHandle, ErrorKind::Interrupted]));
        let (_, outcome) = device.write(b"{1}\n");
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::StaleNetworkFileHandle);
        write(&mut device, "{2}\n");
        assert_eq!(read(&path), "{2}\n");
        write(&mut Device::new(Fails(vec![ErrorKind::Interrupted])), "{3}\n");
    }
}
