//! A gateway with somebody between it and the world, who withholds, doubles or changes.

use moorline_spec::effect::Effect;
use moorline_spec::gateway::Gateway;
use moorline_spec::stimulus::Stimulus;
use moorline_spec::time::Time;

/// Comes between a gateway and the world. Each function leaves alone what it does not override.
pub trait Meddler {
    /// Changes what the gateway is told.
    fn stimuli(&mut self, now: Time, stimuli: &mut Vec<Stimulus>) {
        let _ = (now, stimuli);
    }

    /// Changes what the gateway asked for, before the world sees it.
    fn effects(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let _ = (now, effects);
    }

    /// Changes when the gateway is woken.
    fn wake_at(&self, wake_at: Option<Time>) -> Option<Time> {
        wake_at
    }
}

/// A gateway and its meddler.
#[derive(Debug)]
pub struct Wrapped<G, M> {
    gateway: G,
    meddler: M,
}

impl<G, M> Wrapped<G, M> {
    /// Puts a meddler between a gateway and the world.
    pub fn new(gateway: G, meddler: M) -> Self {
        Self { gateway, meddler }
    }
}

impl<G: Gateway, M: Meddler> Gateway for Wrapped<G, M> {
    type Error = G::Error;

    fn handle(
        &mut self,
        now: Time,
        stimuli: &[Stimulus],
        effects: &mut Vec<Effect>,
    ) -> Result<(), Self::Error> {
        let mut told = stimuli.to_vec();
        self.meddler.stimuli(now, &mut told);
        let mut asked = Vec::new();
        if !told.is_empty() {
            self.gateway.handle(now, &told, &mut asked)?;
        }
        self.meddler.effects(now, &mut asked);
        effects.append(&mut asked);
        Ok(())
    }

    fn wake_at(&self) -> Option<Time> {
        self.meddler.wake_at(self.gateway.wake_at())
    }
}
