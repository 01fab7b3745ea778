//! Why turns happen.

use super::decisions::{Cause, Path};
use super::state::Turn;

impl Turn {
    /// Whether it is of a child whose spawn was not answered.
    pub(super) fn is_unaccepted(&self) -> bool {
        matches!(
            self,
            Self::Child {
                accepted: false,
                ..
            }
        )
    }

    /// The path on which it comes about.
    pub(super) fn path(&self) -> Path {
        match self {
            Self::Message(_) => Path::Chat,
            Self::Child { .. } => Path::Task,
            Self::Telling(_) => Path::News,
            Self::Sent | Self::Plugin { .. } => Path::Agent,
            Self::Internal(_) => Path::Clockwork,
        }
    }

    /// Why it happens.
    pub(super) fn cause(&self) -> Cause {
        match self {
            Self::Message(_) => Cause::Message,
            Self::Child { .. } | Self::Telling(_) | Self::Sent => Cause::Session,
            Self::Internal(path) => Cause::Internal(*path),
            Self::Plugin { .. } => Cause::Plugin,
        }
    }
}
