//! Pure decisions: nothing here touches files, threads or the environment.

pub mod cuts;
pub mod level;
pub mod names;
pub mod recipe;
