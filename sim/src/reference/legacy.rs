//! Bindings that were stored in an older form are taken over with the first life that finds them.

use moorline_spec::calendar::Calendar;
use moorline_spec::id::PersonId;
use moorline_spec::legacy::{self, Stored};
use moorline_spec::stimulus::Open;

use super::Reference;
use super::decisions::Times;
use super::journal::{self, Dirty};
use super::state::Binding;

impl Reference {
    /// Reads files of an older form. Once there is a record of our own they have been read.
    pub(super) fn migrate(&mut self, open: &Open) {
        let files = || open.disk.iter().filter(|record| record.starts_with('{'));
        if files().next().is_none() || open.disk.iter().any(|record| journal::is_ours(record)) {
            return;
        }
        let epoch = self.calendar.as_ref().map_or(0, Calendar::epoch_ms);
        for record in files() {
            for stored in legacy::read(record, epoch, self.now) {
                self.take_over(stored);
            }
        }
    }

    fn take_over(&mut self, stored: Stored) {
        let (idle, max_age) = self.decisions.of_bindings().migrated(&stored);
        self.open_session(&stored.key);
        self.state.bindings_made += 1;
        let number = self.state.bindings_made;
        self.state.insert_binding(Box::new(Binding {
            number,
            address: stored.address,
            key: stored.key,
            by: stored.by.as_deref().map(PersonId::from),
            times: Times {
                bound_at: stored.aged_from,
                aged_from: stored.aged_from,
                touched_at: stored.touched_at,
            },
            idle,
            max_age,
            run: None,
            incarnation: 0,
            place: None,
            due: None,
            unwritten: false,
        }));
        self.dirty(Dirty::Binding(number));
    }
}
