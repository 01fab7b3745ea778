//! What an implementation promises: the families it has, and the dials where honest designs differ.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::time::Span;

/// What an implementation promises, as data. Rules read dials, never a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name: `target`, `openclaw-2026.9.6`, or one of your own.
    pub name: String,
    /// The families of rules it means to keep; rules of others are inapplicable.
    pub families: BTreeSet<Family>,
    /// The dials. One left out stands as in `target`.
    #[serde(default)]
    pub dials: Dials,
    /// Where it is read that a dial stands so, by the dial's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, String>,
}

/// Rules that belong together.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// What comes in.
    Ingress,
    /// Identity and life of sessions.
    Session,
    /// Spawned children.
    Spawn,
    /// The channel's threading policy.
    Policy,
    /// Life of a bound conversation.
    Binding,
    /// Where a message and its answer go.
    Routing,
    /// From the end of a run to whoever asked.
    Relay,
    /// What must not reach whom.
    Isolation,
    /// Children of children.
    Nested,
    /// Messages between sessions.
    Send,
    /// What is stopped, and what is below it.
    Cancel,
    /// After a crash.
    Restart,
    /// What a configuration means.
    Config,
}

impl Family {
    /// All families, in the order of the contract.
    pub const ALL: [Self; 13] = [
        Self::Ingress,
        Self::Session,
        Self::Spawn,
        Self::Policy,
        Self::Binding,
        Self::Routing,
        Self::Relay,
        Self::Isolation,
        Self::Nested,
        Self::Send,
        Self::Cancel,
        Self::Restart,
        Self::Config,
    ];

    /// The family of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.as_str() == name)
    }

    /// The part of a rule's id before the dot.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Session => "session",
            Self::Spawn => "spawn",
            Self::Policy => "policy",
            Self::Binding => "binding",
            Self::Routing => "routing",
            Self::Relay => "relay",
            Self::Isolation => "isolation",
            Self::Nested => "nested",
            Self::Send => "send",
            Self::Cancel => "cancel",
            Self::Restart => "restart",
            Self::Config => "config",
        }
    }
}

/// The points where honest designs differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Dials {
    /// Whether a spawn in mode `session` may do without a thread.
    pub session_without_thread: Permission,
    /// The reset policy where none is configured.
    pub reset_default: ResetDefault,
    /// What the age of a session counts from.
    pub reset_anchor: ResetAnchor,
    /// What the legacy key `session.idleMinutes` means.
    pub legacy_idle: LegacyIdle,
    /// What `mode: none` of the general reset policy means for a kind with a policy of its own.
    pub reset_none: ResetNone,
    /// Whether a call on the agent path evaluates the reset policy.
    pub agent_path_resets: bool,
    /// Whether a reset keeps the session id.
    pub reset_keeps_id: bool,
    /// Which children of one run are archived after the configured time.
    pub archives: Archives,
    /// Whether maintenance removes sessions where the configuration does not say.
    pub maintenance: Maintenance,
    /// What maintenance removes.
    pub maintenance_takes: MaintenanceTakes,
    /// How many sessions maintenance leaves where the configuration does not say.
    pub max_entries: u32,
    /// How deep children may have children.
    pub max_spawn_depth: u32,
    /// How many children of one session may run at a time.
    pub max_children: u32,
    /// Whether a threaded spawn needs an opt-in.
    pub spawn_threads_default: SpawnThreads,
    /// Whose children share the limit of runs at work at a time.
    pub concurrency_of: ConcurrencyOf,
    /// Whether the limits of children, depth and time hold for runtime acp.
    pub acp_limits: AcpLimits,
    /// What parameters of runtime acp mean for a sub-agent.
    pub acp_params: AcpParams,
    /// Whether a spawn that names the requester's own agent is held to the list of allowed ones.
    pub own_agent: OwnAgent,
    /// What `cleanup: "delete"` means for a session.
    pub session_cleanup: SessionCleanup,
    /// What a child remembers where the spawn does not say.
    pub context_default: ContextDefault,
    /// Who is told when a child's run ends.
    pub completion_to: CompletionTo,
    /// What happens to a completion whose requester is in the middle of a run.
    pub busy_requester: BusyRequester,
    /// What happens after a receipt that says unknown.
    pub after_unknown: AfterUnknown,
    /// Who is told where the requester was reset since.
    pub reset_requester: ResetRequester,
    /// When a lapse takes effect.
    pub lapse_checked_at: LapseCheck,
    /// What the age of a binding counts from after `/session max-age`.
    pub max_age_from: MaxAgeFrom,
    /// When a bound thread is probed.
    pub probe: Probe,
    /// What an archived thread means for its binding.
    pub archived_thread: ArchivedThread,
    /// What becomes of a message that waits while its conversation comes to belong to another session.
    pub reroute: Reroute,
    /// What a conversation is that goes by another id.
    pub moved_conversation: MovedConversation,
    /// How often bindings are swept; the first time one interval after the start.
    pub sweep_every: Span,
    /// Whether sending to a key that never existed creates a session.
    pub send_minting: bool,
    /// Which sessions a session can see, unless configured otherwise.
    pub visibility: Visibility,
    /// Whether sessions of different agents may send to each other.
    pub agent_to_agent: bool,
    /// How many turns follow the reply to a text that one session sent to another, unless
    /// configured otherwise.
    pub exchange_turns: u32,
    /// Whether configurations may have the keys of older versions.
    pub legacy_keys: LegacyKeys,
    /// What a child that owes a completion and says nothing means.
    pub no_reply: NoReply,
    /// Where output goes that nobody asked for.
    pub proactive_to: ProactiveTo,
    /// For how long a completion may stay undelivered before it is given up aloud.
    pub relay_window: Span,
    /// For how long a run that ended waits for what it asked for itself, and its end with it.
    pub settle_window: Span,
}

impl Default for Dials {
    fn default() -> Self {
        Self {
            session_without_thread: Permission::Allowed,
            reset_default: ResetDefault::None,
            reset_anchor: ResetAnchor::StartAndLastInteraction,
            legacy_idle: LegacyIdle::Idle,
            reset_none: ResetNone::Holds,
            agent_path_resets: false,
            reset_keeps_id: false,
            archives: Archives::UnlessKept,
            maintenance: Maintenance::Warn,
            maintenance_takes: MaintenanceTakes::All,
            max_entries: 500,
            max_spawn_depth: 1,
            max_children: 5,
            spawn_threads_default: SpawnThreads::Off,
            concurrency_of: ConcurrencyOf::Requester,
            acp_limits: AcpLimits::Held,
            acp_params: AcpParams::Refused,
            own_agent: OwnAgent::Listed,
            session_cleanup: SessionCleanup::Refused,
            context_default: ContextDefault::Isolated,
            completion_to: CompletionTo::ParentThenOrigin,
            busy_requester: BusyRequester::SteerSameOriginElseQueue,
            after_unknown: AfterUnknown::Repeat,
            reset_requester: ResetRequester::VisibleFailure,
            lapse_checked_at: LapseCheck::Lookup,
            max_age_from: MaxAgeFrom::Bound,
            probe: Probe::OnRefusal,
            archived_thread: ArchivedThread::Ends,
            reroute: Reroute::AtTurn,
            moved_conversation: MovedConversation::Follows,
            sweep_every: Span::mins(2),
            send_minting: false,
            visibility: Visibility::Tree,
            agent_to_agent: false,
            exchange_turns: 0,
            legacy_keys: LegacyKeys::Migrated,
            no_reply: NoReply::ReportedAsEmpty,
            proactive_to: ProactiveTo::ConfiguredAddress,
            relay_window: Span::mins(30),
            settle_window: Span::mins(30),
        }
    }
}

macro_rules! dial {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }
    };
}

mod bindings;

pub use bindings::{ArchivedThread, LapseCheck, MaxAgeFrom, MovedConversation, Probe, Reroute};

dial! {
    /// Whether something may be done.
    Permission {
        /// It may.
        Allowed,
        /// It is refused.
        Refused,
    }
}
dial! {
    /// The reset policy where none is configured.
    ResetDefault {
        /// No session resets by itself.
        None,
        /// Each day at 4:00.
        DailyAt4,
    }
}
dial! {
    /// What the legacy key `session.idleMinutes` means.
    LegacyIdle {
        /// An idle reset, where no policy is given for the conversation.
        Idle,
        /// An idle reset while no policy is given at all, else an idle limit beside the default.
        UntilTyped,
        /// Nothing.
        Ignored,
    }
}
dial! {
    /// What `mode: none` of the general reset policy means for a kind with a policy of its own.
    ResetNone {
        /// It holds, unless the kind's own says otherwise.
        Holds,
        /// It does not hold.
        YieldsToType,
    }
}
dial! {
    /// What the age of a session counts from.
    ResetAnchor {
        /// The daily reset from its start, the idle reset from the last real interaction.
        StartAndLastInteraction,
        /// Both from the last write to its entry, whoever wrote.
        LastWrite,
    }
}
dial! {
    /// Which children of one run are archived after the configured time.
    Archives {
        /// Those that were not asked for with `cleanup: "keep"`.
        UnlessKept,
        /// Those that were asked for with `cleanup: "delete"`, and go as soon as they were told of.
        OnlyDeleted,
    }
}
dial! {
    /// Whether maintenance removes sessions.
    Maintenance {
        /// It only says that it would.
        Warn,
        /// It does.
        Enforce,
    }
}
dial! {
    /// What maintenance removes.
    MaintenanceTakes {
        /// Any session, those that nobody speaks to first.
        All,
        /// Only sessions that nobody speaks to.
        Made,
    }
}
dial! {
    /// Whether a threaded spawn works without `spawnSubagentSessions` in the configuration.
    SpawnThreads {
        /// It is refused.
        Off,
        /// It works.
        On,
        /// It works where the binding is made in the current conversation.
        ByPlacement,
    }
}
dial! {
    /// Whose children share the limit of runs at work at a time.
    ConcurrencyOf {
        /// Those of one session.
        Requester,
        /// Those of all sessions.
        Gateway,
    }
}
dial! {
    /// Whether the limits of children, depth and time hold for runtime acp.
    AcpLimits {
        /// As for sub-agents.
        Held,
        /// Children and depth only where the requester is a child itself; time always.
        BelowSubagents,
        /// None of them.
        None,
    }
}
dial! {
    /// What parameters of runtime acp mean for a sub-agent.
    AcpParams {
        /// They are refused by name.
        Refused,
        /// Nothing.
        Ignored,
    }
}
dial! {
    /// Whether a spawn that names the requester's own agent is held to the list of allowed ones.
    OwnAgent {
        /// It is, where there is a list.
        Listed,
        /// It is allowed always.
        Always,
    }
}
dial! {
    /// What `cleanup: "delete"` means for a session.
    SessionCleanup {
        /// It is refused by name.
        Refused,
        /// Nothing: sessions are kept.
        Kept,
    }
}
dial! {
    /// What a child remembers where the spawn does not say.
    ContextDefault {
        /// Nothing.
        Isolated,
        /// What its parent does, where it has a thread and the same agent.
        ForkInThreads,
    }
}
dial! {
    /// Who is told when a child's run ends.
    CompletionTo {
        /// The parent session; the origin itself where the parent's turn is refused or lost.
        ParentThenOrigin,
        /// The parent session only.
        Parent,
    }
}
dial! {
    /// What happens to a completion whose requester is in the middle of a run.
    BusyRequester {
        /// Steered in where that run answers to the same origin, else queued behind it.
        SteerSameOriginElseQueue,
        /// Queued behind it.
        Queue,
        /// Steered in.
        Steer,
    }
}
dial! {
    /// What happens after a receipt that says unknown, or a crash before the receipt.
    AfterUnknown {
        /// Repeated: by key where the channel recognises it, else marked as a repeat.
        Repeat,
        /// Given up aloud.
        GiveUpAloud,
    }
}
dial! {
    /// Who is told where the requester was reset since.
    ResetRequester {
        /// Nobody; the origin sees a failure.
        VisibleFailure,
        /// Its new incarnation.
        NewIncarnation,
    }
}
dial! {
    /// Which sessions a session can see.
    Visibility {
        /// Itself.
        #[serde(rename = "self")]
        Own,
        /// Itself and what it spawned, at any depth and of whatever agent.
        Tree,
        /// That, and every session of its agent.
        Agent,
        /// Every session.
        All,
    }
}
dial! {
    /// Whether configurations may have the keys of older versions.
    LegacyKeys {
        /// They mean what they meant.
        Migrated,
        /// They are refused.
        Refused,
    }
}
dial! {
    /// What a child that owes a completion and says nothing means.
    NoReply {
        /// Its requester is told that it ended without output.
        ReportedAsEmpty,
        /// Nothing.
        Silent,
    }
}
dial! {
    /// Where output goes that nobody asked for.
    ProactiveTo {
        /// To the configured address, or nowhere.
        ConfiguredAddress,
        /// To wherever the session last spoke.
        LastRoute,
    }
}

const SHIPPED: [&str; 4] = [
    include_str!("../profiles/target.json"),
    include_str!("../profiles/openclaw-2026.3.1.json"),
    include_str!("../profiles/openclaw-2026.4.9.json"),
    include_str!("../profiles/openclaw-2026.9.6.json"),
];

impl Profile {
    /// What the five sources ask for: the reference's default.
    pub fn target() -> Self {
        Self {
            name: "target".to_owned(),
            families: Family::ALL.into_iter().collect(),
            dials: Dials::default(),
            sources: BTreeMap::new(),
        }
    }

    /// The profiles that come with moorline, `target` first.
    ///
    /// # Panics
    ///
    /// Never: a test reads every one of them.
    pub fn shipped() -> Vec<Self> {
        SHIPPED
            .into_iter()
            .map(|text| serde_json::from_str(text).expect("a shipped profile is one"))
            .collect()
    }

    /// The shipped profile of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::shipped()
            .into_iter()
            .find(|profile| profile.name == name)
    }

    /// Whether each named dial stands as given. An unknown dial never does.
    pub fn has(&self, dials: &BTreeMap<String, Value>) -> bool {
        dials.is_empty() || {
            let own = serde_json::to_value(&self.dials).expect("dials are plain data");
            dials
                .iter()
                .all(|(name, value)| own.get(name) == Some(value))
        }
    }

    /// This profile with some dials set otherwise; the error names the dial or the value.
    pub fn with(&self, dials: &BTreeMap<String, Value>) -> Result<Self, serde_json::Error> {
        if dials.is_empty() {
            return Ok(self.clone());
        }
        let mut own = serde_json::to_value(&self.dials)?;
        for (name, value) in dials {
            own[name] = value.clone();
        }
        Ok(Self {
            dials: serde_json::from_value(own)?,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_profiles_read_and_target_is_the_default() {
        let shipped = Profile::shipped();
        assert_eq!(shipped.len(), SHIPPED.len());
        assert_eq!(shipped[0], Profile::target());
    }

    #[test]
    fn a_source_is_one_of_a_dial() {
        let dials = serde_json::to_value(Dials::default()).unwrap();
        for profile in Profile::shipped() {
            for dial in profile.sources.keys() {
                assert!(dials.get(dial).is_some(), "{}: {dial}", profile.name);
            }
        }
    }

    #[test]
    fn a_dial_can_be_asked_for_and_set_by_name() {
        let probe = BTreeMap::from([("probe".to_owned(), Value::from("each_pass"))]);
        let target = Profile::target();
        assert!(!target.has(&probe));
        assert!(target.with(&probe).unwrap().has(&probe));
        let wrong = BTreeMap::from([("prob".to_owned(), Value::from("each_pass"))]);
        assert!(
            target
                .with(&wrong)
                .unwrap_err()
                .to_string()
                .contains("unknown field `prob`")
        );
    }
}
