//! The archive: children of one run go some time after it ended, and any session whose own archive
//! time has come. Others stay.

use moorline_spec::id::SessionKey;
use moorline_spec::profile::Archives;
use moorline_spec::time::{Span, Time};

use super::Reference;
use super::decisions::{Archiving, Mode};
use super::state::Session;

/// How long to wait where somebody is still to be told of a session.
const AGAIN: Span = Span::mins(1);

impl Reference {
    /// When a session is archived, as things stand.
    fn archive_at(&self, session: &Session) -> Option<Time> {
        let ended_at = session.ended_at?;
        if session.current.is_some() || !session.queue.is_empty() || session.ghost {
            return None;
        }
        let configured = || {
            let layers = self
                .config
                .subagents(&session.agent, |own| own.archive_after_minutes);
            let (_, minutes) = layers.speaking().next()?;
            (*minutes > 0).then(|| Span::mins(*minutes))
        };
        let mode = session.child.as_ref().map(|child| child.mode);
        let archiving = Archiving {
            one_run: mode == Some(Mode::Run),
            child: mode.is_some(),
            kept: session.kept || self.dials.archives == Archives::OnlyDeleted,
            own: session.archive_after,
            configured: configured(),
            began_at: session.started_at,
            ended_at,
        };
        self.decisions.archived_at(&archiving)
    }

    /// Puts a session in the order of the archive; entries for other times are stale.
    pub(super) fn schedule_archive(&mut self, key: &SessionKey) {
        let session = self.state.session(key);
        if let Some(at) = session.and_then(|session| self.archive_at(session)) {
            self.state.archives.insert((at.max(self.now), key.clone()));
        }
    }

    pub(super) fn reschedule_archives(&mut self) {
        self.state.archives.clear();
        let mut keys: Vec<SessionKey> = self.state.sessions.keys().cloned().collect();
        keys.sort();
        for key in keys {
            self.schedule_archive(&key);
        }
    }

    /// A run of a session is over.
    pub(super) fn note_end(&mut self, key: &SessionKey) {
        let now = self.now;
        let Some(session) = self.state.sessions.get_mut(key) else {
            return;
        };
        session.ended_at = Some(now);
        if session.child.is_some() || session.archive_after.is_some() {
            self.dirty(super::journal::Dirty::Session(key.clone()));
            self.schedule_archive(key);
        }
    }

    /// Archives what is due, as it is at this moment.
    pub(super) fn archive_what_is_due(&mut self) {
        while let Some((at, key)) = self.state.archives.first().cloned()
            && at <= self.now
        {
            self.state.archives.pop_first();
            let session = self.state.session(&key);
            let due = session.and_then(|session| self.archive_at(session));
            match due {
                Some(due) if due <= self.now && self.is_owed(&key) => {
                    self.state.archives.insert((self.now + AGAIN, key));
                }
                Some(due) if due <= self.now => self.take(&key),
                // Something happened in it since.
                Some(_) | None => self.schedule_archive(&key),
            }
        }
    }

    /// Whether somebody is still to be told of a session, or by it.
    fn is_owed(&self, key: &SessionKey) -> bool {
        let mut debts = self.state.debts.values();
        debts.any(|debt| debt.child == *key || debt.requester == *key)
    }
}
