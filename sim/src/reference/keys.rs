//! Names of sessions and runs, and how a text is cut.

use moorline_spec::address::{Address, Place};
use moorline_spec::channel::{IdCase, TextLimit, TextUnit};
use moorline_spec::config::DmScope;
use moorline_spec::id::{AgentId, RunId, SessionId, SessionKey, Text};
use moorline_spec::key::{decoded, opaque, segment};
pub(super) use moorline_spec::silence::is_silent;
use smol_str::SmolStrBuilder;

use super::decisions::{Runtime, Speaking};
use crate::numbered::numbered;

/// The session of a conversation that is not bound.
///
/// Ids keep their case where the channel does. The account is part of a group's key unless it is
/// `default`, because two accounts may know two groups by one id.
pub(super) fn session_of(message: &Speaking<'_>) -> SessionKey {
    let Speaking {
        config,
        agent,
        at,
        kind,
        id_case,
        ..
    } = *message;
    let scope = config.session.dm_scope;
    let thread = at.thread.as_ref().map(|thread| thread.as_str());
    let thread = thread.filter(|thread| !thread.trim().is_empty());
    let id = |id: &str| -> Text {
        let folded = id_case.fold(id.into());
        opaque(&folded).as_ref().into()
    };
    let channel = || segment(at.channel.as_str());
    let account = || segment(at.account.as_str());
    let mut key = SmolStrBuilder::new();
    let mut write = |parts: &[&str]| parts.iter().for_each(|part| key.push_str(part));
    write(&["agent:", &segment(agent.as_str()), ":"]);
    match (kind, scope) {
        (Place::Direct, DmScope::Main) => match thread {
            // The number of a topic is its own only in its conversation.
            Some(thread) => {
                let place = format!("{}:{thread}", at.conversation);
                write(&["main:thread:", &id(&place)]);
            }
            None => write(&["main"]),
        },
        (Place::Direct, DmScope::PerPeer) => write(&["direct:", &id(known_as(message))]),
        (Place::Direct, DmScope::PerChannelPeer) => {
            write(&[&channel(), ":direct:", &id(known_as(message))]);
        }
        (Place::Direct, DmScope::PerAccountChannelPeer) => {
            let peer = id(known_as(message));
            write(&[&channel(), ":", &account(), ":direct:", &peer]);
        }
        (Place::Group | Place::Thread, _) if at.account.as_str() == "default" => {
            write(&[&channel(), ":group:", &id(at.conversation.as_str())]);
        }
        (Place::Group | Place::Thread, _) => {
            let conversation = id(at.conversation.as_str());
            write(&[&channel(), ":", &account(), ":group:", &conversation]);
        }
    }
    let main = kind == Place::Direct && scope == DmScope::Main;
    if let Some(thread) = thread.filter(|_| !main) {
        // A person's conversations are not told apart by their key, so the thread's name does it.
        let thread = match kind {
            Place::Direct => id(&format!("{}:{thread}", at.conversation)),
            Place::Group | Place::Thread => id(thread),
        };
        write(&[":thread:", &thread]);
    }
    key.finish().into()
}

/// The session of a conversation that is bound by the configuration: of it alone, with its threads.
pub(super) fn configured_key(agent: &AgentId, at: &Address, id_case: IdCase) -> SessionKey {
    let id = id_case.fold(at.conversation.as_str().into());
    let (agent, channel) = (segment(agent.as_str()), segment(at.channel.as_str()));
    let (account, id) = (segment(at.account.as_str()), opaque(&id));
    format!("agent:{agent}:acp:binding:{channel}:{account}:{id}").into()
}

/// `[a-z0-9][a-z0-9_-]{0,63}`, in either case.
pub(super) fn is_agent_id(id: &str) -> bool {
    let mut bytes = id.bytes();
    let first = bytes.next();
    id.len() <= 64
        && first.is_some_and(|byte| byte.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Who writes, by the name of an identity link if there is one; nameless people are told apart by
/// where they write.
fn known_as<'a>(message: &Speaking<'a>) -> &'a str {
    let name = message.config.linked(&message.at.channel, message.from);
    match name.is_empty() {
        true => message.at.conversation.as_str(),
        false => name,
    }
}

/// The main session of an agent.
pub(super) fn main_key(agent: &AgentId) -> SessionKey {
    format!("agent:{}:main", segment(agent.as_str())).into()
}

/// The key of the n-th child of a life. A spawn that came to nothing is not written down, so that
/// the number alone might come again in the next life.
pub(super) fn child_key(agent: &AgentId, runtime: Runtime, life: u64, number: u64) -> SessionKey {
    let word = match runtime {
        Runtime::Subagent => "subagent",
        Runtime::Acp => "acp",
    };
    match life {
        0 | 1 => format!("agent:{agent}:{word}:{number}").into(),
        life => format!("agent:{agent}:{word}:{life}-{number}").into(),
    }
}

/// The agent in a key: `agent:<agent>:...`.
pub(super) fn agent_of(key: &SessionKey) -> Option<AgentId> {
    let rest = key.as_str().strip_prefix("agent:")?;
    let (agent, name) = rest.split_once(':')?;
    (!agent.is_empty() && !name.is_empty()).then(|| decoded(agent).into())
}

/// The name of an incarnation: `s-3`.
pub(super) fn session_id(number: u64) -> SessionId {
    numbered(&["s-"], number).into()
}

/// The n-th run, from 1: `a` to `z`, `aa`, ...
pub(super) fn run_id(number: u64) -> RunId {
    let mut letters = [0_u8; 14];
    let mut start = letters.len();
    let mut rest = number;
    while rest > 0 {
        rest -= 1;
        start -= 1;
        letters[start] = b'a' + (rest % 26) as u8;
        rest /= 26;
    }
    RunId::from(std::str::from_utf8(&letters[start..]).unwrap_or_default())
}

/// The number of a run by its name.
pub(super) fn run_number(id: &RunId) -> Option<u64> {
    id.as_str().bytes().try_fold(0_u64, |number, letter| {
        letter
            .is_ascii_lowercase()
            .then(|| u64::from(letter - b'a') + 1)
            .and_then(|digit| number.checked_mul(26)?.checked_add(digit))
    })
}

/// How many bytes of a text its next piece has. Pieces joined are the text.
pub(super) fn piece(text: &str, limit: Option<TextLimit>) -> usize {
    let Some(TextLimit { max, unit }) = limit else {
        return text.len();
    };
    // No unit counts more than there are bytes.
    if text.len() <= max {
        return text.len();
    }
    let mut units = 0;
    let mut word_end = 0;
    for (at, character) in text.char_indices() {
        units += unit.of(character);
        if units > max {
            // A character larger than a whole message is sent for the channel to refuse.
            let hard = if at == 0 { character.len_utf8() } else { at };
            return if word_end > 0 { word_end } else { hard };
        }
        if character.is_whitespace() {
            word_end = at + character.len_utf8();
        }
    }
    debug_assert!(unit != TextUnit::Bytes, "bytes were counted above");
    text.len()
}

/// A text without markers and the space around them: what the words are.
pub(super) fn words(text: &str) -> Text {
    if !text.contains('⟦') {
        return Text::from(text.trim());
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('⟦') {
        plain.push_str(before);
        match after.split_once('⟧') {
            Some((_, tail)) => rest = tail,
            None => {
                rest = "";
                plain.push('⟦');
                plain.push_str(after);
            }
        }
    }
    plain.push_str(rest);
    Text::from(plain.trim())
}

#[cfg(test)]
mod tests;
