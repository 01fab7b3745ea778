//! The reference: a gateway that keeps its promises, or those of any profile. Every decision that a
//! bug can get wrong stands in `Decisions`; here is the mechanism.
//!
//! Whatever one stimulus changes is written down as one record before any of its effects leaves, so
//! that a crash at any point finds either nothing or the whole intention on the disk.

mod admit;
mod archive;
mod bindings;
mod bound;
mod cancel;
mod commands;
mod decisions;
mod exchange;
mod given_up;
mod ingress;
mod journal;
mod keys;
mod lanes;
#[cfg(test)]
mod law_of_bindings;
mod legacy;
mod maintenance;
mod moved;
mod naming;
mod nested;
mod of_bindings;
mod of_nesting;
mod of_relays;
mod outbox;
mod patch;
mod questions;
mod queue;
mod reach;
mod record;
mod relay;
mod reroute;
mod restart;
mod runs;
mod send;
mod sessions;
mod settings;
mod shelf;
mod spawn;
mod state;
mod stream;
mod subagents;
mod sweep;
mod tools;
mod touches;
mod transcript;
mod turns;
mod waiting;
mod wanted;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use moorline_spec::address::Address;
use moorline_spec::calendar::Calendar;
use moorline_spec::channel::{Channel, Placement};
use moorline_spec::config::Config;
use moorline_spec::effect::{Answer, Effect, Persist, RefuseConfig, Report, UnboundBecause};
use moorline_spec::gateway::Gateway;
use moorline_spec::id::{AgentId, CallId, ChannelId, SessionKey, Text};
use moorline_spec::key;
use moorline_spec::profile::{Dials, Profile};
use moorline_spec::stimulus::{ConfigChanged, Stimulus};
use moorline_spec::time::{Span, Time};
use serde_json::{Value, json};

use crate::numbered::numbered;
pub use decisions::{
    AfterLapse, Again, Ages, Anew, Archiving, Asked, Asker, Audience, Bindable, Brood, Busy, By,
    Cause, Context, Decisions, Doubt, Exchange, Expecting, Handing, Hearing, Lapse, Limited, Lost,
    Mode, Naming, Next, Nominee, Old, OptIn, Output, Path, Pool, Reach, Recovery, Right, Runtime,
    Setting, Spare, Speaking, Times, Traffic, Unseen, Untold, WhenBusy,
};
use journal::{Dirty, Journal};
pub use of_bindings::{
    Belongs, BindingDecisions, Commanded, Dead, Elsewhere, Obeys, RightBindings,
};
pub use of_nesting::{
    Beneath, Ended, NestingDecisions, Requester, RightNesting, WhenBelow, Yielded,
};
pub use of_relays::{RelayDecisions, RightRelays, Told, Unplaced};
use state::State;

/// A gateway in memory.
pub struct Reference {
    /// Behind a pointer: the mechanism is compiled once, however many gateways decide wrongly.
    decisions: Box<dyn Decisions>,
    dials: Dials,
    config: Config,
    channels: Arc<[Channel]>,
    agents: Arc<[AgentId]>,
    /// Spawns that wait, and whose child was asked for to be kept.
    keeps: BTreeSet<CallId>,
    naming: key::Naming,
    main: SessionKey,
    calendar: Option<Calendar>,
    /// The last daily boundary that was looked up, and its hour.
    boundary: Option<(u8, i64)>,
    opened_at: Time,
    /// The next tick of the sweep that was not used yet.
    tick: Time,
    now: Time,
    state: State,
    journal: Journal,
    /// The last farewell, with the reason and the limit that it names: those of a pass are alike.
    farewell: Option<(UnboundBecause, Span, Text)>,
    /// Effects of this stimulus that wait for the record.
    out: Vec<Effect>,
    /// Effects that leave before it: none, if the decisions are right.
    early: Vec<Effect>,
}

impl Reference {
    /// A gateway that keeps the promises of a profile.
    pub fn new(profile: &Profile) -> Self {
        Self::with(profile, Right)
    }

    /// A gateway that takes these decisions in place of the right ones.
    pub fn with(profile: &Profile, decisions: impl Decisions + 'static) -> Self {
        Self {
            decisions: Box::new(decisions),
            dials: profile.dials.clone(),
            config: Config::default(),
            channels: Arc::from([]),
            agents: Arc::from([]),
            keeps: BTreeSet::new(),
            naming: key::Naming::default(),
            main: SessionKey::default(),
            calendar: None,
            boundary: None,
            opened_at: Time::ZERO,
            tick: Time::ZERO,
            now: Time::ZERO,
            state: State::default(),
            journal: Journal::default(),
            farewell: None,
            out: Vec::new(),
            early: Vec::new(),
        }
    }

    fn on(&mut self, stimulus: &Stimulus) {
        match stimulus {
            Stimulus::Open(open) => self.on_open(open),
            Stimulus::Inbound(inbound) => self.on_inbound(inbound),
            Stimulus::InternalTurn(turn) => self.on_internal_turn(turn),
            Stimulus::Call(call) => self.on_call(call),
            Stimulus::RunStarted(started) => self.on_run_started(started),
            Stimulus::RunProgress(progress) => self.on_run_progress(progress),
            Stimulus::RunEnded(ended) => self.on_run_ended(ended),
            Stimulus::Steered(steered) => self.on_steered(steered),
            Stimulus::Receipt(receipt) => self.on_receipt(receipt),
            Stimulus::ThreadOpened(opened) => self.on_thread_opened(opened),
            Stimulus::ThreadProbed(probed) => self.on_thread_probed(probed),
            Stimulus::ThreadChanged(changed) => self.on_thread_changed(&changed.at, changed.state),
            Stimulus::ConversationMoved(moved) => self.on_conversation_moved(moved),
            // The transcript is the agent's; key, label, route and binding are not touched by it.
            Stimulus::Compacted(_) => (),
            Stimulus::ConfigChanged(changed) => self.on_config_changed(changed),
            Stimulus::Wake {} => self.on_wake(),
            Stimulus::Stop {} => self.on_stop(),
        }
    }

    /// Lets the record of what changed leave before the effects that rely on it.
    fn commit(&mut self, effects: &mut Vec<Effect>) {
        effects.append(&mut self.early);
        if self.state.touched_at.is_some() {
            self.commit_touches(effects);
        }
        let reports = |effect: &Effect| matches!(effect, Effect::Report(Report::Failed { .. }));
        let reported = self.out.iter().any(reports);
        self.persist(effects);
        // After a pass there are thousands, which stay where they are: the fewer are moved.
        if effects.len() < self.out.len() {
            std::mem::swap(effects, &mut self.out);
            effects.splice(..0, self.out.drain(..));
        } else {
            effects.append(&mut self.out);
        }
        // The next life knows by this that they left.
        if reported && self.decisions.of_nesting().notes_reports() {
            let record = journal::NOTHING.into();
            effects.push(Effect::Persist(Persist { record }));
        }
    }

    /// Touches go with a record of bindings, or when they have waited long enough.
    fn commit_touches(&mut self, effects: &mut Vec<Effect>) {
        if self.decisions.of_bindings().writes_touch_apart() {
            self.persist(effects);
            self.write_touches();
        } else if self.journal.is_of_bindings()
            || self.touches_due().is_some_and(|due| due <= self.now)
        {
            self.write_touches();
        }
    }

    fn persist(&mut self, effects: &mut Vec<Effect>) {
        if let Some(record) = self.journal.take(&self.state) {
            effects.push(Effect::Persist(Persist { record }));
        }
    }

    /// What is in memory alone goes to the disk.
    fn on_stop(&mut self) {
        if self.decisions.of_bindings().stops_clean() {
            self.write_touches();
        }
    }

    /// Lets the record of what changed so far leave by itself.
    fn write_now(&mut self) {
        if let Some(record) = self.journal.take(&self.state) {
            self.out.push(Effect::Persist(Persist { record }));
        }
    }

    fn on_config_changed(&mut self, changed: &ConfigChanged) {
        let routes = self.config.bindings.clone();
        if self.take_config(&changed.config) {
            self.boundary = None;
            self.maintain(None);
            self.reschedule_archives();
            self.end_disabled_bindings();
            self.reschedule_bindings();
            if routes != self.config.bindings {
                self.routes_changed();
            }
        }
    }

    /// Takes a configuration if it is understood; else the old one stays.
    fn take_config(&mut self, value: &Value) -> bool {
        match Config::read_as(value, &self.dials) {
            Ok(config) => {
                self.config = config;
                true
            }
            Err(_) => {
                let problems = Config::problems(value, &self.dials).into_iter();
                self.out.extend(problems.map(|wrong| {
                    let (path, why) = (Text::from(wrong.path), Text::from(wrong.why));
                    Effect::RefuseConfig(RefuseConfig { path, why })
                }));
                false
            }
        }
    }

    fn on_wake(&mut self) {
        while let Some(&(at, timer)) = self.state.timers.first()
            && at <= self.now
        {
            self.state.timers.pop_first();
            match timer {
                state::Timer::Start(run) => self.start_again(run),
                state::Timer::Post(post) => self.attempt(post),
                state::Timer::Reply(debt) => self.stop_waiting(debt),
                state::Timer::RunTimeout(run) => self.time_out(run),
                state::Timer::Settle(debt) => self.waited_enough(debt),
            }
        }
        self.archive_what_is_due();
        self.sweep_if_due();
    }

    fn answer(&mut self, call: CallId, result: Value) {
        self.keeps.remove(&call);
        self.out.push(Effect::Answer(Answer { call, result }));
    }

    fn refuse(&mut self, call: CallId, error: impl Into<String>) {
        let error: String = error.into();
        self.answer(call, json!({"status": "error", "error": error}));
    }

    fn channel(&self, id: &ChannelId) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.id == *id)
    }

    /// How conversations of an address can be bound there.
    fn placement(&self, at: &Address) -> Placement {
        let channel = self.channel(&at.channel);
        channel.map_or(Placement::None, |channel| {
            channel.capabilities.threads.placement
        })
    }

    fn default_agent(&self) -> AgentId {
        self.agents
            .first()
            .cloned()
            .unwrap_or_else(|| "main".into())
    }

    fn dirty(&mut self, dirty: Dirty) {
        self.journal.note(dirty);
    }

    /// A name that no other life uses: `d7`, in the third life `d3-7`.
    fn name(&self, letter: &str, number: u64) -> Text {
        match self.state.life {
            0 | 1 => numbered(&[letter], number),
            life => numbered(&[&numbered(&[letter], life), "-"], number),
        }
    }
}

impl Gateway for Reference {
    type Error = Infallible;

    fn handle(
        &mut self,
        now: Time,
        stimuli: &[Stimulus],
        effects: &mut Vec<Effect>,
    ) -> Result<(), Infallible> {
        self.now = now;
        for stimulus in stimuli {
            self.on(stimulus);
            self.commit(effects);
        }
        Ok(())
    }

    fn wake_at(&self) -> Option<Time> {
        let timer = self.state.timers.first().map(|&(at, _)| at);
        let sweep = self.next_sweep();
        let archive = self.state.archives.first().map(|&(at, _)| at);
        let touches = self.touches_due();
        let all = [timer, sweep, archive, touches];
        all.into_iter().flatten().min()
    }
}
