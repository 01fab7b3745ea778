//! What is wrong with the parameters of a spawn, whatever the gateway thinks of them.

use serde_json::Value;

use crate::facts::CallFacts;
use crate::profile::{AcpParams, Dials, SessionCleanup};

/// Every parameter that some gateway knows.
const KNOWN: [&str; 36] = [
    "task",
    "label",
    "runtime",
    "agentId",
    "model",
    "thinking",
    "cwd",
    "runTimeoutSeconds",
    "timeoutSeconds",
    "thread",
    "mode",
    "cleanup",
    "sandbox",
    "streamTo",
    "resumeSessionId",
    "attachments",
    "attachAs",
    "lightContext",
    "taskName",
    "context",
    "expectsCompletionMessage",
    "completionTarget",
    "notifyParent",
    "notifyUserOnComplete",
    "collect",
    "outputSchema",
    "groupId",
    "fastMode",
    "visible",
    "group",
    "projectId",
    "projectGitUrl",
    "worktree",
    "worktreeBranch",
    "placement",
    "archiveAfterMinutes",
];

/// The parameters that cannot have an effect, each once: nobody knows them, or their value means
/// nothing, here or beside the others.
pub(super) fn faults<'a>(call: &'a CallFacts, is_session: bool, dials: &Dials) -> Vec<&'a str> {
    let params = call.params.as_object();
    let given = params.into_iter().flatten();
    let mut faults: Vec<&str> = given
        .filter(|(name, value)| {
            let known = KNOWN.contains(&name.as_str());
            // Present is enough: an empty value is no better.
            !known || !value.is_null() && !is_right(name, value)
        })
        .map(|(name, _)| name.as_str())
        .collect();
    let acp = call.text("runtime") == Some("acp");
    let ignored = dials.acp_params == AcpParams::Ignored;
    let foreign = ["streamTo", "resumeSessionId"].into_iter();
    faults.extend(foreign.filter(|name| !acp && !ignored && call.text(name).is_some()));
    if acp && call.text("context") == Some("fork") {
        faults.push("context");
    }
    let deletes = call.text("cleanup") == Some("delete");
    if is_session && deletes && dials.session_cleanup == SessionCleanup::Refused {
        faults.push("cleanup");
    }
    let said = |name: &str| call.params.get(name).and_then(Value::as_bool);
    let quiet = said("expectsCompletionMessage") == Some(false);
    let tells = ["notifyParent", "notifyUserOnComplete"].into_iter();
    faults.extend(tells.filter(|name| quiet && said(name) == Some(true)));
    faults.dedup();
    faults
}

fn is_right(name: &str, value: &Value) -> bool {
    let one_of = |words: &[&str]| value.as_str().is_some_and(|word| words.contains(&word));
    match name {
        "runtime" => one_of(&["subagent", "acp"]),
        "mode" => one_of(&["run", "session"]),
        "cleanup" => one_of(&["keep", "delete"]),
        "context" => one_of(&["isolated", "fork"]),
        "streamTo" => one_of(&["parent"]),
        "thread" | "expectsCompletionMessage" | "notifyParent" | "notifyUserOnComplete" => {
            value.is_boolean()
        }
        // Some cut fractions off.
        "runTimeoutSeconds" => value.as_f64().is_some_and(|seconds| seconds >= 0.0),
        _ => true,
    }
}
