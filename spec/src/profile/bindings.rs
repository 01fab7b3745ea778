//! Where honest designs of bindings and routes differ.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

dial! {
    /// When a lapse takes effect.
    LapseCheck {
        /// At the first message after the deadline, or the sweep, whichever is first.
        Lookup,
        /// At the next sweep.
        Sweep,
    }
}
dial! {
    /// What the age of a binding counts from after `/session max-age`.
    MaxAgeFrom {
        /// The time of binding.
        Bound,
        /// The command.
        Command,
        /// The command where bindings are made in threads of their own, else the time of binding.
        ByPlacement,
    }
}
dial! {
    /// When a bound thread is probed.
    Probe {
        /// When a delivery to it was refused.
        OnRefusal,
        /// On each pass of the sweep.
        EachPass,
    }
}
dial! {
    /// What an archived thread means for its binding.
    ArchivedThread {
        /// Its end.
        Ends,
        /// Nothing.
        Stays,
    }
}
dial! {
    /// What a conversation is that goes by another id.
    MovedConversation {
        /// The same: its session and its binding follow it.
        Follows,
        /// Another one.
        Anew,
    }
}
dial! {
    /// What becomes of a message that waits for its turn while its conversation comes to belong to
    /// another session.
    Reroute {
        /// It moves to the session that the conversation belongs to now.
        AtTurn,
        /// It stays with the session that the conversation belonged to as it came.
        AtArrival,
        /// It is worked on by nobody, and whoever wrote it is told.
        FailsWithNotice,
    }
}
