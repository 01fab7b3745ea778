//! Who is to be told: the session that asked, the conversation that asked, both, or nobody.

use std::collections::BTreeMap;

use serde_json::Value;

use super::news::{By, may_be_gone, news};
use crate::address::Address;
use crate::effect::{Deliver, Effect};
use crate::facts::{CallFacts, Completion, DeliveryState, Facts, Role, RunFacts, Settled};
use crate::id::{DeliveryId, Marker, RunId};
use crate::rule::{Checker, Sink};
use crate::stimulus::{Steering, Stimulus};
use crate::trace::{Entry, What};

/// Who is to be told, as the parameters of a spawn have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Nobody,
    Parent,
    Person,
    Both,
}

fn wish(call: &CallFacts) -> Wish {
    let given = |name: &str| call.params.get(name).and_then(Value::as_bool);
    let person = given("notifyUserOnComplete") == Some(true);
    match (given("expectsCompletionMessage"), given("notifyParent")) {
        (Some(false), _) => Wish::Nobody,
        (_, Some(true)) if person => Wish::Both,
        _ if person => Wish::Person,
        (Some(true) | None, Some(true) | None) => Wish::Parent,
        (Some(true) | None, Some(false)) => Wish::Nobody,
    }
}

/// MUST: those are told who are to be told, and nobody hears it twice.
#[derive(Default)]
pub(super) struct Audience {
    /// Attempts to post a child's own words where it was asked for.
    own: BTreeMap<RunId, Vec<(Address, DeliveryId)>>,
    /// Children that ended, where nobody or both are to be told.
    ended: BTreeMap<RunId, Wish>,
}

impl Checker for Audience {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::RunEnded(ended)) => {
                let Some((call, _)) = facts.run_here().and_then(|run| child_of(run, facts)) else {
                    return;
                };
                let wish = wish(call);
                if matches!(wish, Wish::Nobody | Wish::Both) {
                    self.ended.insert(ended.run.clone(), wish);
                }
            }
            What::Effect(Effect::StartRun(start)) => self.on_news(&start.run, facts, sink),
            What::Effect(Effect::SteerRun(steer)) => self.on_news(&steer.run, facts, sink),
            What::Effect(Effect::Deliver(deliver)) => self.on_deliver(deliver, facts, sink),
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.own.retain(|run, _| facts.runs.contains_key(run));
        self.ended.retain(|run, _| facts.runs.contains_key(run));
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        for (child, wish) in &self.ended {
            if *wish == Wish::Nobody {
                sink.witness();
                continue;
            }
            let Some(completion) = facts.completions.get(child) else {
                continue;
            };
            let gone = completion
                .requester
                .as_ref()
                .is_none_or(|key| may_be_gone(facts, key));
            let told = !completion.turns.is_empty() || was_tried(child, completion, facts);
            match &completion.settled {
                Some(Settled::Posted) if !told && !gone => sink.fail_since(
                    completion.ended,
                    format!(
                        "the end of run {child} is told to {}, and not to {}, which asked for it",
                        list(&completion.origins),
                        completion.requester.as_ref().map_or("", |key| key.as_str())
                    ),
                    "both were to be told: the session and the conversation",
                ),
                Some(Settled::Posted | Settled::ByTurn(_)) => sink.witness(),
                Some(Settled::Failed | Settled::Resumed(_) | Settled::Stopped) | None => (),
            }
        }
    }
}

fn list(addresses: &[Address]) -> String {
    let names: Vec<String> = addresses.iter().map(Address::to_string).collect();
    names.join(" and ")
}

/// The spawn of a child, where the run is one.
fn child_of<'f>(run: &RunFacts, facts: &'f Facts) -> Option<(&'f CallFacts, &'f [Address])> {
    let Role::Child(call) = &run.role else {
        return None;
    };
    let call = facts.calls.get(call)?;
    Some((call, &call.origins))
}

/// Whether somebody tried to steer it in, or may have before a crash.
fn was_tried(child: &RunId, completion: &Completion, facts: &Facts) -> bool {
    let refused = facts.steers.values().any(|steer| {
        steer.outcome != Some(Steering::Taken) && facts.told_in(&steer.markers).contains(child)
    });
    refused || completion.ended.1 < facts.life_began
}

impl Audience {
    fn on_news(&mut self, turn: &RunId, facts: &Facts, sink: &mut Sink) {
        let Some(news) = news(facts).filter(|news| news.by != By::Progress) else {
            return;
        };
        let (child, told) = (news.child, news.told);
        if !facts.is_over(child) || news.call.session.as_ref() != Some(told) {
            return;
        }
        match wish(news.call) {
            Wish::Parent | Wish::Both => sink.witness(),
            Wish::Nobody => sink.fail(
                format!("run {turn} tells {told} of the end of run {child}"),
                "whoever asked for it said that nobody is to be told",
            ),
            Wish::Person => {
                let tried = self.own.contains_key(child);
                if !tried && !news.call.origins.is_empty() {
                    let to = list(&news.call.origins);
                    sink.fail(
                        format!("run {turn} tells {told} of the end of run {child}"),
                        format!("only the people in {to} were to be told, and that was not tried"),
                    );
                }
            }
        }
    }

    fn on_deliver(&mut self, deliver: &Deliver, facts: &Facts, sink: &mut Sink) {
        if facts.calls.is_empty() {
            return;
        }
        let Some((carrier, run)) = facts.carrier_here().and_then(|(m, b)| Some((m, b.run()?)))
        else {
            return;
        };
        let Some(speaker) = facts.runs.get(run).filter(|run| !run.state.is_live()) else {
            return;
        };
        match &speaker.role {
            Role::Child(_) if speaker.words.contains(carrier) => {
                self.on_own_words(deliver, carrier, (run, speaker), facts, sink);
            }
            Role::Event(_) => self.on_turn_words(deliver, carrier, run, facts, sink),
            _ => (),
        }
    }

    /// A child's own words set out to where it was asked for.
    fn on_own_words(
        &mut self,
        deliver: &Deliver,
        carrier: &Marker,
        (child, run): (&RunId, &RunFacts),
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let Some((call, origins)) = child_of(run, facts) else {
            return;
        };
        let to = &deliver.to;
        if !origins.contains(to) || facts.was_bound(&run.key, to) {
            return;
        }
        let (delivery, words) = (&deliver.delivery, carrier.in_text());
        let seen = format!("delivery {delivery} takes the words {words} of run {child} to {to}");
        match (wish(call), facts.completions.get(child)) {
            (Wish::Nobody, _) => {
                sink.fail(seen, "whoever asked for it said that nobody is to be told")
            }
            (Wish::Person, _) => sink.witness(),
            (Wish::Parent, Some(completion)) => {
                let key = completion.requester.as_ref();
                let gone = key.is_none_or(|key| may_be_gone(facts, key));
                let anew = key
                    .and_then(|key| facts.sessions.get(key)?.started_at)
                    .is_some_and(|began| call.made.1 < began);
                let tried = !completion.turns.is_empty() || was_tried(child, completion, facts);
                if !gone && !anew && !tried {
                    let key = key.map_or("nobody", |key| key.as_str());
                    sink.fail(
                        format!("{seen}, and {key}, which asked for it, was not told"),
                        format!("{key} is told, and decides what people hear of it"),
                    );
                }
            }
            (Wish::Parent | Wish::Both, _) => (),
        }
        let own = self.own.entry(child.clone()).or_default();
        own.push((to.clone(), delivery.clone()));
    }

    /// A turn that was told of a child speaks where the child may have spoken itself.
    fn on_turn_words(
        &self,
        deliver: &Deliver,
        carrier: &Marker,
        turn: &RunId,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let stands = |(at, id): &&(Address, DeliveryId)| {
            let state = facts.deliveries.get(id).map(|delivery| delivery.state);
            let there = matches!(
                state,
                Some(DeliveryState::Pending | DeliveryState::Accepted)
            );
            *at == deliver.to && there
        };
        for child in facts.told_by(turn) {
            let own = self.own.get(child).and_then(|own| own.iter().find(stands));
            if let Some((to, before)) = own {
                let (delivery, words) = (&deliver.delivery, carrier.in_text());
                sink.fail(
                    format!(
                        "delivery {delivery} takes what run {turn} says to the end of run {child} \
                         {words} to {to}, where delivery {before} took its own words"
                    ),
                    "nobody hears of one completion twice",
                );
            }
        }
    }
}
