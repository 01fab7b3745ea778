//! What a pass of the sweep costs. Any gateway is given bindings by what it is told, one for each
//! conversation, and then time: some of them lapse with each pass, the others later. Real time is
//! taken of its replies to `Wake` alone.

use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moorline_spec::address::Address;
use moorline_spec::channel::{Capabilities, Channel, Placement, Threading, Threads};
use moorline_spec::effect::{Effect, Report};
use moorline_spec::gateway::Gateway;
use moorline_spec::id::RunId;
use moorline_spec::stimulus::{
    Call, Caller, Delivered, Inbound, Open, Outcome, Receipt, RunEnded, RunStarted, Start, Steered,
    Steering, Stimulus, ThreadProbed, ThreadState,
};
use moorline_spec::time::{Span, Time};
use serde::Serialize;
use serde_json::json;

/// After how long without activity a binding lapses.
const IDLE: Span = Span::hours(1);
/// The bindings of one pass are due so long after those of the one before.
const APART: Span = Span::mins(4);
/// Those that are due with no pass are made so late.
const LATE: Span = Span::mins(50);
/// So many messages go through bindings, and as many elsewhere, this far apart.
const MESSAGES: usize = 100;
const PAUSE: Span = Span::ms(500);
/// How many passes there can be before the late ones are due.
pub const PASSES_MAX: usize = 10;

/// How much there is to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many bindings there are.
    pub bindings: usize,
    /// How many of them are due with each pass.
    pub due: usize,
    /// How many passes find something due.
    pub passes: usize,
}

/// One pass that found something due.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Pass {
    /// How long the reply took, in microseconds.
    pub took_us: f64,
    /// How many bindings were said to be over.
    pub ended: usize,
    /// How many durable writes there were.
    pub writes: usize,
    /// How many farewells were asked for.
    pub farewells: usize,
}

/// What messages through bindings cost on the disk.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Touches {
    /// How many came to bound conversations, and as many to others, one after the other.
    pub messages: usize,
    /// How many durable writes those to bound ones took.
    pub bound_writes: usize,
    /// How many the others took.
    pub other_writes: usize,
    /// How many there were when the gateway woke in between.
    pub wake_writes: usize,
}

/// What was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sweeps {
    /// How many bindings there were in the beginning.
    pub bindings: usize,
    /// The passes that found something due.
    pub passes: Vec<Pass>,
    /// What messages cost, where some binding is left that is not due with a pass.
    pub touches: Option<Touches>,
    /// How long the replies took that found nothing due, in microseconds.
    pub idle_us: Vec<f64>,
}

impl Sweeps {
    /// The time of a pass at a part of the way from the fastest to the slowest, in microseconds.
    pub fn quantile_us(&self, part: f64) -> Option<f64> {
        let mut all: Vec<f64> = self.passes.iter().map(|pass| pass.took_us).collect();
        all.sort_by(f64::total_cmp);
        let last = all.len().checked_sub(1)?;
        all.get((part * last as f64).round() as usize).copied()
    }

    /// How many bindings were ended in a second of passes.
    pub fn ended_per_s(&self) -> Option<f64> {
        let us: f64 = self.passes.iter().map(|pass| pass.took_us).sum();
        let ended: usize = self
            .passes
            .iter()
            .map(|pass| pass.ended.max(pass.farewells))
            .sum();
        (0.0 < us).then(|| ended as f64 * 1e6 / us)
    }
}

/// Gives a gateway bindings and time, and measures its passes.
pub fn measure<G: Gateway>(gateway: &mut G, plan: &Plan) -> Result<Sweeps, G::Error> {
    let mut stage = Stage {
        gateway,
        now: Time::ZERO,
        effects: Vec::new(),
        journal: String::new(),
        calls: 0,
        writes: 0,
    };
    stage.open()?;
    let passes = plan.passes.min(PASSES_MAX);
    let mut next = 0;
    for group in 0..passes {
        stage.until(Time::ZERO + Span(APART.0 * group as u64), None)?;
        let end = (next + plan.due).min(plan.bindings);
        for conversation in next..end {
            stage.bind(conversation)?;
        }
        next = end;
    }
    stage.until(Time::ZERO + LATE, None)?;
    for conversation in next..plan.bindings {
        stage.bind(conversation)?;
    }
    let mut sweeps = Sweeps {
        bindings: plan.bindings,
        ..Sweeps::default()
    };
    if next < plan.bindings {
        sweeps.touches = Some(stage.traffic(next..plan.bindings)?);
    }
    let end = Time::ZERO + IDLE + Span(APART.0 * passes as u64);
    stage.until(end, Some(&mut sweeps))?;
    Ok(sweeps)
}

/// A gateway and everything around it: whatever it asks for is done at once.
struct Stage<'g, G> {
    gateway: &'g mut G,
    now: Time,
    effects: Vec<Effect>,
    /// What is on its way to the disk.
    journal: String,
    calls: usize,
    writes: usize,
}

impl<G: Gateway> Stage<'_, G> {
    fn open(&mut self) -> Result<(), G::Error> {
        let channel = Channel {
            id: "chat".into(),
            accounts: vec!["default".into()],
            capabilities: Capabilities {
                threads: Threads {
                    placement: Placement::Current,
                    in_direct: true,
                },
                ..Capabilities::default()
            },
            threading: Threading::default(),
        };
        let hours = IDLE.0 as f64 / 3_600_000.0;
        let config = json!({"session": {"dmScope": "per-peer", "threadBindings":
            {"spawnSubagentSessions": true, "idleHours": hours, "maxAgeHours": 0}}});
        let open = Open {
            starts_at: "2026-03-02T09:00:00Z".into(),
            timezone: "UTC".into(),
            config: Arc::new(config),
            channels: Arc::new([channel]),
            agents: Arc::new(["main".into()]),
            restored: false,
            disk: Vec::new(),
            alive: Vec::new(),
            state_dir: None,
        };
        self.tell(Stimulus::Open(Box::new(open)))
    }

    /// Somebody asks for a child that takes their conversation over.
    fn bind(&mut self, conversation: usize) -> Result<(), G::Error> {
        let message = format!("m{conversation}");
        self.says(
            format!("c{conversation}"),
            message,
            "let the coder take over",
        )
    }

    fn says(
        &mut self,
        conversation: String,
        message: String,
        text: &'static str,
    ) -> Result<(), G::Error> {
        let at = Address {
            channel: "chat".into(),
            account: "default".into(),
            conversation: conversation.into(),
            thread: None,
        };
        self.tell(Stimulus::Inbound(Inbound::direct(at, message, text)))
    }

    /// Messages to some of the bound conversations, and as many to as many others.
    fn traffic(&mut self, bound: Range<usize>) -> Result<Touches, G::Error> {
        let text = "how is it going?";
        let mut touches = Touches {
            messages: MESSAGES,
            ..Touches::default()
        };
        for (number, conversation) in bound.cycle().take(MESSAGES).enumerate() {
            touches.wake_writes += self.wakes(PAUSE)?;
            let before = self.writes;
            self.says(format!("c{conversation}"), format!("b{number}"), text)?;
            touches.bound_writes += self.writes - before;
            let before = self.writes;
            self.says(format!("u{conversation}"), format!("u{number}"), text)?;
            touches.other_writes += self.writes - before;
        }
        touches.wake_writes += self.wakes(Span::secs(15))?;
        Ok(touches)
    }

    /// Lets time pass, and says how much was written meanwhile.
    fn wakes(&mut self, span: Span) -> Result<usize, G::Error> {
        let before = self.writes;
        self.until(self.now + span, None)?;
        Ok(self.writes - before)
    }

    /// Tells the gateway something, and does what it asks for until it is quiet.
    fn tell(&mut self, stimulus: Stimulus) -> Result<(), G::Error> {
        let mut told = vec![stimulus];
        let mut asked_for_child = false;
        while !told.is_empty() {
            self.effects.clear();
            let now = self.now;
            self.gateway.handle(now, &told, &mut self.effects)?;
            told.clear();
            for effect in std::mem::take(&mut self.effects) {
                self.answer(effect, &mut asked_for_child, &mut told);
            }
        }
        Ok(())
    }

    fn answer(&mut self, effect: Effect, asked: &mut bool, told: &mut Vec<Stimulus>) {
        match effect {
            Effect::StartRun(start) => {
                let run = start.run;
                told.push(Stimulus::RunStarted(RunStarted {
                    run: run.clone(),
                    outcome: Start::Started,
                }));
                if !*asked && start.input.contains("take over") {
                    *asked = true;
                    told.push(self.spawn(run));
                } else {
                    let says = if start.input.contains("the task") {
                        "ready"
                    } else {
                        "NO_REPLY"
                    };
                    told.push(ended(run, says));
                }
            }
            Effect::Answer(answer) => {
                let run = answer.call.as_str().split_once('/').map(|(run, _)| run);
                told.extend(run.map(|run| ended(run.into(), "NO_REPLY")));
            }
            Effect::Deliver(deliver) => told.push(Stimulus::Receipt(Receipt {
                delivery: deliver.delivery,
                outcome: Delivered::Accepted {
                    message: "posted".into(),
                },
            })),
            Effect::SteerRun(steer) => told.push(Stimulus::Steered(Steered {
                steer: steer.steer,
                outcome: Steering::Refused,
            })),
            Effect::CancelRun(cancel) => told.push(Stimulus::RunEnded(RunEnded {
                run: cancel.run,
                outcome: Outcome::Killed,
                text: "".into(),
            })),
            Effect::ProbeThread(probe) => told.push(Stimulus::ThreadProbed(ThreadProbed {
                request: probe.request,
                state: ThreadState::Live,
            })),
            Effect::Persist(_) => self.writes += 1,
            Effect::OpenThread(_)
            | Effect::Report(_)
            | Effect::Drop(_)
            | Effect::RefuseConfig(_) => (),
        }
    }

    fn spawn(&mut self, run: RunId) -> Stimulus {
        self.calls += 1;
        Stimulus::Call(Call {
            call: format!("{run}/{}", self.calls).into(),
            by: Caller::Run(run),
            method: "sessions_spawn".into(),
            params: json!({"task": "the task", "mode": "session", "thread": true}),
        })
    }

    /// Lets time pass, and measures what the gateway does when it wakes.
    fn until(&mut self, end: Time, mut sweeps: Option<&mut Sweeps>) -> Result<(), G::Error> {
        while let Some(at) = self.gateway.wake_at().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.effects.clear();
            let began = Instant::now();
            self.gateway
                .handle(self.now, &[Stimulus::Wake {}], &mut self.effects)?;
            // A record that is written when it is read is part of what the pass costs.
            write(&self.effects, &mut self.journal);
            black_box(&self.journal);
            let took = began.elapsed();
            let effects = std::mem::take(&mut self.effects);
            if let Some(sweeps) = sweeps.as_deref_mut() {
                sweeps.note(took, &effects);
            }
            let (mut asked, mut told) = (true, Vec::new());
            for effect in effects {
                self.answer(effect, &mut asked, &mut told);
            }
            for stimulus in told {
                self.tell(stimulus)?;
            }
        }
        self.now = self.now.max(end);
        Ok(())
    }
}

/// Puts the records together where a disk would take them from.
fn write(effects: &[Effect], journal: &mut String) {
    journal.clear();
    for effect in effects {
        if let Effect::Persist(persist) = effect {
            persist.record.write(journal);
        }
    }
}

impl Sweeps {
    fn note(&mut self, took: Duration, effects: &[Effect]) {
        let count = |which: fn(&Effect) -> bool| effects.iter().filter(|e| which(e)).count();
        let pass = Pass {
            took_us: took.as_secs_f64() * 1e6,
            ended: count(|e| matches!(e, Effect::Report(Report::Unbound { .. }))),
            writes: count(|e| matches!(e, Effect::Persist(_))),
            farewells: count(|e| matches!(e, Effect::Deliver(_))),
        };
        if pass.ended == 0 && pass.farewells == 0 {
            self.idle_us.push(pass.took_us);
        } else {
            self.passes.push(pass);
        }
    }
}

fn ended(run: RunId, says: &'static str) -> Stimulus {
    Stimulus::RunEnded(RunEnded {
        run,
        outcome: Outcome::Ok,
        text: says.into(),
    })
}

#[cfg(test)]
mod tests {
    use moorline_sim::reference::Reference;
    use moorline_spec::profile::Profile;

    use super::*;

    #[test]
    fn each_pass_ends_what_is_due_with_one_write() {
        let plan = Plan {
            bindings: 40,
            due: 7,
            passes: 3,
        };
        let mut gateway = Reference::new(&Profile::target());
        let Ok(sweeps) = measure(&mut gateway, &plan);
        let seen: Vec<_> = sweeps
            .passes
            .iter()
            .map(|pass| (pass.ended, pass.writes, pass.farewells))
            .collect();
        assert_eq!(seen, [(7, 1, 7); 3]);
        // Of fifty seconds of messages the touches are written four times, and cost no message a
        // write.
        let touches = sweeps.touches.unwrap();
        assert_eq!(touches.bound_writes, touches.other_writes);
        assert_eq!((touches.messages, touches.wake_writes), (100, 4));
        assert!(sweeps.quantile_us(0.5).is_some_and(|us| 0.0 < us));
        assert!(sweeps.ended_per_s().is_some_and(|rate| 0.0 < rate));
    }
}
