//! What people say to a binding: `/session idle 2h`, `/session max-age off`, `/unfocus`.

use super::bound::Those;
use super::{BindingId, CallFacts, Facts, MessageFacts, Touch};
use crate::channel::Placement;
use crate::effect::UnboundBecause;
use crate::id::{Marker, PersonId};
use crate::profile::MaxAgeFrom;
use crate::stimulus::{Author, Inbound};
use crate::time::Span;

/// How many commands are remembered for what comes again.
const COMMANDS_MAX: usize = 256;

/// A command that changes the binding it is said in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindingCommand {
    /// `/session idle <d>`; `None` is off.
    Idle(Option<Span>),
    /// `/session max-age <d>`; `None` is off.
    MaxAge(Option<Span>),
    /// `/unfocus`
    Unfocus,
    /// What else may ask for the end of the binding.
    Close,
    /// `/acp close`: the end of all bindings of the session.
    CloseAll,
    /// `/focus <target>`: the conversation is bound to something else, if that can be found.
    Focus(String),
}

impl BindingCommand {
    /// The command that a text is, markers left aside. A question, such as `/session idle` without
    /// a length of time, and a length that does not read change nothing.
    pub fn read(text: &str) -> Option<Self> {
        let said = text.split('⟦').next().unwrap_or_default();
        let mut words = said.split_whitespace();
        let first = words.next()?.to_lowercase();
        let target = words.next();
        let second = target.map(str::to_lowercase);
        let rest = words.collect::<String>().to_lowercase();
        match (first.as_str(), second.as_deref()) {
            ("/session", Some("idle")) => duration(&rest).map(Self::Idle),
            ("/session", Some("max-age")) => duration(&rest).map(Self::MaxAge),
            ("/unfocus", _) => Some(Self::Unfocus),
            ("/session", Some("unbind")) => Some(Self::Close),
            ("/acp", Some("close")) => Some(Self::CloseAll),
            ("/focus", Some(_)) => target.map(|target| Self::Focus(target.to_owned())),
            _ => None,
        }
    }
}

/// A length of time as people type it, its words glued together: a word for off, a plain number of
/// hours, or numbers with units. The outer `None` is a text that does not read.
fn duration(text: &str) -> Option<Option<Span>> {
    let on = |ms: f64| {
        // Far beyond any story, and still exact in a float.
        let ms = ms.round().min(9_007_199_254_740_992.0) as u64;
        (ms > 0).then_some(Span(ms))
    };
    match text {
        "" => return None,
        "off" | "disable" | "disabled" | "none" => return Some(None),
        _ => (),
    }
    if let Some(hours) = number(text) {
        return Some(on(hours * 3_600_000.0));
    }
    let mut ms = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (digits, tail) = rest.split_at(end);
        let letters = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, next) = tail.split_at(letters);
        let unit = match unit {
            "ms" => 1.0,
            "s" => 1_000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        };
        ms += number(digits)? * unit;
        rest = next;
    }
    Some(on(ms))
}

/// A plain decimal: digits, and perhaps a point with digits on both sides.
fn number(text: &str) -> Option<f64> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let plain = match text.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part),
        None => digits(text),
    };
    if plain { text.parse().ok() } else { None }
}

impl Facts {
    /// Whether a message came before. Only a later life may take it for new, and a command with it.
    fn came_before(&mut self, inbound: &Inbound, marker: Option<&Marker>) -> bool {
        let here = |first: &&MessageFacts| first.at == inbound.at && first.arrived.0 != self.index;
        let known = marker.and_then(|marker| self.messages.get(marker));
        let known = known.filter(here).map(|first| first.arrived.1);
        // The message itself may be forgotten, but not so soon that it was a command.
        let heard = || {
            let mut all = self.commands_heard.iter();
            let same = all.find(|(at, id, _)| *at == inbound.at && *id == inbound.message);
            same.map(|&(_, _, when)| when)
        };
        let Some(first) = known.or_else(heard) else {
            let heard = (inbound.at.clone(), inbound.message.clone(), self.now);
            self.commands_heard.push_back(heard);
            if self.commands_heard.len() > COMMANDS_MAX {
                self.commands_heard.pop_front();
            }
            return false;
        };
        if first < self.life_began
            && let Some((id, _)) = self.binding_at(&inbound.at)
        {
            self.bindings[id].unsure = true;
        }
        true
    }

    /// Somebody gives a command in a bound conversation.
    pub(super) fn on_binding_command(&mut self, inbound: &Inbound, marker: Option<&Marker>) {
        let heard = inbound.author == Author::Person
            && inbound.authorised
            && self.config.account_enabled(&inbound.at);
        if !heard || !inbound.text.starts_with('/') {
            return;
        }
        if self.came_before(inbound, marker) {
            return;
        }
        self.note_question(inbound);
        let Some(command) = BindingCommand::read(&inbound.text) else {
            return;
        };
        let now = self.now;
        let spawning = |call: &CallFacts| call.method == "sessions_spawn" && call.answer.is_none();
        if self.calls.values().any(spawning) {
            // What is bound before the answer may have heard it already.
            self.early_commands.push((inbound.at.clone(), now));
        }
        let bound = self.binding_at(&inbound.at).map(|(id, _)| id);
        if let Some(id) = bound
            && self.may_not_change(id, &inbound.from)
        {
            self.bindings[id].around.meddled = Some((now, inbound.from.clone()));
            return;
        }
        match (command, bound) {
            (BindingCommand::Focus(target), _) => self.on_focus(inbound, &target),
            (BindingCommand::Unfocus, Some(id)) => self.release(id, true),
            (BindingCommand::Close, Some(id)) => {
                let cause = (now, UnboundBecause::Unfocus);
                self.bindings[id].cause.get_or_insert(cause);
            }
            (BindingCommand::CloseAll, Some(id)) => self.close_all(id),
            (limit @ (BindingCommand::Idle(_) | BindingCommand::MaxAge(_)), Some(id)) => {
                self.on_limit_command(&limit, id);
                self.note_twins(&inbound.at);
            }
            // What is bound there by a name that nobody outside knows may be bound elsewhere too.
            (BindingCommand::Idle(_) | BindingCommand::MaxAge(_), None)
                if !self.focused_somehow.is_empty() =>
            {
                let at = &inbound.at;
                for binding in &mut self.bindings {
                    let there = &binding.address;
                    binding.unsure |= there.channel == at.channel && there.account == at.account;
                }
            }
            (
                BindingCommand::Unfocus
                | BindingCommand::Close
                | BindingCommand::CloseAll
                | BindingCommand::Idle(_)
                | BindingCommand::MaxAge(_),
                None,
            ) => (),
        }
    }

    /// Every conversation of the session that is bound there is released, if one certainly is.
    fn close_all(&mut self, id: BindingId) {
        let key = self.bindings[id].key.clone();
        let certain = self.bindings[id].would_hold(self.now);
        for id in self.live_among(Those::Of(&key)) {
            self.release(id, certain);
        }
    }

    /// Somebody who may do so lets a conversation go.
    fn release(&mut self, id: BindingId, certain: bool) {
        let now = self.now;
        let binding = &mut self.bindings[id];
        if certain && binding.would_hold(now) {
            binding.around.released = Some(now);
        }
        let cause = (now, UnboundBecause::Unfocus);
        binding.cause.get_or_insert(cause);
        let at = binding.address.clone();
        self.note_twins(&at);
    }

    /// Whether a binding is known to be somebody else's.
    fn may_not_change(&self, id: BindingId, person: &PersonId) -> bool {
        let by = self.bindings[id].around.by.as_ref();
        by.is_some_and(|by| by != person)
    }

    /// A length of time holds for all conversations of the session in that account.
    fn on_limit_command(&mut self, command: &BindingCommand, id: BindingId) {
        let now = self.now;
        let bound = &self.bindings[id];
        let lapses = bound.earliest_lapse().is_some_and(|due| due <= now);
        let may_be_over = lapses || bound.unsure;
        let key = bound.key.clone();
        let (channel, account) = (bound.address.channel.clone(), bound.address.account.clone());
        let placement = self
            .channel(&bound.address)
            .map(|channel| channel.capabilities.threads.placement);
        let age_from_command = match self.dials.max_age_from {
            MaxAgeFrom::Bound => false,
            MaxAgeFrom::Command => true,
            MaxAgeFrom::ByPlacement => placement == Some(Placement::Child),
        };
        let probing = !self.probes.is_empty();
        for id in self.live_among(Those::Of(&key)) {
            let binding = &mut self.bindings[id];
            if binding.address.channel != channel || binding.address.account != account {
                continue;
            }
            binding.unsure |= may_be_over;
            binding.around.commanded = Some((now, binding.limits));
            binding.limited_at = now;
            let due = binding.latest_lapse().filter(|_| probing);
            match command {
                BindingCommand::Idle(idle) => {
                    binding.limits.idle = *idle;
                    binding.note_touch(now, Touch::Command);
                    binding.touch(now, now, true);
                }
                BindingCommand::MaxAge(max_age) => {
                    binding.limits.max_age = *max_age;
                    if age_from_command {
                        binding.note_touch(now, Touch::Command);
                        binding.age_from = (now, now);
                    }
                    binding.touch(now, now, age_from_command);
                }
                BindingCommand::Unfocus
                | BindingCommand::Close
                | BindingCommand::CloseAll
                | BindingCommand::Focus(_) => (),
            }
            binding.stale_due = due;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_as_people_type_them() {
        let rows: [(&str, Option<Option<u64>>); 15] = [
            ("24h", Some(Some(86_400_000))),
            ("24", Some(Some(86_400_000))),
            ("1.5", Some(Some(5_400_000))),
            ("1h 30m", Some(Some(5_400_000))),
            ("500ms", Some(Some(500))),
            ("30 1h", Some(Some(1_083_600_000))),
            ("OFF", Some(None)),
            ("0", Some(None)),
            ("0.0000001", Some(None)),
            ("", None),
            ("-1", None),
            ("1h30", None),
            (".5h", None),
            ("1w", None),
            ("off now", None),
        ];
        for (text, ms) in rows {
            let read = BindingCommand::read(&format!("/session idle {text} ⟦m1⟧"));
            assert_eq!(
                read,
                ms.map(|ms| BindingCommand::Idle(ms.map(Span))),
                "{text}"
            );
        }
    }

    #[test]
    fn other_texts_are_no_commands_to_a_binding() {
        for text in [
            "hello",
            "/new",
            "/session",
            "/session idle ⟦m2⟧",
            "/focus ⟦m3⟧",
        ] {
            assert_eq!(BindingCommand::read(text), None, "{text}");
        }
        assert_eq!(
            BindingCommand::read("/unfocus ⟦m4⟧"),
            Some(BindingCommand::Unfocus)
        );
    }
}
