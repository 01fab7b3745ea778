//! Deliveries: what a channel takes, what it recognises, what it refuses.

use moorline_spec::address::Address;
use moorline_spec::effect::{Deliver, Effect};
use moorline_spec::id::MessageId;
use moorline_spec::marker::Scan;
use moorline_spec::scenario::{Anchor, ReceiptOutcome};
use moorline_spec::stimulus::{Delivered, Receipt, Stimulus, ThreadState};
use moorline_spec::time::Time;
use moorline_spec::trace::{self, World as Happening};

use super::clock::{At, Class, Life, Misfortune, What};
use super::places::Conversation;
use super::{World, latency};
use crate::numbered::numbered;

impl World<'_> {
    /// A text shall be posted.
    pub(super) fn on_deliver(&mut self, request: At) {
        let seq = self.clock.request();
        let fault = self.receipt_fault(request);
        let delay = fault.and_then(|fault| fault.delay);
        let receipt = self.now + delay.unwrap_or(latency::RECEIPT);
        let fault = fault.map(|fault| Misfortune {
            outcome: fault.outcome,
            retry_after: fault.retry_after,
        });
        let arrive = What::Arrive {
            request,
            fault,
            receipt,
            life: self.life,
        };
        let at = (self.now + latency::POST).min(receipt);
        self.clock.push_as(at, Class::Answer, seq, false, arrive);
    }

    /// A delivery reaches its channel, which says what becomes of it.
    pub(super) fn on_arrive(
        &mut self,
        seq: u64,
        request: At,
        fault: Option<Misfortune>,
        receipt: Time,
        life: Life,
    ) {
        if let Some(crash) = self.crash_before_delivery(Anchor::Accepted, request, life) {
            self.crash(crash);
        }
        let trace::What::Effect(Effect::Deliver(deliver)) = &self.trace.entries[request].what
        else {
            return;
        };
        let deliver = deliver.clone();
        let delivery = deliver.delivery.clone();
        let outcome = match fault.and_then(|fault| fault.outcome) {
            None => self.post(request, deliver),
            Some(ReceiptOutcome::UnknownHappened) => {
                self.post(request, deliver);
                Delivered::Unknown {}
            }
            Some(ReceiptOutcome::UnknownLost) => Delivered::Unknown {},
            Some(outcome @ (ReceiptOutcome::Permanent | ReceiptOutcome::Transient)) => {
                Delivered::Refused {
                    permanent: outcome == ReceiptOutcome::Permanent,
                    retry_after: fault.and_then(|fault| fault.retry_after).map(Into::into),
                    why: "refused by the channel".into(),
                }
            }
        };
        let accepted = matches!(outcome, Delivered::Accepted { .. });
        if life == self.life && self.down.is_none() {
            let what = What::Receipt {
                request,
                receipt: Receipt { delivery, outcome },
            };
            let delayed = receipt.since(self.now) > latency::POST;
            self.clock
                .push_as(receipt.max(self.now), Class::Answer, seq, delayed, what);
            if accepted && let Some(crash) = self.crash_after_delivery(Anchor::Accepted, request) {
                self.crash(crash);
            }
        }
    }

    /// The gateway hears what came of a delivery.
    pub(super) fn on_receipt(&mut self, request: At, receipt: Receipt) {
        if matches!(receipt.outcome, Delivered::Accepted { .. }) {
            let life = self.life;
            if let Some(crash) = self.crash_before_delivery(Anchor::Receipt, request, life) {
                self.crash(crash);
                return;
            }
            let crash = self.crash_after_delivery(Anchor::Receipt, request);
            self.crash_after_telling = self.crash_after_telling.or(crash);
        }
        self.tell(Stimulus::Receipt(receipt), Vec::new(), Vec::new());
    }

    /// Posts a text where the channel takes it.
    fn post(&mut self, request: At, deliver: Deliver) -> Delivered {
        let Deliver {
            delivery,
            to,
            text,
            key,
            repeat,
        } = deliver;
        let conversation = match self.takes(&to, &text) {
            Ok(conversation) => conversation,
            Err(why) => {
                return Delivered::Refused {
                    permanent: true,
                    retry_after: None,
                    why: why.into(),
                };
            }
        };
        let window = self.places.capabilities(conversation).idempotency_window;
        let key = window.and(key).map(|key| (to.clone(), key));
        if let (Some(window), Some(key)) = (window, &key)
            && let Some((message, at)) = self.places.keys.get(key)
            && self.now.since(*at) <= window
        {
            let message = message.clone();
            self.happens(Happening::Recognised {
                delivery,
                message: message.clone(),
            });
            return Delivered::Accepted { message };
        }
        self.places.posted += 1;
        let message = MessageId::from(numbered(&["post-"], self.places.posted));
        if let Some(key) = key {
            self.places.keys.insert(key, (message.clone(), self.now));
        }
        if self.places.touch(&to, self.now) {
            self.happens(Happening::Thread {
                at: to.clone(),
                state: ThreadState::Live,
            });
        }
        let markers = if self.places.pieces.contains(&request) {
            self.places.posts.markers(&to, &text, Scan::of(&text))
        } else {
            self.trace.entries[request].markers.clone()
        };
        let accepted = Delivered::Accepted {
            message: message.clone(),
        };
        let posted = Happening::Posted {
            delivery,
            at: to,
            message,
            text,
            repeat,
        };
        self.record(trace::What::World(posted), Vec::new(), markers);
        accepted
    }

    /// The conversation that takes a text; else why the channel does not take it, and never will.
    fn takes(&mut self, to: &Address, text: &str) -> Result<Conversation, &'static str> {
        let Some(&mut conversation) = self.places.conversation(to) else {
            return Err("no such conversation");
        };
        match self.places.state(to, self.now) {
            ThreadState::Live | ThreadState::Archived | ThreadState::Unknown => (),
            ThreadState::Locked => return Err("the thread is locked"),
            ThreadState::Gone => return Err("no such thread"),
        }
        let can = self.places.capabilities(conversation);
        if let Some(limit) = can.text_limit
            // A byte is the smallest unit there is.
            && text.len() > limit.max
            && limit.unit.count(text) > limit.max
        {
            return Err("the text is too long");
        }
        let is_in = |window| {
            let written = conversation.written;
            written.is_some_and(|at| self.now.since(at) <= window)
        };
        if can.reply_window.is_none_or(is_in) {
            Ok(conversation)
        } else {
            Err("the reply window is closed")
        }
    }
}
