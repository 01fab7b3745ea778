//! What was given up, and is tried again because somebody asked for it.

use super::{Facts, Settled};
use crate::id::CallId;

impl Facts {
    /// `subagents retry` was answered: what it names is owed once more.
    pub(super) fn note_retry(&mut self, id: &CallId) {
        let Some(call) = self.calls.get(id).filter(|call| call.is_accepted()) else {
            return;
        };
        if call.method != "subagents" || call.text("action") != Some("retry") {
            return;
        }
        let name = call.text("target").or_else(|| call.text("runId"));
        let Some(name) = name.map(str::to_owned) else {
            return;
        };
        let since = (self.index, self.now);
        if let Some(completion) = self.completions.get_mut(name.as_str())
            && completion.settled == Some(Settled::Failed)
        {
            completion.settled = None;
            self.owed += 1;
        }
        if let Some(reply) = self.replies.get_mut(name.as_str())
            && reply.settled == Some(Settled::Failed)
        {
            (reply.settled, reply.refused, reply.since) = (None, false, since);
            reply.arrived.clear();
            self.owed += 1;
        }
    }
}
