//! What is owed, in words: who waits, for what, since when.

use super::{Facts, Owed};
use crate::address::Address;
use crate::id::SessionKey;
use crate::stimulus::Caller;
use crate::verdict::Debt;

impl Facts {
    /// Who waits, for what, since when: the oldest first.
    pub fn debts(&self) -> Vec<Debt> {
        let mut debts: Vec<Debt> = self.owed().iter().map(Owed::debt).collect();
        debts.extend(self.debts_to_writers());
        debts.sort_by_key(|debt| debt.since);
        debts
    }

    /// Whoever wrote a message that no run took waits for one.
    fn debts_to_writers(&self) -> impl Iterator<Item = Debt> {
        let messages = self.untaken.iter();
        let messages = messages.filter_map(|marker| self.messages.get_key_value(marker));
        messages.map(|(marker, message)| Debt {
            who: message.at.to_string(),
            what: format!("a run that takes message {}", marker.in_text()),
            since: message.arrived.0,
            at: message.arrived.1,
        })
    }
}

impl Owed<'_> {
    /// Who waits, for what, since when.
    pub fn debt(&self) -> Debt {
        let (since, at) = self.since();
        let list = |addresses: &[Address]| {
            let names: Vec<String> = addresses.iter().map(Address::to_string).collect();
            names.join(" and ")
        };
        let (who, what) = match self {
            Self::Completion(run, c) => {
                let requester = c
                    .requester
                    .as_ref()
                    .map_or("its requester", SessionKey::as_str);
                let markers = c.words.first().or(c.task.first());
                let marker = markers
                    .map(|m| format!(" {}", m.in_text()))
                    .unwrap_or_default();
                let what = format!(
                    "the completion of run {run} ({}){marker}",
                    c.outcome.as_str()
                );
                (format!("{requester} for {}", list(&c.origins)), what)
            }
            Self::Reply(run, reply) => {
                let markers: Vec<String> = reply
                    .words
                    .iter()
                    .map(|marker| marker.in_text().to_string())
                    .collect();
                (
                    list(&reply.to),
                    format!("the words of run {run} {}", markers.join(" ")),
                )
            }
            Self::Late(id, late) => (
                late.requester.to_string(),
                format!("what became of its text {id} in run {}", late.run),
            ),
            Self::Answer(id, call) => {
                let who = match &call.by {
                    Caller::Run(run) => format!("run {run}"),
                    Caller::Admin => "the administrator".to_owned(),
                    Caller::Plugin => "a plugin".to_owned(),
                };
                (who, format!("the answer to call {id} of {}", call.method))
            }
        };
        Debt {
            who,
            what,
            since,
            at,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::story::Story;

    const HOME: &str = "telegram/alice";

    /// The run that was to take the message never started.
    fn untaken() -> Story {
        let mut story = Story::new();
        story.says("m1", HOME);
        story.push(
            json!({"effect": {"start_run": {"run": "a", "session_key": "main", "session_id": "s",
                "memory": "fresh", "agent": "main", "input": "m1"}}}),
            "",
            "m1",
        );
        story.told(json!({"run_started": {"run": "a", "outcome": "refused"}}));
        story
    }

    fn fails(story: &mut Story, run: &str, at: &str) -> Vec<String> {
        let address = crate::story::address(at);
        story.asks(json!({"report": {"failed": {"run": run, "address": address, "why": "lost"}}}));
        story.owed()
    }

    #[test]
    fn who_wrote_a_message_that_no_run_took_waits_for_one() {
        let waits = "telegram/alice waits for a run that takes message ⟦m1⟧ since 0:00:00.000";
        assert_eq!(untaken().owed(), [waits]);
        let mut story = untaken();
        story.at_secs(2).starts("b", "main", "m1");
        assert_eq!(story.owed(), [""; 0]);
        assert_eq!(fails(&mut untaken(), "a", HOME), [""; 0]);
        // A run that was to take it, and that only the life before knew, is all a new life can name.
        let mut story = untaken();
        story.at_secs(2).crashes(&[], &[]);
        assert_eq!(fails(&mut story, "z", "telegram/bob"), [waits]);
        assert_eq!(fails(&mut story, "z", HOME), [""; 0]);
        assert_eq!(fails(&mut untaken(), "z", HOME), [waits]);
    }

    #[test]
    fn whoever_is_above_hears_of_a_child_that_never_began_and_is_not_that_child() {
        let told = |key: &str| {
            let mut story = Story::new();
            story.says("m1", HOME).starts("a", "main", "m1");
            story.has_child("r1", "a", "b", "child");
            story.spawns("r2", "b", json!({"task": "r2"}));
            let accepted = json!({"status": "accepted", "runId": "c", "childSessionKey": "below"});
            story.answers("r2", accepted).ends("a", "ok", "", "m1");
            story.at_secs(5).starts("d", key, "r2");
            story.ends("d", "ok", "r2.1", "r2");
            story.owed()
        };
        let words = "telegram/alice waits for the words of run d ⟦r2.1⟧ since 0:00:05.000";
        assert_eq!(told("main"), [words]);
        let completion = "child for telegram/alice waits for the completion of run d (ok) ⟦r2.1⟧ \
                          since 0:00:05.000";
        assert_eq!(told("below"), [completion]);
    }
}
