//! What the gateway was told just before it died, and had not acted on yet. It was still writing
//! that down, so its next life cannot know: nobody can hold it to having been told.

use super::{DeliveryState, Facts, Role, RunState, Settled};
use crate::id::{DeliveryId, Marker, RunId};
use crate::stimulus::{Delivered, Steering, Stimulus};

/// Something it was told, and did nothing upon so far, not even write.
#[derive(Clone, Debug)]
pub(super) enum Unwritten {
    /// A text arrived.
    Arrival(DeliveryId),
    /// A run took these words.
    Taking(RunId, Vec<Marker>),
    /// A run ended.
    End(RunId),
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
            // A clean stop writes down what there is.
            Stimulus::Stop {} => self.unwritten.clear(),
            Stimulus::Steered(_)
            | Stimulus::Open(_)
            | Stimulus::Inbound(_)
            | Stimulus::InternalTurn(_)
            | Stimulus::Call(_)
            | Stimulus::RunStarted(_)
            | Stimulus::RunProgress(_)
            | Stimulus::ThreadOpened(_)
            | Stimulus::ThreadProbed(_)
            | Stimulus::ThreadChanged(_)
            | Stimulus::ConversationMoved(_)
            | Stimulus::Compacted(_)
            | Stimulus::ConfigChanged(_)
            | Stimulus::Wake {} => (),
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
                }
                Unwritten::End(run) => self.lose_end(&run),
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
