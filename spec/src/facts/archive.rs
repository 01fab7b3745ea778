//! When a session is archived: a child of one run so long after it ended, and any session for which
//! somebody said so.

use super::Facts;
use crate::id::{CallId, RunId, SessionKey};
use crate::profile::Archives;
use crate::time::{Span, Time};

/// What is known of the archive time of a session.
#[derive(Clone, Debug, Default)]
pub struct ArchiveFacts {
    /// Whether it is a child of one run.
    pub one_run: bool,
    /// Whether whoever asked for it said that it is kept.
    pub kept: bool,
    /// Its own archive time, where one was given.
    pub own: Option<Span>,
    /// When its last run ended, if none has begun since.
    pub ended: Option<Time>,
    /// Whether the gateway died over something that changes when it is archived.
    pub unsure: bool,
}

impl Facts {
    /// A call was answered: it may have made a child, or given a session an archive time.
    pub(super) fn note_archive_time(&mut self, id: &CallId) {
        let Some(call) = self.calls.get(id).filter(|call| call.is_accepted()) else {
            return;
        };
        match call.method.as_str() {
            "sessions_spawn" => {
                let answer = call.answer.as_ref();
                let given = |name: &str| answer.and_then(|answer| answer.get(name)?.as_str());
                let Some(key) = given("childSessionKey").map(SessionKey::from) else {
                    return;
                };
                let child = ArchiveFacts {
                    one_run: given("mode") == Some("run"),
                    kept: call.text("cleanup") == Some("keep"),
                    ..ArchiveFacts::default()
                };
                // It may be over before it was accepted.
                let over = self
                    .sessions
                    .get(&key)
                    .and_then(|session| session.runs.last());
                let over = over.filter(|run| self.is_over(run));
                let ended = over.map(|_| self.now);
                self.archives.insert(key, ArchiveFacts { ended, ..child });
            }
            "sessions.patch" => {
                // What was given one is there, whether a run was seen of it or not.
                let key = call.text("key");
                let known = key.and_then(|key| self.session_named(key)).cloned();
                let key = known.or_else(|| key.map(SessionKey::from));
                let minutes = call.params.get("archiveAfterMinutes");
                if let (Some(key), Some(minutes)) = (key, minutes) {
                    let own = minutes.as_u64().map(Span::mins);
                    let session = self.sessions.get(&key);
                    let last = session.and_then(|session| Some((session.runs.last()?, session)));
                    // The end of its last run is what was seen of it last.
                    let over = last.filter(|(run, _)| self.is_over(run));
                    let ended = over.map(|(_, session)| session.written_to);
                    let facts = self.archives.entry(key).or_default();
                    facts.own = own;
                    facts.ended = facts.ended.or(ended);
                }
            }
            _ => (),
        }
    }

    /// The gateway died over calls: one may have given an archive time, another have begun a run.
    pub(super) fn doubt_archives(&mut self) {
        let named = self.unanswered_calls().filter_map(|call| {
            let patched = call.params.get("archiveAfterMinutes").is_some();
            let name = call.text("sessionKey").or_else(|| call.text("key"))?;
            let known = self.session_named(name).cloned();
            Some((known.unwrap_or_else(|| name.into()), patched))
        });
        let named: Vec<(SessionKey, bool)> = named.collect();
        for (key, patched) in named {
            if patched || self.archives.contains_key(&key) {
                self.archives.entry(key).or_default().unsure = true;
            }
        }
    }

    /// Whether nobody outside can tell when a session is archived.
    pub fn is_archived_somehow(&self, key: &SessionKey) -> bool {
        let facts = self.archives.get(key);
        facts.is_some_and(|facts| facts.unsure)
    }

    pub(super) fn note_archive_end(&mut self, run: &RunId) {
        if self.archives.is_empty() {
            return;
        }
        let key = self.runs.get(run).map(|run| &run.key);
        if let Some(facts) = key.and_then(|key| self.archives.get_mut(key)) {
            facts.ended = Some(self.now);
        }
    }

    /// A run begins in a session: when it was to be archived before that.
    pub(super) fn note_archive_start(&mut self, key: &SessionKey) -> Option<Time> {
        let due = self.archive_due(key);
        if let Some(facts) = self.archives.get_mut(key) {
            facts.ended = None;
        }
        due
    }

    /// How long children of one run are kept after their end, where that is configured.
    pub fn archived_after(&self, key: &SessionKey) -> Option<Span> {
        let agent = self.naming.agent_of(key)?;
        let layers = self
            .config
            .subagents(&agent, |own| own.archive_after_minutes);
        let (_, minutes) = layers.speaking().next()?;
        (*minutes > 0).then(|| Span::mins(*minutes))
    }

    /// When a session that has no run is to be archived; `None` is never.
    pub fn archive_due(&self, key: &SessionKey) -> Option<Time> {
        let facts = self.archives.get(key)?;
        let child = facts.one_run && !facts.kept && self.dials.archives == Archives::UnlessKept;
        let configured = || self.archived_after(key).filter(|_| child);
        Some(facts.ended? + facts.own.or_else(configured)?)
    }
}
