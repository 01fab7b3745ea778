//! The kinds of entries, so that a checker is only asked about those it looks at.

use crate::effect::Effect;
use crate::stimulus::Stimulus;
use crate::trace::{What, World};

macro_rules! kinds {
    ($($name:ident = $pattern:pat,)*) => {
        /// The kinds of entries a trace has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $(
            #[doc = concat!("`", stringify!($pattern), "`")]
            $name
        ),* }

        impl Kind {
            /// How many kinds there are.
            pub const COUNT: usize = [$(Self::$name),*].len();

            /// The kind of an entry.
            pub fn of(what: &What) -> Self {
                match what { $($pattern => Self::$name),* }
            }
        }
    };
}

kinds! {
    Open = What::Stimulus(Stimulus::Open(_)),
    Inbound = What::Stimulus(Stimulus::Inbound(_)),
    InternalTurn = What::Stimulus(Stimulus::InternalTurn(_)),
    Call = What::Stimulus(Stimulus::Call(_)),
    RunStarted = What::Stimulus(Stimulus::RunStarted(_)),
    RunProgress = What::Stimulus(Stimulus::RunProgress(_)),
    RunEnded = What::Stimulus(Stimulus::RunEnded(_)),
    Steered = What::Stimulus(Stimulus::Steered(_)),
    Receipt = What::Stimulus(Stimulus::Receipt(_)),
    ThreadOpened = What::Stimulus(Stimulus::ThreadOpened(_)),
    ThreadProbed = What::Stimulus(Stimulus::ThreadProbed(_)),
    ThreadChanged = What::Stimulus(Stimulus::ThreadChanged(_)),
    ConversationMoved = What::Stimulus(Stimulus::ConversationMoved(_)),
    Compacted = What::Stimulus(Stimulus::Compacted(_)),
    ConfigChanged = What::Stimulus(Stimulus::ConfigChanged(_)),
    Wake = What::Stimulus(Stimulus::Wake {}),
    Stop = What::Stimulus(Stimulus::Stop {}),
    StartRun = What::Effect(Effect::StartRun(_)),
    SteerRun = What::Effect(Effect::SteerRun(_)),
    CancelRun = What::Effect(Effect::CancelRun(_)),
    Deliver = What::Effect(Effect::Deliver(_)),
    OpenThread = What::Effect(Effect::OpenThread(_)),
    ProbeThread = What::Effect(Effect::ProbeThread(_)),
    Answer = What::Effect(Effect::Answer(_)),
    Persist = What::Effect(Effect::Persist(_)),
    Report = What::Effect(Effect::Report(_)),
    Drop = What::Effect(Effect::Drop(_)),
    RefuseConfig = What::Effect(Effect::RefuseConfig(_)),
    Posted = What::World(World::Posted { .. }),
    Recognised = What::World(World::Recognised { .. }),
    Thread = What::World(World::Thread { .. }),
    Fault = What::World(World::Fault { .. }),
    Crashed = What::World(World::Crashed { .. }),
    Unable = What::World(World::Unable { .. }),
    Note = What::World(World::Note { .. }),
    Healing = What::World(World::Healing {}),
    Rest = What::World(World::Rest(_)),
}
