//! Traffic in bound conversations. It is noted in memory at once, and on the disk seldom: a message
//! changes nothing of a binding but the time at which it was last active, and a crash may take
//! 15 seconds of that.

use moorline_spec::address::Address;
use moorline_spec::time::Time;

use super::Reference;
use super::decisions::Traffic;
use super::journal::Dirty;

impl Reference {
    /// Notes activity in a bound conversation, as a message that is routed through it does, and says
    /// whether there is a binding.
    pub fn touches(&mut self, at: &Address, now: Time) -> bool {
        self.now = now;
        let number = self.number_at(at);
        if let Some(number) = number {
            self.touch(number, Traffic::Routed);
        }
        number.is_some()
    }

    /// Traffic in a bound conversation. Activity never goes back.
    pub(super) fn touch(&mut self, number: u64, traffic: Traffic) {
        if !self.decisions.touches(traffic) {
            return;
        }
        if let Some(binding) = self.state.bindings.get_mut(&number)
            && binding.times.touched_at < self.now
        {
            binding.times.touched_at = self.now;
            if !binding.unwritten && self.decisions.of_bindings().keeps_touches() {
                binding.unwritten = true;
                self.state.touched.push(number);
                self.state.touched_at.get_or_insert(self.now);
            }
        }
    }

    /// When the touches that are not on the disk have waited long enough.
    pub(super) fn touches_due(&self) -> Option<Time> {
        let first = self.state.touched_at?;
        Some(first + self.decisions.of_bindings().touches_wait())
    }

    /// Notes all touches for the next record.
    pub(super) fn write_touches(&mut self) {
        self.state.touched_at = None;
        for number in std::mem::take(&mut self.state.touched) {
            if let Some(binding) = self.state.bindings.get_mut(&number) {
                binding.unwritten = false;
                self.journal.note(Dirty::Touch(number));
            }
        }
    }
}
