//! Conversations tied to sessions: made, touched, ended.

use std::borrow::Cow;

use moorline_spec::address::Address;
use moorline_spec::channel::Placement;
use moorline_spec::config::Limits;
use moorline_spec::effect::{Effect, Report, UnboundBecause};
use moorline_spec::id::{PersonId, SessionKey, Text};
use moorline_spec::time::{Span, Time};
use smol_str::format_smolstr;

use super::Reference;
use super::decisions::{AfterLapse, Anew, Lapse, Times};
use super::journal::Dirty;
use super::state::{Binding, Purpose};
use crate::numbered::numbered;

impl Reference {
    /// The session that a conversation is bound to.
    pub fn bound_to(&self, at: &Address) -> Option<&SessionKey> {
        let binding = self.state.bindings.get(&self.number_at(at)?)?;
        Some(&binding.key)
    }

    /// The conversations that are bound to a session, in the order of binding.
    pub fn places_of(&self, key: &SessionKey) -> impl Iterator<Item = &Address> {
        let numbers = self.state.bindings.of(key).into_iter();
        numbers.map(|number| &self.state.bindings[&number].address)
    }

    /// Ties a conversation to a session; it has one owner. Whoever binds says what is to come before
    /// the messages that wait from there.
    pub(super) fn bind(
        &mut self,
        address: Address,
        key: SessionKey,
        by: Option<PersonId>,
        run: Option<u64>,
    ) -> u64 {
        if let Some(old) = self.number_at(&address) {
            if !self.decisions.of_bindings().replaces() {
                return old;
            }
            self.unbind(old, UnboundBecause::Replaced);
        }
        let place = match self.decisions.of_bindings().bound_as(&address) {
            Cow::Borrowed(_) => None,
            Cow::Owned(place) => Some(Box::new(place)),
        };
        self.state.bindings_made += 1;
        let number = self.state.bindings_made;
        let now = self.now;
        self.state.insert_binding(Box::new(Binding {
            number,
            address: address.clone(),
            key: key.clone(),
            by,
            times: Times {
                bound_at: now,
                aged_from: now,
                touched_at: now,
            },
            idle: None,
            max_age: None,
            run,
            incarnation: self.state.session(&key).map_or(0, |s| s.incarnation),
            place,
            due: None,
            unwritten: false,
        }));
        self.schedule(number);
        self.dirty(Dirty::Binding(number));
        let session_key = key;
        self.out.push(Effect::Report(Report::Bound {
            address,
            session_key,
        }));
        number
    }

    /// The binding of a place, as far as anybody looked.
    pub(super) fn number_at(&self, at: &Address) -> Option<u64> {
        let place = self.decisions.of_bindings().place(at);
        self.state.bindings.at(&place)
    }

    /// The limits that hold for a binding: its own, else those of the configuration.
    pub(super) fn limits(&self, binding: &Binding) -> Limits {
        let mut limits = match (binding.idle, binding.max_age) {
            (Some(_), Some(_)) => Limits::default(),
            _ => {
                let by = self.decisions.of_bindings();
                by.limits(&self.config, &binding.address)
            }
        };
        let on = |span: Span| (!span.is_zero()).then_some(span);
        if let Some(idle) = binding.idle {
            limits.idle = on(idle);
        }
        if let Some(max_age) = binding.max_age {
            limits.max_age = on(max_age);
        }
        limits
    }

    /// When a binding lapses, and why.
    pub(super) fn deadline(&self, binding: &Binding) -> Option<(Time, Lapse)> {
        self.decisions.lapse(&binding.times, self.limits(binding))
    }

    /// Puts a binding in the order of the sweep. A touch does not: it only postpones, and the sweep
    /// looks again.
    pub(super) fn schedule(&mut self, number: u64) {
        let Some(binding) = self.state.bindings.get(&number) else {
            return;
        };
        let due = self.deadline(binding).map(|(at, _)| at);
        let Some(binding) = self.state.bindings.get_mut(&number) else {
            return;
        };
        if let Some(old) = binding.due {
            self.state.order.remove(&(old, number));
        }
        binding.due = due;
        if let Some(due) = due {
            self.state.order.insert((due, number));
        }
    }

    pub(super) fn reschedule_bindings(&mut self) {
        for number in self.state.bindings.numbers() {
            self.schedule(number);
        }
    }

    /// Ends a binding. The session it led to is not concerned.
    pub(super) fn unbind(&mut self, number: u64, reason: UnboundBecause) -> Option<Box<Binding>> {
        let binding = if self.decisions.of_bindings().frees(reason) {
            self.state.remove_binding(number)?
        } else {
            Box::new(self.state.bindings.get(&number)?.clone())
        };
        self.dirty(Dirty::Binding(number));
        self.out.push(Effect::Report(Report::Unbound {
            address: binding.address.clone(),
            session_key: binding.key.clone(),
            reason,
        }));
        self.say_farewell(&binding, reason);
        // What comes in its place says where messages go.
        if reason != UnboundBecause::Replaced {
            self.changed_hands(&binding.address);
        }
        Some(binding)
    }

    /// Says in a conversation that it is bound no more, where that is to be said.
    fn say_farewell(&mut self, binding: &Binding, reason: UnboundBecause) {
        let by = self.decisions.of_bindings();
        let times = by.farewells(reason);
        if times == 0 {
            return;
        }
        let lapse = Lapse::of(reason);
        let span = lapse.map_or(Span::ZERO, |lapse| by.reached(lapse, self.limits(binding)));
        let text = match &self.farewell {
            Some((said, of, text)) if (*said, *of) == (reason, span) => text.clone(),
            Some(_) | None => {
                let text = farewell(reason, span);
                self.farewell = Some((reason, span, text.clone()));
                text
            }
        };
        for time in 1..=times {
            let number = binding.number;
            let stem = match time {
                1 => numbered(&["farewell-"], number),
                _ => format_smolstr!("farewell-{number}-{time}"),
            };
            self.post(&binding.address, text.clone(), stem, None, Purpose::Notice);
        }
    }

    /// Ends a binding that lapsed, and says so once in the conversation.
    pub(super) fn end_by_lapse(&mut self, number: u64, lapse: Lapse) {
        let Some(binding) = self.unbind(number, lapse.because()) else {
            return;
        };
        match self.decisions.after_lapse() {
            AfterLapse::Stays => (),
            AfterLapse::Resets => self.rotate(&binding.key, Anew::Asked),
            AfterLapse::Deletes => self.delete_session(&binding.key),
        }
    }

    /// Ends all bindings of a session.
    pub(super) fn unbind_session(&mut self, key: &SessionKey, reason: UnboundBecause) {
        if !self.decisions.of_bindings().ends_with_session(reason) {
            return;
        }
        for number in self.state.bindings.of(key) {
            self.unbind(number, reason);
        }
    }

    /// Ends the binding that was made for one run.
    pub(super) fn unbind_run(&mut self, run: u64, key: &SessionKey, reason: UnboundBecause) {
        for number in self.state.bindings.of(key) {
            let binding = self.state.bindings.get(&number);
            if binding.is_some_and(|binding| binding.run == Some(run)) {
                self.unbind(number, reason);
            }
        }
    }

    /// The run that a binding was made for is asked for again under another name.
    pub(super) fn rename_binding(&mut self, old: u64, new: u64) {
        let key = self.state.runs.get(&new).map(|run| run.key.clone());
        let of_it = key.map(|key| self.state.bindings.of(&key));
        for number in of_it.unwrap_or_default() {
            let binding = self.state.bindings.get_mut(&number);
            if let Some(binding) = binding.filter(|binding| binding.run == Some(old)) {
                binding.run = Some(new);
                self.dirty(Dirty::Binding(number));
            }
        }
    }

    /// Ends the bindings of places where there are none any more.
    pub(super) fn end_disabled_bindings(&mut self) {
        let by = self.decisions.of_bindings();
        let because = |at| by.disabled_because(self.config.account_enabled(at));
        let disabled: Vec<(u64, UnboundBecause)> = self
            .state
            .bindings
            .values()
            .filter(|binding| !self.config.bindings_enabled(&binding.address))
            .map(|binding| (binding.number, because(&binding.address)))
            .collect();
        for (number, reason) in disabled {
            self.unbind(number, reason);
        }
    }

    /// Whether bindings are made in threads of their own there.
    pub(super) fn opens_threads(&self, at: &Address) -> bool {
        self.placement(at) == Placement::Child
    }

    /// Says in a bound conversation which limits are on.
    pub(super) fn introduce(&mut self, number: u64) {
        let Some(binding) = self.state.bindings.get(&number) else {
            return;
        };
        let limits = self.limits(binding);
        let limits = self.decisions.of_bindings().introduces(limits);
        let idle = limits
            .idle
            .map(|idle| format!("idle auto-unfocus after {idle} inactivity"));
        let age = limits.max_age.map(|age| format!("max age {age}"));
        let both: Vec<String> = idle.into_iter().chain(age).collect();
        let both = if both.is_empty() {
            String::new()
        } else {
            format!(" ({})", both.join("; "))
        };
        let session = self.state.session(&binding.key);
        let label = session.and_then(|session| session.label.clone());
        let name = label.unwrap_or_else(|| Text::from(binding.key.as_str()));
        let text =
            format!("⚙️ {name} session active{both}. Messages here go directly to this session.");
        let at = binding.address.clone();
        let stem = Text::from(format!("intro-{number}"));
        self.post(&at, text.into(), stem, None, Purpose::Notice);
    }
}

/// What is said in a conversation that is bound no more.
fn farewell(reason: UnboundBecause, span: Span) -> Text {
    let how = match Lapse::of(reason) {
        Some(Lapse::Idle) => format_smolstr!(" automatically after {span} of inactivity"),
        Some(Lapse::MaxAge) => format_smolstr!(" automatically at max age of {span}"),
        None => Text::default(),
    };
    format_smolstr!("⚙️ Session ended{how}. Messages here will no longer be routed.")
}
