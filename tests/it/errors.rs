//! What every failed call has in common, and what is logged of it.

mod logs;
