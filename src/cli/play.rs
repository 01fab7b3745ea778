//! Fixtures, played through one copy of a gateway or several at a time. What comes of them is told
//! in their order, however many play.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::fixtures::Named;
use crate::gate::{Gate, Outcome};

/// Plays each fixture in one of the gates. `take` is given them in order, and says whether to go
/// on; `came` is told of each as it comes.
pub(super) fn play_all(
    gates: &mut [Gate],
    fixtures: &[&Named],
    mut came: impl FnMut(&Named),
    mut take: impl FnMut(&Named, &Outcome) -> bool,
) {
    let next = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        for gate in gates {
            let (next, is_over, tell) = (&next, &is_over, tell.clone());
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(named) = fixtures.get(number) else {
                        return;
                    };
                    // Whoever listens no more wants no more.
                    if tell.send((number, gate.play(named.scenario()))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(tell);
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        for (number, outcome) in told {
            came(fixtures[number]);
            waiting.insert(number, outcome);
            while let Some(outcome) = waiting.remove(&due) {
                if !take(fixtures[due], &outcome) {
                    is_over.store(true, Ordering::Relaxed);
                    return;
                }
                due += 1;
            }
        }
    });
}
