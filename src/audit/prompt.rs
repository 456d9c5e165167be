//! Devices that take a line at once: a call writes to these itself, without waiting for a thread to wake up and tell it.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, fstat, fstatfs},
};

/// A pipe takes so much at once or, where it says that it takes something, has room for it (POSIX' `PIPE_BUF`, on Linux).
const PIPE_BUF: usize = 4096;
/// File systems of this machine, by the magic numbers of `linux/magic.h`: a write goes into memory, and to a disk later. Those
/// of other machines may wait for these at any time.
const LOCAL: [i128; 8] = [
    0xEF53,      // ext4
    0x5846_5342, // XFS
    0x9123_683E, // btrfs
    0xF2F5_2010, // F2FS
    0x2FC1_2FC1, // ZFS
    0x0102_1994, // tmpfs
    0x8584_58F6, // ramfs
    0x794C_7630, // overlayfs, as in a container
];
/// A device that takes longer for a line is no prompt one ...
const SLOW: Duration = Duration::from_millis(50);
/// ... until so many writes have gone by.
const DISTRUST: u32 = 256;

/// Whether a device takes a line at once.
pub(super) struct Prompt {
    kind: Kind,
    distrust: u32,
}

enum Kind {
    /// A file on a disk of this machine, or in its memory.
    Local,
    /// A pipe, to be asked whether it has room.
    Pipe(OwnedFd),
    /// Nobody knows.
    Unknown,
}

impl Prompt {
    /// A device that is left to the thread.
    pub(super) fn never() -> Self {
        Self { kind: Kind::Unknown, distrust: 0 }
    }

    /// A device that promises to.
    #[cfg(test)]
    pub(super) fn always() -> Self {
        Self { kind: Kind::Local, distrust: 0 }
    }

    /// What `file` is.
    pub(super) fn of(file: &File) -> Self {
        // What cannot be looked at is left to the thread.
        let kind = kind(file).unwrap_or(Kind::Unknown);
        Self { kind, distrust: 0 }
    }

    /// Whether it takes so many bytes now without waiting for anything.
    pub(super) fn takes(&self, bytes: usize) -> bool {
        let trusted = self.distrust == 0;
        trusted
            && match &self.kind {
                Kind::Local => true,
                Kind::Pipe(pipe) => bytes <= PIPE_BUF && has_room(pipe),
                Kind::Unknown => false,
            }
    }

    /// Notes how long a write took that began then.
    pub(super) fn note(&mut self, begin: Instant) {
        let slow = begin.elapsed() > SLOW;
        self.distrust = if slow { DISTRUST } else { self.distrust.saturating_sub(1) };
    }
}

fn kind(file: &File) -> io::Result<Kind> {
    Ok(match FileType::from_raw_mode(fstat(file)?.st_mode) {
        FileType::RegularFile if LOCAL.contains(&i128::from(fstatfs(file)?.f_type)) => Kind::Local,
        FileType::Fifo => Kind::Pipe(file.as_fd().try_clone_to_owned()?),
        _ => Kind::Unknown,
    })
}

fn has_room(pipe: &OwnedFd) -> bool {
    let mut asked = [PollFd::new(pipe, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let answered = poll(&mut asked, Some(&at_once)).is_ok();
    // With an error there, too, it does not wait.
    answered && asked.iter().all(|pipe| pipe.revents().contains(PollFlags::OUT))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write, pipe};

    use super::*;

    #[test]
    fn a_pipe_takes_what_it_has_room_for() {
        let (mut reader, writer) = pipe().unwrap();
        let mut writer = File::from(OwnedFd::from(writer));
        let prompt = Prompt::of(&writer);
        assert!(prompt.takes(PIPE_BUF));
        assert!(!prompt.takes(PIPE_BUF + 1));
        let line = [b'a'; PIPE_BUF];
        let mut written = 0;
        while prompt.takes(line.len()) {
            // Would wait for ever if there was no room.
            writer.write_all(&line).unwrap();
            written += 1;
        }
        assert!(written > 0);
        reader.read_exact(&mut [0; 2 * PIPE_BUF]).unwrap();
        assert!(prompt.takes(line.len()));
    }

    #[test]
    fn what_may_wait_for_somebody_is_left_to_the_thread() {
        let zero = File::options().write(true).open("/dev/zero").unwrap();
        assert!(!Prompt::of(&zero).takes(1));
        assert!(!Prompt::of(&File::open("/proc/self/status").unwrap()).takes(1));
        assert!(!Prompt::never().takes(1));
    }

    #[test]
    fn a_device_that_was_slow_is_left_to_the_thread_for_a_while() {
        let mut prompt = Prompt { kind: Kind::Local, distrust: 0 };
        prompt.note(Instant::now());
        assert!(prompt.takes(1));
        prompt.note(Instant::now() - 2 * SLOW);
        for _ in 0..DISTRUST {
            assert!(!prompt.takes(1));
            prompt.note(Instant::now());
        }
        assert!(prompt.takes(1));
    }
}
