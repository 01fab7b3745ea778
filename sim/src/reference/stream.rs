//! Progress of a child for whoever asked to hear of it.

use moorline_spec::address::Origin;
use moorline_spec::id::Text;

use super::state::{Run, Standing, Turn};
use super::{Reference, keys};

impl Reference {
    /// What a child says before its end is told to its parent, in a turn behind what that is at:
    /// in order, and before its end.
    pub(super) fn stream(&mut self, run: &Run, text: &str) {
        let debt = self.state.debts.get(&run.number);
        let Some(debt) = debt.filter(|debt| debt.streams && debt.state == Standing::Running) else {
            return;
        };
        let requester = debt.requester.clone();
        let busy = self.state.session(&requester);
        let busy = busy.is_some_and(|session| session.current.is_some());
        if !self.decisions.of_relays().streams(busy) {
            return;
        }
        let session = self.state.session(&requester);
        if session.is_none_or(|session| session.incarnation != debt.incarnation) {
            return;
        }
        let origin = self.relay_target(debt).map(|address| Origin {
            address,
            person: None,
            requester: Some(requester.clone()),
        });
        let words = Text::from(format!("run {} says: {text}", keys::run_id(run.number)));
        let turn = self.new_run(requester, Turn::Telling(Vec::new()), words, origin);
        self.enqueue(turn);
    }
}
