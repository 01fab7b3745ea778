//! Words that mean silence.

use std::collections::BTreeMap;

use super::news::{By, news};
use crate::effect::Effect;
use crate::facts::{Facts, Role, Settled};
use crate::id::RunId;
use crate::profile::NoReply;
use crate::rule::{Checker, Sink};
use crate::silence;
use crate::stimulus::{Outcome, Stimulus};
use crate::trace::{Entry, What};

/// MUST: silent tokens mean what the profile says, and no person reads them.
#[derive(Default)]
pub(super) struct SilentTokens {
    /// Children that ended with a token and nothing else.
    children: BTreeMap<RunId, &'static str>,
}

impl Checker for SilentTokens {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::RunEnded(ended)) if ended.text.contains('_') => {
                let Some(token) = silence::token_of(&ended.text) else {
                    return self.count_stripped(&ended.text, sink);
                };
                let child = facts.run_here();
                let child = child.filter(|run| matches!(run.role, Role::Child(_)));
                if ended.outcome != Outcome::Ok {
                    return;
                }
                if child.is_some() {
                    self.children.insert(ended.run.clone(), token);
                }
                sink.witness();
            }
            What::Effect(Effect::Deliver(deliver)) if deliver.text.contains('_') => {
                // A notice may quote what a person wrote; an agent's own words hold no token.
                let said = facts
                    .carrier_here()
                    .is_some_and(|(_, born)| born.run().is_some());
                let edge = || silence::edge_token(&deliver.text).filter(|_| said);
                if let Some(token) = silence::token_of(&deliver.text).or_else(edge) {
                    let (delivery, to) = (&deliver.delivery, &deliver.to);
                    sink.fail(
                        format!("delivery {delivery} takes {token} to {to}"),
                        format!("{token} is a word among agents, and no person reads it"),
                    );
                }
            }
            _ if self.children.is_empty() => (),
            What::Effect(Effect::StartRun(start)) => self.on_news(&start.run, facts, sink),
            What::Effect(Effect::SteerRun(steer)) => self.on_news(&steer.run, facts, sink),
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.children.retain(|run, _| facts.runs.contains_key(run));
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        for (child, token) in &self.children {
            let Some(completion) = facts.completions.get(child) else {
                continue;
            };
            match &completion.settled {
                Some(Settled::ByTurn(_) | Settled::Posted) => sink.witness(),
                Some(Settled::Failed | Settled::Resumed(_) | Settled::Stopped) => (),
                None => {
                    let who = completion
                        .requester
                        .as_ref()
                        .map_or("nobody", |key| key.as_str());
                    sink.fail_since(
                        completion.ended,
                        format!(
                            "run {child} ends with {token}, and {who}, which waits for its end \
                             since {}, is told nothing",
                            completion.ended.1
                        ),
                        "whoever waits for a child hears that it has nothing to say",
                    );
                }
            }
        }
    }
}

impl SilentTokens {
    /// A token beside other words is left out, and the words are said.
    fn count_stripped(&self, text: &str, sink: &mut Sink) {
        if silence::edge_token(text).is_some() {
            sink.witness();
        }
    }

    fn on_news(&self, turn: &RunId, facts: &Facts, sink: &mut Sink) {
        let Some(news) = news(facts).filter(|news| news.by == By::Task) else {
            return;
        };
        let Some(token) = self.children.get(news.child) else {
            return;
        };
        // The gateway died as it was told so, and may know nothing of it.
        if facts.is_lost(news.child) {
            return;
        }
        let skips = silence::skips(token);
        let silent = facts.dials.no_reply == NoReply::Silent;
        if skips || silent {
            let (told, child) = (news.told, news.child);
            sink.fail(
                format!("run {turn} tells {told} of run {child}, which ended with {token}"),
                match skips {
                    true => format!("{token} asks that nobody be told"),
                    false => format!("under this profile {token} of a child is silence"),
                },
            );
        }
    }
}
