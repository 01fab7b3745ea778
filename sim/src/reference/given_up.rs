//! What could not be told in its bound: kept where it can be seen, until somebody has it tried again
//! or dismisses it.

use moorline_spec::id::{CallId, RunId, SessionKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::journal::Dirty;
use super::reach::given;
use super::state::{Debt, Post, Standing};
use super::tools::Caller;
use super::{Reference, keys};

/// How many are kept; the oldest go first.
const KEPT_MAX: usize = 1_000;

/// Something that was given up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct GivenUp {
    /// The run whose completion or words it is.
    pub run: u64,
    /// The session of that run, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionKey>,
    /// What was owed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debt: Option<Debt>,
    /// The post that did not arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<Post>,
}

impl Reference {
    /// Keeps what was given up.
    pub(super) fn keep_given_up(&mut self, given_up: GivenUp) {
        if !self.decisions.of_relays().keeps_given_up() {
            return;
        }
        let run = given_up.run;
        self.state.given_up.insert(run, given_up);
        self.dirty(Dirty::GivenUp(run));
        if KEPT_MAX < self.state.given_up.len()
            && let Some((oldest, _)) = self.state.given_up.pop_first()
        {
            self.dirty(Dirty::GivenUp(oldest));
        }
    }

    /// `subagents retry` and `subagents dismiss`.
    pub(super) fn take_up_call(
        &mut self,
        call: CallId,
        caller: &Caller,
        params: &Value,
        again: bool,
    ) {
        let Some(name) = given(params, "target").or_else(|| given(params, "runId")) else {
            return self.refuse(
                call,
                "name what was given up by `target`, the id of its run",
            );
        };
        let number = keys::run_number(&RunId::from(name)).unwrap_or_default();
        let found = self.state.given_up.get(&number);
        let Some(found) = found.filter(|found| self.may_take_up(caller, found)) else {
            return self.refuse(call, format!("nothing of run {name} was given up here"));
        };
        let found = found.clone();
        let kept = !again && !self.decisions.of_relays().forgets_dismissed();
        if !kept {
            self.state.given_up.remove(&number);
            self.dirty(Dirty::GivenUp(number));
            let id = keys::run_id(number);
            self.state.failures.retain(|failure| failure.run != id);
        }
        let done = if again { "retried" } else { "dismissed" };
        self.answer(call, json!({"status": "ok", done: keys::run_id(number)}));
        if again {
            self.take_up(found);
        }
    }

    fn may_take_up(&self, caller: &Caller, given_up: &GivenUp) -> bool {
        let Some(key) = &caller.key else {
            return true;
        };
        let debt = given_up.debt.as_ref();
        let names = [
            given_up.session.as_ref(),
            debt.map(|debt| &debt.requester),
            debt.map(|debt| &debt.child),
        ];
        let mut names = names.into_iter().flatten();
        let own = names.any(|name| name == key || self.is_below(Some(key), name));
        self.decisions.of_relays().may_take_up(own)
    }

    /// It is owed once more, as it was.
    fn take_up(&mut self, given_up: GivenUp) {
        let number = given_up.run;
        if let Some(mut debt) = given_up.debt {
            debt.state = Standing::Below;
            debt.turns = 0;
            self.state.debts.insert(debt.run, debt);
            self.dirty(Dirty::Debt(number));
        }
        let Some(post) = given_up.post else {
            return self.hand(number);
        };
        self.state.posts_made += 1;
        let next = self.state.posts_made;
        if let Some(debt) = self.state.debts.get_mut(&number) {
            debt.state = Standing::Post(next);
        }
        let again = Post {
            number: next,
            attempt: 0,
            delivery: None,
            retry_at: None,
            repeat: post.repeat || post.doubted,
            ..post
        };
        self.state.posts.insert(next, again);
        self.attempt(next);
    }
}
