//! Who does the work, on which thread, in what order.
//!
//! [`compress`] and [`decompress`] are the two entrances. Both are built from a producer of
//! items, a function that works on one item, and a consumer that takes the results in order;
//! [`ordered`] runs these three in turn on one thread, or side by side on several.

pub mod compress;
pub mod decompress;
mod ordered;
mod pool;
