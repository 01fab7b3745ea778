//! What a spawn asks for, read from its parameters: each is known, and has a value that means
//! something here and beside the others.

use moorline_spec::id::Text;
use moorline_spec::time::Span;
use serde_json::{Map, Value};

use super::decisions::{Audience, Context, Mode, Runtime};

/// A check of a spawn. They are made in this order before anything happens, and the first that
/// fails is the answer; `spec/SPAWN.md` says so too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Check {
    /// An agent calls.
    Caller,
    /// Every parameter is known.
    Names,
    /// There is a task.
    Task,
    /// Every value means something.
    Values,
    /// What one runtime has is not asked of the other.
    Runtime,
    /// No parameter says the contrary of another.
    Together,
    /// There are agents behind a protocol.
    Acp,
    /// A session has a thread, where the profile wants that.
    Mode,
    /// Children of this depth may have children.
    Depth,
    /// There is room for another child.
    Children,
    /// The agent may be asked.
    Agent,
    /// The place can be bound, and may be.
    Thread,
    /// Whoever is to be told can be.
    Audience,
    /// What is resumed is the requester's.
    Resume,
    /// The label is free.
    Label,
}

impl Check {
    /// What programs know the refusal of an ACP spawn by.
    pub(super) fn acp_code(self) -> Option<&'static str> {
        match self {
            Self::Acp => Some("acp_disabled"),
            Self::Mode => Some("thread_required"),
            Self::Depth | Self::Children => Some("subagent_policy"),
            Self::Agent => Some("agent_forbidden"),
            Self::Thread => Some("thread_binding_invalid"),
            Self::Resume => Some("resume_forbidden"),
            Self::Caller
            | Self::Names
            | Self::Task
            | Self::Values
            | Self::Runtime
            | Self::Together
            | Self::Audience
            | Self::Label => None,
        }
    }

    /// All of them, in their order.
    #[cfg(test)]
    pub(super) const ALL: [Self; 15] = [
        Self::Caller,
        Self::Names,
        Self::Task,
        Self::Values,
        Self::Runtime,
        Self::Together,
        Self::Acp,
        Self::Mode,
        Self::Depth,
        Self::Children,
        Self::Agent,
        Self::Thread,
        Self::Audience,
        Self::Resume,
        Self::Label,
    ];
}

/// Why a spawn is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The check that failed.
    pub(super) check: Check,
    /// `error`, or `forbidden` where somebody who decides may allow it.
    pub(super) status: &'static str,
    /// Words that name the parameter, and what would work.
    pub(super) words: String,
}

/// A value that is wrong.
pub(super) fn error<T>(check: Check, words: impl Into<String>) -> Result<T, Refusal> {
    refusal(check, "error", words)
}

/// Something that is not allowed.
pub(super) fn forbidden<T>(check: Check, words: impl Into<String>) -> Result<T, Refusal> {
    refusal(check, "forbidden", words)
}

fn refusal<T>(check: Check, status: &'static str, words: impl Into<String>) -> Result<T, Refusal> {
    let words = words.into();
    Err(Refusal {
        check,
        status,
        words,
    })
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    pub(super) task: Text,
    pub(super) label: Option<Text>,
    pub(super) runtime: Runtime,
    pub(super) agent: Option<String>,
    /// How long its run may take, where that is said; zero is no limit.
    pub(super) timeout: Option<Span>,
    pub(super) thread: bool,
    pub(super) mode: Option<Mode>,
    /// Its session goes once its end was told.
    pub(super) deletes: bool,
    pub(super) context: Option<Context>,
    pub(super) audience: Audience,
    /// Its progress is told to its parent.
    pub(super) streams: bool,
    /// The session id whose memory it takes up.
    pub(super) resumes: Option<String>,
}

struct Param {
    name: &'static str,
    is_right: fn(&Value) -> bool,
    /// What is right.
    right: &'static str,
}

const fn param(name: &'static str, is_right: fn(&Value) -> bool, right: &'static str) -> Param {
    Param {
        name,
        is_right,
        right,
    }
}

/// Every parameter, in the order in which their values are looked at.
const PARAMS: [Param; 17] = [
    param("task", |_| true, "a text"),
    param("agentId", Value::is_string, "the name of an agent"),
    param("runtime", is_runtime, "\"subagent\" or \"acp\""),
    param("mode", is_mode, "\"run\" or \"session\""),
    param("thread", Value::is_boolean, "true or false"),
    param("label", is_label, "a text of at most 512 characters"),
    param("model", Value::is_string, "a text"),
    param("thinking", Value::is_string, "a text"),
    param(
        "runTimeoutSeconds",
        Value::is_u64,
        "a whole number of seconds; 0 is no limit",
    ),
    param("cleanup", is_cleanup, "\"keep\" or \"delete\""),
    param("context", is_context, "\"isolated\" or \"fork\""),
    param(
        "expectsCompletionMessage",
        Value::is_boolean,
        "true or false",
    ),
    param("notifyParent", Value::is_boolean, "true or false"),
    param("notifyUserOnComplete", Value::is_boolean, "true or false"),
    param("streamTo", is_stream, "\"parent\""),
    param("resumeSessionId", Value::is_string, "the id of a session"),
    param(
        "sandbox",
        is_sandbox,
        "\"inherit\": there are no other sandboxes",
    ),
];

/// Parameters that would send the output elsewhere; messages do that.
const DELIVERY: [&str; 8] = [
    "target",
    "transport",
    "channel",
    "to",
    "threadId",
    "thread_id",
    "replyTo",
    "reply_to",
];

/// Whether there is a parameter of that name.
pub(super) fn is_known(name: &str) -> bool {
    PARAMS.iter().any(|param| param.name == name)
}

/// Every parameter is known, or counts for nothing where that is decided so.
pub(super) fn check_names(params: &Value, refuses: impl Fn(&str) -> bool) -> Result<(), Refusal> {
    let names = params.as_object().into_iter().flat_map(Map::keys);
    let mut unknown = names.filter(|name| !is_known(name) && refuses(name));
    let Some(name) = unknown.next() else {
        return Ok(());
    };
    let help = match name.as_str() {
        "timeoutSeconds" => ". Use \"runTimeoutSeconds\" for a per-run timeout.".to_owned(),
        name if DELIVERY.contains(&name) => {
            ". Use \"message\" or \"sessions_send\" for channel delivery.".to_owned()
        }
        _ => {
            let known: Vec<&str> = PARAMS.iter().map(|param| param.name).collect();
            format!("; there is {}", known.join(", "))
        }
    };
    error(
        Check::Names,
        format!("sessions_spawn does not support \"{name}\"{help}"),
    )
}

/// Reads the parameters. Whether what one runtime has and the other has not counts for nothing, is
/// said by `ignores_acp`.
pub(super) fn read(
    params: &Value,
    ignores_acp: bool,
    is_agent_id: &dyn Fn(&str) -> bool,
) -> Result<Wanted, Refusal> {
    let Some(task) = params["task"]
        .as_str()
        .filter(|task| !task.trim().is_empty())
    else {
        return error(Check::Task, "sessions_spawn needs `task`, a text");
    };
    check_values(params, is_agent_id)?;
    let text = |name: &str| {
        let text = params[name].as_str().map(str::trim);
        text.filter(|text| !text.is_empty())
    };
    let runtime = match text("runtime") {
        Some("acp") => Runtime::Acp,
        Some(_) | None => Runtime::Subagent,
    };
    let streams = text("streamTo").filter(|_| !ignores_acp || runtime == Runtime::Acp);
    let resumes = text("resumeSessionId").filter(|_| !ignores_acp || runtime == Runtime::Acp);
    let context = match text("context") {
        Some("fork") => Some(Context::Fork),
        Some(_) => Some(Context::Isolated),
        None => None,
    };
    check_runtime(runtime, streams, resumes, context)?;
    Ok(Wanted {
        task: Text::from(task),
        label: text("label").map(Text::from),
        runtime,
        agent: text("agentId").map(str::to_owned),
        timeout: params["runTimeoutSeconds"].as_u64().map(Span::secs),
        thread: params["thread"] == Value::Bool(true),
        mode: match text("mode") {
            Some("session") => Some(Mode::Session),
            Some(_) => Some(Mode::Run),
            None => None,
        },
        deletes: text("cleanup") == Some("delete"),
        context,
        audience: audience_of(params)?,
        streams: streams.is_some(),
        resumes: resumes.map(str::to_owned),
    })
}

fn check_values(params: &Value, is_agent_id: &dyn Fn(&str) -> bool) -> Result<(), Refusal> {
    if let Some(id) = params["agentId"].as_str()
        && !is_agent_id(id.trim())
    {
        return error(
            Check::Values,
            format!(
                "Invalid agentId \"{id}\". Agent IDs must match [a-z0-9][a-z0-9_-]{{0,63}}. Leave \
                 `agentId` out for your own."
            ),
        );
    }
    let wrong = PARAMS.iter().find(|param| {
        let value = &params[param.name];
        !value.is_null() && !(param.is_right)(value)
    });
    match wrong {
        Some(Param { name, right, .. }) => {
            let given = &params[*name];
            error(Check::Values, format!("`{name}` is {right}, not {given}"))
        }
        None => Ok(()),
    }
}

fn check_runtime(
    runtime: Runtime,
    streams: Option<&str>,
    resumes: Option<&str>,
    context: Option<Context>,
) -> Result<(), Refusal> {
    let only = |name: &str| {
        let words = format!(
            "{name} is only supported for runtime=acp; got runtime=subagent. Leave `{name}` out, or \
             use runtime=\"acp\"."
        );
        error(Check::Runtime, words)
    };
    match runtime {
        Runtime::Subagent if streams.is_some() => only("streamTo"),
        Runtime::Subagent if resumes.is_some() => only("resumeSessionId"),
        Runtime::Acp if context == Some(Context::Fork) => error(
            Check::Runtime,
            "context=\"fork\" is only supported for runtime=\"subagent\". Use \
             context=\"isolated\".",
        ),
        Runtime::Subagent | Runtime::Acp => Ok(()),
    }
}

/// Who is told of its end.
fn audience_of(params: &Value) -> Result<Audience, Refusal> {
    let given = |name: &str| params[name].as_bool();
    let (expects, parent, person) = (
        given("expectsCompletionMessage"),
        given("notifyParent"),
        given("notifyUserOnComplete"),
    );
    let contrary = |name: &str, other: &str| {
        let words = format!(
            "`{name}` says the contrary of `expectsCompletionMessage`: leave one of them out, or \
             {other}"
        );
        error(Check::Together, words)
    };
    match (expects, parent, person) {
        (Some(false), Some(true), _) => contrary("notifyParent", "set both to false"),
        (Some(false), _, Some(true)) => contrary("notifyUserOnComplete", "set both to false"),
        (Some(true), Some(false), Some(false) | None) => {
            contrary("notifyParent", "set notifyUserOnComplete to true")
        }
        (Some(false), _, _) => Ok(Audience::Nobody),
        (_, Some(true), Some(true)) => Ok(Audience::Both),
        (_, Some(false) | None, Some(true)) => Ok(Audience::Origin),
        (_, Some(false), Some(false) | None) => Ok(Audience::Nobody),
        (_, Some(true) | None, Some(false) | None) => Ok(Audience::Parent),
    }
}

fn is_runtime(value: &Value) -> bool {
    matches!(value.as_str(), Some("subagent" | "acp"))
}

fn is_mode(value: &Value) -> bool {
    matches!(value.as_str(), Some("run" | "session"))
}

/// The longest label, in characters.
const LABEL_MAX: usize = 512;

fn is_label(value: &Value) -> bool {
    let label = value.as_str().map(str::trim);
    label.is_some_and(|label| label.chars().count() <= LABEL_MAX)
}

fn is_cleanup(value: &Value) -> bool {
    matches!(value.as_str(), Some("keep" | "delete"))
}

fn is_context(value: &Value) -> bool {
    matches!(value.as_str(), Some("isolated" | "fork"))
}

fn is_stream(value: &Value) -> bool {
    value.as_str() == Some("parent")
}

fn is_sandbox(value: &Value) -> bool {
    value.as_str() == Some("inherit")
}
