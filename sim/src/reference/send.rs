//! Texts from session to session, and replies that come in time or later.

use moorline_spec::id::{CallId, SessionKey, Text};
use moorline_spec::time::Span;
use serde_json::{Value, json};

use super::decisions::Audience;
use super::journal::Dirty;
use super::nested::Nesting;
use super::reach::{Unreached, Want};
use super::state::{Debt, Owed, Standing, Timer, Turn};
use super::tools::Caller;
use super::{Reference, keys};

/// How long a sender waits unless it says otherwise.
const WAIT: Span = Span::secs(30);

impl Reference {
    pub(super) fn send_call(&mut self, call: CallId, caller: &Caller, params: &Value) {
        let Some(message) = params["message"]
            .as_str()
            .filter(|text| !text.trim().is_empty())
        else {
            return self.refuse(call, "sessions_send needs `message`, the text");
        };
        let target = match self.send_target(caller, params) {
            Ok(target) => target,
            Err((status, error)) => {
                return self.answer(call, json!({"status": status, "error": error}));
            }
        };
        let wait = match params["timeoutSeconds"].as_f64() {
            Some(seconds) if seconds.is_finite() => Span::secs(seconds.max(0.0).floor() as u64),
            Some(_) | None => WAIT,
        };
        self.open_session(&target);
        let message = Text::from(message);
        let origin = caller.origin.clone();
        let run = self.new_run(target.clone(), Turn::Sent, message.clone(), origin);
        let number = run.number;
        let deadline = self.now + wait;
        let waits = !wait.is_zero() && caller.run.is_some();
        let debt = Debt {
            run: number,
            what: Owed::Reply,
            child: target.clone(),
            requester: caller.key.clone().unwrap_or_else(|| self.main.clone()),
            incarnation: caller.incarnation,
            origin: caller.origin.clone(),
            task: message,
            state: Standing::Running,
            outcome: moorline_spec::stimulus::Outcome::Ok,
            text: Text::default(),
            said: None,
            turns: 0,
            audience: Audience::of_sender(caller.key.is_some()),
            streams: false,
            deletes: false,
            exchanged: 0,
            nesting: Nesting::default(),
            label: None,
            call: waits.then(|| (call.clone(), deadline, caller.run.unwrap_or_default())),
        };
        self.state.debts.insert(number, debt);
        self.dirty(Dirty::Debt(number));
        if waits {
            self.state.timers.insert((deadline, Timer::Reply(number)));
        } else {
            let id = keys::run_id(number);
            let result = json!({
                "status": "accepted", "runId": id, "sessionKey": target,
                "delivery": {"status": "pending", "mode": "announce"},
            });
            self.answer(call, result);
        }
        self.enqueue(run);
    }

    fn send_target(&self, caller: &Caller, params: &Value) -> Result<SessionKey, Unreached> {
        let target = self.target(caller, params)?;
        if caller.key.as_ref() == Some(&target) && !self.decisions.may_send_to_itself() {
            let error =
                "sessions_send cannot target the calling session; use your own reply instead";
            return Err(("error", error.to_owned()));
        }
        self.reached(caller, target, Want::Send)
    }

    /// The sender waits no longer; the reply will reach its session when it comes.
    pub(super) fn stop_waiting(&mut self, number: u64) {
        let Some(debt) = self.state.debts.get_mut(&number) else {
            return;
        };
        let Some((call, _, _)) = debt.call.take() else {
            return;
        };
        self.dirty(Dirty::Debt(number));
        self.answer_late(number, call);
    }

    /// The call is over, and what comes of it is told later.
    pub(super) fn answer_late(&mut self, number: u64, call: CallId) {
        let Some(debt) = self.state.debts.get(&number) else {
            return;
        };
        let id = keys::run_id(number);
        let result = json!({"status": "timeout", "runId": id, "sessionKey": debt.child});
        self.answer(call, result);
    }
}
