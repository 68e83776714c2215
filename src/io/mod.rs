//! Files, pipes, maps, attributes and signals: everything that touches the system.

pub mod attributes;
pub mod close;
pub mod input;
pub mod map;
pub mod output;
pub mod signals;
pub mod source;
