//! Pure decisions: nothing here touches files, threads or the environment.

pub mod level;
pub mod names;
