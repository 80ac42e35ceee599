//! What a machine has.

use std::fmt;

/// What a kernel may use of the processor. A value of it says that the machine has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Level(pub(super) Kind);

/// AVX-512 is left out: on Sapphire Rapids no kernel gained by it what its second copy would weigh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What all code is compiled for.
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Level {
    /// Plain loops.
    pub const PLAIN: Self = Self(Kind::Plain);

    /// The best level of this machine. The standard library asks the processor once and keeps the answer.
    #[inline]
    #[must_use]
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            return Self(Kind::Avx2);
        }
        Self::PLAIN
    }

    /// All levels of this machine, plain loops first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::PLAIN, Self::best()];
        all.dedup();
        all
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A loop of another module that gains by being compiled for more of the processor.
pub trait Work {
    /// The loop. It must be `#[inline(always)]`, or it is compiled once only.
    fn run(self);
}

/// Runs a loop as compiled for the best level of the machine.
#[inline]
pub fn run(work: impl Work) {
    match Level::best().0 {
        Kind::Plain => work.run(),
        // SAFETY: such a level is only made where the machine has it.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => unsafe { super::avx2::run(work) },
    }
}
