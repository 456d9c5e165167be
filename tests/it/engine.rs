//! CommitFiles by its contract: what a caller is told, and what git has afterwards, whatever requests it takes.
//!
//! * [`as_git`]: random changes, beside git making the same.

mod as_git;
