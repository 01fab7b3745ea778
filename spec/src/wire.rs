//! The seam as lines of JSON: one request, one reply. `spec/WIRE.md` tells it to people.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::effect::Effect;
use crate::profile::Family;
use crate::stimulus::{Open, Stimulus};
use crate::time::Time;

/// The version of the frames here.
pub const VERSION: u32 = 1;

/// The longest line, its end included.
pub const LINE_MAX: usize = 1 << 20;

/// What the harness writes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Request {
    /// The first line of a process.
    Hello {
        /// Who is there.
        hello: HarnessHello,
    },
    /// A life begins.
    Open {
        /// With this.
        open: OpenFrame,
    },
    /// What arrived.
    Stimuli {
        /// The time.
        now: Time,
        /// In order.
        stimuli: Vec<Stimulus>,
    },
    /// The clean end of a life.
    Stop {
        /// When.
        stop: StopFrame,
    },
}

/// A request of stimuli that borrows them: what a driver writes thousands of times a second.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct StimuliFrame<'a> {
    /// The time.
    pub now: Time,
    /// In order.
    pub stimuli: &'a [Stimulus],
}

/// A reply of effects that borrows them.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct EffectsFrame<'a> {
    /// In order.
    pub effects: &'a [Effect],
    /// When the gateway wants to be woken.
    pub wake_at: Option<Time>,
}

/// What a gateway writes, one line for each line it read.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Reply {
    /// Answers `hello`.
    Hello {
        /// Who is there.
        hello: GatewayHello,
    },
    /// Answers everything else.
    Effects {
        /// In order.
        effects: Vec<Effect>,
        /// When it wants to be woken.
        #[serde(default)]
        wake_at: Option<Time>,
    },
    /// It does not know a stimulus or a method; rules that need it are inapplicable.
    Unsupported {
        /// Which.
        unsupported: String,
    },
}

/// A request as it stands on the line. Reading it so names what is wrong inside a frame, which an
/// untagged enum would not, and is faster.
#[derive(Deserialize)]
struct RequestForm {
    hello: Option<HarnessHello>,
    open: Option<OpenFrame>,
    now: Option<Time>,
    stimuli: Option<Vec<Stimulus>>,
    stop: Option<StopFrame>,
}

/// A reply as it stands on the line.
#[derive(Deserialize)]
struct ReplyForm {
    hello: Option<GatewayHello>,
    effects: Option<Vec<Effect>>,
    wake_at: Option<Time>,
    unsupported: Option<String>,
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = RequestForm::deserialize(deserializer)?;
        match (form.hello, form.open, form.stimuli, form.stop) {
            (Some(hello), None, None, None) => Ok(Self::Hello { hello }),
            (None, Some(open), None, None) => Ok(Self::Open { open }),
            (None, None, Some(stimuli), None) => {
                let missing = || serde::de::Error::missing_field("now");
                let now = form.now.ok_or_else(missing)?;
                Ok(Self::Stimuli { now, stimuli })
            }
            (None, None, None, Some(stop)) => Ok(Self::Stop { stop }),
            _ => Err(serde::de::Error::custom(
                "a request has exactly one of `hello`, `open`, `stimuli` and `stop`",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Reply {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = ReplyForm::deserialize(deserializer)?;
        let wake_at = form.wake_at;
        match (form.hello, form.effects, form.unsupported) {
            (Some(hello), None, None) => Ok(Self::Hello { hello }),
            (None, Some(effects), None) => Ok(Self::Effects { effects, wake_at }),
            (None, None, Some(unsupported)) => Ok(Self::Unsupported { unsupported }),
            _ => Err(serde::de::Error::custom(
                "a reply has exactly one of `hello`, `effects` and `unsupported`",
            )),
        }
    }
}

/// What the harness says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HarnessHello {
    /// The version of the frames.
    pub wire: u32,
    /// The harness's own version.
    pub harness: String,
}

/// What a gateway says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayHello {
    /// The version of the frames.
    pub wire: u32,
    /// Its name.
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// The profile it keeps.
    #[serde(default = "default_profile")]
    pub profile: String,
    /// The families it means to keep; all of the profile's if absent.
    #[serde(default)]
    pub families: Option<Vec<Family>>,
    /// How its time passes.
    #[serde(default)]
    pub clock: Clock,
    /// How many times faster than real time its clock runs, where it runs by itself.
    #[serde(default = "one")]
    pub scale: u32,
    /// Who holds its disk.
    #[serde(default)]
    pub disk: Disk,
    /// Whether it behaves by channels' names.
    #[serde(default)]
    pub channels: ChannelNames,
    /// Whether one process can open again and again.
    #[serde(default = "yes")]
    pub reopen: bool,
    /// What it reports of itself.
    #[serde(default)]
    pub reports: Vec<String>,
}

/// How a gateway's time passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// As the harness says.
    #[default]
    Virtual,
    /// By itself.
    Real,
}

/// Who holds a gateway's disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disk {
    /// The harness: every record is an effect, and a crash may fall between any two effects.
    Harness,
    /// The gateway, in `state_dir`: a crash falls between two replies.
    Own,
    /// Nobody: it is never crashed.
    #[default]
    None,
}

/// Whether a gateway behaves by channels' names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelNames {
    /// It follows declarations only.
    #[default]
    Nameless,
    /// It knows channels by name.
    Named,
}

/// How a life begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpenFrame {
    /// The time.
    pub now: Time,
    /// What the gateway knows.
    #[serde(flatten)]
    pub open: Open,
}

/// The clean end of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StopFrame {
    /// The time.
    pub now: Time,
}

impl Default for GatewayHello {
    fn default() -> Self {
        Self {
            wire: VERSION,
            name: String::new(),
            version: String::new(),
            profile: default_profile(),
            families: None,
            clock: Clock::default(),
            scale: one(),
            disk: Disk::default(),
            channels: ChannelNames::default(),
            reopen: true,
            reports: Vec::new(),
        }
    }
}

fn default_profile() -> String {
    "target".to_owned()
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}
