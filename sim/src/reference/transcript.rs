//! What each session was given and said: what `sessions_history` shows. A child's is kept whole, and
//! through a restart; of others it is what they said last.

use moorline_spec::id::{SessionKey, Text};
use moorline_spec::stimulus::Call;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::decisions::By;
use super::journal::Dirty;
use super::tools::Caller;
use super::{Reference, keys};

/// How much is shown of a session that is nobody's child.
const LINES_MAX: usize = 64;

/// One text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub by: By,
    pub text: Text,
}

impl Reference {
    /// A session was given a text, or said one.
    pub(super) fn note_line(&mut self, key: &SessionKey, by: By, text: &Text) {
        if keys::is_silent(text) || !self.decisions.notes(by) {
            return;
        }
        let session = self.state.sessions.get_mut(key);
        let Some(session) = session.filter(|session| !session.ghost) else {
            return;
        };
        let is_child = session.child.is_some();
        let line = Line {
            by,
            text: text.clone(),
        };
        let lines = &mut session.lines;
        // A turn that a crash took is given the same once more.
        if by == By::User && lines.back() == Some(&line) {
            return;
        }
        lines.push_back(line);
        if is_child {
            let index = lines.len() - 1;
            self.dirty(Dirty::Line(key.clone(), index));
        } else if lines.len() > LINES_MAX {
            lines.pop_front();
        }
    }

    pub(super) fn history_call(&mut self, call: &Call, caller: &Caller) {
        self.maintain(None);
        let key = match self.named(caller, &call.params) {
            Ok(key) => key,
            Err(why) => return self.unreached(call.call.clone(), why),
        };
        let session = self.state.sessions.get(&key);
        let lines = session.into_iter().flat_map(|session| &session.lines);
        let lines: Vec<&Line> = lines.collect();
        let most = call.params["limit"].as_u64().map_or(lines.len(), |most| {
            usize::try_from(most).unwrap_or(usize::MAX)
        });
        let last = &lines[lines.len().saturating_sub(most)..];
        let messages: Vec<Value> = last
            .iter()
            .map(|line| json!({"role": line.by, "text": line.text}))
            .collect();
        let id = self
            .state
            .session(&key)
            .map(|session| keys::session_id(session.id));
        let result = json!({"status": "ok", "key": key, "sessionId": id, "messages": messages});
        self.answer(call.call.clone(), result);
    }
}
