//! Words that tell nothing of anybody: those of the contract, of its configuration and of the
//! commands that people type. They stay where a log is rewritten, for rules read them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Words of session keys.
const KEYS: &str = "agent main global unknown default direct dm group channel thread subagent acp cron hook \
    explicit dashboard heartbeat system self";

/// Keys of a configuration, and the words that are their values.
const CONFIGURATION: &str = "session sessions channels agents messages tools dmScope identityLinks reset \
    resetByType resetByChannel idleMinutes agentToAgent mainKey maintenance threadBindings maxPingPongTurns mode \
    atHour idle daily none enabled idleHours maxAgeHours ttlHours spawnSubagentSessions spawnSessions queue \
    byChannel cap drop requireMention allowBots accounts defaults list id subagents heartbeat to account \
    conversation maxSpawnDepth maxDepth maxChildrenPerAgent maxConcurrent runTimeoutSeconds allowAgents \
    requireAgentId archiveAfterMinutes model thinking visibility allow defaultAgent allowedAgents pruneAfter \
    maxEntries bindings type route match kind per peer followup steer collect interrupt old new summarize tree all any warn enforce true false";

/// Methods, their parameters, and the words that are their values.
const METHODS: &str = "sessions session subagents message runtime run spawn send list history status yield delete \
    patch task label agentId cwd timeoutSeconds cleanup sandbox streamTo resumeSessionId attachments attachAs \
    lightContext taskName context expectsCompletionMessage completionTarget notifyParent notifyUserOnComplete \
    outputSchema groupId fastMode visible projectId projectGitUrl worktree worktreeBranch placement keep isolated \
    fork parent child key sessionKey sessionId sessionID runId target action limit text content prompt \
    extraSystemPrompt announce replyTo threadId thread_id accountId channelId conversationId kill retry dismiss \
    provider inherit require off on yes no";

/// What stands in the answers of methods.
const ANSWERS: &str = "status accepted ok error forbidden timeout result errorCode childSessionKey reply role user \
    assistant spawnedBy boundTo failed refused deleted killed dismissed retried yielded posted pending running done \
    runs last current transport thread_not_opened why requires so the is not allowed found such without eave leave \
    out children depth gentId agentid only one";

/// Commands.
const COMMANDS: &str = "new reset stop kill focus unfocus agents session idle max age max-age close unbind disable \
    disabled help status compact";

/// Words by which agents say nothing, part by part.
const SILENCE: &str = "NO REPLY ANNOUNCE SKIP";

/// Stored bindings of older forms.
const STORED: &str = "version bindings boundAt boundBy lastActivityAt expiresAt idleTimeoutMs maxAgeMs \
    targetSessionKey targetKind agentId";

/// Units of time.
const UNITS: &str =
    "ms s sec secs second seconds m min mins minute minutes h hr hrs hour hours d day days";

static KNOWN: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    let lists = [
        KEYS,
        CONFIGURATION,
        METHODS,
        ANSWERS,
        COMMANDS,
        SILENCE,
        STORED,
    ];
    lists
        .into_iter()
        .flat_map(str::split_whitespace)
        .filter(|word| word.chars().all(char::is_alphanumeric))
        .collect()
});

/// Whether everybody knows a word, in this case or in small letters. Lengths of time are known too.
pub(super) fn is_known(word: &str) -> bool {
    let first = word.chars().next();
    if first.is_some_and(|c| c.is_ascii_digit()) {
        return is_length(word);
    }
    KNOWN.contains(word) || KNOWN.contains(word.to_ascii_lowercase().as_str())
}

/// Whether a word is a unit of time.
pub(super) fn is_unit(word: &str) -> bool {
    UNITS.split_whitespace().any(|unit| unit == word)
}

/// `24h`, `1h30m`
fn is_length(word: &str) -> bool {
    let mut rest = word;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        let tail = &rest[digits..];
        let letters = tail.find(|c: char| c.is_ascii_digit());
        let (unit, next) = tail.split_at(letters.unwrap_or(tail.len()));
        // More than four digits are a number of something else.
        if digits == 0 || 4 < digits || !is_unit(unit) {
            return false;
        }
        rest = next;
    }
    !word.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_are_not_known() {
        for word in ["alice", "Bob", "idleHour", "4915112345", "12345678m", "t1"] {
            assert!(!is_known(word), "{word}");
        }
        for word in ["Main", "idleHours", "24h", "1h30m", "SKIP"] {
            assert!(is_known(word), "{word}");
        }
    }
}
