//! What the processor has, asked in one place.
//!
//! Kernels come in kinds, each for all processors from some point on. What they give is the same, bit for bit, so
//! a kind is chosen for speed alone. `RIGZ_CPU=portable`, `avx2` or `avx512` in the environment keeps a process from using
//! better ones: for measuring and testing what other machines run.

use std::sync::atomic::{AtomicU8, Ordering};

/// What processors have; each has what those before it have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Cpu {
    /// Nothing that is not everywhere.
    Portable,
    /// AVX2, BMI1, BMI2, LZCNT, POPCNT (x86-64-v3): since Haswell, Excavator.
    Avx2,
    /// AVX-512 F, BW, CD, DQ, VL (x86-64-v4): since Skylake's servers, Zen 4.
    Avx512,
    /// VBMI and VBMI2 as well: since Ice Lake, Zen 4.
    Avx512Vbmi2,
}

impl Cpu {
    /// All, the best first.
    pub const ALL: [Cpu; 4] = [Cpu::Avx512Vbmi2, Cpu::Avx512, Cpu::Avx2, Cpu::Portable];

    /// Of its name in `RIGZ_CPU`.
    fn of_name(name: &str) -> Option<Cpu> {
        match name {
            "portable" => Some(Cpu::Portable),
            "avx2" => Some(Cpu::Avx2),
            "avx512" => Some(Cpu::Avx512),
            _ => None,
        }
    }

    /// Asks the processor.
    #[cfg(target_arch = "x86_64")]
    fn detect() -> Cpu {
        macro_rules! has_all {
            ($($feature:tt)*) => { $(is_x86_feature_detected!($feature))&&* };
        }
        if !has_all!("avx2" "bmi1" "bmi2" "lzcnt" "popcnt") {
            Cpu::Portable
        } else if !has_all!("avx512f" "avx512bw" "avx512cd" "avx512dq" "avx512vl") {
            Cpu::Avx2
        } else if !has_all!("avx512vbmi" "avx512vbmi2") {
            Cpu::Avx512
        } else {
            Cpu::Avx512Vbmi2
        }
    }

    /// There are no kernels for others.
    #[cfg(not(target_arch = "x86_64"))]
    fn detect() -> Cpu {
        Cpu::Portable
    }
}

/// The best that may be used, as a number; [`UNKNOWN`] until somebody asks.
static BEST: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = u8::MAX;

/// Whether the processor has all of `cpu`, and it may be used.
#[inline]
pub fn has(cpu: Cpu) -> bool {
    let best = match BEST.load(Ordering::Relaxed) {
        UNKNOWN => ask(),
        best => best,
    };
    cpu as u8 <= best
}

#[cold]
fn ask() -> u8 {
    let named = std::env::var("RIGZ_CPU").ok().and_then(|name| Cpu::of_name(&name));
    limit(named.unwrap_or(Cpu::Avx512Vbmi2))
}

/// Makes this process use nothing better than `cpu` from now on, for tests; `cpu` itself if the processor has it. What was
/// made before, decoders for one, may still use more.
pub fn limit_to(cpu: Cpu) {
    limit(cpu);
}

fn limit(cpu: Cpu) -> u8 {
    let best = cpu.min(Cpu::detect()) as u8;
    BEST.store(best, Ordering::Relaxed);
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_processor_has_what_those_before_it_have() {
        assert!(has(Cpu::Portable));
        assert!(Cpu::ALL.is_sorted_by(|a, b| a > b));
        assert!(Cpu::ALL.is_sorted_by_key(|cpu| has(*cpu)));
    }
}
