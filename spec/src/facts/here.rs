//! What the entry is about that facts are up to date with: looked up once, for all checkers.

use super::turn::TurnFacts;
use super::{Born, CallFacts, DeliveryFacts, Facts, MessageFacts, Role, RunFacts, SessionFacts};
use crate::address::Place;
use crate::effect::Effect;
use crate::id::{CallId, DeliveryId, Marker, RunId, SessionKey};
use crate::stimulus::Stimulus;
use crate::trace::{Entry, What, World};

/// Numbers in the tables of [`Facts`].
#[derive(Debug, Default)]
pub(super) struct Here {
    /// The run it asks for, tells of, or concerns.
    pub(super) run: Option<usize>,
    /// The texts it brings, as far as they are known: those of its markers, in their order.
    pub(super) texts: Vec<usize>,
    /// Those of them that are messages, with their places among all messages.
    pub(super) messages: Vec<usize>,
    /// The one that was born last.
    latest: Option<usize>,
    /// What a delivery is made for.
    carrier: Option<usize>,
    /// The run that said it.
    speaker: Option<usize>,
    /// The call that is made or answered.
    pub(super) call: Option<usize>,
    /// The delivery whose end is told.
    pub(super) delivery: Option<usize>,
    /// The number of the message that arrives.
    pub(super) message: Option<usize>,
    /// The person's message that the run is for.
    chat: Option<usize>,
    /// What the address of a delivery is, as far as that is known.
    place: Option<Place>,
    /// Whether every known text of a delivery comes from its address and from nowhere else.
    stays: bool,
    /// The turn that a run takes in a session that is known.
    pub(super) turn: Option<TurnFacts>,
}

impl Here {
    /// Nothing is known of the next entry. The lists keep their room.
    fn reset(&mut self) {
        let Self {
            run,
            texts,
            messages,
            latest,
            carrier,
            speaker,
            call,
            delivery,
            message,
            chat,
            place,
            stays,
            turn,
        } = self;
        texts.clear();
        messages.clear();
        for number in [run, latest, carrier, speaker, call, delivery, message, chat] {
            *number = None;
        }
        (*place, *stays, *turn) = (None, false, None);
    }
}

impl Facts {
    /// The run that the entry asks for, tells of, or concerns.
    pub fn run_here(&self) -> Option<&RunFacts> {
        let (_, run) = self.runs.get_index(self.here.run?)?;
        Some(run)
    }

    /// The session of that run.
    pub fn session_here(&self) -> Option<(&SessionKey, &SessionFacts)> {
        self.sessions.get_index(self.run_here()?.session)
    }

    /// The call that the entry makes or answers.
    pub fn call_here(&self) -> Option<(&CallId, &CallFacts)> {
        self.calls.get_index(self.here.call?)
    }

    /// The delivery of which the entry tells what came of it.
    pub fn delivery_here(&self) -> Option<(&DeliveryId, &DeliveryFacts)> {
        self.deliveries.get_index(self.here.delivery?)
    }

    /// The run whose words a delivery is made for.
    pub fn speaker_here(&self) -> Option<(&RunId, &RunFacts)> {
        self.runs.get_index(self.here.speaker?)
    }

    /// The person's message that the run of the entry is for.
    pub fn chat_here(&self) -> Option<(&Marker, &MessageFacts)> {
        self.messages.get_index(self.here.chat?)
    }

    /// What the address is that a delivery goes to, as far as that is known.
    pub fn place_here(&self) -> Option<Place> {
        self.here.place
    }

    /// Whether every known text of a delivery comes from the address it goes to and from nowhere
    /// else. Most do, and there is nothing to tell about them.
    pub fn stays_here(&self) -> bool {
        self.here.stays
    }

    /// The number of the message that arrives with the entry: the same each time it does.
    pub fn message_here(&self) -> Option<usize> {
        self.here.message
    }

    /// The known texts that an effect or a post brings, in the order of its markers.
    pub fn texts_here(&self) -> impl Iterator<Item = (&Marker, &Born)> + Clone {
        let texts = self.here.texts.iter();
        texts.filter_map(|&text| self.born.get_index(text))
    }

    /// The known messages that an effect or a post gives on or quotes.
    pub fn messages_here(&self) -> impl Iterator<Item = (&Marker, &MessageFacts)> {
        let messages = self.here.messages.iter();
        messages.filter_map(|&message| self.messages.get_index(message))
    }

    /// The latest-born of the known texts that an effect or a post brings: what it is made for, the
    /// others it repeats.
    pub fn latest_here(&self) -> Option<(&Marker, &Born)> {
        self.born.get_index(self.here.latest?)
    }

    /// What a delivery is made for: its latest-born output, or, in a gateway's own notice, its
    /// latest-born marker at all. The other markers it repeats.
    pub fn carrier_here(&self) -> Option<(&Marker, &Born)> {
        self.born.get_index(self.here.carrier?)
    }

    /// What a delivery of an earlier entry was made for.
    pub fn made_for(&self, markers: &[Marker]) -> Option<(&Marker, &Born)> {
        let texts = markers.iter().filter_map(|m| self.born.get_index_of(m));
        self.born.get_index(self.carrier_of(texts)?)
    }

    pub(super) fn look_at(&mut self, entry: &Entry) {
        self.here.reset();
        match &entry.what {
            What::Stimulus(Stimulus::RunStarted(started)) => self.concerns(&started.run),
            What::Stimulus(Stimulus::RunProgress(progress)) => self.concerns(&progress.run),
            What::Stimulus(Stimulus::RunEnded(ended)) => self.concerns(&ended.run),
            What::Stimulus(Stimulus::Receipt(receipt)) => {
                self.here.delivery = self.deliveries.get_index_of(&receipt.delivery);
            }
            What::Stimulus(_) => (),
            What::Effect(effect) => self.look_at_effect(effect, entry),
            What::World(World::Posted { .. }) => self.brings(entry),
            What::World(_) => (),
        }
    }

    fn look_at_effect(&mut self, effect: &Effect, entry: &Entry) {
        match effect {
            Effect::StartRun(_) => self.brings(entry),
            Effect::SteerRun(steer) => {
                self.concerns(&steer.run);
                self.brings(entry);
            }
            Effect::CancelRun(cancel) => self.concerns(&cancel.run),
            Effect::Answer(answer) => self.here.call = self.calls.get_index_of(&answer.call),
            Effect::Deliver(deliver) => {
                self.brings(entry);
                let carrier = self.carrier_of(self.here.texts.iter().copied());
                self.here.carrier = carrier;
                let run = carrier.and_then(|text| self.born[text].run());
                self.here.speaker = run.and_then(|run| self.runs.get_index_of(run));
                self.here.place = self.places.get(&deliver.to).copied();
                let stays = |(_, born): (&Marker, &Born)| matches!(&*born.origins, [at] if *at == deliver.to);
                self.here.stays = carrier.is_some() && self.texts_here().all(stays);
            }
            Effect::OpenThread(_)
            | Effect::ProbeThread(_)
            | Effect::Persist(_)
            | Effect::Report(_)
            | Effect::Drop(_)
            | Effect::RefuseConfig(_) => (),
        }
    }

    fn concerns(&mut self, run: &RunId) {
        if let Some((number, _, run)) = self.runs.get_full(run) {
            self.here.run = Some(number);
            self.here.chat = self.chat_of(run);
        }
    }

    /// A run was asked for.
    pub(super) fn begins(&mut self, number: usize) {
        self.here.run = Some(number);
        self.here.chat = self.chat_of(&self.runs[number]);
        self.here.turn = self.turn_of(number);
    }

    /// The person's message that a run is for.
    pub(super) fn chat_of(&self, run: &RunFacts) -> Option<usize> {
        match &run.role {
            Role::Chat(marker) => self.messages.get_index_of(marker),
            Role::Child(_)
            | Role::Sent(_)
            | Role::Plugin(_)
            | Role::Event(_)
            | Role::Internal
            | Role::Unknown => None,
        }
    }

    fn brings(&mut self, entry: &Entry) {
        let mut latest = None;
        for marker in &entry.markers {
            let Some((text, _, born)) = self.born.get_full(marker) else {
                continue;
            };
            self.here.texts.push(text);
            // Of texts of one entry the last one counts.
            if latest.is_none_or(|(entry, _)| entry <= born.entry) {
                latest = Some((born.entry, text));
            }
            if born.is_message() {
                self.here
                    .messages
                    .extend(self.messages.get_index_of(marker));
            }
        }
        self.here.latest = latest.map(|(_, text)| text);
    }

    /// Of some texts by their numbers, what a delivery of them is made for.
    fn carrier_of(&self, texts: impl Iterator<Item = usize> + Clone) -> Option<usize> {
        let born = |&text: &usize| self.born[text].entry;
        let outputs = texts
            .clone()
            .filter(|&text| self.born[text].run().is_some());
        outputs.max_by_key(born).or_else(|| texts.max_by_key(born))
    }
}
