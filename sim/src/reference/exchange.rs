//! What two sessions say to each other after a late reply: so many turns, and no more.

use moorline_spec::id::Text;
use moorline_spec::stimulus::Outcome;

use super::decisions::{Audience, Exchange};
use super::journal::Dirty;
use super::nested::Nesting;
use super::state::{Debt, Owed, Standing, Turn};
use super::{Reference, keys};

impl Reference {
    /// The sender was told of a reply, and said something to that: it goes back to whoever replied,
    /// where the exchange goes on.
    pub(super) fn exchange(&mut self, told: &Debt, text: &str) {
        let Debt {
            child, requester, ..
        } = told;
        let asked = Exchange {
            turns: told.exchanged,
            most: self.config.exchange_turns(&self.dials),
            silent: keys::is_silent(text) || keys::is_silent(&told.text),
            own_child: self.is_below(Some(requester), child),
            passing: requester.as_str().contains(":cron:"),
        };
        if told.what != Owed::Reply || !self.decisions.exchange_goes_on(&asked) {
            return;
        }
        let (Some(session), true) = (
            self.state.session(requester),
            self.state.session(child).is_some(),
        ) else {
            return;
        };
        let incarnation = session.incarnation;
        let text = Text::from(text);
        let run = self.new_run(child.clone(), Turn::Sent, text.clone(), told.origin.clone());
        let turns = told.exchanged + 1;
        let debt = Debt {
            run: run.number,
            task: text,
            incarnation,
            state: Standing::Running,
            outcome: Outcome::Ok,
            text: Text::default(),
            said: None,
            turns: 0,
            // The answer to this is a turn too.
            audience: match self
                .decisions
                .exchange_goes_on(&Exchange { turns, ..asked })
            {
                true => Audience::Parent,
                false => Audience::Nobody,
            },
            exchanged: turns + 1,
            nesting: Nesting::default(),
            call: None,
            ..told.clone()
        };
        let number = run.number;
        self.state.debts.insert(number, debt);
        self.dirty(Dirty::Debt(number));
        self.enqueue(run);
    }

    /// Whether what became of a text is news: within an exchange, nothing said ends it.
    pub(super) fn ends_exchange(debt: &Debt) -> bool {
        let ok = debt.outcome == Outcome::Ok;
        debt.exchanged > 0 && ok && keys::is_silent(&debt.text)
    }
}
