//! Files, pipes, maps, attributes, signals and processors: everything that touches the system.

pub mod attributes;
pub mod close;
pub mod input;
pub mod map;
pub mod output;
pub mod processors;
pub mod signals;
pub mod source;
