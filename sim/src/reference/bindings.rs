//! Conversations tied to sessions: made, touched, ended.

use moorline_spec::address::Address;
use moorline_spec::channel::Placement;
use moorline_spec::config::Limits;
use moorline_spec::effect::{Effect, Report, UnboundBecause};
use moorline_spec::id::{PersonId, SessionKey, Text};
use moorline_spec::time::{Span, Time};

use super::Reference;
use super::decisions::{AfterLapse, Anew, Lapse, Times, Traffic};
use super::journal::Dirty;
use super::state::{Binding, Purpose};

impl Reference {
    /// Ties a conversation to a session; it has one owner.
    pub(super) fn bind(
        &mut self,
        address: Address,
        key: SessionKey,
        by: Option<PersonId>,
        run: Option<u64>,
    ) -> u64 {
        if let Some(&old) = self.state.bound.get(&address) {
            self.unbind(old, UnboundBecause::Replaced);
        }
        self.state.bindings_made += 1;
        let number = self.state.bindings_made;
        let now = self.now;
        self.state.insert_binding(Binding {
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
            due: None,
        });
        self.schedule(number);
        self.dirty(Dirty::Binding(number));
        let session_key = key;
        self.out.push(Effect::Report(Report::Bound {
            address,
            session_key,
        }));
        number
    }

    /// The limits that hold for a binding: its own, else those of the configuration.
    pub(super) fn limits(&self, binding: &Binding) -> Limits {
        let mut limits = match (binding.idle, binding.max_age) {
            (Some(_), Some(_)) => Limits::default(),
            _ => self.config.binding_limits(&binding.address),
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
        let numbers: Vec<u64> = self.state.bindings.keys().copied().collect();
        for number in numbers {
            self.schedule(number);
        }
    }

    /// Traffic in a bound conversation. Activity never goes back.
    pub(super) fn touch(&mut self, number: u64, traffic: Traffic) {
        if !self.decisions.touches(traffic) {
            return;
        }
        if let Some(binding) = self.state.bindings.get_mut(&number)
            && binding.times.touched_at < self.now
        {
            binding.times.touched_at = self.now;
            self.journal.note(Dirty::Touch(number));
        }
    }

    /// Ends a binding. The session it led to is not concerned.
    pub(super) fn unbind(&mut self, number: u64, reason: UnboundBecause) -> Option<Binding> {
        let binding = self.state.remove_binding(number)?;
        self.dirty(Dirty::Binding(number));
        self.out.push(Effect::Report(Report::Unbound {
            address: binding.address.clone(),
            session_key: binding.key.clone(),
            reason,
        }));
        Some(binding)
    }

    /// Ends a binding that lapsed, and says so once in the conversation.
    pub(super) fn end_by_lapse(&mut self, number: u64, lapse: Lapse) {
        let Some(limits) = self.state.bindings.get(&number).map(|b| self.limits(b)) else {
            return;
        };
        let Some(binding) = self.unbind(number, lapse.because()) else {
            return;
        };
        let how = match lapse {
            Lapse::Idle => format!("after {} of inactivity", limits.idle.unwrap_or_default()),
            Lapse::MaxAge => format!("at max age of {}", limits.max_age.unwrap_or_default()),
        };
        let text = format!(
            "⚙️ Session ended automatically {how}. Messages here will no longer be routed."
        );
        let stem = Text::from(format!("farewell-{number}"));
        self.post(&binding.address, text.into(), stem, None, Purpose::Notice);
        match self.decisions.after_lapse() {
            AfterLapse::Stays => (),
            AfterLapse::Resets => self.rotate(&binding.key, Anew::Asked),
            AfterLapse::Deletes => self.delete_session(&binding.key),
        }
    }

    /// Ends all bindings of a session.
    pub(super) fn unbind_session(&mut self, key: &SessionKey, reason: UnboundBecause) {
        for number in self.state.bound_to.get(key).cloned().unwrap_or_default() {
            self.unbind(number, reason);
        }
    }

    /// Ends the binding that was made for one run.
    pub(super) fn unbind_run(&mut self, run: u64, key: &SessionKey, reason: UnboundBecause) {
        for number in self.state.bound_to.get(key).cloned().unwrap_or_default() {
            let binding = self.state.bindings.get(&number);
            if binding.is_some_and(|binding| binding.run == Some(run)) {
                self.unbind(number, reason);
            }
        }
    }

    /// The run that a binding was made for is asked for again under another name.
    pub(super) fn rename_binding(&mut self, old: u64, new: u64) {
        let key = self.state.runs.get(&new).map(|run| run.key.clone());
        let of_it = key.and_then(|key| self.state.bound_to.get(&key).cloned());
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
        let disabled: Vec<u64> = self
            .state
            .bindings
            .values()
            .filter(|binding| !self.config.bindings_enabled(&binding.address))
            .map(|binding| binding.number)
            .collect();
        for number in disabled {
            self.unbind(number, UnboundBecause::Disabled);
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
