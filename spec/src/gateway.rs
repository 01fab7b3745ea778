//! The one seam: whatever relays between conversations and sessions, in whatever language.

use crate::effect::Effect;
use crate::stimulus::Stimulus;
use crate::time::Time;

/// A gateway without a clock, a thread, a file or chance inside. The reference, every broken
/// gateway and a child process at the end of a pipe are the same thing to the world.
pub trait Gateway {
    /// Why it could not go on: never a verdict on a rule.
    type Error;

    /// Takes what arrived since the last call and appends the effects it causes, in order. Returns
    /// when nothing can go on without another stimulus or the time `wake_at`.
    ///
    /// `now` never decreases. Equal sequences of calls append equal effects. The first stimulus of
    /// every life is `Stimulus::Open`, alone; it ends any life before it, as if by a crash.
    fn handle(
        &mut self,
        now: Time,
        stimuli: &[Stimulus],
        effects: &mut Vec<Effect>,
    ) -> Result<(), Self::Error>;

    /// When it next wants `Stimulus::Wake`. Between two calls nothing happens.
    fn wake_at(&self) -> Option<Time>;
}

impl<G: Gateway + ?Sized> Gateway for Box<G> {
    type Error = G::Error;

    fn handle(
        &mut self,
        now: Time,
        stimuli: &[Stimulus],
        effects: &mut Vec<Effect>,
    ) -> Result<(), Self::Error> {
        (**self).handle(now, stimuli, effects)
    }

    fn wake_at(&self) -> Option<Time> {
        (**self).wake_at()
    }
}
