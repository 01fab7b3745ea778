//! Every decision that a bug can get wrong, as one small pure function with the right answer as its
//! default. A broken gateway overrides one of them.

use moorline_spec::address::{Address, Origin};
use moorline_spec::calendar::Calendar;
use moorline_spec::channel::{Placement, TextLimit, Threading};
use moorline_spec::config::{Layer, Limits};
use moorline_spec::effect::Memory;
use moorline_spec::id::{ChannelId, SessionId, SessionKey, Text};
use moorline_spec::key::{self, Malformed};
use moorline_spec::profile::{
    AcpLimits, AfterUnknown, BusyRequester, CompletionTo, ConcurrencyOf, MaxAgeFrom, NoReply,
    OwnAgent, Permission, ProactiveTo, ResetAnchor, ResetRequester,
};
use moorline_spec::stimulus::{Outcome, ThreadState};
use moorline_spec::time::{Span, Time};

use super::keys;
use super::of_bindings::{BindingDecisions, RightBindings};
use super::of_nesting::{NestingDecisions, RightNesting};
use super::of_relays::{RelayDecisions, RightRelays};

pub use super::questions::*;

/// The right answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Right;

impl Decisions for Right {}

/// The decisions of a gateway; the defaults are right.
pub trait Decisions {
    /// The session a message reaches where the place is not bound.
    fn session_of(&self, message: &Speaking<'_>) -> SessionKey {
        keys::session_of(message)
    }

    /// The one spelling of a key that somebody names; a text that is none is refused.
    fn canonical(&self, naming: &key::Naming, raw: &str) -> Result<SessionKey, Malformed> {
        naming.canonical(raw)
    }

    /// The session a message reaches: that of the binding, else the conversation's own.
    fn routes_to(&self, bound: Option<&SessionKey>, own: &dyn Fn() -> SessionKey) -> SessionKey {
        bound.cloned().unwrap_or_else(own)
    }

    /// Whether a message is for the gateway; else why not.
    fn hears(&self, message: &Hearing) -> Result<(), &'static str> {
        super::ingress::hears(message)
    }

    /// Which of the layers that say how a setting stands decides; the strongest is first.
    fn strongest(&self, setting: Setting, speaking: &[Layer]) -> Option<Layer> {
        let _ = setting;
        speaking.first().copied()
    }

    /// Whether what a call names is one thing; else what is wrong.
    fn names(&self, naming: &Naming) -> Result<(), &'static str> {
        if naming.key && naming.label {
            return Err("Provide either sessionKey or label (not both).");
        }
        Ok(())
    }

    /// The session that `current` stands for.
    fn current(&self, caller: Option<&SessionKey>) -> Option<SessionKey> {
        caller.cloned()
    }

    /// Whether a text may go to a key that nothing is known of: to the main session of an agent,
    /// which every agent has.
    fn may_mint(&self, dial: bool, is_main: bool) -> bool {
        dial || is_main
    }

    /// Whether a session reaches another.
    fn reaches(&self, reach: &Reach) -> Result<(), Unseen> {
        super::reach::reaches(reach)
    }

    /// Whether a session may send to itself.
    fn may_send_to_itself(&self) -> bool {
        false
    }

    /// Whether what is said to a late reply goes back to whoever replied.
    fn exchange_goes_on(&self, exchange: &Exchange) -> bool {
        let between = !exchange.own_child && !exchange.passing;
        between && !exchange.silent && exchange.turns < exchange.most
    }

    /// Whether what comes after the sender stopped waiting is told to it.
    fn keeps_late_replies(&self) -> bool {
        true
    }

    /// Whether a message with a known id is worked on again.
    fn repeats(&self, seen: bool) -> bool {
        seen
    }

    /// Whether a message is known by the session it reaches too: never right, since sessions change.
    fn claims_by_session(&self) -> bool {
        false
    }

    /// Whether messages that were worked on are known after a restart.
    fn claims_survive(&self) -> bool {
        true
    }

    /// Whether a message may come again for which no run started.
    fn releases_claims(&self) -> bool {
        true
    }

    /// Whether two messages may be answered as one: by one person, in one place.
    fn joins(&self, one: &Origin, other: &Origin) -> bool {
        one.address == other.address && one.person == other.person
    }

    /// Whether a message on its way into a run keeps its place before those that came later.
    fn keeps_its_place(&self) -> bool {
        true
    }

    /// Whether what waits has its turn after a run that ended so.
    fn goes_on_after(&self, outcome: Outcome) -> bool {
        let _ = outcome;
        true
    }

    /// Whether whoever stops a run stops what waits behind it too.
    fn stop_takes_what_waits(&self) -> bool {
        false
    }

    /// Whether a turn waits until the one before it in its session is over.
    fn waits_its_turn(&self, cause: Cause) -> bool {
        let _ = cause;
        true
    }

    /// Which of the runs that wait for a session has its turn next, from 0: the first that came.
    fn next_turn(&self, waiting: usize) -> usize {
        let _ = waiting;
        0
    }

    /// Whether a person's message finds the session too old. Both comparisons are strict: an exact
    /// boundary is fresh.
    fn reset_due(&self, ages: &Ages) -> bool {
        let (daily_from, idle_from) = match ages.anchor {
            ResetAnchor::StartAndLastInteraction => (ages.started_at, ages.interacted_at),
            ResetAnchor::LastWrite => (ages.written_at, ages.written_at),
        };
        let daily = ages
            .boundary
            .is_some_and(|boundary| i64::try_from(daily_from.0).is_ok_and(|from| from < boundary));
        let idle = ages
            .policy
            .idle
            .is_some_and(|idle| ages.at > idle_from + idle);
        daily || idle
    }

    /// Whether the reset policy is looked at for a turn that comes about on a path; the dial speaks
    /// of the agent path.
    fn evaluates(&self, path: Path, agent_path_resets: bool) -> bool {
        match path {
            Path::Chat => true,
            Path::Agent => agent_path_resets,
            Path::Clockwork | Path::Task | Path::News => false,
        }
    }

    /// Whether the agent forgets, where its session begins anew.
    fn forgets(&self, why: Anew) -> bool {
        let _ = why;
        true
    }

    /// Since when a session lives that begins anew.
    fn begins_at(&self, old: Time, now: Time) -> Time {
        let _ = old;
        now
    }

    /// Whether a turn that waited is still meant once its session was reset from outside.
    fn outlives_reset(&self, path: Path) -> bool {
        match path {
            Path::Chat | Path::Agent | Path::Task => true,
            Path::Clockwork | Path::News => false,
        }
    }

    /// When a session is archived: by its own time, or as children of one run are; counted from its
    /// end.
    fn archived_at(&self, archiving: &Archiving) -> Option<Time> {
        let configured = archiving.configured;
        let as_child = configured.filter(|_| archiving.one_run && !archiving.kept);
        Some(archiving.ended_at + archiving.own.or(as_child)?)
    }

    /// Whether maintenance may remove a session.
    fn takes(&self, spare: &Spare) -> bool {
        !(spare.runs || spare.bound || spare.owes || spare.kept)
    }

    /// Whether a session is too old to be kept, however many there are.
    fn is_old(&self, old: &Old) -> bool {
        old.age > old.after
    }

    /// What goes first where sessions are too many: what nobody speaks to, the oldest first.
    fn goes_by(&self, made: bool, written: Time) -> (u8, Time) {
        (u8::from(!made), written)
    }

    /// Whether a text is part of its session's transcript.
    fn notes(&self, by: By) -> bool {
        match by {
            By::User | By::Assistant => true,
        }
    }

    /// Whether transcripts of children survive a restart.
    fn history_survives(&self) -> bool {
        true
    }

    /// Whether a run may call; one that was told to stop belongs to what is over.
    fn may_call(&self, told_to_stop: bool) -> bool {
        !told_to_stop
    }

    /// Whether a turn counts as interaction: it postpones an idle reset.
    fn is_interaction(&self, cause: Cause) -> bool {
        match cause {
            Cause::Message => true,
            Cause::Internal(_) | Cause::Session | Cause::Plugin => false,
        }
    }

    /// What the agent remembers in the next run of a session.
    fn memory(&self, fresh: bool) -> Memory {
        if fresh {
            Memory::Fresh
        } else {
            Memory::Continue
        }
    }

    /// The name of a session after a reset.
    fn id_after_reset(&self, keeps: bool, old: u64, next: u64) -> u64 {
        if keeps { old } else { next }
    }

    /// Whether a spawn gets a thread: as asked, or as the channel requires for its sub-agents.
    fn spawn_thread(&self, asked: &Asked) -> bool {
        let required = asked.threading.requires_thread_for_subagents;
        asked.thread || (required && asked.runtime == Runtime::Subagent)
    }

    /// The mode of a spawn: as the channel injects, else as given, else by the thread.
    fn spawn_mode(&self, asked: &Asked, thread: bool) -> Mode {
        let injects = asked.threading.auto_inject_thread_params;
        if injects && asked.runtime == Runtime::Subagent {
            return Mode::Session;
        }
        let by_thread = if thread { Mode::Session } else { Mode::Run };
        asked.mode.unwrap_or(by_thread)
    }

    /// Whether a session may do without a thread.
    fn session_may_lack_thread(&self, dial: Permission) -> bool {
        dial == Permission::Allowed
    }

    /// Whether a parameter that nobody knows is refused.
    fn refuses_parameter(&self, name: &str) -> bool {
        let _ = name;
        true
    }

    /// Whether a text is the id of an agent.
    fn is_agent_id(&self, text: &str) -> bool {
        keys::is_agent_id(text)
    }

    /// Whether the limits hold for a spawn.
    fn acp_is_limited(&self, limited: &Limited) -> bool {
        match (limited.runtime, limited.dial) {
            (Runtime::Subagent, _) | (Runtime::Acp, AcpLimits::Held) => true,
            (Runtime::Acp, AcpLimits::BelowSubagents) => limited.by_child,
            (Runtime::Acp, AcpLimits::None) => false,
        }
    }

    /// Whether a session of this depth may have children.
    fn may_go_deeper(&self, depth: u32, deepest: u32) -> bool {
        depth < deepest
    }

    /// Whether a requester may have another child. What has ended counts no more, whatever it
    /// waits for.
    fn may_have_child(&self, brood: &Brood) -> bool {
        brood.running + brood.in_flight < brood.most
    }

    /// Whether another run of a child may be at work.
    fn may_work(&self, pool: &Pool) -> bool {
        let working = match pool.dial {
            ConcurrencyOf::Requester => pool.of_requester,
            ConcurrencyOf::Gateway => pool.of_all,
        };
        working < pool.most
    }

    /// Whether a spawn may name this agent: its own where nothing is listed, else what is listed.
    fn may_name(&self, naming: &Nominee) -> bool {
        let exempt = naming.own && naming.dial == OwnAgent::Always;
        exempt || naming.listed.unwrap_or(naming.own)
    }

    /// Whether an agent that is named is there.
    fn is_configured(&self, known: bool) -> bool {
        known
    }

    /// Whether a place can be bound.
    fn can_bind(&self, place: &Bindable<'_>) -> bool {
        place.placement != Placement::None && (place.in_direct || !place.direct)
    }

    /// Whether a spawn may ask for a thread there: as configured, else as the channel needs it, else
    /// as the profile has it.
    fn opted_in(&self, opt_in: &OptIn) -> bool {
        opt_in.said.unwrap_or(opt_in.required || opt_in.by_default)
    }

    /// In which conversation a thread is opened: also from inside a thread in that around it.
    fn thread_parent(&self, at: &Address) -> Address {
        at.without_thread()
    }

    /// What a child remembers where nobody said: nothing, unless the profile forks in threads.
    fn context(&self, forks: bool, could_fork: bool) -> Context {
        let _ = could_fork;
        if forks {
            Context::Fork
        } else {
            Context::Isolated
        }
    }

    /// Whether the binding of a child ends once its end was told.
    fn binding_ends_with_run(&self, mode: Mode) -> bool {
        mode == Mode::Run
    }

    /// Whether the answer to a spawn leaves before the record does.
    fn answers_before_persisting(&self) -> bool {
        false
    }

    /// What is decided about bindings and routes.
    fn of_bindings(&self) -> &dyn BindingDecisions {
        &RightBindings
    }

    /// What is decided about nesting, stops and restarts.
    fn of_nesting(&self) -> &dyn NestingDecisions {
        &RightNesting
    }

    /// What is decided about relays.
    fn of_relays(&self) -> &dyn RelayDecisions {
        &RightRelays
    }

    /// When a binding lapses, and why. At a tie idle is the reason.
    fn lapse(&self, times: &Times, limits: Limits) -> Option<(Time, Lapse)> {
        super::of_bindings::lapse(times, limits)
    }

    /// The times by which a sweep judges a binding: those of this moment, not those from before it
    /// waited for a channel.
    fn sweeps_by(&self, snapshot: &Times, live: &Times) -> Times {
        let _ = snapshot;
        *live
    }

    /// What an answer to a probe means for a binding that may have been replaced meanwhile.
    fn still_meant(&self, same_record: bool) -> bool {
        same_record
    }

    /// Whether a thread in this state ends its binding.
    fn ends_binding(&self, state: ThreadState, archived_ends: bool) -> bool {
        match state {
            ThreadState::Gone | ThreadState::Locked => true,
            ThreadState::Archived => archived_ends,
            ThreadState::Live | ThreadState::Unknown => false,
        }
    }

    /// Whether traffic counts as activity of a binding.
    fn touches(&self, traffic: Traffic) -> bool {
        match traffic {
            Traffic::Routed | Traffic::Output | Traffic::IdleCommand => true,
            Traffic::Dropped | Traffic::Repeated | Traffic::Notice => false,
        }
    }

    /// What the age of a binding counts from after `/session max-age`.
    fn age_counts_from(
        &self,
        dial: MaxAgeFrom,
        opens_threads: bool,
        bound: Time,
        now: Time,
    ) -> Time {
        match dial {
            MaxAgeFrom::Bound => bound,
            MaxAgeFrom::Command => now,
            MaxAgeFrom::ByPlacement if opens_threads => now,
            MaxAgeFrom::ByPlacement => bound,
        }
    }

    /// What a lapse does to the session that was bound.
    fn after_lapse(&self) -> AfterLapse {
        AfterLapse::Stays
    }

    /// Where a turn's output goes; `None` is nowhere.
    fn output_to(&self, output: &Output<'_>) -> Option<Address> {
        let proactive = || match output.proactive_to {
            ProactiveTo::ConfiguredAddress => output.configured,
            ProactiveTo::LastRoute => output.configured.or(output.last_route),
        };
        match output.cause {
            Cause::Message => output.origin.cloned(),
            Cause::Session if output.bound.is_some() => output.bound.cloned(),
            Cause::Session if output.tells && output.origin.is_some() => output.origin.cloned(),
            Cause::Session if output.tells => proactive().cloned(),
            Cause::Session => None,
            Cause::Plugin => output.bound.cloned(),
            Cause::Internal(_) => proactive().cloned(),
        }
    }

    /// Where a completion belongs: the whole address captured when the run was asked for.
    fn relay_target(&self, asker: &Asker<'_>) -> Option<Address> {
        asker.origin.cloned()
    }

    /// Whether a child owes a completion.
    fn owes_completion(&self, child: &Expecting) -> bool {
        child.expected
    }

    /// Whether a requester counts as told.
    fn is_told(&self, handing: Handing) -> bool {
        match handing {
            Handing::Ended(outcome) => outcome == Outcome::Ok,
            Handing::Queued | Handing::Starting | Handing::SteerTaken => false,
        }
    }

    /// Whether a completion for a busy requester is steered in or waits.
    fn when_busy(&self, busy: &Busy<'_>) -> WhenBusy {
        let may_steer = match busy.dial {
            BusyRequester::Queue => false,
            // Steering changes what that run says where it answers, so the places must be one.
            BusyRequester::SteerSameOriginElseQueue | BusyRequester::Steer => {
                busy.origin.is_some() && busy.origin == busy.answers_to
            }
        };
        if may_steer && busy.running {
            WhenBusy::Steer
        } else {
            WhenBusy::Queue
        }
    }

    /// What a refused steer means: the completion is still owed.
    fn after_refused_steer(&self) -> Next {
        Next::Turn
    }

    /// What follows a turn that was to tell a requester and did not end well.
    fn after_untold(&self, untold: &Untold) -> Next {
        match (untold.dial, untold.outcome) {
            (CompletionTo::ParentThenOrigin, _) => Next::Origin,
            (CompletionTo::Parent, Some(Outcome::Lost)) if untold.turns < 2 => Next::Turn,
            (CompletionTo::Parent, _) => Next::Fail,
        }
    }

    /// Who is told where the requester was reset since.
    fn after_reset(&self, dial: ResetRequester) -> Next {
        match dial {
            ResetRequester::VisibleFailure => Next::Origin,
            ResetRequester::NewIncarnation => Next::Turn,
        }
    }

    /// Whether a child that said nothing is told of.
    fn tells_of_silence(&self, dial: NoReply) -> bool {
        dial == NoReply::ReportedAsEmpty
    }

    /// How long to wait before the next attempt; `attempt` counts those made, from 1.
    fn retry_after(&self, attempt: u32) -> Span {
        let factor = 3_u64.saturating_pow(attempt.saturating_sub(1).min(16));
        Span(Span::secs(5).0.saturating_mul(factor).min(Span::mins(5).0))
    }

    /// Whether a refusal is tried again.
    fn retries(&self, permanent: bool, spent: Span, window: Span) -> bool {
        !permanent && spent < window
    }

    /// What to do where nobody knows whether a delivery happened.
    fn after_unknown(&self, doubt: &Doubt) -> Again {
        let recognised = doubt.window.is_some_and(|window| doubt.since < window);
        match doubt.dial {
            AfterUnknown::Repeat if recognised => Again::ByKey,
            AfterUnknown::Repeat => Again::Marked,
            AfterUnknown::GiveUpAloud => Again::GiveUp,
        }
    }

    /// The key of a delivery: the same for every attempt at one piece.
    fn delivery_key(&self, stem: &Text, piece: u32, whole: bool, attempt: u32) -> Option<Text> {
        let _ = attempt;
        Some(if whole {
            stem.clone()
        } else {
            Text::from(format!("{stem}/{piece}"))
        })
    }

    /// How many bytes of a text its next piece has: all that fit, to the end of a word if possible.
    fn piece(&self, text: &str, limit: Option<TextLimit>) -> usize {
        keys::piece(text, limit)
    }

    /// What becomes of something that was in flight when an earlier life ended.
    fn recover(&self, lost: &Lost) -> Recovery {
        match lost {
            Lost::Message { resumed: false } => Recovery::Resume,
            Lost::Child { accepted: false } => Recovery::Undo,
            Lost::Message { resumed: true }
            | Lost::Child { accepted: true }
            | Lost::Telling
            | Lost::Sent => Recovery::EndLost,
            Lost::Unasked => Recovery::Forget,
        }
    }

    /// Whether the turns that wait behind another survive a restart.
    fn queue_survives(&self) -> bool {
        true
    }

    /// Whether the label of a session survives a reset.
    fn keeps_label(&self, why: Anew) -> bool {
        let _ = why;
        true
    }

    /// The last instant of a daily reset.
    fn boundary(&self, calendar: &Calendar, at: Time, hour: u8) -> i64 {
        calendar.last_daily(at, hour)
    }

    /// The name of an incarnation.
    fn session_id(&self, number: u64) -> SessionId {
        keys::session_id(number)
    }

    /// Whether a channel is treated as declared; by its name is never right.
    fn threading(&self, channel: &ChannelId, declared: Threading) -> Threading {
        let _ = channel;
        declared
    }
}
