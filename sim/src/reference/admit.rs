//! Whether a spawn is admitted: what it asks for is held against what there is, all of it before
//! anything happens.

#[cfg(test)]
mod tests;

use moorline_spec::address::Address;
use moorline_spec::channel::{Placement, Threading};
use moorline_spec::config::listed;
use moorline_spec::id::{AgentId, SessionKey};
use moorline_spec::profile::{AcpParams, ContextDefault, SessionCleanup, SpawnThreads};
use serde_json::Value;

use super::decisions::{
    Asked, Audience, Bindable, Brood, Context, Expecting, Limited, Mode, Nominee, OptIn, Runtime,
};
use super::state::{Owed, Spawn, Standing};
use super::tools::Caller;
use super::wanted::{self, Check, Refusal, Wanted, error, forbidden};
use super::{Reference, keys};

/// What works everywhere.
const RUN_HELPS: &str = "Leave `thread` out: mode=\"run\" reports back here";

impl Reference {
    pub(super) fn check_spawn(
        &mut self,
        caller: &Caller,
        params: &Value,
    ) -> Result<Spawn, Refusal> {
        let Some(requester) = caller.key.clone() else {
            return error(
                Check::Caller,
                "sessions_spawn is a tool of agents; use runtime.subagent.run",
            );
        };
        wanted::check_names(params, |name| self.decisions.refuses_parameter(name))?;
        let ignores = self.dials.acp_params == AcpParams::Ignored;
        let is_agent_id = |id: &str| self.decisions.is_agent_id(id);
        let mut wanted = wanted::read(params, ignores, &is_agent_id)?;
        self.check_acp(wanted.runtime)?;
        let at = caller.origin.as_ref().map(|origin| &origin.address);
        let asked = self.asked(&wanted, at);
        let thread = self.decisions.spawn_thread(&asked);
        let mode = self.decisions.spawn_mode(&asked, thread);
        self.check_mode(&mut wanted, at, thread, mode)?;
        self.check_limits(&requester, wanted.runtime)?;
        let agent = self.check_agent(&requester, &wanted)?;
        let context = self.check_context(&requester, &wanted, &agent, thread)?;
        if thread {
            self.check_thread(at)?;
        }
        check_audience(&wanted, at)?;
        let resumed = self.check_resume(&requester, &wanted)?;
        self.check_free_label(&wanted)?;
        let fork = resumed.or((context == Context::Fork).then(|| requester.clone()));
        let overrides = self.overrides_of(&agent, params);
        let spawn = self.spawn_of(caller, requester, agent, wanted, (thread, mode), fork)?;
        Ok(Spawn { overrides, ..spawn })
    }

    /// Everything is in order.
    fn spawn_of(
        &mut self,
        caller: &Caller,
        requester: SessionKey,
        agent: AgentId,
        wanted: Wanted,
        (thread, mode): (bool, Mode),
        fork: Option<SessionKey>,
    ) -> Result<Spawn, Refusal> {
        let owes = self.decisions.owes_completion(&Expecting {
            thread,
            mode,
            runtime: wanted.runtime,
            expected: wanted.audience != Audience::Nobody,
        });
        let timed = self.decisions.acp_is_limited(&Limited {
            dial: self.dials.acp_limits,
            runtime: wanted.runtime,
            by_child: true,
        });
        let asker = keys::agent_of(&requester).unwrap_or_else(|| self.default_agent());
        let timeout = wanted.timeout.or(self.config.child_timeout(&asker));
        self.state.children_made += 1;
        let number = self.state.children_made;
        Ok(Spawn {
            incarnation: caller.incarnation,
            origin: caller.origin.clone(),
            key: keys::child_key(&agent, wanted.runtime, self.state.life, number),
            number,
            agent,
            task: wanted.task,
            label: wanted.label,
            thread,
            mode,
            runtime: wanted.runtime,
            audience: match wanted.audience {
                _ if !owes => Audience::Nobody,
                Audience::Nobody => Audience::Parent,
                Audience::Parent | Audience::Origin | Audience::Both => wanted.audience,
            },
            streams: wanted.streams,
            deletes: wanted.deletes,
            fork,
            overrides: Value::Null,
            timeout: timeout.filter(|timeout| timed && !timeout.is_zero()),
            requester,
        })
    }

    fn asked(&self, wanted: &Wanted, at: Option<&Address>) -> Asked {
        let channel = at.and_then(|at| self.channel(&at.channel));
        let threading = channel.map_or(Threading::default(), |channel| {
            self.decisions.threading(&channel.id, channel.threading)
        });
        Asked {
            thread: wanted.thread,
            mode: wanted.mode,
            runtime: wanted.runtime,
            threading,
        }
    }

    fn check_acp(&self, runtime: Runtime) -> Result<(), Refusal> {
        match runtime {
            Runtime::Acp if !self.config.acp_enabled() => forbidden(
                Check::Acp,
                "ACP is disabled by policy (`acp.enabled=false`). Use runtime=\"subagent\".",
            ),
            Runtime::Acp | Runtime::Subagent => Ok(()),
        }
    }

    fn check_mode(
        &self,
        wanted: &mut Wanted,
        at: Option<&Address>,
        thread: bool,
        mode: Mode,
    ) -> Result<(), Refusal> {
        if mode == Mode::Session && !thread {
            self.check_threadless(wanted.runtime, at)?;
        }
        if mode == Mode::Session && wanted.deletes {
            match self.dials.session_cleanup {
                SessionCleanup::Kept => wanted.deletes = false,
                SessionCleanup::Refused => {
                    return error(
                        Check::Mode,
                        "`cleanup` is \"keep\" in mode=\"session\": a session stays until \
                         sessions.delete. Use mode=\"run\", or leave `cleanup` out.",
                    );
                }
            }
        }
        Ok(())
    }

    fn check_threadless(&self, runtime: Runtime, at: Option<&Address>) -> Result<(), Refusal> {
        let dial = self.dials.session_without_thread;
        if self.decisions.session_may_lack_thread(dial) {
            return Ok(());
        }
        let what = match runtime {
            Runtime::Subagent => "subagent",
            Runtime::Acp => "ACP session",
        };
        let help = if at.is_some_and(|at| self.can_bind(at)) {
            "Retry with { mode: \"session\", thread: true }, or use mode=\"run\"."
        } else {
            "This channel has no thread bindings; use mode=\"run\"."
        };
        error(
            Check::Mode,
            format!(
                "mode=\"session\" requires thread=true so the {what} can stay bound to a thread. \
                 {help}"
            ),
        )
    }

    /// Whether the place can be bound at all.
    fn can_bind(&self, at: &Address) -> bool {
        let threads = self
            .channel(&at.channel)
            .map(|channel| channel.capabilities.threads)
            .unwrap_or_default();
        self.decisions.can_bind(&Bindable {
            at,
            placement: threads.placement,
            in_direct: threads.in_direct,
            direct: self.state.direct.contains(&at.without_thread()),
        })
    }

    /// Whether the place can be bound, and may be.
    fn check_thread(&self, at: Option<&Address>) -> Result<(), Refusal> {
        let help = RUN_HELPS;
        let Some(at) = at else {
            return error(
                Check::Thread,
                format!("`thread` needs a conversation, and this run has none. {help}."),
            );
        };
        let name = &at.channel;
        if !self.can_bind(at) {
            return error(
                Check::Thread,
                format!(
                    "Thread bindings are unavailable for {name}. thread=true is only available on \
                     channels that expose thread bindings. {help}."
                ),
            );
        }
        if !self.config.bindings_enabled(at) {
            return error(
                Check::Thread,
                format!(
                    "Thread bindings are disabled for {name} (set \
                     channels.{name}.threadBindings.enabled=true to use `thread`). {help}."
                ),
            );
        }
        let threading = self
            .channel(name)
            .map(|channel| channel.threading)
            .unwrap_or_default();
        let opted_in = self.decisions.opted_in(&OptIn {
            said: self.config.spawn_may_bind(at),
            by_default: match self.dials.spawn_threads_default {
                SpawnThreads::Off => false,
                SpawnThreads::On => true,
                SpawnThreads::ByPlacement => self.placement(at) == Placement::Current,
            },
            required: threading.requires_thread_for_subagents,
        });
        if opted_in {
            return Ok(());
        }
        error(
            Check::Thread,
            format!(
                "Thread-bound session spawns are disabled for {name} (set \
                 channels.{name}.threadBindings.spawnSubagentSessions=true to use `thread`). {help}."
            ),
        )
    }

    fn check_agent(&self, requester: &SessionKey, wanted: &Wanted) -> Result<AgentId, Refusal> {
        let own = self
            .state
            .session(requester)
            .map_or_else(|| self.default_agent(), |session| session.agent.clone());
        let default = match wanted.runtime {
            Runtime::Acp => self.config.acp.default_agent.clone(),
            Runtime::Subagent => None,
        };
        let Some(given) = &wanted.agent else {
            if wanted.runtime == Runtime::Subagent && self.config.requires_agent_id(&own) {
                let allowed = self.allowed(&own);
                return forbidden(
                    Check::Agent,
                    format!(
                        "sessions_spawn requires explicit agentId when requireAgentId is \
                         configured. Set `agentId` to one of: {allowed}."
                    ),
                );
            }
            let agent = default.unwrap_or(own);
            return match wanted.runtime {
                Runtime::Acp => self.check_acp_agent(agent),
                Runtime::Subagent => Ok(agent),
            };
        };
        let mut known = self.agents.iter();
        let known = known.find(|agent| agent.as_str().eq_ignore_ascii_case(given));
        let named = known.cloned().unwrap_or_else(|| given.as_str().into());
        if wanted.runtime == Runtime::Acp {
            return self.check_acp_agent(named);
        }
        let allowed = self.decisions.may_name(&Nominee {
            dial: self.dials.own_agent,
            own: own == named,
            listed: self.config.spawns_of(&own).map(|list| listed(list, &named)),
        });
        if !allowed {
            let allowed = self.allowed(&own);
            return forbidden(
                Check::Agent,
                format!(
                    "agentId is not allowed for sessions_spawn (allowed: {allowed}). Use one of \
                     these, or leave `agentId` out."
                ),
            );
        }
        self.check_configured(&own, named)
    }

    fn check_acp_agent(&self, agent: AgentId) -> Result<AgentId, Refusal> {
        if !self.config.acp_allows(&agent) {
            let allowed = &self.config.acp.allowed_agents;
            let allowed: Vec<&str> = allowed.iter().map(AgentId::as_str).collect();
            let allowed = allowed.join(", ");
            return forbidden(
                Check::Agent,
                format!(
                    "ACP agent \"{agent}\" is not allowed by policy. Set `agentId` to one of: \
                     {allowed}."
                ),
            );
        }
        let own = self.default_agent();
        self.check_configured(&own, agent)
    }

    fn check_configured(&self, own: &AgentId, agent: AgentId) -> Result<AgentId, Refusal> {
        if self.decisions.is_configured(self.agents.contains(&agent)) {
            return Ok(agent);
        }
        let allowed = self.allowed(own);
        forbidden(
            Check::Agent,
            format!(
                "agentId \"{agent}\" is not in the configured agent registry (allowed: {allowed}). \
                 Use one of these, or leave `agentId` out."
            ),
        )
    }

    /// The agents that a spawn may name, in words.
    fn allowed(&self, own: &AgentId) -> String {
        let may = |agent: &&AgentId| match self.config.spawns_of(own) {
            Some(list) => listed(list, agent),
            None => *agent == own,
        };
        let allowed: Vec<&str> = self
            .agents
            .iter()
            .filter(may)
            .map(AgentId::as_str)
            .collect();
        match allowed.is_empty() {
            true => "none".to_owned(),
            false => allowed.join(", "),
        }
    }

    fn check_context(
        &self,
        requester: &SessionKey,
        wanted: &Wanted,
        agent: &AgentId,
        thread: bool,
    ) -> Result<Context, Refusal> {
        let own = self.state.session(requester).map(|session| &session.agent);
        let same = own == Some(agent);
        match wanted.context {
            Some(Context::Fork) if !same => error(
                Check::Agent,
                "context=\"fork\" currently requires the same target agent as the requester; use \
                 context=\"isolated\" for cross-agent spawns.",
            ),
            Some(context) => Ok(context),
            None => {
                let forks = self.dials.context_default == ContextDefault::ForkInThreads;
                let may = same && wanted.runtime == Runtime::Subagent && wanted.resumes.is_none();
                Ok(self
                    .decisions
                    .context(forks && may && thread, thread && may))
            }
        }
    }

    fn check_limits(&self, requester: &SessionKey, runtime: Runtime) -> Result<(), Refusal> {
        let session = self.state.session(requester);
        let child = session.and_then(|session| session.child.as_ref());
        let limited = self.decisions.acp_is_limited(&Limited {
            dial: self.dials.acp_limits,
            runtime,
            by_child: child.is_some(),
        });
        if !limited {
            return Ok(());
        }
        let depth = child.map_or(0, |child| child.depth);
        let (deepest, most) = self.spawn_limits(requester);
        if !self.decisions.may_go_deeper(depth, deepest) {
            return forbidden(
                Check::Depth,
                format!(
                    "sessions_spawn is not allowed at this depth (current depth: {depth}, max: \
                     {deepest}); do the work in this run"
                ),
            );
        }
        let brood = self.brood(requester, most as usize);
        if !self.decisions.may_have_child(&brood) {
            let Brood {
                running,
                in_flight,
                most,
                ..
            } = brood;
            let count = running + in_flight;
            return forbidden(
                Check::Children,
                format!(
                    "sessions_spawn has reached max active children for this session \
                     ({count}/{most}); wait until one has ended"
                ),
            );
        }
        Ok(())
    }

    /// The children that a session has, and those it is about to have.
    fn brood(&self, requester: &SessionKey, most: usize) -> Brood {
        let debts = self.state.debts.values();
        let own = debts
            .filter(|debt| debt.requester == *requester && matches!(debt.what, Owed::Child(_)));
        let (mut running, mut ended) = (0, 0);
        for debt in own {
            match debt.state {
                Standing::Running => running += 1,
                Standing::Below
                | Standing::Turn(_)
                | Standing::Steering(_)
                | Standing::Steered(_)
                | Standing::Post(_) => ended += 1,
            }
        }
        let openings = self.state.openings.values();
        let in_flight = openings.filter(|open| open.spawn.requester == *requester);
        Brood {
            running,
            ended,
            in_flight: in_flight.count(),
            most,
        }
    }

    /// The session whose memory is taken up: one that this requester asked for.
    fn check_resume(
        &self,
        requester: &SessionKey,
        wanted: &Wanted,
    ) -> Result<Option<SessionKey>, Refusal> {
        let Some(id) = &wanted.resumes else {
            return Ok(None);
        };
        let mut sessions = self.state.sessions.values();
        let found = sessions.find(|session| {
            let child = session.child.as_ref();
            let acp = child.is_some_and(|child| child.runtime == Runtime::Acp);
            let own = child.is_some_and(|child| child.parent == *requester);
            let may = self.decisions.of_relays().may_resume(own);
            acp && may && !session.ghost && keys::session_id(session.id).as_str() == id
        });
        match found {
            Some(session) => Ok(Some(session.key.clone())),
            None => forbidden(
                Check::Resume,
                format!(
                    "resumeSessionId {id} is of no ACP session of this requester; leave \
                     `resumeSessionId` out to start afresh"
                ),
            ),
        }
    }

    fn check_free_label(&self, wanted: &Wanted) -> Result<(), Refusal> {
        let Some(label) = &wanted.label else {
            return Ok(());
        };
        let mut openings = self.state.openings.values();
        let opening = openings.any(|open| open.spawn.label.as_ref() == Some(label));
        if opening || self.by_label(label).is_some() {
            return error(
                Check::Label,
                format!("label already in use: {label}; choose another `label`"),
            );
        }
        Ok(())
    }
}

fn check_audience(wanted: &Wanted, at: Option<&Address>) -> Result<(), Refusal> {
    match wanted.audience {
        Audience::Origin | Audience::Both if at.is_none() => error(
            Check::Audience,
            "`notifyUserOnComplete` needs a conversation, and this run has none; leave it out, and \
             the parent is told",
        ),
        Audience::Origin | Audience::Both | Audience::Parent | Audience::Nobody => Ok(()),
    }
}
