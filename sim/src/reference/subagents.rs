//! What a session does with the children it has: looks at them, stops them, tells them something,
//! or ends its turn until they are done.

use moorline_spec::effect::{Effect, SteerRun, UnboundBecause};
use moorline_spec::id::{CallId, SessionKey, SteerId, Text};
use moorline_spec::stimulus::{Call, Outcome, Steering};
use moorline_spec::time::Span;
use serde_json::{Value, json};

use super::reach::given;
use super::state::{CallSteer, Owed, Progress, Standing};
use super::tools::Caller;
use super::{Reference, keys};

/// How long a text to a child may be.
const STEER_MAX: usize = 4_000;
/// How long a session waits before it may steer the same child again.
const STEER_PAUSE: Span = Span::secs(2);

/// A child, as a target names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub number: u64,
    pub key: SessionKey,
    pub label: Option<Text>,
    /// The run that goes on there.
    pub run: Option<u64>,
}

impl Row {
    fn name(&self) -> &str {
        self.label.as_ref().map_or(self.key.as_str(), Text::as_str)
    }
}

impl Reference {
    pub(super) fn subagents_call(&mut self, call: &Call, caller: &Caller) {
        let id = call.call.clone();
        match call.params["action"].as_str().unwrap_or("list") {
            "list" => {
                let runs = self.runs_below(caller);
                let lists = self.decisions.of_relays().lists_failures();
                let failures = self.state.failures.iter().filter(|_| lists);
                let failed: Vec<Value> = failures
                    .map(|failure| json!({"runId": failure.run, "why": failure.why}))
                    .collect();
                self.answer(id, json!({"status": "ok", "runs": runs, "failed": failed}));
            }
            "kill" => self.kill_call(id, caller, &call.params),
            "steer" => self.steer_call(id, caller, &call.params),
            "retry" => self.take_up_call(id, caller, &call.params, true),
            "dismiss" => self.take_up_call(id, caller, &call.params, false),
            other => {
                let known = "there is list, kill, steer, retry and dismiss";
                self.refuse(id, format!("subagents has no action {other:?}; {known}"));
            }
        }
    }

    fn runs_below(&self, caller: &Caller) -> Vec<Value> {
        let debts = self.state.debts.values().filter(|debt| {
            matches!(debt.what, Owed::Child(_)) && self.is_below(caller.key.as_ref(), &debt.child)
        });
        debts
            .map(|debt| {
                let running = debt.state == Standing::Running;
                json!({
                    "runId": keys::run_id(debt.run),
                    "sessionKey": debt.child,
                    "label": debt.label,
                    "status": if running { "running" } else { debt.outcome.as_str() },
                })
            })
            .collect()
    }

    /// The children of a caller, at any depth: those at work first, then the others, the older
    /// before the newer.
    fn rows(&self, caller: &Caller) -> Vec<Row> {
        let sessions = self
            .state
            .sessions
            .values()
            .filter(|session| !session.ghost);
        let mut rows: Vec<Row> = sessions
            .filter(|session| self.is_below(caller.key.as_ref(), &session.key))
            .filter_map(|session| {
                Some(Row {
                    number: session.child.as_ref()?.number,
                    key: session.key.clone(),
                    label: session.label.clone(),
                    run: session.current,
                })
            })
            .collect();
        rows.sort_by_key(|row| (row.run.is_none(), row.number));
        rows
    }

    fn picked(&self, caller: &Caller, params: &Value) -> Result<Row, String> {
        let names = ["target", "sessionKey", "key", "label"];
        let token = names.into_iter().find_map(|name| given(params, name));
        let rows = self.rows(caller);
        pick(&rows, token.unwrap_or_default()).cloned()
    }

    fn kill_call(&mut self, call: CallId, caller: &Caller, params: &Value) {
        if matches!(given(params, "target"), Some("all" | "*")) {
            let rows = self.rows(caller);
            let running: Vec<Row> = rows.into_iter().filter(|row| row.run.is_some()).collect();
            let text = match running.len() {
                0 => "no running subagents to kill.".to_owned(),
                count => format!("killed {count} subagent(s)."),
            };
            let keys: Vec<&SessionKey> = running.iter().map(|row| &row.key).collect();
            self.answer(call, json!({"status": "ok", "killed": keys, "text": text}));
            for row in &running {
                self.kill(&row.key);
            }
            return;
        }
        match self.picked(caller, params) {
            Ok(row) => {
                let text = match row.run {
                    Some(_) => format!("killed {}.", row.name()),
                    None => format!("{} is already finished.", row.name()),
                };
                let result = json!({"status": "ok", "killed": row.key, "text": text});
                self.answer(call, result);
                self.kill(&row.key);
            }
            Err(why) => self.refuse(call, why),
        }
    }

    /// What ended before is not killed, and keeps its binding.
    fn kill(&mut self, key: &SessionKey) {
        let session = self.state.session(key);
        let runs = session.is_some_and(|session| session.current.is_some());
        self.stop_session(key, false, Outcome::Killed);
        if runs {
            self.unbind_session(key, UnboundBecause::Killed);
        }
    }

    fn steer_call(&mut self, call: CallId, caller: &Caller, params: &Value) {
        let Some(message) = given(params, "message") else {
            return self.refuse(call, "subagents steer needs `message`, the text");
        };
        let length = message.chars().count();
        if length > STEER_MAX {
            let why = format!("Message too long ({length} chars, max {STEER_MAX}).");
            return self.refuse(call, why);
        }
        let own = caller.key.as_ref().map(SessionKey::as_str);
        let named = given(params, "target");
        if own.is_some() && (named == own || named == Some("current")) {
            let why = "Subagents cannot steer themselves.";
            return self.answer(call, json!({"status": "forbidden", "error": why}));
        }
        let row = match self.picked(caller, params) {
            Ok(row) => row,
            Err(why) => return self.refuse(call, why),
        };
        let run = row.run.and_then(|run| self.state.runs.get(&run));
        let Some(run) = run.filter(|run| run.state == Progress::Running) else {
            let text = format!("{} is already finished.", row.name());
            return self.answer(call, json!({"status": "done", "text": text}));
        };
        let number = run.number;
        let pair = (caller.key.clone(), row.key.clone());
        let last = self.state.steered_at.get(&pair);
        if last.is_some_and(|last| self.now < *last + STEER_PAUSE) {
            let why = "Steer rate limit exceeded. Wait a moment before sending another steer.";
            return self.answer(call, json!({"status": "rate_limited", "error": why}));
        }
        self.state.steered_at.insert(pair, self.now);
        self.state.steers_made += 1;
        let steer = SteerId::from(self.name("x", self.state.steers_made));
        let run = keys::run_id(number);
        let result = json!({
            "status": "accepted", "mode": "steer", "runId": run, "sessionKey": row.key,
            "text": format!("steered {}.", row.name()),
        });
        let waits = CallSteer { call, result };
        self.state.call_steers.insert(steer.clone(), waits);
        let input = Text::from(message);
        self.out
            .push(Effect::SteerRun(SteerRun { steer, run, input }));
    }

    /// It is known whether a child has read what it was told.
    pub(super) fn on_call_steered(&mut self, steer: CallSteer, outcome: Steering) {
        match outcome {
            Steering::Taken => self.answer(steer.call, steer.result),
            Steering::Refused => {
                let why = "it took no text any more; use sessions_send for another turn";
                self.refuse(steer.call, why);
            }
        }
    }
}

/// The child that a target means: the last one, the n-th of those listed, a key, a label or its
/// beginning, the beginning of a run's id.
pub(super) fn pick<'r>(rows: &'r [Row], token: &str) -> Result<&'r Row, String> {
    let token = token.trim();
    if token.is_empty() {
        return Err("Missing subagent target.".to_owned());
    }
    let unknown = || format!("Unknown subagent target: {token}");
    if token == "last" {
        return rows.iter().max_by_key(|row| row.number).ok_or_else(unknown);
    }
    if token.bytes().all(|byte| byte.is_ascii_digit()) {
        let index = token
            .parse::<usize>()
            .ok()
            .and_then(|index| index.checked_sub(1));
        let row = index.and_then(|index| rows.get(index));
        return row.ok_or_else(|| format!("Invalid subagent index: {token}"));
    }
    if token.contains(':') {
        let row = rows.iter().find(|row| row.key.as_str() == token);
        return row.ok_or_else(|| format!("Unknown subagent session: {token}"));
    }
    let lower = token.to_lowercase();
    let label = |row: &Row| row.label.as_ref().map(|label| label.to_lowercase());
    let whole = |row: &Row| label(row).is_some_and(|label| label == lower);
    let begins = |row: &Row| label(row).is_some_and(|label| label.starts_with(&lower));
    let run = |row: &Row| {
        row.run
            .is_some_and(|run| keys::run_id(run).as_str().starts_with(token))
    };
    only(rows, "label", token, whole)
        .or_else(|| only(rows, "label prefix", token, begins))
        .or_else(|| only(rows, "run id prefix", token, run))
        .unwrap_or_else(|| Err(unknown()))
}

/// The only row that fits; an error where several do, and nothing where none does.
fn only<'r>(
    rows: &'r [Row],
    what: &str,
    token: &str,
    fits: impl Fn(&Row) -> bool,
) -> Option<Result<&'r Row, String>> {
    let mut found = rows.iter().filter(|row| fits(row));
    let first = found.next()?;
    Some(match found.next() {
        None => Ok(first),
        Some(_) => Err(format!("Ambiguous subagent {what}: {token}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let row = |number, label: &str, run| Row {
            number,
            key: format!("agent:main:subagent:{number}").into(),
            label: (!label.is_empty()).then(|| label.into()),
            run,
        };
        vec![
            row(2, "Review docs", Some(28)),
            row(3, "review code", Some(30)),
            row(1, "2", None),
        ]
    }

    #[track_caller]
    fn picks(token: &str, expected: Result<u64, &str>) {
        let rows = rows();
        let found = pick(&rows, token).map(|row| row.number);
        assert_eq!(found, expected.map_err(str::to_owned), "{token}");
    }

    #[test]
    fn a_target_means_one_child_or_is_refused() {
        picks("last", Ok(3));
        picks("1", Ok(2));
        // Digits are an index, never a label.
        picks("2", Ok(3));
        picks("01", Ok(2));
        picks("0", Err("Invalid subagent index: 0"));
        picks("4", Err("Invalid subagent index: 4"));
        let huge = "99999999999999999999";
        picks(huge, Err("Invalid subagent index: 99999999999999999999"));
        picks("agent:main:subagent:1", Ok(1));
        picks(
            "agent:main:x",
            Err("Unknown subagent session: agent:main:x"),
        );
        picks(" REVIEW DOCS ", Ok(2));
        picks("review c", Ok(3));
        picks("review", Err("Ambiguous subagent label prefix: review"));
        // Runs 28 and 30 are `ab` and `ad`.
        picks("ab", Ok(2));
        picks("a", Err("Ambiguous subagent run id prefix: a"));
        picks("AB", Err("Unknown subagent target: AB"));
        picks("", Err("Missing subagent target."));
        assert_eq!(
            pick(&[], "last").err(),
            Some("Unknown subagent target: last".to_owned())
        );
    }
}
