//! How a command ends. The numbers are an interface.

use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Every promise was put to the test and kept.
    Conforms,
    /// A promise was broken.
    DoesNotConform,
    /// A promise was never put to the test.
    Inconclusive,
    /// The implementation could not be driven.
    Undriven,
    /// The command line or a fixture makes no sense.
    Usage,
    /// moorline itself is at fault.
    OurFault,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Conforms => 0,
            Self::DoesNotConform => 1,
            Self::Inconclusive => 2,
            Self::Undriven => 3,
            Self::Usage => 64,
            Self::OurFault => 70,
        }
    }

    /// The one that counts where both hold.
    #[must_use]
    pub fn or_worse(self, other: Self) -> Self {
        if self.weight() < other.weight() {
            other
        } else {
            self
        }
    }

    fn weight(self) -> u8 {
        match self {
            Self::Conforms => 0,
            Self::Inconclusive => 1,
            Self::Undriven => 2,
            Self::DoesNotConform => 3,
            Self::Usage => 4,
            Self::OurFault => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_several_hold_the_worse_one_counts() {
        let by_weight = [
            Exit::Conforms,
            Exit::Inconclusive,
            Exit::Undriven,
            Exit::DoesNotConform,
            Exit::Usage,
            Exit::OurFault,
        ];
        for (index, &worse) in by_weight.iter().enumerate() {
            for &other in &by_weight[..=index] {
                assert_eq!(worse.or_worse(other), worse);
                assert_eq!(other.or_worse(worse), worse);
            }
        }
        assert_eq!(by_weight.map(Exit::code), [0, 2, 3, 1, 64, 70]);
    }
}
