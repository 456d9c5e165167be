//! Keeps the memory of the process, and the secrets in it, from getting out of it.

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, setrlimit},
};

/// What could not be switched off. The broker runs without it, and says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Exposed {
    /// The limit on the size of core dumps stays what it was.
    #[error(
        "core dumps cannot be switched off ({0}); a crash may write secrets to the disk: start with `ulimit -c 0`"
    )]
    CoreDumps(Errno),
    /// The process can still be traced.
    #[error(
        "other processes of the same user cannot be kept from reading the memory ({0}); run nothing else as this user"
    )]
    Tracing(Errno),
}

/// Switches core dumps off, and on Linux keeps other processes of the same user from tracing this one and from reading
/// `/proc/PID/mem` and `/proc/PID/environ`. Root still can. Does all that it can, and returns what failed.
pub fn harden() -> Vec<Exposed> {
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    let dumps = setrlimit(Resource::Core, nothing).map_err(Exposed::CoreDumps);
    [dumps, untraceable().map_err(Exposed::Tracing)].into_iter().filter_map(Result::err).collect()
}

/// Also ends dumps that are piped to a program (systemd-coredump): the kernel does not ask the limit for these.
#[cfg(target_os = "linux")]
fn untraceable() -> Result<(), Errno> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

#[cfg(not(target_os = "linux"))]
fn untraceable() -> Result<(), Errno> {
    Ok(())
}
