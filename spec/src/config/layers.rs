//! The one order in which those who may say how a setting stands outrank each other.

/// Who says how a setting stands, the strongest first. What is written at the top of the
/// configuration, for everything (`session`, `messages`, `tools`, `agents.defaults`), is the
/// default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// A parameter of the call.
    Parameter,
    /// The account.
    Account,
    /// The channel.
    Channel,
    /// The agent.
    Agent,
    /// Everybody.
    Default,
}

impl Layer {
    /// All of them, the strongest first.
    pub const ALL: [Self; 5] = [
        Self::Parameter,
        Self::Account,
        Self::Channel,
        Self::Agent,
        Self::Default,
    ];

    /// Its name, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parameter => "parameter",
            Self::Account => "account",
            Self::Channel => "channel",
            Self::Agent => "agent",
            Self::Default => "default",
        }
    }
}

/// What each layer says of one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers<T>([Option<T>; Layer::ALL.len()]);

impl<T> Default for Layers<T> {
    fn default() -> Self {
        Self([const { None }; Layer::ALL.len()])
    }
}

impl<T> Layers<T> {
    /// What a layer says besides; one that is silent leaves it to the next.
    #[must_use]
    pub fn with(mut self, layer: Layer, says: Option<T>) -> Self {
        self.0[layer as usize] = says;
        self
    }

    /// What a layer says.
    pub fn of(&self, layer: Layer) -> Option<&T> {
        self.0[layer as usize].as_ref()
    }

    /// The layers that say something, the strongest first.
    pub fn speaking(&self) -> impl Iterator<Item = (Layer, &T)> {
        let all = Layer::ALL.into_iter().zip(&self.0);
        all.filter_map(|(layer, says)| Some((layer, says.as_ref()?)))
    }

    /// The strongest layer that says something, and what.
    pub fn strongest(&self) -> Option<(Layer, &T)> {
        self.speaking().next()
    }

    /// How the setting stands, if anybody says.
    pub fn decided(self) -> Option<T> {
        self.0.into_iter().flatten().next()
    }
}

impl<T: PartialEq> Layers<T> {
    /// Whether two layers say different things: here the order matters.
    pub fn disagree(&self) -> bool {
        let mut all = self.speaking().map(|(_, says)| says);
        let first = all.next();
        all.any(|says| Some(says) != first)
    }
}
