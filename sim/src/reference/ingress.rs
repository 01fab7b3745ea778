//! What comes in: messages, and turns that the clockwork asks for.

use moorline_spec::address::{Address, Origin, Place};
use moorline_spec::config::Route;
use moorline_spec::effect::{Drop, Effect, UnboundBecause};
use moorline_spec::id::{PersonId, SessionKey, Text};
use moorline_spec::stimulus::{Author, Inbound, InternalTurn};

use super::decisions::{Hearing, Lapse, Speaking, Traffic};
use super::journal::Dirty;
use super::of_bindings::{Dead, Elsewhere};
use super::state::{Message, Run, Seen, Turn};
use super::{Reference, keys};

/// Whether a message is for the gateway; else why not.
pub(super) fn hears(message: &Hearing) -> Result<(), &'static str> {
    match message.author {
        Author::Own => return Err("the gateway's own message"),
        Author::Bot if !message.hears_bots => return Err("written by a bot"),
        Author::Bot if message.notice => return Err("a gateway's notice"),
        Author::Webhook => return Err("written by a webhook"),
        Author::Person | Author::Bot => (),
    }
    // Only in a thread of its own is everything said to the bound session.
    let own_thread = message.bound && message.kind == Place::Thread;
    let gated = message.needs_mention && message.kind != Place::Direct && !own_thread;
    if gated && !message.mentioned {
        return Err("does not mention the gateway");
    }
    Ok(())
}

impl Reference {
    pub(super) fn on_inbound(&mut self, inbound: &Inbound) {
        if self.is_stopped(&inbound.at) {
            let why = "its account is switched off";
            return self.drop_message(inbound, None, Traffic::Dropped, why);
        }
        let bound = match self.bound_or_dead(&inbound.at) {
            Ok(bound) => bound,
            Err(why) => return self.drop_message(inbound, None, Traffic::Dropped, why),
        };
        let hearing = Hearing {
            author: inbound.author,
            kind: inbound.kind,
            mentioned: inbound.mentioned,
            needs_mention: self.needs_mention(&inbound.at),
            hears_bots: inbound.author == Author::Bot && self.hears_bots(&inbound.at),
            notice: inbound.is_notice(),
            bound: bound.is_some(),
        };
        if let Err(why) = self.decisions.hears(&hearing) {
            return self.drop_message(inbound, bound, Traffic::Dropped, why);
        }
        if bound.is_none() && self.other_account_holds(&inbound.at) {
            return self.drop_message(inbound, bound, Traffic::Dropped, "bound by another account");
        }
        let seen = self.claim_of(inbound);
        if self.decisions.repeats(self.state.seen.contains(&seen)) {
            return self.drop_message(inbound, bound, Traffic::Repeated, "came before");
        }
        let (resets, rest) = reset_trigger(inbound);
        if !resets && self.command(inbound, &seen) {
            return;
        }
        self.take_in(inbound, resets, rest, seen, bound);
    }

    /// A message that is for an agent waits for its turn.
    fn take_in(
        &mut self,
        inbound: &Inbound,
        resets: bool,
        rest: Text,
        seen: Seen,
        bound: Option<u64>,
    ) {
        let follows = !resets || self.decisions.of_bindings().resets_what_is_bound();
        let target = bound
            .filter(|_| follows)
            .and_then(|number| self.state.bindings.get(&number));
        let target = target.map(|binding| binding.key.clone());
        let own = || self.own_session(inbound);
        let key = self.decisions.routes_to(target.as_ref(), &own);
        self.open_session(&key);
        if let Some(session) = self.state.sessions.get_mut(&key) {
            session.heard_at = Some(inbound.at.clone());
        }
        if let Some(number) = bound.filter(|_| target.as_ref() == Some(&key)) {
            self.touch(number, Traffic::Routed);
        }
        let silent = resets && keys::words(&rest).is_empty();
        if silent {
            // No run will carry its id through a restart.
            self.dirty(Dirty::Seen(Box::new(seen.clone())));
        }
        self.state.remember(seen);
        if inbound.kind == moorline_spec::address::Place::Direct
            && !self.state.direct.contains(&inbound.at)
        {
            self.state.direct.insert(inbound.at.clone());
        }
        let message = Message {
            id: inbound.message.clone(),
            kind: inbound.kind,
            resets,
            silent,
        };
        let origin = Origin {
            address: inbound.at.clone(),
            person: Some(inbound.from.clone()),
            requester: None,
        };
        let run = self.new_run(key, Turn::Message(message), rest, Some(origin));
        self.enqueue_message(run);
    }

    pub(super) fn own_session(&self, inbound: &Inbound) -> SessionKey {
        self.session_of_place(&inbound.at, inbound.kind, &inbound.from)
    }

    /// The session of a place that is not bound.
    pub(super) fn session_of_place(
        &self,
        at: &Address,
        kind: Place,
        from: &PersonId,
    ) -> SessionKey {
        let by = self.decisions.of_bindings();
        let at = &*self.first_id(at);
        let route = by.route(&self.config, at, kind);
        if let Some(Route::Bound(agent)) = route {
            return keys::configured_key(agent, at, self.naming.case_of(&at.channel));
        }
        let agent = route.map(Route::agent).or(self.agents.first());
        let default = self.default_agent();
        self.decisions.session_of(&Speaking {
            config: &self.config,
            agent: agent.unwrap_or(&default),
            at,
            kind,
            from,
            id_case: self.naming.case_of(&at.channel),
        })
    }

    fn drop_message(
        &mut self,
        inbound: &Inbound,
        bound: Option<u64>,
        traffic: Traffic,
        why: &'static str,
    ) {
        if let Some(number) = bound {
            self.touch(number, traffic);
        }
        self.out.push(Effect::Drop(Drop {
            message: inbound.message.clone(),
            why: Text::new_static(why),
        }));
    }

    /// The binding that a message finds; the error is why it goes nowhere.
    fn bound_or_dead(&mut self, at: &Address) -> Result<Option<u64>, &'static str> {
        if self.decisions.of_bindings().when_dead() == Dead::Swallow
            && let Some(number) = self.number_at(at)
            && let Some(binding) = self.state.bindings.get(&number)
            && self.state.session(&binding.key).is_none()
        {
            return Err("its session is gone");
        }
        if !self.decisions.of_bindings().follows_resets()
            && let Some(number) = self.number_at(at)
            && let Some(binding) = self.state.bindings.get(&number)
            && let Some(session) = self.state.session(&binding.key)
            && session.incarnation != binding.incarnation
        {
            return Err("the session it was bound to is gone");
        }
        Ok(self.bound_here(at))
    }

    /// The binding of a place, if it still holds and its target lives.
    pub(super) fn bound_here(&mut self, at: &Address) -> Option<u64> {
        let number = self.number_at(at)?;
        let binding = self.state.bindings.get(&number)?;
        if self.state.session(&binding.key).is_none() {
            self.unbind(number, UnboundBecause::Deleted);
            return None;
        }
        match self.lapsed_at_lookup(number) {
            Some(lapse) => {
                self.end_by_lapse(number, lapse);
                None
            }
            None => Some(number),
        }
    }

    pub(super) fn lapsed_at_lookup(&self, number: u64) -> Option<Lapse> {
        use moorline_spec::profile::LapseCheck;
        match self.dials.lapse_checked_at {
            LapseCheck::Sweep => None,
            LapseCheck::Lookup => {
                let (at, lapse) = self.deadline(self.state.bindings.get(&number)?)?;
                (at <= self.now).then_some(lapse)
            }
        }
    }

    /// Whether another account of the channel holds this very thread: it will answer there.
    fn other_account_holds(&self, at: &Address) -> bool {
        if at.thread.is_none() || self.state.bindings.is_empty() {
            return false;
        }
        let Some(channel) = self.channel(&at.channel) else {
            return false;
        };
        let others = channel
            .accounts
            .iter()
            .filter(|&other| *other != at.account);
        others.into_iter().any(|account| {
            let there = Address {
                account: account.clone(),
                ..at.clone()
            };
            let Some(number) = self.number_at(&there) else {
                return false;
            };
            self.decisions.of_bindings().yields_to(Elsewhere {
                holds: self.lapsed_at_lookup(number).is_none(),
                enabled: self.config.bindings_enabled(&there),
            })
        })
    }

    pub(super) fn on_internal_turn(&mut self, turn: &InternalTurn) {
        // The clockwork has no ear for a refusal.
        let Ok(key) = self.spelled(turn.session.as_str()) else {
            return;
        };
        self.open_session(&key);
        let run = self.new_run(key, Turn::Internal(turn.path), turn.text.clone(), None);
        self.enqueue(run);
    }

    /// A new run that waits for its turn.
    pub(super) fn new_run(
        &mut self,
        key: SessionKey,
        turn: Turn,
        input: Text,
        origin: Option<Origin>,
    ) -> Run {
        self.state.runs_made += 1;
        Run {
            number: self.state.runs_made,
            key,
            turn,
            input,
            origin,
            at: self.now,
            state: super::state::Progress::Queued,
            resumes: None,
            overrides: serde_json::Value::Null,
            fork: None,
            timeout: None,
            deadline: None,
            steered: Vec::new(),
            starts: 0,
            words: 0,
            joined: Vec::new(),
            unsteered: false,
            incarnation: 0,
            yielded: false,
        }
    }

    /// By what a message is known when it comes again.
    fn claim_of(&self, inbound: &Inbound) -> Seen {
        let mut seen = seen_of(inbound);
        if self.decisions.claims_by_session() {
            let key = self.own_session(inbound);
            seen.2 = format!("{}@{key}", seen.2).into();
        }
        seen
    }

    /// The messages of a run may come again: nothing was done with them.
    pub(super) fn release_claim(&mut self, run: &Run) {
        let (Turn::Message(message), Some(origin)) = (&run.turn, &run.origin) else {
            return;
        };
        for id in std::iter::once(&message.id).chain(&run.joined) {
            let at = &origin.address;
            let seen = (
                at.channel.clone(),
                at.account.clone(),
                at.conversation.clone(),
                id.clone(),
            );
            self.state.seen.remove(&seen);
            self.state.seen_order.retain(|other| *other != seen);
            self.dirty(Dirty::Unseen(Box::new(seen)));
        }
    }
}

pub(super) fn seen_of(inbound: &Inbound) -> Seen {
    (
        inbound.at.channel.clone(),
        inbound.at.account.clone(),
        inbound.at.conversation.clone(),
        inbound.message.clone(),
    )
}

/// Whether a message begins with `/new` or `/reset`, and what it says beside that.
fn reset_trigger(inbound: &Inbound) -> (bool, Text) {
    let text = inbound.text.as_str();
    if inbound.authorised && text.trim_start().starts_with('/') {
        let mut parts = text.trim_start().splitn(2, char::is_whitespace);
        let first = parts.next().unwrap_or_default();
        if first.eq_ignore_ascii_case("/new") || first.eq_ignore_ascii_case("/reset") {
            return (true, Text::from(parts.next().unwrap_or_default().trim()));
        }
    }
    (false, inbound.text.clone())
}
