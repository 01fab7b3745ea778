//! What people type to steer a binding.

use moorline_spec::address::{Address, Place};
use moorline_spec::channel::Placement;
use moorline_spec::effect::{Drop, Effect, OpenThread, UnboundBecause};
use moorline_spec::id::{RequestId, SessionKey, Text};
use moorline_spec::stimulus::{Inbound, Opened, ThreadOpened};
use moorline_spec::time::Span;

use super::decisions::{Lapse, Traffic};
use super::journal::Dirty;
use super::of_bindings::{Commanded, Obeys};
use super::state::{Focus, Progress, Purpose, Seen};
use super::tools::Caller;
use super::{Reference, keys};

const USAGE: &str = "Usage: /session idle <duration|off> | /session max-age <duration|off> \
                     (example: /session idle 24h)";

impl Reference {
    /// Whether a message is a command; if so it was obeyed or answered.
    pub(super) fn command(&mut self, inbound: &Inbound, seen: &Seen) -> bool {
        if !inbound.text.trim_start().starts_with('/') {
            return false;
        }
        let words = keys::words(&inbound.text);
        let mut parts = words.split_whitespace();
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let arguments: Vec<&str> = parts.collect();
        let first = arguments.first().copied().unwrap_or_default();
        let ours = match name.as_str() {
            "/session" | "/focus" | "/unfocus" | "/agents" | "/stop" => true,
            "/acp" => first.eq_ignore_ascii_case("close"),
            _ => false,
        };
        if !ours {
            return false;
        }
        let ours = self.commanded(&inbound.at);
        let obeys = self.decisions.of_bindings().obeys(ours);
        if obeys == Obeys::LeavesItToTheAgent {
            return false;
        }
        self.state.remember(seen.clone());
        self.dirty(Dirty::Seen(Box::new(seen.clone())));
        if obeys == Obeys::Ignores {
            return true;
        }
        if !inbound.authorised {
            self.out.push(Effect::Drop(Drop {
                message: inbound.message.clone(),
                why: Text::new_static("its author may not give commands"),
            }));
            return true;
        }
        let reply = match name.as_str() {
            "/session" => Some(self.session_command(inbound, &arguments)),
            "/focus" => self.focus_command(inbound, &arguments),
            "/unfocus" => Some(self.unfocus_command(inbound)),
            "/stop" => Some(self.stop_command(inbound)),
            "/acp" => Some(self.close_command(inbound)),
            _ => Some(self.agents_command(&inbound.at)),
        };
        if let Some(reply) = reply {
            self.reply(inbound, reply);
        }
        true
    }

    fn reply(&mut self, inbound: &Inbound, text: String) {
        let stem = Text::from(format!("reply-{}", inbound.message));
        self.post(&inbound.at, text.into(), stem, None, Purpose::Notice);
    }

    /// How things stand where a command is given.
    fn commanded(&self, at: &Address) -> Commanded {
        let number = self.number_at(at);
        let binding = number.and_then(|number| self.state.bindings.get(&number));
        let session = binding.and_then(|binding| self.state.session(&binding.key));
        let run = session
            .and_then(|session| session.current)
            .and_then(|run| self.state.runs.get(&run));
        Commanded {
            bound: number.is_some(),
            broken: run.is_some_and(|run| run.state == Progress::Queued && 0 < run.starts),
        }
    }

    fn unavailable(&self, inbound: &Inbound) -> Option<String> {
        let at = &inbound.at;
        let channel = self.channel(&at.channel);
        let threads = channel.map(|channel| channel.capabilities.threads);
        let threads = threads.unwrap_or_default();
        let direct = inbound.kind == Place::Direct;
        if threads.placement == Placement::None || direct && !threads.in_direct {
            return Some(format!(
                "Thread bindings are unavailable for {}.",
                at.channel
            ));
        }
        let enabled = self.config.bindings_enabled(at);
        (!enabled).then(|| format!("Thread bindings are disabled for {}.", at.channel))
    }

    fn session_command(&mut self, inbound: &Inbound, arguments: &[&str]) -> String {
        let limit = match arguments.first().map(|word| word.to_ascii_lowercase()) {
            Some(word) if word == "idle" => Lapse::Idle,
            Some(word) if word == "max-age" => Lapse::MaxAge,
            Some(_) | None => return USAGE.to_owned(),
        };
        if let Some(why) = self.unavailable(inbound) {
            return why;
        }
        let Some(number) = self.bound_here(&inbound.at) else {
            return "ℹ️ This thread is not currently focused.".to_owned();
        };
        if arguments.len() < 2 {
            return self.report_limit(number, limit);
        }
        if let Some(owner) = self.not_owner(number, inbound) {
            return format!(
                "⚠️ Only {owner} can update session lifecycle settings for this conversation."
            );
        }
        match duration(&arguments[1..]) {
            Some(span) => self.set_limit(number, limit, span),
            None => USAGE.to_owned(),
        }
    }

    /// Who bound a conversation, where that is somebody else.
    fn not_owner(&self, number: u64, inbound: &Inbound) -> Option<String> {
        let by = self.state.bindings.get(&number)?.by.as_ref();
        let decisions = self.decisions.of_bindings();
        if decisions.may_change(by, &inbound.from) {
            return None;
        }
        Some(by.map_or("the system".to_owned(), ToString::to_string))
    }

    fn report_limit(&self, number: u64, limit: Lapse) -> String {
        let Some(binding) = self.state.bindings.get(&number) else {
            return USAGE.to_owned();
        };
        let limits = self.limits(binding);
        let (name, span, from) = match limit {
            Lapse::Idle => ("Idle timeout", limits.idle, binding.times.touched_at),
            Lapse::MaxAge => ("Max age", limits.max_age, binding.times.aged_from),
        };
        match span {
            Some(span) => format!(
                "ℹ️ {name} active ({span}, next auto-unfocus at {}).",
                from + span
            ),
            None => format!("ℹ️ {name} is currently disabled for this focused session."),
        }
    }

    /// Holds for all bindings of the session under that account.
    fn set_limit(&mut self, number: u64, limit: Lapse, span: Span) -> String {
        let span = self.decisions.of_bindings().typed(span);
        let Some(binding) = self.state.bindings.get(&number) else {
            return USAGE.to_owned();
        };
        let (key, account) = (binding.key.clone(), binding.address.account.clone());
        let channel = binding.address.channel.clone();
        let opens = self.opens_threads(&binding.address);
        let mut count = 0;
        for other in self.state.bindings.of(&key) {
            if !self.decisions.of_bindings().limit_reaches(other == number) {
                continue;
            }
            let number = other;
            let Some(binding) = self.state.bindings.get_mut(&number) else {
                continue;
            };
            if binding.address.account != account || binding.address.channel != channel {
                continue;
            }
            count += 1;
            match limit {
                Lapse::Idle => {
                    binding.idle = Some(span);
                    self.touch(number, Traffic::IdleCommand);
                }
                Lapse::MaxAge => {
                    let (dial, bound_at) = (self.dials.max_age_from, binding.times.bound_at);
                    let from = self
                        .decisions
                        .age_counts_from(dial, opens, bound_at, self.now);
                    binding.max_age = Some(span);
                    binding.times.aged_from = from;
                }
            }
            self.dirty(Dirty::Binding(number));
            self.schedule(number);
        }
        let name = match limit {
            Lapse::Idle => "Idle timeout",
            Lapse::MaxAge => "Max age",
        };
        if span.is_zero() {
            return format!("✅ {name} disabled for {count} binding(s).");
        }
        let binding = self.state.bindings.get(&number);
        let next = binding.and_then(|binding| self.deadline(binding));
        let next = next.map_or(String::new(), |(at, _)| {
            format!(" (next auto-unfocus at {at})")
        });
        format!("✅ {name} set to {span} for {count} binding(s){next}.")
    }

    /// The binding where a command is said that ends it, or why it does not. It works although the
    /// target is broken.
    fn theirs_to_end(&mut self, inbound: &Inbound, what: &str) -> Result<u64, String> {
        if let Some(why) = self.unavailable(inbound) {
            return Err(why);
        }
        let number = self.bound_here(&inbound.at);
        let number = number.ok_or("ℹ️ This thread is not currently focused.")?;
        match self.not_owner(number, inbound) {
            Some(owner) => Err(format!("⚠️ Only {owner} can {what}.")),
            None => Ok(number),
        }
    }

    fn unfocus_command(&mut self, inbound: &Inbound) -> String {
        match self.theirs_to_end(inbound, "unfocus this conversation") {
            Ok(number) => {
                self.unbind(number, UnboundBecause::Unfocus);
                "✅ Thread unfocused.".to_owned()
            }
            Err(why) => why,
        }
    }

    /// Ends every binding of the session that is bound where it is said.
    fn close_command(&mut self, inbound: &Inbound) -> String {
        let number = match self.theirs_to_end(inbound, "close this session") {
            Ok(number) => number,
            Err(why) => return why,
        };
        let key = self.state.bindings[&number].key.clone();
        let mut all = self.state.bindings.of(&key);
        all.retain(|&other| self.decisions.of_bindings().close_reaches(other == number));
        for &other in &all {
            self.unbind(other, UnboundBecause::Unfocus);
        }
        format!("✅ Closed {key}: {} binding(s) removed.", all.len())
    }

    fn focus_command(&mut self, inbound: &Inbound, arguments: &[&str]) -> Option<String> {
        let Some(name) = arguments.first() else {
            return Some("Usage: /focus <session key or label>".to_owned());
        };
        let unavailable = self.unavailable(inbound);
        let binds = self.decisions.of_bindings().focuses(unavailable.is_none());
        if let Some(why) = unavailable.filter(|_| !binds) {
            return Some(why);
        }
        let key = self.focus_target(name);
        let Some(key) = key.filter(|key| self.may_focus(key, inbound)) else {
            return Some(format!("Unable to resolve focus target: {name}"));
        };
        if let Some(number) = self.bound_here(&inbound.at)
            && let Some(owner) = self.not_owner(number, inbound)
        {
            return Some(format!("⚠️ Only {owner} can refocus this conversation."));
        }
        if !binds {
            return Some(format!("✅ bound this conversation to {key}"));
        }
        if inbound.at.thread.is_none() && self.opens_threads(&inbound.at) {
            self.open_focus(inbound, key);
            return None;
        }
        let at = inbound.at.clone();
        let number = self.bind(at.clone(), key.clone(), Some(inbound.from.clone()), None);
        self.introduce(number);
        self.changed_hands(&at);
        Some(format!("✅ bound this conversation to {key}"))
    }

    /// Whether a conversation may be bound to a session: one that was spawned, or that of the
    /// conversation itself. Nobody gets at what another one says by naming it.
    fn may_focus(&self, key: &SessionKey, inbound: &Inbound) -> bool {
        let Some(session) = self.state.session(key) else {
            return false;
        };
        let own = session.route.as_ref() == Some(&inbound.at.without_thread())
            || session.route.as_ref() == Some(&inbound.at);
        let relays = self.decisions.of_relays();
        relays.may_focus(session.child.is_some(), own)
    }

    fn focus_target(&self, name: &str) -> Option<SessionKey> {
        let label = self.by_label(name);
        label.or_else(|| self.resolve(&Caller::default(), name).ok())
    }

    fn open_focus(&mut self, inbound: &Inbound, key: SessionKey) {
        self.state.requests_made += 1;
        let request = RequestId::from(self.name("q", self.state.requests_made));
        self.out.push(Effect::OpenThread(OpenThread {
            request: request.clone(),
            parent: inbound.at.clone(),
            name: Text::from(key.as_str()),
            session_key: key.clone(),
        }));
        let focus = Focus {
            inbound: inbound.clone(),
            key,
        };
        self.state.focuses.insert(request, focus);
    }

    /// Whether an opened thread was asked for by `/focus`.
    pub(super) fn focus_opened(&mut self, opened: &ThreadOpened) -> bool {
        let Some(Focus { inbound, key }) = self.state.focuses.remove(&opened.request) else {
            return false;
        };
        let reply = match &opened.outcome {
            Opened::Opened { at } if !self.config.bindings_enabled(at) => {
                format!(
                    "⚠️ Thread bindings were disabled meanwhile; the thread {at} remains, unbound."
                )
            }
            Opened::Opened { at } if self.state.session(&key).is_some() => {
                let by = Some(inbound.from.clone());
                let number = self.bind(at.clone(), key.clone(), by, None);
                self.introduce(number);
                self.changed_hands(at);
                format!("✅ created thread {at} and bound it to {key}")
            }
            Opened::Opened { at } => format!("⚠️ {key} is gone; the thread {at} remains, unbound."),
            Opened::Refused { why } => format!("⚠️ No thread could be opened: {why}."),
            Opened::Unknown {} => "⚠️ Nobody knows whether the thread was opened.".to_owned(),
        };
        self.reply(&inbound, reply);
        true
    }

    /// Runs that somebody waits for, and bindings of the same account.
    fn agents_command(&self, here: &Address) -> String {
        let mut lines = vec!["Agents:".to_owned()];
        let lists = self.decisions.of_bindings().lists_bindings();
        let shown = |at: &Address| at.channel == here.channel && at.account == here.account;
        let debts = self.state.debts.values().filter(|debt| {
            let origin = debt.origin.as_ref();
            origin.is_none_or(|origin| shown(&origin.address))
        });
        lines.extend(debts.map(|debt| {
            let at = self.state.address_of(&debt.child);
            let at = at.map_or("unbound".to_owned(), |at| format!("thread:{at}"));
            format!("- run {} in {} ({at})", keys::run_id(debt.run), debt.child)
        }));
        let bindings = self.state.bindings.values();
        let bindings = bindings.filter(|binding| lists && shown(&binding.address));
        lines.extend(bindings.map(|binding| format!("- {} -> {}", binding.address, binding.key)));
        if lines.len() == 1 {
            lines.push("- none".to_owned());
        }
        lines.join("\n")
    }
}

/// A duration as people type it: `off`, a number of hours, or numbers with units. Words are joined
/// without a gap. Zero is off.
pub(super) fn duration(words: &[&str]) -> Option<Span> {
    let text = words.concat().to_ascii_lowercase();
    if matches!(text.as_str(), "off" | "disable" | "disabled" | "none" | "0") {
        return Some(Span::ZERO);
    }
    let is_decimal = |number: &str| {
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|digit| digit.is_ascii_digit());
        digits(whole) && digits(part)
    };
    if is_decimal(&text) {
        let hours = text.parse::<f64>().ok()?;
        return to_span(hours * 3_600_000.0);
    }
    let mut total = 0.0;
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, tail) = rest.split_at(end);
        let end = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, next) = tail.split_at(end);
        let size = match unit {
            "ms" => 1.0,
            "s" => 1_000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        };
        if !is_decimal(number) {
            return None;
        }
        total += number.parse::<f64>().ok()? * size;
        rest = next;
    }
    (!text.is_empty()).then_some(total).and_then(to_span)
}

/// Rounded to a millisecond.
fn to_span(ms: f64) -> Option<Span> {
    let ms = ms.round();
    (0.0..=9_007_199_254_740_992.0)
        .contains(&ms)
        .then_some(Span(ms as u64))
}
