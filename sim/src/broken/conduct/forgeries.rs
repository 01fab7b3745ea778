//! Wrong about what may be had by naming it, and about where things go that belong elsewhere.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a meddler looks at one thing"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use moorline_spec::address::Address;
use moorline_spec::effect::{Deliver, Effect, Report, StartRun};
use moorline_spec::id::{DeliveryId, RunId, Text};
use moorline_spec::stimulus::{Delivered, Outcome, Stimulus};
use moorline_spec::time::Time;

use super::{Broken, deciding, meddled, relaying};
use crate::broken::Meddler;
use crate::reference::{Asker, Decisions, RelayDecisions};

pub(super) fn gateways() -> Vec<Broken> {
    let lists = [named(), elsewhere()];
    lists.into_iter().flatten().collect()
}

/// About what somebody names.
fn named() -> Vec<Broken> {
    vec![
        Broken {
            id: "focus-takes-any-session",
            rule: "isolation.forged",
            report: Some("BL-033"),
            summary: "A conversation can be bound to whatever session is named there.",
            build: relaying::<FocusTakesAny>,
        },
        Broken {
            id: "resumes-what-is-another-s",
            rule: "isolation.forged",
            report: None,
            summary: "Whoever knows the id of a session can take up what it remembers.",
            build: relaying::<ResumesAny>,
        },
        Broken {
            id: "anybody-takes-up-what-was-given-up",
            rule: "isolation.forged",
            report: None,
            summary: "Whoever knows the id of a run can have it told again, or dismiss it.",
            build: relaying::<AnybodyTakesUp>,
        },
    ]
}

/// About where it goes.
fn elsewhere() -> Vec<Broken> {
    vec![
        Broken {
            id: "falls-back-to-another-chat",
            rule: "isolation.fail-closed",
            report: Some("MD-026"),
            summary: "What its conversation refuses goes to another one that is known.",
            build: meddled::<FallsBack>,
        },
        Broken {
            id: "account-of-the-last-route",
            rule: "isolation.accounts",
            report: None,
            summary: "The address of a completion has the account that its session last spoke by \
                      (H-2).",
            build: deciding::<AccountOfLast>,
        },
        Broken {
            id: "a-conversation-is-a-thread",
            rule: "relay.origin",
            report: Some("MD-020"),
            summary: "The id of a conversation is taken for that of a thread in it.",
            build: deciding::<ConversationIsThread>,
        },
        Broken {
            id: "takes-the-only-binding",
            rule: "relay.origin",
            report: None,
            summary: "Where one place of an account is bound, completions of that account go there \
                      (H-3).",
            build: meddled::<OnlyBinding>,
        },
        Broken {
            id: "all-go-where-the-first-went",
            rule: "isolation.people",
            report: None,
            summary: "What children of one session end with goes where the first of them was asked \
                      for (H-15).",
            build: deciding::<WhereFirstWent>,
        },
        Broken {
            id: "news-join-the-next-turn",
            rule: "isolation.people",
            report: None,
            summary: "The end of a child is put before whatever its parent is given next, whoever \
                      that is from (H-16).",
            build: meddled::<JoinNextTurn>,
        },
    ]
}

#[derive(Default)]
struct FocusTakesAny;

impl RelayDecisions for FocusTakesAny {
    fn may_focus(&self, _: bool, _: bool) -> bool {
        true
    }
}

#[derive(Default)]
struct ResumesAny;

impl RelayDecisions for ResumesAny {
    fn may_resume(&self, _: bool) -> bool {
        true
    }
}

#[derive(Default)]
struct AnybodyTakesUp;

impl RelayDecisions for AnybodyTakesUp {
    fn may_take_up(&self, _: bool) -> bool {
        true
    }
}

#[derive(Default)]
struct FallsBack {
    /// Where somebody wrote, the last one last.
    known: Vec<Address>,
    sent: BTreeMap<DeliveryId, Deliver>,
    again: Vec<Deliver>,
}

impl Meddler for FallsBack {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli.iter() {
            match stimulus {
                Stimulus::Inbound(inbound) => self.known.push(inbound.at.clone()),
                Stimulus::Receipt(receipt) => {
                    let sent = self.sent.remove(&receipt.delivery);
                    let Delivered::Refused {
                        permanent: true, ..
                    } = receipt.outcome
                    else {
                        continue;
                    };
                    let Some(sent) = sent else {
                        continue;
                    };
                    let other = self.known.iter().rev().find(|at| **at != sent.to);
                    self.again.extend(other.map(|at| Deliver {
                        delivery: format!("{}-elsewhere", sent.delivery).into(),
                        to: at.clone(),
                        ..sent.clone()
                    }));
                }
                _ => (),
            }
        }
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::Deliver(deliver) = effect {
                self.sent.insert(deliver.delivery.clone(), deliver.clone());
            }
        }
        effects.extend(self.again.drain(..).map(Effect::Deliver));
    }
}

#[derive(Default)]
struct AccountOfLast;

impl Decisions for AccountOfLast {
    fn relay_target(&self, asker: &Asker<'_>) -> Option<Address> {
        let origin = asker.origin?;
        let last = asker
            .last_route
            .filter(|last| last.channel == origin.channel);
        Some(Address {
            account: last.unwrap_or(origin).account.clone(),
            ..origin.clone()
        })
    }
}

#[derive(Default)]
struct ConversationIsThread;

impl Decisions for ConversationIsThread {
    fn relay_target(&self, asker: &Asker<'_>) -> Option<Address> {
        let origin = asker.origin?;
        let conversation = origin.conversation.as_str();
        Some(Address {
            thread: origin.thread.clone().or(Some(conversation.into())),
            ..origin.clone()
        })
    }
}

#[derive(Default)]
struct OnlyBinding {
    bound: BTreeSet<Address>,
    turns: BTreeSet<RunId>,
}

impl Meddler for OnlyBinding {
    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Report(Report::Bound { address, .. }) => {
                    self.bound.insert(address.clone());
                }
                Effect::Report(Report::Unbound { address, .. }) => {
                    self.bound.remove(address);
                }
                Effect::StartRun(start) if tells(start) => {
                    self.turns.insert(start.run.clone());
                }
                Effect::Deliver(deliver) => {
                    let stem = deliver.key.as_ref().map(Text::as_str);
                    let of_turn = self.turns.iter().any(|turn| Some(turn.as_str()) == stem);
                    let to = &deliver.to;
                    let mut here = self
                        .bound
                        .iter()
                        .filter(|at| at.channel == to.channel && at.account == to.account);
                    if let (true, Some(only), None) = (of_turn, here.next(), here.next()) {
                        deliver.to = only.clone();
                    }
                }
                _ => (),
            }
        }
    }
}

/// Whether a turn is by which a requester is told of a child.
fn tells(start: &StartRun) -> bool {
    start.input.starts_with("run ") && start.input.contains(" ended")
}

#[derive(Default)]
struct WhereFirstWent {
    first: RefCell<Option<Address>>,
}

impl Decisions for WhereFirstWent {
    fn relay_target(&self, asker: &Asker<'_>) -> Option<Address> {
        let origin = asker.origin?;
        let mut first = self.first.borrow_mut();
        Some(first.get_or_insert_with(|| origin.clone()).clone())
    }
}

#[derive(Default)]
struct JoinNextTurn {
    children: BTreeSet<RunId>,
    news: Vec<Text>,
}

impl Meddler for JoinNextTurn {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        let (children, news) = (&self.children, &mut self.news);
        stimuli.retain(|stimulus| {
            let Stimulus::RunEnded(ended) = stimulus else {
                return true;
            };
            let held = children.contains(&ended.run) && ended.outcome == Outcome::Ok;
            if held {
                news.push(ended.text.clone());
            }
            !held
        });
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            let Effect::StartRun(start) = effect else {
                continue;
            };
            if start.session_key.as_str().contains(":subagent:") {
                self.children.insert(start.run.clone());
            } else {
                for text in self.news.drain(..) {
                    start.input = Text::from(format!("{text}\n\n{}", start.input));
                }
            }
        }
    }
}
