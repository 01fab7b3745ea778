//! A gateway of ours on the wire: what `moorline serve` does.

use std::convert::Infallible;
use std::io::{self, BufRead, Read as _, Write};

use moorline_sim::reference::Reference;
use moorline_spec::effect::Effect;
use moorline_spec::gateway::Gateway;
use moorline_spec::profile::Profile;
use moorline_spec::stimulus::Stimulus;
use moorline_spec::time::Time;
use moorline_spec::wire::{Disk, EffectsFrame, GatewayHello, LINE_MAX, Reply, Request};

/// Puts the reference on the wire. The harness holds its disk, so that a crash may fall between
/// any two of its effects.
pub fn serve(profile: &Profile, input: impl BufRead, output: impl Write) -> io::Result<()> {
    let hello = GatewayHello {
        name: "moorline".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        profile: profile.name.clone(),
        families: Some(profile.families.iter().copied().collect()),
        disk: Disk::Harness,
        ..GatewayHello::default()
    };
    serve_gateway(|| Reference::new(profile), &hello, input, output)
}

/// Answers every line of `input` with one of `output`, until the input ends. Every life has a
/// gateway of its own. A line that is no frame is an error that says which line, and why.
pub fn serve_gateway<G: Gateway<Error = Infallible>>(
    make: impl Fn() -> G,
    hello: &GatewayHello,
    mut input: impl BufRead,
    mut output: impl Write,
) -> io::Result<()> {
    let (mut line, mut reply) = (Vec::new(), Vec::new());
    let mut effects = Vec::new();
    let mut gateway = make();
    for number in 1.. {
        line.clear();
        let limit = LINE_MAX as u64 + 1;
        if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        reply.clear();
        effects.clear();
        match read(number, &line)? {
            Request::Hello { .. } => {
                let hello = hello.clone();
                serde_json::to_writer(&mut reply, &Reply::Hello { hello })?;
            }
            Request::Open { open } => {
                gateway = make();
                let stimuli = [Stimulus::Open(Box::new(open.open))];
                answer(&mut gateway, open.now, &stimuli, &mut effects, &mut reply)?;
            }
            Request::Stimuli { now, stimuli } => {
                answer(&mut gateway, now, &stimuli, &mut effects, &mut reply)?;
            }
            Request::Stop { stop } => {
                let stimuli = [Stimulus::Stop {}];
                answer(&mut gateway, stop.now, &stimuli, &mut effects, &mut reply)?;
            }
        }
        reply.push(b'\n');
        output.write_all(&reply)?;
        output.flush()?;
    }
    Ok(())
}

fn answer<G: Gateway<Error = Infallible>>(
    gateway: &mut G,
    now: Time,
    stimuli: &[Stimulus],
    effects: &mut Vec<Effect>,
    reply: &mut Vec<u8>,
) -> io::Result<()> {
    let Ok(()) = gateway.handle(now, stimuli, effects);
    let wake_at = gateway.wake_at();
    serde_json::to_writer(reply, &EffectsFrame { effects, wake_at })?;
    Ok(())
}

fn read(number: u64, line: &[u8]) -> io::Result<Request> {
    let wrong = |why: String| {
        let line = String::from_utf8_lossy(&line[..line.len().min(200)]);
        let words = format!("line {number} is no frame: {why}: {}", line.trim_end());
        io::Error::new(io::ErrorKind::InvalidData, words)
    };
    if line.len() > LINE_MAX {
        return Err(wrong(format!("it is longer than {LINE_MAX} bytes")));
    }
    serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))
}
