//! Wrong about parameters: they count for nothing, or nobody learns what was wrong with them.

use std::collections::BTreeMap;

use moorline_spec::effect::Effect;
use moorline_spec::id::Text;
use moorline_spec::stimulus::{Call, Stimulus};
use moorline_spec::time::Time;
use serde_json::json;

use super::super::super::{Broken, Meddler, deciding, meddled};
use super::{refusal, spawn};
use crate::reference::{Asked, Context, Decisions, Mode};

pub(super) fn gateways() -> Vec<Broken> {
    [words(), tasks(), stripped()]
        .into_iter()
        .flatten()
        .collect()
}

fn words() -> Vec<Broken> {
    vec![
        Broken {
            id: "ignores-what-it-does-not-know",
            rule: "spawn.nothing-ignored",
            report: Some("SV-011"),
            summary: "A parameter that the gateway does not know counts for nothing.",
            build: deciding::<IgnoresUnknown>,
        },
        Broken {
            id: "refuses-without-a-name",
            rule: "spawn.refusal-helps",
            report: Some("SV-012"),
            summary: "A parameter that does not fit the runtime is refused in general words.",
            build: meddled::<RefusesNameless>,
        },
        Broken {
            id: "refuses-with-plugin-internals",
            rule: "spawn.refusal-helps",
            report: Some("SV-004"),
            summary: "Where a channel cannot bind, the answer tells of hooks and of nothing that works.",
            build: meddled::<PluginInternals>,
        },
        Broken {
            id: "a-thread-makes-a-session",
            rule: "spawn.mode-resolved",
            report: None,
            summary: "Whatever has a thread is a session, also where a run was asked for.",
            build: deciding::<ThreadMakesSession>,
        },
        Broken {
            id: "forks-unless-told-otherwise",
            rule: "spawn.nothing-ignored",
            report: Some("CT-010"),
            summary: "A child with a thread starts with its parent's memory though nobody asked.",
            build: deciding::<ForksByDefault>,
        },
    ]
}

fn tasks() -> Vec<Broken> {
    vec![
        Broken {
            id: "task-never-handed-over",
            rule: "spawn.nothing-ignored",
            report: Some("SV-020"),
            summary: "The first run of a threaded child is given a placeholder in place of its task.",
            build: meddled::<TaskInThread>,
        },
        Broken {
            id: "task-only-in-the-prompt",
            rule: "spawn.nothing-ignored",
            report: Some("SV-021"),
            summary: "An agent with a prompt of its own is not given the task of a spawn that names it.",
            build: meddled::<TaskOfAgent>,
        },
    ]
}

#[derive(Default)]
struct IgnoresUnknown;

impl Decisions for IgnoresUnknown {
    fn refuses_parameter(&self, _name: &str) -> bool {
        false
    }
}

#[derive(Default)]
struct RefusesNameless;

impl Meddler for RefusesNameless {
    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        reword(
            effects,
            "is only supported for",
            "invalid parameters for this runtime",
        );
    }
}

#[derive(Default)]
struct PluginInternals;

impl Meddler for PluginInternals {
    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        let words = "thread hook subagent_spawning has no handler registered";
        reword(effects, "Thread bindings are unavailable", words);
    }
}

/// Puts other words in the place of a refusal.
fn reword(effects: &mut [Effect], part: &str, words: &str) {
    for effect in effects {
        let speaks = refusal(effect).and_then(|answer| answer.result["error"].as_str());
        if speaks.is_some_and(|said| said.contains(part))
            && let Effect::Answer(answer) = effect
        {
            answer.result["error"] = json!(words);
        }
    }
}

#[derive(Default)]
struct ThreadMakesSession;

impl Decisions for ThreadMakesSession {
    fn spawn_mode(&self, asked: &Asked, thread: bool) -> Mode {
        match thread {
            true => Mode::Session,
            false => asked.mode.unwrap_or(Mode::Run),
        }
    }
}

#[derive(Default)]
struct ForksByDefault;

impl Decisions for ForksByDefault {
    fn context(&self, _forks: bool, could_fork: bool) -> Context {
        match could_fork {
            true => Context::Fork,
            false => Context::Isolated,
        }
    }
}

/// Tasks that are to be lost.
#[derive(Default)]
struct Tasks(BTreeMap<Text, ()>);

impl Tasks {
    fn note(&mut self, stimuli: &[Stimulus], which: fn(&Call) -> bool) {
        let calls = stimuli.iter().filter_map(spawn).filter(|call| which(call));
        let tasks = calls.filter_map(|call| call.params["task"].as_str());
        self.0.extend(tasks.map(|task| (Text::from(task), ())));
    }

    fn lose(&mut self, effects: &mut [Effect]) {
        for effect in effects {
            if let Effect::StartRun(start) = effect
                && self.0.remove(&start.input).is_some()
            {
                start.input = "hello".into();
            }
        }
    }
}

#[derive(Default)]
struct TaskInThread(Tasks);

impl Meddler for TaskInThread {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        self.0.note(stimuli, |call| call.params["thread"] == true);
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        self.0.lose(effects);
    }
}

#[derive(Default)]
struct TaskOfAgent(Tasks);

impl Meddler for TaskOfAgent {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        self.0
            .note(stimuli, |call| call.params["agentId"].is_string());
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        self.0.lose(effects);
    }
}

/// Gateways that leave parameters out of a spawn before they look at it.
macro_rules! strips {
    ($($id:literal, $name:ident, [$($param:literal),+], $summary:literal;)*) => {
        fn stripped() -> Vec<Broken> {
            vec![$(Broken {
                id: $id,
                rule: "spawn.nothing-ignored",
                report: None,
                summary: $summary,
                build: meddled::<$name>,
            }),*]
        }

        $(
            #[derive(Default)]
            struct $name;

            impl Meddler for $name {
                fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
                    for stimulus in stimuli.iter_mut() {
                        if let Stimulus::Call(call) = stimulus
                            && call.method == "sessions_spawn"
                            && let Some(params) = call.params.as_object_mut()
                        {
                            $(params.remove($param);)+
                        }
                    }
                }
            }
        )*
    };
}

strips! {
    "time-limits-ignored", NoTimeout, ["runTimeoutSeconds"],
        "A child may take as long as it likes, whatever its spawn says.";
    "models-ignored", NoModel, ["model", "thinking"],
        "A child runs with the model of its agent, whatever its spawn says.";
    "audience-ignored", NoAudience, ["expectsCompletionMessage", "notifyParent", "notifyUserOnComplete"],
        "The parent is told of the end of every child, and nobody else is.";
    "streams-ignored", NoStream, ["streamTo"],
        "Nobody hears of progress, whoever asked for it.";
    "cleanup-ignored", NoCleanup, ["cleanup"],
        "The session of a child stays, though it was to be deleted.";
    "contexts-ignored", NoContext, ["context", "resumeSessionId"],
        "Every child starts with an empty memory.";
    "labels-ignored", NoLabel, ["label"],
        "A child is not known by the label it was given.";
}
