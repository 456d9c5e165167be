//! The `ghbroker` command.

use std::process::ExitCode;

use clap::Parser;
use ghbroker::cli::{self, Cli};
use mimalloc::MiMalloc;
use zeroizing_alloc::ZeroAlloc;

/// Small, frequent allocations of many tasks are what mimalloc is good at. What is freed is wiped: a token passes through
/// buffers of gRPC, TLS, HTTP and JSON that are not ours to wipe.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn main() -> ExitCode {
    cli::prepare();
    cli::run(Cli::parse())
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::{fs::File, hint::black_box, os::unix::fs::FileExt};

    const SECRET: [u8; 32] = *b"ghs_every-copy-of-it-goes-away--";

    /// What is in memory at an address, whoever it belongs to now.
    fn memory(at: usize, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        File::open("/proc/self/mem").unwrap().read_exact_at(&mut bytes, at as u64).unwrap();
        bytes
    }

    fn holds_it(memory: &[u8]) -> bool {
        memory.windows(8).any(|part| SECRET.windows(8).any(|secret| secret == part))
    }

    #[test]
    fn freed_memory_holds_nothing() {
        for copies in [2, 100, 10_000] {
            let secret = black_box(SECRET.repeat(copies));
            let (at, length) = (secret.as_ptr() as usize, secret.len());
            assert!(holds_it(&memory(at, length)), "the test looks at the wrong place");
            drop(secret);
            assert!(!holds_it(&memory(at, length)), "{copies}");
        }
    }

    #[test]
    fn a_buffer_that_grew_leaves_nothing_behind() {
        let mut secret = black_box(SECRET.repeat(2));
        let (at, length) = (secret.as_ptr() as usize, secret.len());
        secret.reserve_exact(100_000);
        assert_ne!(secret.as_ptr() as usize, at);
        assert!(!holds_it(&memory(at, length)));
        assert!(holds_it(&secret));
    }
}
