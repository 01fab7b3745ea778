//! When nobody spoke for too long.

use serde_json::Value;

use super::super::{Checker, Kind, Rule, Sink};
use super::reset::{Anchors, Limit, Turn};
use super::{forgot, looks, rule};
use crate::effect::{Effect, StartRun};
use crate::facts::Facts;
use crate::id::Text;
use crate::stimulus::Stimulus;
use crate::time::Time;
use crate::trace::{Entry, What};

pub(super) fn idle_reset() -> Rule {
    rule(
        "session.idle-reset",
        "An idle reset is due when the time since the last real interaction is *exceeded*; the \
         exact boundary is fresh; no minutes means never; `idleMinutes: 0` is refused at the key.",
        &["S-69", "S-72", "R5.8", "SI-001", "SI-003"],
        &["reset_default", "reset_anchor", "agent_path_resets"],
        &[
            Kind::Open,
            Kind::ConfigChanged,
            Kind::RefuseConfig,
            Kind::StartRun,
        ],
        || Box::new(Idle::default()),
    )
}

/// Remembers the zeroes of a configuration that nobody has refused yet.
#[derive(Default)]
struct Idle {
    zeroes: Option<Zeroes>,
}

/// `idleMinutes: 0`, where it stands, and since which entry.
struct Zeroes {
    paths: Vec<String>,
    since: (usize, Time),
}

impl Checker for Idle {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Open(open)) => self.configured(&open.config, entry, facts),
            What::Stimulus(Stimulus::ConfigChanged(changed)) => {
                if self
                    .zeroes
                    .as_ref()
                    .is_some_and(|zeroes| zeroes.since.1 < entry.at)
                {
                    self.complain(sink);
                }
                self.configured(&changed.config, entry, facts);
            }
            What::Effect(Effect::RefuseConfig(refuse)) => self.refused(&refuse.path, sink),
            What::Effect(Effect::StartRun(start)) => {
                if let Some(turn) = facts.turn_here() {
                    judge(&turn, start, facts, sink);
                }
            }
            _ => (),
        }
    }

    fn finish(&mut self, _: &Facts, sink: &mut Sink) {
        self.complain(sink);
    }
}

impl Idle {
    fn complain(&self, sink: &mut Sink) {
        if let Some(zeroes) = &self.zeroes {
            let path = zeroes.paths.join(", ");
            sink.fail_since(
                zeroes.since,
                format!("the configuration says 0 at {path}, and nothing of it was refused"),
                format!("{path} is refused at its path: an idle time is 1 minute or more"),
            );
        }
    }

    fn configured(&mut self, config: &Value, entry: &Entry, facts: &Facts) {
        let mut paths = Vec::new();
        if let Some(session) = config.get("session") {
            find_zeroes(session, "session", &mut paths);
        }
        let since = (facts.index(), entry.at);
        self.zeroes = (!paths.is_empty()).then_some(Zeroes { paths, since });
    }

    fn refused(&mut self, path: &Text, sink: &mut Sink) {
        // Who finds something else wrong first has not taken the zero either.
        if let Some(zeroes) = self.zeroes.take()
            && zeroes.paths.iter().any(|zero| zero == path.as_str())
        {
            sink.witness();
        }
    }
}

fn find_zeroes(value: &Value, path: &str, found: &mut Vec<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let path = || format!("{path}.{name}");
        if name == "idleMinutes" && value.as_u64() == Some(0) {
            found.push(path());
        } else if value.is_object()
            && (name.starts_with("reset") || path().starts_with("session.reset"))
        {
            find_zeroes(value, &path(), found);
        }
    }
}

fn judge(turn: &Turn<'_>, start: &StartRun, facts: &Facts, sink: &mut Sink) {
    if turn.told || !looks(turn, facts) {
        return;
    }
    let Some(idle) = turn.policy.idle else {
        return never(turn, start, facts, sink);
    };
    match (turn.due.idle, turn.continues()) {
        (Limit::Due, false) => sink.witness(),
        (Limit::Due, true) => {
            let right = format!(
                "run {} starts fresh: nobody spoke in the session for more than {idle}",
                start.run
            );
            sink.fail(forgot(turn, start), right);
        }
        (Limit::NotDue, false) if turn.due.daily == Limit::NotDue => {
            let right = format!(
                "run {} continues the session: somebody spoke in it within {idle}",
                start.run
            );
            sink.fail(forgot(turn, start), right);
        }
        // Idle exactly so long: the strict comparison was put to the test.
        (Limit::NotDue, true) => {
            let anchors = Anchors::of(turn.before, facts.dials.reset_anchor);
            if anchors.idle.1 + idle == turn.now.0 {
                sink.witness();
            }
        }
        (Limit::NotDue | Limit::Unclear, _) => (),
    }
}

/// Mode `idle` without minutes.
fn never(turn: &Turn<'_>, start: &StartRun, facts: &Facts, sink: &mut Sink) {
    let Some(message) = turn.message else {
        return;
    };
    let levels = facts.config.reset_levels(&message.at.channel, message.kind);
    if !levels.idles_forever(&facts.dials) {
        return;
    }
    if turn.continues() {
        sink.witness();
    } else {
        let right = format!(
            "run {} continues the session: an idle reset without minutes is never due",
            start.run
        );
        sink.fail(forgot(turn, start), right);
    }
}
