//! One process from its start to its end: lines in, lines out, deadlines, and the ladder.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use moorline_spec::wire::LINE_MAX;

use super::error::{Cut, Deadline, DriverError, Partial, Tail};

/// How long each rung of the ladder is given.
const GRACE: Duration = Duration::from_millis(250);
/// How long it is watched whether one line out of turn becomes a flood.
const FLOOD_WATCH: Duration = Duration::from_millis(20);
/// So many lines that nobody asked for are a flood.
const FLOOD_LINES: usize = 100;
/// How much of its standard error is kept.
const TAIL_BYTES: usize = 4096;
/// How often the reply is looked for before the harness sleeps.
const GLANCES: usize = 50;
/// How much room a read is given at least.
const READ_ROOM: usize = 32 * 1024;

/// A process that runs.
#[derive(Debug)]
pub(super) struct Life {
    child: Child,
    /// The process group, which is named after its first process.
    group: Pid,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    /// The same pipe as `stdout`, for a look at it that waits for nothing.
    unasked: File,
    incoming: Vec<u8>,
    stderr: Arc<Mutex<Vec<u8>>>,
    stderr_reader: JoinHandle<()>,
}

impl Life {
    /// Starts a shell command in a process group of its own.
    pub(super) fn start(command: &str) -> Result<Self, DriverError> {
        let could_not = |why: &dyn std::fmt::Display| DriverError::CouldNotStart {
            command: command.to_owned(),
            why: why.to_string(),
        };
        let mut child = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| could_not(&error))?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let group = Pid::from_raw(id.ok_or_else(|| could_not(&"it has no process id"))?);
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(could_not(&"it has no pipes"));
        };
        let again = stdout.as_fd().try_clone_to_owned();
        let unasked = File::from(again.map_err(|error| could_not(&error))?);
        let tail = Arc::new(Mutex::new(Vec::with_capacity(2 * TAIL_BYTES)));
        let stderr_reader = tokio::spawn(keep_tail(stderr, Arc::clone(&tail)));
        Ok(Self {
            child,
            group,
            stdin: Some(stdin),
            stdout,
            unasked,
            incoming: Vec::with_capacity(2 * READ_ROOM),
            stderr: tail,
            stderr_reader,
        })
    }

    /// Writes one line and reads one, into `reply`, its end left out.
    pub(super) async fn exchange(
        &mut self,
        request: &[u8],
        reply: &mut Vec<u8>,
        deadline: Deadline,
        limit: Duration,
    ) -> Result<(), DriverError> {
        self.nothing_unasked(request).await?;
        let talk = async {
            let written = match &mut self.stdin {
                Some(stdin) => stdin.write_all(request).await,
                None => Err(io::ErrorKind::BrokenPipe.into()),
            };
            match written {
                Ok(()) => match glance(&mut self.unasked, &mut self.incoming) {
                    Ok(Some(end)) => Ok(end),
                    Ok(None) => read_line(&mut self.stdout, &mut self.incoming).await,
                    Err(stop) => Err(stop),
                },
                Err(error) => Err(Stop::NotRead(error)),
            }
        };
        let read = match timeout(limit, talk).await {
            Ok(read) => read,
            Err(_) => {
                let asked = Cut::of(request);
                return Err(DriverError::Silent {
                    deadline,
                    limit,
                    asked,
                    partial: self.partial(),
                    tail: self.tail().await,
                });
            }
        };
        match read {
            Ok(end) => self.take_line(end, reply).await,
            Err(stop) => Err(self.explain(stop, request).await),
        }
    }

    /// Hands over the line that ends at `end`. Whatever stands behind it was not asked for.
    async fn take_line(&mut self, end: usize, reply: &mut Vec<u8>) -> Result<(), DriverError> {
        reply.clear();
        reply.extend_from_slice(&self.incoming[..end]);
        if reply.last() == Some(&b'\r') {
            reply.pop();
        }
        self.incoming.drain(..=end);
        if self.incoming.is_empty() {
            Ok(())
        } else {
            Err(self.out_of_turn().await)
        }
    }

    /// Looks whether the process wrote anything since its last reply.
    async fn nothing_unasked(&mut self, request: &[u8]) -> Result<(), DriverError> {
        let mut look = [0; 256];
        match self.unasked.read(&mut look) {
            Ok(0) => Err(self.explain(Stop::Ended, request).await),
            Ok(count) => {
                self.incoming.extend_from_slice(&look[..count]);
                Err(self.out_of_turn().await)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(self.explain(Stop::Unreadable(error), request).await),
        }
    }

    /// Some bytes stand there that nobody asked for: a line, or the beginning of a flood?
    async fn out_of_turn(&mut self) -> DriverError {
        let count = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count();
        let watch = async {
            while count(&self.incoming) < FLOOD_LINES && self.incoming.len() < LINE_MAX {
                self.incoming.reserve(READ_ROOM);
                if !matches!(self.stdout.read_buf(&mut self.incoming).await, Ok(1..)) {
                    break;
                }
            }
        };
        // The end of the watch is the usual case: most lines out of turn are alone.
        let _ = timeout(FLOOD_WATCH, watch).await;
        let lines = count(&self.incoming);
        let first = self.incoming.split(|&byte| byte == b'\n').next();
        let line = Cut::of(first.unwrap_or_default());
        let tail = self.tail().await;
        if lines >= FLOOD_LINES {
            DriverError::Flood { lines, line, tail }
        } else if lines == 0 && self.incoming.len() >= LINE_MAX {
            let max = LINE_MAX;
            DriverError::TooLong { max, line, tail }
        } else {
            DriverError::OutOfTurn { line, tail }
        }
    }

    async fn explain(&mut self, stop: Stop, request: &[u8]) -> DriverError {
        let status = match &stop {
            Stop::TooLong => {
                return DriverError::TooLong {
                    max: LINE_MAX,
                    line: Cut::of(&self.incoming),
                    tail: self.tail().await,
                };
            }
            Stop::Ended | Stop::NotRead(_) | Stop::Unreadable(_) => {
                timeout(GRACE, self.child.wait()).await
            }
        };
        let (asked, partial) = (Cut::of(request), self.partial());
        let why = match stop {
            Stop::NotRead(error) | Stop::Unreadable(error) => Some(error.to_string()),
            Stop::Ended | Stop::TooLong => None,
        };
        let status = match (status, why) {
            (Ok(Ok(status)), _) => in_words(status),
            (_, None) => "closed its output and did not exit,".to_owned(),
            (_, Some(why)) => {
                let tail = self.tail().await;
                return DriverError::BrokenPipe {
                    why,
                    asked,
                    partial,
                    tail,
                };
            }
        };
        let tail = self.tail().await;
        DriverError::ExitedEarly {
            status,
            asked,
            partial,
            tail,
        }
    }

    fn partial(&self) -> Partial {
        Partial((!self.incoming.is_empty()).then(|| Cut::of(&self.incoming)))
    }

    /// The end of its standard error, once what is on its way there was read.
    pub(super) async fn tail(&mut self) -> Tail {
        if !self.stderr_reader.is_finished() {
            // A process that lives keeps it open; what it wrote before its reply is soon here.
            let _ = timeout(FLOOD_WATCH, &mut self.stderr_reader).await;
        }
        let kept = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let last = &kept[kept.len().saturating_sub(TAIL_BYTES)..];
        Tail(String::from_utf8_lossy(last).into_owned())
    }

    /// A crash: the whole group is killed at once.
    pub(super) async fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        // It cannot outlive the signal; only a machine in trouble lets this pass.
        let _ = timeout(GRACE, self.child.wait()).await;
        self.stderr_reader.abort();
    }

    /// The ladder: its input is closed, then TERM, then KILL. Nothing of its group is left.
    pub(super) async fn end(mut self) {
        drop(self.stdin.take());
        if timeout(GRACE, self.child.wait()).await.is_err() {
            self.signal(Signal::SIGTERM);
            let _ = timeout(GRACE, self.child.wait()).await;
        }
        self.kill().await;
    }

    fn signal(&self, signal: Signal) {
        // A group that is gone already is what was wanted.
        let _ = killpg(self.group, signal);
    }
}

/// Why there is no line.
enum Stop {
    /// The output ended.
    Ended,
    /// The line has no end.
    TooLong,
    /// The input was not read.
    NotRead(io::Error),
    /// The output cannot be read.
    Unreadable(io::Error),
}

/// Looks for the reply a few times before anything is set up to wait for it. Most gateways reply
/// sooner than a sleeping harness would wake, so this halves the price of a request.
fn glance(stdout: &mut File, incoming: &mut Vec<u8>) -> Result<Option<usize>, Stop> {
    let mut look = [0; 4096];
    for _ in 0..GLANCES {
        match stdout.read(&mut look) {
            Ok(0) => return Err(Stop::Ended),
            Ok(count) => {
                let seen = incoming.len();
                incoming.extend_from_slice(&look[..count]);
                if let Some(end) = look[..count].iter().position(|&byte| byte == b'\n') {
                    return Ok(Some(seen + end));
                }
                if LINE_MAX <= incoming.len() {
                    return Err(Stop::TooLong);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
            Err(error) => return Err(Stop::Unreadable(error)),
        }
    }
    Ok(None)
}

/// Reads until a line is whole, and tells where it ends.
async fn read_line(stdout: &mut ChildStdout, incoming: &mut Vec<u8>) -> Result<usize, Stop> {
    let mut seen = incoming.len();
    loop {
        incoming.reserve(READ_ROOM);
        match stdout.read_buf(incoming).await {
            Ok(0) => return Err(Stop::Ended),
            Ok(_) => (),
            Err(error) => return Err(Stop::Unreadable(error)),
        }
        if let Some(end) = incoming[seen..].iter().position(|&byte| byte == b'\n') {
            return if seen + end < LINE_MAX {
                Ok(seen + end)
            } else {
                Err(Stop::TooLong)
            };
        }
        seen = incoming.len();
        if seen >= LINE_MAX {
            return Err(Stop::TooLong);
        }
    }
}

/// Reads a process's standard error to its end and keeps the last of it.
async fn keep_tail(mut stderr: ChildStderr, tail: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = vec![0; TAIL_BYTES];
    while let Ok(count @ 1..) = stderr.read(&mut chunk).await {
        let mut kept = tail.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&chunk[..count]);
        let surplus = kept.len().saturating_sub(TAIL_BYTES);
        kept.drain(..surplus);
    }
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => {
            let name = Signal::try_from(signal).map_or("unknown", Signal::as_str);
            format!("was killed by signal {signal} ({name})")
        }
        (None, None) => "ended in an unknown way".to_owned(),
    }
}
