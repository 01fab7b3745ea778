//! Texts on their way to conversations, and what their arrival settles.

use super::{Born, BornAs, Facts, Settled};
use crate::address::Address;
use crate::effect::Deliver;
use crate::id::{Marker, RunId, Text};
use crate::stimulus::{Delivered, Receipt};
use crate::time::Time;
use crate::trace::Entry;

/// One attempt to post a text.
#[derive(Clone, Debug)]
pub struct DeliveryFacts {
    /// Where to.
    pub to: Address,
    /// The markers of the text.
    pub markers: Vec<Marker>,
    /// The run whose words it was made for.
    pub speaker: Option<RunId>,
    /// The key.
    pub key: Option<Text>,
    /// Whether it is marked as a possible repeat.
    pub repeat: bool,
    /// What came of it.
    pub state: DeliveryState,
    /// The entry it was asked for in, and when.
    pub asked: (usize, Time),
    /// When its end was known.
    pub known: Option<Time>,
}

/// What came of an attempt to post a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// Nothing yet.
    Pending,
    /// It stands there.
    Accepted,
    /// It does not, and never will.
    RefusedForGood,
    /// It does not, this time.
    RefusedForNow,
    /// The gateway was told that nobody knows.
    Unknown,
    /// The gateway died before it was told.
    Untold,
}

impl Facts {
    pub(super) fn on_deliver(&mut self, deliver: &Deliver, entry: &Entry) {
        let delivery = DeliveryFacts {
            to: deliver.to.clone(),
            markers: entry.markers.clone(),
            speaker: self.speaker_here().map(|(run, _)| run.clone()),
            key: deliver.key.clone(),
            repeat: deliver.repeat,
            state: DeliveryState::Pending,
            asked: (self.index, self.now),
            known: None,
        };
        self.deliveries.insert(deliver.delivery.clone(), delivery);
    }

    pub(super) fn on_receipt(&mut self, receipt: &Receipt) {
        let now = self.now;
        let number = self.here.delivery;
        let Some((_, delivery)) = number.and_then(|it| self.deliveries.get_index_mut(it)) else {
            return;
        };
        delivery.known = Some(now);
        delivery.state = match receipt.outcome {
            Delivered::Accepted { .. } => DeliveryState::Accepted,
            Delivered::Refused {
                permanent: true, ..
            } => DeliveryState::RefusedForGood,
            Delivered::Refused {
                permanent: false, ..
            } => DeliveryState::RefusedForNow,
            Delivered::Unknown {} => DeliveryState::Unknown,
        };
        let state = delivery.state;
        let settles = matches!(
            state,
            DeliveryState::Accepted | DeliveryState::Unknown | DeliveryState::RefusedForGood
        );
        // An arrival concerns bindings only.
        if !settles || self.bindings.is_empty() && state != DeliveryState::RefusedForGood {
            return;
        }
        let (to, asked) = (delivery.to.clone(), delivery.asked.1);
        let speaker = delivery.speaker.clone();
        match state {
            DeliveryState::Accepted => {
                self.on_output_delivered(&to, speaker.as_ref(), (asked, now), true);
            }
            DeliveryState::Unknown => {
                self.on_output_delivered(&to, speaker.as_ref(), (asked, now), false);
            }
            DeliveryState::RefusedForGood => {
                let markers = self.delivery_here().map(|(_, delivery)| &delivery.markers);
                let texts = markers.into_iter().flatten();
                let texts = texts.filter_map(|marker| Some((marker, self.born.get(marker)?)));
                for run in self.speakers(texts) {
                    if let Some(reply) = self.replies.get_mut(&run)
                        && reply.to.contains(&to)
                    {
                        reply.refused = true;
                        self.excuse_bound_words(&run);
                    }
                }
            }
            DeliveryState::Pending | DeliveryState::RefusedForNow | DeliveryState::Untold => (),
        }
    }

    /// The runs whose last words or failed turn some texts tell of.
    fn speakers<'f>(&'f self, texts: impl Iterator<Item = (&'f Marker, &'f Born)>) -> Vec<RunId> {
        let mut speakers: Vec<RunId> = Vec::new();
        for (marker, born) in texts {
            let runs = match &born.what {
                BornAs::LastWords(run) => std::slice::from_ref(run),
                BornAs::Message { .. } => self
                    .messages
                    .get(marker)
                    .map_or(&[] as &[RunId], |message| message.runs.as_slice()),
                BornAs::Parameter(_) | BornAs::Internal | BornAs::Progress(_) => &[],
            };
            for run in runs {
                if !speakers.contains(run) {
                    speakers.push(run.clone());
                }
            }
        }
        speakers
    }

    pub(super) fn on_posted(&mut self, at: &Address, entry: &Entry) {
        self.note_answered(at, &entry.markers);
        self.settle_unbegun_posted(at, &entry.markers);
        if self.owed == 0 {
            return;
        }
        self.on_late_posted(at, &entry.markers);
        for child in self.told_in(&entry.markers) {
            if self.completions[&child].origins.contains(at) {
                self.settle_completion(&child, Settled::Posted);
            }
        }
        for run in self.speakers(self.texts_here()) {
            let Some(reply) = self.replies.get_mut(&run) else {
                continue;
            };
            if reply.settled.is_some() || !reply.to.contains(at) {
                continue;
            }
            for marker in &entry.markers {
                if reply.words.contains(marker) && !reply.arrived.contains(marker) {
                    reply.arrived.push(marker.clone());
                }
            }
            if reply.arrived.len() == reply.words.len() {
                self.settle_reply(&run, Settled::Posted);
            }
        }
        self.note_notice(at, &entry.markers);
    }

    /// A text stands where messages that no run took came from, and quotes them: people know.
    fn note_answered(&mut self, at: &Address, markers: &[Marker]) {
        if self.untaken.is_empty() {
            return;
        }
        let messages = &self.messages;
        self.untaken.retain(|marker| {
            let here = messages
                .get(marker)
                .is_some_and(|message| message.at == *at);
            !(here && markers.contains(marker))
        });
    }

    /// A text that quotes a task or a message and holds no last words is the news of a failure.
    fn note_notice(&mut self, at: &Address, markers: &[Marker]) {
        if self.texts_here().any(|(_, born)| born.run().is_some()) {
            return;
        }
        // Whoever was given what it quotes: a message's turns, and the turns told of a child.
        let mut given = self.speakers(self.texts_here());
        for child in self.told_in(markers) {
            given.extend_from_slice(&self.completions[&child].turns);
            given.push(child);
        }
        for run in given {
            if self
                .replies
                .get(&run)
                .is_some_and(|reply| reply.to.contains(at))
            {
                self.settle_reply(&run, Settled::Failed);
            }
        }
    }
}
