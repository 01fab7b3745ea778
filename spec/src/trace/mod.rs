//! The observations of one play, in order: what the gateway was told, what it asked for, and what
//! the world saw besides.

mod lines;
mod read;
mod transcript;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::effect::Effect;
use crate::id::{DeliveryId, Marker, MessageId, RunId, Text};
use crate::stimulus::{Stimulus, ThreadState};
use crate::time::Time;

pub use lines::LineError;

/// Everything that was seen in one play, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The entries; an entry's number is its index.
    pub entries: Vec<Entry>,
}

/// One thing that was seen.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// What.
    #[serde(flatten)]
    pub what: What,
    /// The markers that were born here: the first names the text, further ones stand in a long
    /// text at intervals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<Marker>,
    /// Every marker of its text, in order, those born here included. A marker cut in two by pieces
    /// is told by the piece that completes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub markers: Vec<Marker>,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The gateway was told something.
    Stimulus(Stimulus),
    /// The gateway asked for something.
    Effect(Effect),
    /// Something happened in the world.
    World(World),
}

/// What happens in the world besides what the gateway is told and asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum World {
    /// A text stands in a conversation now, for whoever is there to read.
    Posted {
        /// The delivery that brought it.
        delivery: DeliveryId,
        /// Where it stands.
        at: Address,
        /// The message it became.
        message: MessageId,
        /// What it says.
        text: Text,
        /// Whether it is marked as a possible repeat.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        repeat: bool,
    },
    /// The channel recognised a delivery's key and posted nothing.
    Recognised {
        /// The delivery that brought it again.
        delivery: DeliveryId,
        /// The message it had become the first time.
        message: MessageId,
    },
    /// A thread changed; the gateway may or may not be told.
    Thread {
        /// The thread.
        at: Address,
        /// What it is like now.
        state: ThreadState,
    },
    /// A misfortune of the scenario's plan struck.
    Fault {
        /// Which, in words.
        what: Text,
    },
    /// The gateway's process died.
    Crashed {
        /// Runs that died with it.
        lost: Vec<RunId>,
        /// Runs that go on.
        kept: Vec<RunId>,
    },
    /// A run could not act, because what it needed is not there.
    Unable {
        /// The run.
        run: RunId,
        /// Why, in words.
        why: Text,
    },
    /// The author of the scenario says something.
    Note {
        /// What.
        text: Text,
    },
    /// The steps are over; outages end, and what is owed may now arrive.
    Healing {},
    /// Nothing more will happen, or the play was ended.
    Rest(Rest),
}

/// How a play came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// Nothing is owed and nothing in flight.
    Settled,
    /// Something is owed, and neither the world nor the gateway will do anything more.
    Stuck,
    /// Something is owed, and the longest time the profile allows for it is over.
    Overdue,
    /// The play was ended because the gateway woke too often.
    OutOfWakes,
}

impl Trace {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Entry {
    /// An entry without markers.
    pub fn new(at: Time, what: What) -> Self {
        Self {
            at,
            what,
            own: Vec::new(),
            markers: Vec::new(),
        }
    }
}
