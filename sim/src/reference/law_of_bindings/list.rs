//! The plain list: every question is answered by looking at each row.

use super::*;

/// A binding in the list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) name: u64,
    pub(super) at: usize,
    pub(super) key: usize,
    pub(super) by: Option<usize>,
    pub(super) bound: Time,
    pub(super) touched: Time,
    /// When it ever was, from the time of binding on.
    pub(super) touches: Vec<Time>,
    pub(super) idle: Option<Span>,
    pub(super) age: Option<Span>,
}

impl Row {
    fn touch(&mut self, now: Time) {
        self.touched = now;
        self.touches.push(now);
    }

    /// Whether that is the last activity that whoever died now may remember.
    pub(super) fn may_be_known(&self, touched: Time, now: Time) -> bool {
        let known = |&at: &Time| touched < at && at + LOST <= now;
        self.touches.contains(&touched) && !self.touches.iter().any(known)
    }

    pub(super) fn lapse(&self, now: Time) -> Option<UnboundBecause> {
        let idle = self.idle.map(|idle| self.touched + idle);
        let age = self.age.map(|age| self.bound + age);
        let by_age = |age: Time| idle.is_none_or(|idle| age < idle);
        match (idle, age) {
            (_, Some(age)) if by_age(age) && age <= now => Some(UnboundBecause::MaxAge),
            (Some(idle), _) if idle <= now && age.is_none_or(|age| idle <= age) => {
                Some(UnboundBecause::Idle)
            }
            (_, _) => None,
        }
    }
}

pub(super) type End = (usize, usize, UnboundBecause);

/// The list.
#[derive(Default)]
pub(super) struct List {
    pub(super) rows: Vec<Row>,
    pub(super) names: u64,
    pub(super) ends: Vec<End>,
    pub(super) now: Time,
    /// The binding that a probe was asked for, and where.
    pub(super) looking: Option<(usize, u64)>,
}

impl List {
    pub(super) fn at(&self, at: usize) -> Option<&Row> {
        self.rows.iter().find(|row| row.at == at)
    }

    pub(super) fn end(&mut self, name: u64, reason: UnboundBecause) {
        if let Some(index) = self.rows.iter().position(|row| row.name == name) {
            let row = self.rows.remove(index);
            self.ends.push((row.at, row.key, reason));
        }
    }

    /// Whoever looks a place up finds what lapsed.
    pub(super) fn look_up(&mut self, at: usize) -> Option<u64> {
        let row = self.at(at)?;
        let name = row.name;
        if let Some(reason) = row.lapse(self.now) {
            self.end(name, reason);
            return None;
        }
        Some(name)
    }

    pub(super) fn row(&mut self, name: u64) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.name == name)
    }

    pub(super) fn binds(&mut self, at: usize, key: usize, by: Option<usize>) {
        if let Some(old) = self.at(at).map(|row| row.name) {
            self.end(old, UnboundBecause::Replaced);
        }
        self.names += 1;
        self.rows.push(Row {
            name: self.names,
            at,
            key,
            by,
            bound: self.now,
            touched: self.now,
            touches: vec![self.now],
            idle: Some(IDLE),
            age: Some(AGE),
        });
    }

    pub(super) fn says(&mut self, at: usize, heard: bool) {
        let found = self.look_up(at);
        let now = self.now;
        if let Some(row) = found.and_then(|name| self.row(name))
            && heard
        {
            row.touch(now);
        }
    }

    pub(super) fn commands(&mut self, at: usize, who: usize, what: &str) {
        let found = self.look_up(at);
        let Some(row) = found.and_then(|name| self.row(name)) else {
            return;
        };
        let (name, key) = (row.name, row.key);
        if row.by.is_some_and(|by| by != who) {
            return;
        }
        let (idle, age) = match what {
            "/unfocus" => return self.end(name, UnboundBecause::Unfocus),
            "/session idle 5m" => (Some(Some(Span::mins(5))), None),
            "/session idle off" => (Some(None), None),
            "/session max-age 20m" => (None, Some(Some(Span::mins(20)))),
            "/session max-age off" => (None, Some(None)),
            _ => return,
        };
        let now = self.now;
        for row in &mut self.rows {
            if row.key != key || row.at / 3 != at / 3 {
                continue;
            }
            if let Some(idle) = idle {
                row.idle = idle;
                row.touch(now);
            }
            if let Some(age) = age {
                row.age = age;
            }
        }
    }

    pub(super) fn speaks(&mut self, at: usize, key: usize) {
        let now = self.now;
        let found = self.rows.iter_mut().find(|row| row.at == at);
        if let Some(row) = found.filter(|row| row.key == key && row.lapse(now).is_none()) {
            row.touch(now);
        }
    }

    pub(super) fn changes(&mut self, at: usize, state: ThreadState) {
        let reason = match state {
            ThreadState::Gone => UnboundBecause::ThreadGone,
            ThreadState::Locked => UnboundBecause::ThreadLocked,
            ThreadState::Archived => UnboundBecause::ThreadArchived,
            ThreadState::Live | ThreadState::Unknown => return,
        };
        if let Some(name) = self.at(at).map(|row| row.name) {
            self.end(name, reason);
        }
    }

    /// What is bound there is bound under the other id, unless something is already.
    pub(super) fn moves(&mut self, at: usize, to: usize) {
        let free = self.at(to).is_none();
        if let Some(row) = self.rows.iter_mut().find(|row| row.at == at && free) {
            row.at = to;
        }
    }

    pub(super) fn sweeps(&mut self) {
        let due: Vec<(u64, UnboundBecause)> = self
            .rows
            .iter()
            .filter_map(|row| Some((row.name, row.lapse(self.now)?)))
            .collect();
        for (name, reason) in due {
            self.end(name, reason);
        }
    }
}
