//! Plays fixtures through a gateway and has them judged.

use std::collections::BTreeMap;
use std::convert::Infallible;

use moorline_sim::broken::Broken;
use moorline_sim::reference::Reference;
use moorline_sim::world::{self, Stage, Stopped};
use moorline_spec::effect::Effect;
use moorline_spec::gateway::Gateway;
use moorline_spec::judge::Judge;
use moorline_spec::profile::{Family, Profile};
use moorline_spec::rule::{self, Relation, Rule};
use moorline_spec::scenario::{Crash, Scenario, Unmet, Verb, unmet};
use moorline_spec::stimulus::Stimulus;
use moorline_spec::time::{Span, Time};
use moorline_spec::trace::{Rest, Trace};
use moorline_spec::verdict::{Debt, Verdict};
use moorline_spec::wire::{ChannelNames, Clock, Disk};

use crate::driver::{Deadlines, DriverError, Process};
use crate::report::{GatewayKind, GatewayReport};
use crate::tolerance::{self, Timing};

/// How often a fixture with a crash is played in all, once it failed: a real process may be in
/// time once and too late another time.
const PLAYS_OF_A_FAILING_CRASH: u32 = 3;

/// A gateway, ready to be judged as often as one likes.
pub struct Gate {
    gateway: Judged,
    /// The profile asked for; the reference follows each fixture's own where there is none.
    asked: Option<Profile>,
    /// The profile it is judged by where a fixture has no say.
    profile: Profile,
}

/// Who is judged.
enum Judged {
    Reference,
    Broken(&'static Broken),
    Process {
        command: String,
        process: Box<Process>,
    },
}

/// Why a gateway could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The implementation's doing.
    #[error("the gateway could not be driven: {0}")]
    Driver(#[from] DriverError),
    /// It names a profile that nobody here knows.
    #[error(
        "the gateway says that it keeps the profile {0:?}, which does not come with moorline; give \
         its file with --profile"
    )]
    UnknownProfile(String),
}

/// What came of one fixture.
#[derive(Debug)]
pub enum Outcome {
    /// It says nothing about this gateway.
    Inapplicable(String),
    /// It was played, if not always to its end.
    Played(Box<Judgement>),
}

/// What was found in one play.
#[derive(Debug)]
pub struct Judgement {
    /// What was seen.
    pub trace: Trace,
    /// How it ended; in words where the implementation could not be driven to its end.
    pub end: Result<Rest, String>,
    /// What the rules say, in the order of the contract; nothing where there was no end.
    pub verdicts: Vec<(&'static Rule, Verdict)>,
    /// Who still waits at its end, for what; nothing where it came to rest or there was no end.
    pub owed: Vec<Debt>,
    /// What the fixture expects and did not see.
    pub unmet: Vec<Unmet>,
    /// How many plays failed, of how many, where it was played again.
    pub plays: Option<(u32, u32)>,
    /// How it is to be read, where the gateway's clock runs by itself.
    pub timing: Option<Timing>,
}

impl Judgement {
    /// Whether a rule was broken or an expectation unmet.
    pub fn fails(&self) -> bool {
        !self.unmet.is_empty() || self.verdicts.iter().any(|(_, verdict)| verdict.is_fail())
    }
}

impl Gate {
    /// The reference, under a profile or under that of each fixture.
    pub fn reference(profile: Option<Profile>) -> Self {
        Self::new(Judged::Reference, profile)
    }

    /// A broken gateway, likewise.
    pub fn broken(broken: &'static Broken, profile: Option<Profile>) -> Self {
        Self::new(Judged::Broken(broken), profile)
    }

    fn new(gateway: Judged, asked: Option<Profile>) -> Self {
        Self {
            gateway,
            profile: asked.clone().unwrap_or_else(Profile::target),
            asked,
        }
    }

    /// A command, under the profile given or the one that it says it keeps, and the families that
    /// it says it has.
    pub fn process(
        command: &str,
        profile: Option<Profile>,
        deadlines: Deadlines,
    ) -> Result<Self, GateError> {
        let process = Box::new(Process::start(command, deadlines)?);
        let hello = process.hello();
        let mut profile = match profile {
            Some(profile) => profile,
            None => Profile::named(&hello.profile)
                .ok_or_else(|| GateError::UnknownProfile(hello.profile.clone()))?,
        };
        if let Some(families) = &hello.families {
            profile.families.retain(|family| families.contains(family));
        }
        let command = command.to_owned();
        Ok(Self {
            gateway: Judged::Process { command, process },
            asked: Some(profile.clone()),
            profile,
        })
    }

    /// The profile it is judged by where a fixture has no say.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Who it is, for a report.
    pub fn report(&self) -> GatewayReport {
        let (kind, name, command) = match &self.gateway {
            Judged::Reference => (GatewayKind::Reference, "the reference".to_owned(), None),
            Judged::Broken(broken) => (GatewayKind::Broken, broken.id.to_owned(), None),
            Judged::Process { command, process } => {
                let hello = process.hello();
                let name = format!("{} {}", hello.name, hello.version);
                (
                    GatewayKind::Process,
                    name.trim_end().to_owned(),
                    Some(command.clone()),
                )
            }
        };
        let unread = match &self.gateway {
            Judged::Process { process, .. } => process.unread().clone(),
            Judged::Reference | Judged::Broken(_) => BTreeMap::new(),
        };
        let real_clock = match &self.gateway {
            Judged::Process { process, .. } => Some(process.hello()),
            Judged::Reference | Judged::Broken(_) => None,
        };
        let real_clock = real_clock.filter(|hello| hello.clock == Clock::Real);
        GatewayReport {
            real_clock: real_clock.map(|hello| hello.scale),
            kind,
            name,
            command,
            unread,
        }
    }

    /// The options of a command line that choose this gateway: each with a space before it.
    pub fn options(&self) -> String {
        let gateway = match &self.gateway {
            Judged::Reference => String::new(),
            Judged::Broken(broken) => format!(" --broken {}", broken.id),
            Judged::Process { command, .. } => format!(" --gateway {}", quoted(command)),
        };
        let own = match &self.gateway {
            Judged::Process { process, .. } => Some(process.hello().profile.as_str()),
            Judged::Reference | Judged::Broken(_) => None,
        };
        match &self.asked {
            Some(asked) if own != Some(asked.name.as_str()) => {
                format!("{gateway} --profile {}", quoted(&asked.name))
            }
            Some(_) | None => gateway,
        }
    }

    /// Plays a scenario and has it judged. Every call begins afresh.
    pub fn play(&mut self, scenario: &Scenario) -> Outcome {
        let profile = match self.profile_for(scenario) {
            Ok(profile) => profile,
            Err(why) => return Outcome::Inapplicable(why),
        };
        if let Some(why) = self.cannot_play(scenario, &profile) {
            return Outcome::Inapplicable(why);
        }
        let mut judgement = match self.judge(scenario, &profile) {
            Ok(judgement) => judgement,
            Err(why) => return Outcome::Inapplicable(why),
        };
        self.compare(scenario, &profile, &mut judgement);
        let real = matches!(self.gateway, Judged::Process { .. });
        if real && judgement.fails() && crashes(scenario) {
            let mut failed = 1;
            for _ in 1..PLAYS_OF_A_FAILING_CRASH {
                let again = self.judge(scenario, &profile).map(|mut again| {
                    self.compare(scenario, &profile, &mut again);
                    again.fails()
                });
                failed += u32::from(again.unwrap_or_default());
            }
            judgement.plays = Some((failed, PLAYS_OF_A_FAILING_CRASH));
        }
        Outcome::Played(Box::new(judgement))
    }

    /// The profile that a scenario is played under, and any other that has more crashes of the same
    /// kind; or why it says nothing of this gateway.
    pub fn profile_of(&self, scenario: &Scenario) -> Result<Profile, String> {
        let profile = self.profile_for(scenario)?;
        match self.cannot_play(scenario, &profile) {
            Some(why) => Err(why),
            None => Ok(profile),
        }
    }

    /// Plays a scenario once under its profile, and has that one play judged: by the rules that one
    /// trace is enough for, and not by what the fixture expects. The error is why it says nothing.
    pub fn play_once(
        &mut self,
        scenario: &Scenario,
        profile: &Profile,
    ) -> Result<Judgement, String> {
        self.judge(scenario, profile)
    }

    /// The profile that this scenario is played under, or why it says nothing about this gateway.
    fn profile_for(&self, scenario: &Scenario) -> Result<Profile, String> {
        let Some(asked) = &self.asked else {
            let base = match &scenario.profile {
                Some(name) => {
                    Profile::named(name).ok_or(format!("there is no profile {name:?}"))?
                }
                None => self.profile.clone(),
            };
            return base
                .with(&scenario.dials)
                .map_err(|error| error.to_string());
        };
        match &scenario.profile {
            Some(name) if *name != asked.name => {
                return Err(format!("it speaks of the profile {name}"));
            }
            Some(_) | None => (),
        }
        if !asked.has(&scenario.dials) {
            let dials: Vec<String> = scenario
                .dials
                .iter()
                .map(|(name, value)| format!("{name} = {value}"))
                .collect();
            return Err(format!("it speaks of {}", dials.join(", ")));
        }
        Ok(asked.clone())
    }

    /// Why this gateway cannot be put through it.
    fn cannot_play(&self, scenario: &Scenario, profile: &Profile) -> Option<String> {
        let families = families(scenario);
        if !families.is_empty()
            && !families
                .iter()
                .any(|family| profile.families.contains(family))
        {
            let names: Vec<&str> = families.iter().map(|family| family.as_str()).collect();
            return Some(format!("the gateway does not have {}", names.join(", ")));
        }
        let ends = |verb: &Verb| matches!(verb, Verb::Crash(_) | Verb::Restarts(_));
        let between = |verb: &Verb| {
            matches!(
                verb,
                Verb::Crash(Crash {
                    effects: Some(_),
                    ..
                })
            )
        };
        let disk = self.disk();
        if !scenario.disk.is_empty() && disk != Disk::Harness {
            return Some("it begins with files on a disk that the harness holds".to_owned());
        }
        match disk {
            Disk::None if any_verb(scenario, &ends) => {
                Some("nobody holds its disk, so it is never restarted".to_owned())
            }
            Disk::Own if any_verb(scenario, &between) => Some(
                "it holds its own disk, so it cannot be stopped between two effects".to_owned(),
            ),
            Disk::None | Disk::Own | Disk::Harness => None,
        }
    }

    fn disk(&self) -> Disk {
        match &self.gateway {
            Judged::Reference | Judged::Broken(_) => Disk::Harness,
            Judged::Process { process, .. } => process.hello().disk,
        }
    }

    /// How fast its own clock runs, and how exact the times of the last play are.
    fn real_clock(&self) -> Option<(u32, Span)> {
        match &self.gateway {
            Judged::Reference | Judged::Broken(_) => None,
            Judged::Process { process, .. } => process.real_clock(),
        }
    }

    /// One play and its verdicts. The error is why it says nothing.
    fn judge(&mut self, scenario: &Scenario, profile: &Profile) -> Result<Judgement, String> {
        let mut judge = Judge::new(profile);
        let (trace, end) = self.through(scenario, profile, &mut judge);
        let end = match end {
            Ok(rest) => Ok(rest),
            Err(Stopped::Gateway(DriverError::Unsupported { kind })) => {
                return Err(format!("the gateway does not know {kind:?}"));
            }
            Err(Stopped::Gateway(error @ DriverError::BeyondBudget { .. })) => {
                return Err(error.to_string());
            }
            Err(Stopped::Gateway(error)) => Err(error.to_string()),
            Err(Stopped::NeverQuiet(why)) => Err(format!("it is never quiet: {why}")),
        };
        let mut judgement = Judgement {
            trace,
            end,
            verdicts: Vec::new(),
            owed: Vec::new(),
            unmet: Vec::new(),
            plays: None,
            timing: None,
        };
        if judgement.end.is_ok() {
            if judgement.end != Ok(Rest::Settled) {
                judgement.owed = judge.debts();
            }
            judgement.verdicts = judge.finish();
            self.allow_for_its_clock(profile, &mut judgement);
        }
        Ok(judgement)
    }

    /// Where its clock is its own, times are as exact as that, and no verdict hangs on less.
    fn allow_for_its_clock(&self, profile: &Profile, judgement: &mut Judgement) {
        let Some((scale, tolerance)) = self.real_clock() else {
            return;
        };
        let found = std::mem::take(&mut judgement.verdicts);
        let (within, timing) =
            tolerance::within(profile, &judgement.trace, found, scale, tolerance);
        judgement.verdicts = within;
        judgement.timing = Some(timing);
    }

    /// What else is to be said of a play that came to its end: of the rules that compare it with
    /// another, of those that were not judged, and of what the fixture expects.
    fn compare(&mut self, scenario: &Scenario, profile: &Profile, judgement: &mut Judgement) {
        if judgement.end.is_err() {
            return;
        }
        let found = std::mem::take(&mut judgement.verdicts);
        for rule in rule::all() {
            let verdict = self.verdict(rule, &found, scenario, profile, &judgement.trace);
            judgement.verdicts.push((rule, verdict));
        }
        // What else it expects may rest on families that the gateway does not mean to keep.
        if families(scenario)
            .iter()
            .all(|family| profile.families.contains(family))
        {
            judgement.unmet = unmet(scenario, profile, &judgement.trace);
        }
    }

    /// What is found of one rule: by its checker, or by a second play.
    fn verdict(
        &mut self,
        rule: &'static Rule,
        found: &[(&'static Rule, Verdict)],
        scenario: &Scenario,
        profile: &Profile,
        trace: &Trace,
    ) -> Verdict {
        if !profile.families.contains(&rule.family) {
            let why = format!("the gateway does not have {}", rule.family.as_str()).into();
            return Verdict::Inapplicable { why };
        }
        if rule::OF_THE_DISK.contains(&rule.id) && self.disk() != Disk::Harness {
            let why = "the gateway holds its own disk, and what it writes is not seen".into();
            return Verdict::Inapplicable { why };
        }
        if let Some(relation) = &rule.relation {
            return self.relate(relation, scenario, profile, trace);
        }
        let own = found.iter().find(|(other, _)| other.id == rule.id);
        own.map_or_else(
            || Verdict::from_witnesses(0),
            |(_, verdict)| verdict.clone(),
        )
    }

    /// A relation between this play and that of a scenario made from it.
    fn relate(
        &mut self,
        relation: &Relation,
        scenario: &Scenario,
        profile: &Profile,
        trace: &Trace,
    ) -> Verdict {
        if let Judged::Process { process, .. } = &self.gateway
            && process.hello().channels == ChannelNames::Named
        {
            let why = "the gateway says that it knows channels by name".into();
            return Verdict::Inapplicable { why };
        }
        if self.real_clock().is_some() {
            let why = "two plays by a real clock are not compared".into();
            return Verdict::Inapplicable { why };
        }
        let Some(other) = (relation.transform)(scenario) else {
            return Verdict::from_witnesses(0);
        };
        let mut judge = Judge::new(profile);
        let (other_trace, end) = self.through(&other, profile, &mut judge);
        match end {
            Ok(_) => (relation.compare)(scenario, trace, &other, &other_trace),
            Err(_) => Verdict::Inconclusive {
                why: "the second play came to no end".into(),
            },
        }
    }

    fn through(
        &mut self,
        scenario: &Scenario,
        profile: &Profile,
        judge: &mut Judge,
    ) -> (Trace, Result<Rest, Stopped<DriverError>>) {
        let stage = Stage {
            profile,
            disk: self.disk(),
        };
        let played = match &mut self.gateway {
            Judged::Reference => {
                let mut gateway = Ours(Box::new(Reference::new(profile)));
                world::play(scenario, &stage, &mut gateway, judge)
            }
            Judged::Broken(broken) => {
                let mut gateway = Ours((broken.build)(profile));
                world::play(scenario, &stage, &mut gateway, judge)
            }
            Judged::Process { process, .. } => world::play(scenario, &stage, &mut **process, judge),
        };
        (played.trace, played.end)
    }
}

/// A gateway of our own behind the error of a process, which it never has.
struct Ours(Box<dyn Gateway<Error = Infallible>>);

impl Gateway for Ours {
    type Error = DriverError;

    fn handle(
        &mut self,
        now: Time,
        stimuli: &[Stimulus],
        effects: &mut Vec<Effect>,
    ) -> Result<(), DriverError> {
        let Ok(()) = self.0.handle(now, stimuli, effects);
        Ok(())
    }

    fn wake_at(&self) -> Option<Time> {
        self.0.wake_at()
    }
}

/// The families of the rules that a scenario witnesses.
fn families(scenario: &Scenario) -> Vec<Family> {
    let of = |family: &Family| {
        let prefix = format!("{}.", family.as_str());
        scenario.rules.iter().any(|rule| rule.starts_with(&prefix))
    };
    Family::ALL.into_iter().filter(of).collect()
}

fn crashes(scenario: &Scenario) -> bool {
    any_verb(scenario, &|verb| matches!(verb, Verb::Crash(_)))
}

fn any_verb(scenario: &Scenario, is: &dyn Fn(&Verb) -> bool) -> bool {
    fn inside(verb: &Verb, is: &dyn Fn(&Verb) -> bool) -> bool {
        let parts: &[Verb] = if let Verb::AtOnce(verbs) = verb {
            verbs
        } else {
            &[]
        };
        is(verb) || parts.iter().any(|part| inside(part, is))
    }
    scenario.steps.iter().any(|step| inside(&step.verb, is))
}

/// As a shell takes it for one word.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_a_quoted_word_for_one() {
        for (word, text) in [
            ("relay/once", "relay/once"),
            ("python3 x.py", "'python3 x.py'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), text);
        }
    }
}
