//! Settings that several layers of the configuration can give: one order decides them all.

use moorline_spec::address::Address;
use moorline_spec::config::{Layer, Layers};
use moorline_spec::id::{AgentId, SessionKey};
use serde_json::Value;

use super::decisions::Setting;
use super::{Reference, keys};

impl Reference {
    /// What the strongest layer says.
    pub(super) fn decided<T: Clone>(&self, setting: Setting, layers: &Layers<T>) -> Option<T> {
        let speaking: Vec<Layer> = layers.speaking().map(|(layer, _)| layer).collect();
        let layer = self.decisions.strongest(setting, &speaking)?;
        layers.of(layer).cloned()
    }

    /// Whether the account of an address is switched off: nothing is heard or said there.
    pub(super) fn is_stopped(&self, at: &Address) -> bool {
        !self.config.account_enabled(at) && self.decisions.of_bindings().stops_account()
    }

    /// Whether groups there must mention the gateway.
    pub(super) fn needs_mention(&self, at: &Address) -> bool {
        let said = || self.decided(Setting::Mention, &self.config.mention_rules(at));
        !self.config.channels.is_empty() && said().unwrap_or(false)
    }

    /// Whether other bots are heard there.
    pub(super) fn hears_bots(&self, at: &Address) -> bool {
        let said = self.decided(Setting::Bots, &self.config.bot_rules(at));
        said.unwrap_or(false)
    }

    /// How deep a requester's children may have children, and how many it may have at a time.
    pub(super) fn spawn_limits(&self, requester: &SessionKey) -> (u32, u32) {
        let agent = keys::agent_of(requester).unwrap_or_else(|| self.default_agent());
        let depth = self.config.subagents(&agent, |own| own.max_spawn_depth);
        let children = self
            .config
            .subagents(&agent, |own| own.max_children_per_agent);
        let depth = self.decided(Setting::Depth, &depth);
        let children = self.decided(Setting::Children, &children);
        (
            depth.unwrap_or(self.dials.max_spawn_depth),
            children.unwrap_or(self.dials.max_children),
        )
    }

    /// The model of a child, and how much it thinks.
    pub(super) fn overrides_of(&self, agent: &AgentId, params: &Value) -> Value {
        let given = |name: &str| Some(params[name].clone()).filter(|value| !value.is_null());
        let text = |text: &String| Value::from(text.as_str());
        let model = self
            .config
            .subagents(agent, |own| own.model.as_ref().map(text))
            .with(Layer::Parameter, given("model"));
        let thinking = self
            .config
            .subagents(agent, |own| own.thinking.as_ref().map(text))
            .with(Layer::Parameter, given("thinking"));
        let mut overrides = Value::Null;
        for (name, setting, layers) in [
            ("model", Setting::Model, model),
            ("thinking", Setting::Thinking, thinking),
        ] {
            if let Some(value) = self.decided(setting, &layers) {
                overrides[name] = value;
            }
        }
        overrides
    }

    /// Where the output of an agent goes that nobody asked for.
    pub(super) fn proactive_address(&self, key: &SessionKey) -> Option<Address> {
        let agent = keys::agent_of(key).unwrap_or_else(|| self.default_agent());
        let layers = self.config.heartbeat_to(&agent);
        self.decided(Setting::HeartbeatTo, &layers).cloned()
    }
}
