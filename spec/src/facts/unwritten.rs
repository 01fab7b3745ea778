//! What the gateway was told just before it died, and had not acted on yet. It was still writing
//! that down, so its next life cannot know: nobody can hold it to having been told.

use super::bound::Those;
use super::{DeliveryState, Facts, MessageFacts, Role, RunState, Settled};
use crate::address::Address;
use crate::id::{DeliveryId, Marker, RunId, SessionKey};
use crate::stimulus::{Delivered, Inbound, Opened, Steering, Stimulus};

/// Something it was told, and did nothing upon so far, not even write.
#[derive(Clone, Debug)]
pub(super) enum Unwritten {
    /// A text arrived.
    Arrival(DeliveryId),
    /// A run took these words.
    Taking(RunId, Vec<Marker>),
    /// A run ended.
    End(RunId),
    /// Something was said, or heard, there that may change what is bound.
    Binding(Address),
    /// It is to stop.
    Stop,
    /// It found bindings of an older form.
    Stored,
}

impl Facts {
    /// The gateway is told something. What it was told at an earlier time it took in.
    pub(super) fn note_told(&mut self, stimulus: &Stimulus) {
        if self.told_at != self.now {
            self.unwritten.clear();
            self.told_at = self.now;
        }
        match stimulus {
            Stimulus::Receipt(receipt) => {
                if let Delivered::Accepted { .. } = receipt.outcome {
                    let delivery = receipt.delivery.clone();
                    self.unwritten.push(Unwritten::Arrival(delivery));
                }
            }
            Stimulus::Steered(steered) if steered.outcome == Steering::Taken => {
                if let Some(steer) = self.steers.get(&steered.steer) {
                    let (run, markers) = (steer.run.clone(), steer.markers.clone());
                    self.unwritten.push(Unwritten::Taking(run, markers));
                }
            }
            Stimulus::RunEnded(ended) => {
                self.unwritten.push(Unwritten::End(ended.run.clone()));
            }
            Stimulus::Inbound(inbound) => self.note_said(inbound),
            Stimulus::ThreadOpened(opened) => {
                if let Opened::Opened { at } = &opened.outcome {
                    self.unwritten.push(Unwritten::Binding(at.clone()));
                }
            }
            Stimulus::ThreadProbed(probed) => {
                let at = self.probes.get(&probed.request).cloned();
                self.unwritten.extend(at.map(Unwritten::Binding));
            }
            Stimulus::ThreadChanged(changed) => {
                self.unwritten.push(Unwritten::Binding(changed.at.clone()));
            }
            Stimulus::ConversationMoved(moved) => {
                for at in [&moved.from, &moved.to] {
                    self.unwritten.push(Unwritten::Binding(at.clone()));
                }
            }
            Stimulus::Stop {} => self.unwritten.push(Unwritten::Stop),
            Stimulus::Open(open) if self.lives == 0 && !open.disk.is_empty() => {
                self.unwritten.push(Unwritten::Stored);
            }
            Stimulus::Steered(_)
            | Stimulus::Open(_)
            | Stimulus::InternalTurn(_)
            | Stimulus::Call(_)
            | Stimulus::RunStarted(_)
            | Stimulus::RunProgress(_)
            | Stimulus::Compacted(_)
            | Stimulus::ConfigChanged(_)
            | Stimulus::Wake {} => (),
        }
    }

    fn note_said(&mut self, inbound: &Inbound) {
        if inbound.text.starts_with('/') {
            let at = inbound.at.clone();
            self.unwritten.push(Unwritten::Binding(at));
        }
    }

    /// It has come to an end that was asked for: it took in what it was told.
    pub(super) fn keep_unwritten(&mut self) {
        if self.stopped {
            self.unwritten.clear();
        }
    }

    /// The gateway died: the last things it was told are lost with it.
    pub(super) fn lose_unwritten(&mut self) {
        for told in std::mem::take(&mut self.unwritten) {
            match told {
                Unwritten::Arrival(delivery) => {
                    if let Some(delivery) = self.deliveries.get_mut(&delivery) {
                        delivery.state = DeliveryState::Untold;
                    }
                }
                Unwritten::Taking(run, markers) => {
                    for child in self.told_in(&markers) {
                        self.untell(&run, &child);
                    }
                    self.untell_late(&run, &markers);
                }
                Unwritten::End(run) => self.lose_end(&run),
                Unwritten::Binding(at) => self.doubt_bindings(&at),
                Unwritten::Stop => self.stopped = false,
                // They are taken over anew, and what they leave open counts from then.
                Unwritten::Stored => {
                    for binding in &mut self.bindings {
                        binding.unsure = true;
                    }
                }
            }
        }
    }

    /// Whether what was said or heard there last was taken in nobody knows, so nobody knows what is
    /// bound there, nor by which limits: those hold for whatever the session has.
    fn doubt_bindings(&mut self, at: &Address) {
        let here = self.numbers_of(Those::At(at)).iter();
        let here = here.filter(|&&id| self.bindings[id].address == *at);
        let keys: Vec<SessionKey> = here.map(|&id| self.bindings[id].key.clone()).collect();
        for key in keys {
            for id in self.live_among(Those::Of(&key)) {
                let binding = &mut self.bindings[id];
                binding.unsure = true;
                binding.around.released = None;
                binding.around.thread_told = None;
            }
        }
        self.moved.remove(&at.without_thread());
        self.home.shift_remove(at);
        if !self.is_focused_somehow(at) {
            self.focused_somehow.push(at.clone());
        }
    }

    /// People were told that nobody works on a message which no run was ever seen to be given, or
    /// only runs that a crash took: another may have been asked for that nobody saw. Whether anybody
    /// spoke with its session is the gateway's affair.
    pub(super) fn doubt_given_up(&mut self, markers: &[Marker]) {
        let began = self.life_began;
        let is_lost = |run: &RunId| {
            let run = self.runs.get(run);
            run.is_none_or(|run| run.state == RunState::Lost)
        };
        let given_up = |message: &&MessageFacts| {
            let before = message.arrived.1 < began && !message.is_command();
            before && message.runs.iter().all(is_lost)
        };
        let messages = markers.iter().filter_map(|m| self.messages.get(m));
        let given_up = messages.filter(given_up);
        let places: Vec<(Address, bool)> = given_up
            .map(|message| (message.at.clone(), message.runs.is_empty()))
            .collect();
        let now = self.now;
        // So may a turn that was to hear of a child.
        for child in self.told_in(markers) {
            let completion = self.completions.get(&child);
            if let Some(key) = completion.and_then(|completion| completion.requester.clone())
                && let Some(session) = self.sessions.get_mut(&key)
            {
                session.written_to = now;
            }
        }
        for (at, unseen) in places {
            let Some(key) = self.session_for(&at).cloned() else {
                continue;
            };
            let Some(session) = self.sessions.get_mut(&key) else {
                continue;
            };
            session.written_to = now;
            if unseen {
                session.uncertain = true;
                session.interacted_at = session.interacted_at.max(Some(now));
                session.started_at = session.started_at.map(|_| now);
                if let Some(spoke) = &mut session.spoke {
                    spoke.unsure = true;
                }
            }
        }
    }

    fn untell_late(&mut self, turn: &RunId, markers: &[Marker]) {
        for late in self.late.values_mut() {
            let is_told = late.words.iter().any(|word| markers.contains(word));
            if is_told {
                late.turns.retain(|other| other != turn);
            }
        }
    }

    fn untell(&mut self, turn: &RunId, child: &RunId) {
        if let Some(completion) = self.completions.get_mut(child) {
            completion.turns.retain(|other| other != turn);
        }
        if let Some(told) = self.tells.get_mut(turn) {
            told.retain(|other| other != child);
        }
    }

    /// For its next life a run that ended died with the last one.
    fn lose_end(&mut self, id: &RunId) {
        let ended = |run: &&mut super::RunFacts| matches!(run.state, RunState::Ended(_));
        let Some(run) = self.runs.get_mut(id).filter(ended) else {
            return;
        };
        run.state = RunState::Lost;
        match run.role {
            // Where nobody asked to be told of its end, nobody is.
            Role::Child(_) if !self.completions.contains_key(id) => {
                self.settle_reply(id, Settled::Failed);
            }
            // Its requester may be told that it was lost, and then its words are not owed.
            Role::Child(_) => {
                if let Some(reply) = self.replies.get_mut(id) {
                    reply.refused = true;
                }
                self.excuse_bound_words(id);
            }
            Role::Event(_) => self.settle_reply(id, Settled::Failed),
            // Its message is given to another run, or its failure is told.
            Role::Chat(_) | Role::Sent(_) | Role::Plugin(_) | Role::Internal | Role::Unknown => (),
        }
    }
}
