//! Healing and rest.

use serde_json::json;

use super::*;

/// Says that something is owed, always.
struct Waiting;

impl Observer for Waiting {
    fn see(&mut self, _: usize, _: &Entry) {}

    fn owes(&self) -> bool {
        true
    }
}

fn wakes_for_ever() -> Echo {
    Echo::with(|echo, now, _, _| echo.wake_at = Some(now + Span::secs(20)))
}

#[test]
fn a_play_rests_when_nothing_is_owed_or_in_flight() {
    let rest = |gateway: &mut Echo, waiting: bool| {
        let steps = json!({"steps": [
            {"says": "alice", "text": "hi", "agent": [{"stay": true}]}]});
        let trace = if waiting {
            played(steps, gateway, Disk::None, &mut Waiting)
        } else {
            played(steps, gateway, Disk::None, &mut Nobody)
        };
        let lost = lines(&trace)
            .iter()
            .any(|line| line.contains("run-1 ends lost"));
        assert!(lost, "no step ends the run");
        lines(&trace).pop().unwrap()
    };
    assert_eq!(rest(&mut Echo::default(), false), "40 settled");
    assert_eq!(rest(&mut wakes_for_ever(), false), "40 settled");
    assert_eq!(rest(&mut Echo::default(), true), "40 stuck");
    // Half an hour to relay, two minutes to sweep, and one to spare.
    assert_eq!(rest(&mut wakes_for_ever(), true), "1980040 overdue");
}

#[test]
fn a_gateway_that_wakes_too_often_is_stopped() {
    let mut busy = Echo::with(|echo, now, _, _| echo.wake_at = Some(now + Span::ms(1)));
    let steps = json!({"steps": [{"at": "20m", "note": "later"}]});
    let trace = played(steps, &mut busy, Disk::None, &mut Waiting);
    assert_eq!(lines(&trace).pop().unwrap(), "1000000 outofwakes");
    let mut still = Echo::with(|echo, now, _, _| echo.wake_at = Some(now));
    let profile = Profile::target();
    let stage = Stage {
        profile: &profile,
        disk: Disk::None,
    };
    let steps = scenario(json!({"steps": [{"at": "20m", "note": "later"}]}));
    let played = play(&steps, &stage, &mut still, &mut Nobody);
    assert!(matches!(played.end, Err(Stopped::NeverQuiet(_))));
}
