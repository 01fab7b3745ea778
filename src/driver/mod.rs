//! Any command as a gateway: a child process at the end of a pipe, behind the same seam as the
//! reference.

mod error;
mod life;
mod real;
mod state_dir;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Runtime;

use moorline_spec::effect::Effect;
use moorline_spec::gateway::Gateway;
use moorline_spec::stimulus::{Open, Stimulus};
use moorline_spec::time::{Span, Time};
use moorline_spec::wire::{
    self, Clock, GatewayHello, HarnessHello, LINE_MAX, OpenFrame, Reply, Request, StimuliFrame,
    StopFrame,
};

use life::Life;
use real::RealClock;
use state_dir::StateDir;

pub use error::{Cut, Deadline, DriverError, Partial, Tail};

/// How long a process may take, in real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// To answer `hello`.
    pub start: Duration,
    /// For each reply.
    pub reply: Duration,
    /// For a whole scenario, crashes included.
    pub scenario: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(10),
            reply: Duration::from_secs(5),
            scenario: Duration::from_secs(60),
        }
    }
}

/// A command that speaks the wire. It outlives scenarios where it says `reopen`, and is started
/// anew after a crash, a clean end, or an error of its own.
#[derive(Debug)]
pub struct Process {
    runtime: Runtime,
    command: String,
    deadlines: Deadlines,
    life: Option<Life>,
    /// Whether this process has opened already.
    opened: bool,
    hello: GatewayHello,
    state: Option<StateDir>,
    wake_at: Option<Time>,
    /// Its own clock, where nobody can steer it.
    clock: Option<RealClock>,
    scenario_began: Instant,
    request: Vec<u8>,
    reply: Vec<u8>,
    /// Fields that it wrote and nobody reads, and how often.
    unread: BTreeMap<String, u64>,
}

impl Process {
    /// Starts a shell command and exchanges `hello` with it.
    pub fn start(command: &str, deadlines: Deadlines) -> Result<Self, DriverError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| DriverError::Machine {
                what: "the runtime for child processes could not be made".to_owned(),
                why: error.to_string(),
            })?;
        let mut process = Self {
            runtime,
            command: command.to_owned(),
            deadlines,
            life: None,
            opened: false,
            hello: GatewayHello::default(),
            state: None,
            wake_at: None,
            clock: None,
            scenario_began: Instant::now(),
            request: Vec::new(),
            reply: Vec::new(),
            unread: BTreeMap::new(),
        };
        process.begin()?;
        Ok(process)
    }

    /// What the gateway said of itself.
    pub fn hello(&self) -> &GatewayHello {
        &self.hello
    }

    /// Fields of its replies that nobody reads, by where they stand, and how often each came. They
    /// do no harm, but a misspelt field is among them.
    pub fn unread(&self) -> &BTreeMap<String, u64> {
        &self.unread
    }

    /// How many times faster than real time its own clock runs, and by how much the times of the
    /// last play may differ from those that it saw. Nothing where the harness steers its clock.
    pub fn real_clock(&self) -> Option<(u32, Span)> {
        let clock = self.clock.as_ref();
        clock.map(|clock| (clock.scale(), clock.tolerance()))
    }

    /// Where its clock runs by itself, time passes until that shows `now`.
    fn pass(&mut self, now: Time) -> Result<(), DriverError> {
        let Some(clock) = &mut self.clock else {
            return Ok(());
        };
        let wait = clock.until(now);
        let limit = self.deadlines.scenario;
        if limit < self.scenario_began.elapsed() + wait {
            let scale = clock.scale();
            return Err(DriverError::BeyondBudget { now, scale, limit });
        }
        self.runtime
            .block_on(async { tokio::time::sleep(wait).await });
        clock.note(now);
        Ok(())
    }

    /// A new process, and `hello`.
    fn begin(&mut self) -> Result<(), DriverError> {
        let runtime = &self.runtime;
        self.life = Some(runtime.block_on(async { Life::start(&self.command) })?);
        self.opened = false;
        let hello = HarnessHello {
            wire: wire::VERSION,
            harness: env!("CARGO_PKG_VERSION").to_owned(),
        };
        match self.ask(&Request::Hello { hello }, Deadline::Start)? {
            Reply::Hello { hello } if hello.wire == wire::VERSION => {
                self.hello = hello;
                Ok(())
            }
            Reply::Hello { hello } => {
                self.kill();
                Err(DriverError::WrongVersion {
                    spoken: hello.wire,
                    ours: wire::VERSION,
                })
            }
            Reply::Effects { .. } | Reply::Unsupported { .. } => {
                Err(self.no_frame("`hello` is answered by `hello`"))
            }
        }
    }

    /// A scenario begins, or goes on after a crash or a clean end.
    fn open(
        &mut self,
        now: Time,
        open: &Open,
        effects: &mut Vec<Effect>,
    ) -> Result<(), DriverError> {
        if open.restored {
            // A crash, unless a clean end came before: then there is no process any more.
            self.kill();
        } else {
            self.scenario_began = Instant::now();
            self.state = None;
            if self.opened && !self.hello.reopen {
                self.end();
            }
        }
        if self.life.is_none() {
            self.begin()?;
        }
        let state = match &self.state {
            Some(state) => state,
            None => self.state.insert(StateDir::make()?),
        };
        let is_real = self.hello.clock == Clock::Real;
        if !is_real {
            self.clock = None;
        } else if self.clock.is_none() || !open.restored {
            self.clock = Some(RealClock::start(now, self.hello.scale));
        }
        let mut open = open.clone();
        open.state_dir = Some(state.path().into());
        self.opened = true;
        let open = OpenFrame { now, open };
        self.effects_of(&Request::Open { open }, now, effects)
    }

    /// The clean end of a life; its process ends too.
    fn stop(&mut self, now: Time, effects: &mut Vec<Effect>) -> Result<(), DriverError> {
        let stop = StopFrame { now };
        self.effects_of(&Request::Stop { stop }, now, effects)?;
        self.wake_at = None;
        self.end();
        Ok(())
    }

    fn effects_of(
        &mut self,
        request: &impl Serialize,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), DriverError> {
        match self.ask(request, Deadline::Reply)? {
            Reply::Effects {
                effects: mut new,
                wake_at,
            } => {
                if let Some(clock) = &mut self.clock {
                    clock.note(now);
                    self.wake_at = Some(clock.look(now, wake_at));
                    effects.append(&mut new);
                    return Ok(());
                }
                if let Some(wake_at) = wake_at.filter(|&at| at < now) {
                    let tail = self.tail();
                    self.kill();
                    return Err(DriverError::WakeInThePast {
                        now,
                        wake_at,
                        line: Cut::of(&self.reply),
                        tail,
                    });
                }
                self.wake_at = wake_at;
                effects.append(&mut new);
                Ok(())
            }
            Reply::Unsupported { unsupported } => {
                Err(DriverError::Unsupported { kind: unsupported })
            }
            Reply::Hello { .. } => Err(self.no_frame("only `hello` is answered by `hello`")),
        }
    }

    /// One request, one reply.
    fn ask(&mut self, request: &impl Serialize, deadline: Deadline) -> Result<Reply, DriverError> {
        self.request.clear();
        if let Err(error) = serde_json::to_writer(&mut self.request, request) {
            return Err(DriverError::Machine {
                what: "a request could not be written as JSON".to_owned(),
                why: error.to_string(),
            });
        }
        self.request.push(b'\n');
        let bytes = self.request.len();
        if bytes > LINE_MAX {
            let max = LINE_MAX;
            return Err(DriverError::RequestTooLong { bytes, max });
        }
        let (deadline, limit, left) = self.limit(deadline);
        let life = self.life.as_mut().ok_or(DriverError::Gone)?;
        let talk = life.exchange(&self.request, &mut self.reply, deadline, left);
        if let Err(mut error) = self.runtime.block_on(talk) {
            if let DriverError::Silent { limit: told, .. } = &mut error {
                *told = limit;
            }
            self.kill();
            return Err(error);
        }
        let mut line = serde_json::Deserializer::from_slice(&self.reply);
        let unread = &mut self.unread;
        let read = serde_ignored::deserialize(&mut line, |path| {
            let count = unread.entry(place(&path)).or_default();
            *count = count.saturating_add(1);
        });
        match read.and_then(|reply| line.end().map(|()| reply)) {
            Ok(reply) => Ok(reply),
            Err(error) => Err(self.unreadable(&error)),
        }
    }

    /// Which deadline comes first, how long it is as a whole, and how much of it is left.
    fn limit(&self, deadline: Deadline) -> (Deadline, Duration, Duration) {
        let whole = self.deadlines.scenario;
        let left = whole.saturating_sub(self.scenario_began.elapsed());
        match deadline {
            Deadline::Start => (deadline, self.deadlines.start, self.deadlines.start),
            Deadline::Reply if self.deadlines.reply <= left => {
                (deadline, self.deadlines.reply, self.deadlines.reply)
            }
            Deadline::Reply | Deadline::Scenario => (Deadline::Scenario, whole, left),
        }
    }

    /// What is wrong with the last line: an effect that nobody knows has a name to tell.
    fn unreadable(&mut self, error: &serde_json::Error) -> DriverError {
        match unknown_effect(&self.reply) {
            Some(effect) => {
                let (line, tail) = (Cut::of(&self.reply), self.tail());
                self.kill();
                DriverError::UnknownEffect { effect, line, tail }
            }
            None => self.no_frame(&error.to_string()),
        }
    }

    fn no_frame(&mut self, why: &str) -> DriverError {
        let (line, tail) = (Cut::of(&self.reply), self.tail());
        self.kill();
        DriverError::NotAFrame {
            why: why.to_owned(),
            line,
            tail,
        }
    }

    fn tail(&mut self) -> Tail {
        let life = self.life.as_mut();
        life.map_or_else(Tail::default, |life| self.runtime.block_on(life.tail()))
    }

    fn kill(&mut self) {
        self.wake_at = None;
        if let Some(life) = self.life.take() {
            self.runtime.block_on(life.kill());
        }
    }

    fn end(&mut self) {
        if let Some(life) = self.life.take() {
            self.runtime.block_on(life.end());
        }
    }
}

impl Gateway for Process {
    type Error = DriverError;

    fn handle(
        &mut self,
        now: Time,
        stimuli: &[Stimulus],
        effects: &mut Vec<Effect>,
    ) -> Result<(), DriverError> {
        if !matches!(stimuli, [Stimulus::Open(open)] if !open.restored) {
            self.pass(now)?;
        }
        match stimuli {
            [Stimulus::Open(open)] => self.open(now, open, effects),
            [Stimulus::Stop {}] => self.stop(now, effects),
            _ => self.effects_of(&StimuliFrame { now, stimuli }, now, effects),
        }
    }

    fn wake_at(&self) -> Option<Time> {
        self.wake_at
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where a field stands in a reply: the same place for each effect of a list.
fn place(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, .. }
        | Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => place(parent),
        Path::Map { parent, key } => match place(parent) {
            root if root.is_empty() => key.clone(),
            parent => format!("{parent}.{key}"),
        },
    }
}

/// The first effect of a reply that is none of the wire's.
fn unknown_effect(line: &[u8]) -> Option<String> {
    let reply: Value = serde_json::from_slice(line).ok()?;
    let effects = reply.get("effects")?.as_array()?;
    effects.iter().find_map(|effect| {
        let name = effect.as_object()?.keys().next()?;
        let error = serde_json::from_value::<Effect>(effect.clone()).err()?;
        let unknown = format!("unknown variant `{name}`");
        error
            .to_string()
            .starts_with(&unknown)
            .then(|| name.clone())
    })
}
