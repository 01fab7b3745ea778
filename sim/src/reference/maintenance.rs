//! Maintenance: sessions that are too old or too many are removed, but for those somebody needs.

use moorline_spec::effect::UnboundBecause;
use moorline_spec::id::SessionKey;
use moorline_spec::key::{Key, Rest};
use moorline_spec::profile::MaintenanceTakes;

use super::Reference;
use super::decisions::{Old, Spare};
use super::state::{Purpose, Session};

impl Reference {
    fn is_maintained(&self) -> bool {
        self.config.session.maintenance.is_enforced(&self.dials)
    }

    /// Takes what is too old, and then what is too many; never what is about to be used.
    pub(super) fn maintain(&mut self, used: Option<&SessionKey>) {
        if !self.is_maintained() {
            return;
        }
        let most = self.config.session.maintenance.max_entries(&self.dials);
        let mut candidates: Vec<(SessionKey, bool)> = Vec::new();
        for session in self.state.sessions.values() {
            if used != Some(&session.key) && self.decisions.takes(&self.spare(session)) {
                candidates.push((session.key.clone(), self.is_old(session)));
            }
        }
        candidates.sort();
        for (key, _) in candidates.iter().filter(|(_, old)| *old) {
            self.take(key);
        }
        candidates.retain(|(_, old)| !old);
        let order = |(key, _): &(SessionKey, bool)| {
            let session = self.state.sessions.get(key);
            let written = session.map_or(self.now, |session| session.written_at);
            self.decisions.goes_by(self.is_made(key), written)
        };
        candidates.sort_by_key(order);
        let there = self.state.sessions.values().filter(|s| !s.ghost).count();
        for (key, _) in candidates.iter().take(there.saturating_sub(most)) {
            self.take(key);
        }
    }

    /// A session that is looked up may be too old to be there.
    pub(super) fn take_if_old(&mut self, key: &SessionKey) {
        if !self.is_maintained() {
            return;
        }
        let session = self.state.session(key);
        let goes = session.is_some_and(|session| {
            self.is_old(session) && self.decisions.takes(&self.spare(session))
        });
        if goes {
            self.take(key);
        }
    }

    pub(super) fn take(&mut self, key: &SessionKey) {
        self.unbind_session(key, UnboundBecause::Deleted);
        self.delete_session(key);
    }

    fn is_old(&self, session: &Session) -> bool {
        let maintenance = self.config.session.maintenance;
        self.decisions.is_old(&Old {
            age: self.now.since(session.written_at),
            after: maintenance.prune_after(),
            count: self.state.sessions.len(),
            most: maintenance.max_entries(&self.dials),
        })
    }

    /// Nobody speaks to it from a conversation.
    fn is_made(&self, key: &SessionKey) -> bool {
        let child = self
            .state
            .sessions
            .get(key)
            .is_some_and(|s| s.child.is_some());
        let key = self.naming.read(key.as_str());
        child
            || matches!(
                key,
                Ok(Key::Of {
                    rest: Rest::Made { .. },
                    ..
                })
            )
    }

    fn spare(&self, session: &Session) -> Spare {
        let key = &session.key;
        let parsed = self.naming.read(key.as_str());
        let is_main = matches!(
            parsed,
            Ok(Key::Of {
                rest: Rest::Main,
                thread: None,
                ..
            })
        );
        let durable = self.dials.maintenance_takes == MaintenanceTakes::Made && !self.is_made(key);
        let mut debts = self.state.debts.values();
        let mut posts = self.state.posts.values();
        let mut openings = self.state.openings.values();
        Spare {
            runs: session.current.is_some() || !session.queue.is_empty() || session.ghost,
            bound: self.state.bindings.first_of(key).is_some(),
            owes: debts.any(|debt| debt.requester == *key || debt.child == *key)
                || posts.any(|post| post.purpose == Purpose::Output(key.clone()))
                || openings.any(|opening| opening.spawn.requester == *key),
            kept: is_main || durable,
            thread: parsed.is_ok_and(|key| key.place() == moorline_spec::address::Place::Thread),
        }
    }
}
