//! A gateway at the end of a pipe is the gateway in process: byte for byte the same trace.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

use moorline::driver::{Deadlines, Process};
use moorline_sim::channel;
use moorline_sim::reference::Reference;
use moorline_sim::world::{Stage, play};
use moorline_spec::observe::Nobody;
use moorline_spec::profile::Profile;
use moorline_spec::scenario::{Fixture, Scenario};
use moorline_spec::wire::Disk;

const BINARY: &str = env!("CARGO_BIN_EXE_moorline");

fn fixtures() -> Vec<(String, Fixture)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let entries = |place: &Path| -> Vec<PathBuf> {
        let found = fs::read_dir(place).expect("a directory");
        found.map(|entry| entry.expect("an entry").path()).collect()
    };
    let mut files: Vec<PathBuf> = entries(&root)
        .iter()
        .filter(|family| family.is_dir())
        .flat_map(|family| entries(family))
        .filter(|file| file.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    let read = |file: &PathBuf| {
        let text = fs::read_to_string(file).expect("a fixture");
        let name = file.display().to_string();
        let fixture = Fixture::parse(&name, &text, channel::names());
        (name, fixture.unwrap_or_else(|error| panic!("{error}")))
    };
    files.iter().map(read).collect()
}

/// The profile that a story speaks of.
fn profile_of(scenario: &Scenario) -> Profile {
    let named = scenario.profile.as_deref().unwrap_or("target");
    let profile = Profile::named(named).expect("a shipped profile");
    profile.with(&scenario.dials).expect("dials there are")
}

/// The references on the wire, one for each profile that is asked for.
#[derive(Default)]
struct Served {
    processes: Vec<(Profile, Process)>,
    files: Vec<PathBuf>,
}

impl Served {
    fn under(&mut self, profile: &Profile) -> &mut Process {
        let known = self
            .processes
            .iter()
            .position(|(other, _)| other == profile);
        let index = known.unwrap_or_else(|| {
            let name = format!("moorline-piped-{}-{}.json", process::id(), self.files.len());
            let file = env::temp_dir().join(name);
            let text = serde_json::to_string(profile).expect("plain data");
            fs::write(&file, text).expect("a file for the profile");
            let command = format!("exec {BINARY} serve --profile {}", file.display());
            let process = Process::start(&command, Deadlines::default());
            let process = process.unwrap_or_else(|error| panic!("{error}"));
            self.files.push(file);
            self.processes.push((profile.clone(), process));
            self.processes.len() - 1
        });
        &mut self.processes[index].1
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        for file in &self.files {
            fs::remove_file(file).ok();
        }
    }
}

#[test]
fn the_piped_reference_gives_the_trace_of_the_one_in_process() {
    let mut served = Served::default();
    let mut crashes = 0;
    for (name, fixture) in fixtures() {
        let scenario = fixture.scenario();
        let profile = profile_of(scenario);
        let disk = Disk::Harness;
        let stage = Stage {
            profile: &profile,
            disk,
        };
        let within = play(scenario, &stage, &mut Reference::new(&profile), &mut Nobody);
        let piped = play(scenario, &stage, served.under(&profile), &mut Nobody);
        let piped_end = piped
            .end
            .unwrap_or_else(|stopped| panic!("{name}: {stopped:?}"));
        assert_eq!(
            within.end.expect("the reference goes on"),
            piped_end,
            "{name}"
        );
        let (within, piped) = (within.trace.to_lines(), piped.trace.to_lines());
        for (one, other) in within.lines().zip(piped.lines()) {
            assert_eq!(one, other, "{name}");
        }
        assert_eq!(within, piped, "{name}");
        crashes += usize::from(within.contains(r#""crashed""#));
    }
    assert!(4 < crashes, "only {crashes} fixtures crash");
}
