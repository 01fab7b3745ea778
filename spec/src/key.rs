//! The grammar of session keys, and the one spelling that each of them has.
//!
//! ```text
//! key    = "global" | "unknown" | "agent:" agent ":" rest [":thread:" thread]
//! rest   = "main"
//!        | "direct:" peer
//!        | channel ":direct:" peer
//!        | channel ":" account ":direct:" peer
//!        | channel [":" account] ":group:" conversation
//!        | ("subagent" | "acp" | "cron" | "hook" | "explicit" | "dashboard") ":" name
//!        | name
//! ```
//!
//! Words of the grammar may be spelled in any case, and `channel` for `group`. Ids of a channel are
//! opaque: they keep their case unless the channel says that case means nothing there. What stands
//! in an id and would read as grammar is written with a percent sign, so that two conversations
//! never share a key.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::address::Place;
use crate::channel::{Channel, IdCase};
use crate::id::{AccountId, AgentId, ChannelId, SessionKey};

/// What a key is read by: the agents and channels that there are.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    agents: Vec<AgentId>,
    channels: Vec<(ChannelId, Vec<AccountId>, IdCase)>,
}

/// A key, taken apart. `Display` writes its one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The session of everybody.
    Global,
    /// The session of nobody in particular.
    Unknown,
    /// A session of an agent.
    Of {
        /// The agent.
        agent: AgentId,
        /// Which of its sessions.
        rest: Rest,
        /// The thread that it is of.
        thread: Option<String>,
    },
}

/// Which session of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The main one.
    Main,
    /// That of a person, as far as the scope of direct messages tells persons apart.
    Direct {
        /// On one channel only.
        channel: Option<ChannelId>,
        /// With one account only.
        account: Option<AccountId>,
        /// Who.
        peer: String,
    },
    /// That of a group or room.
    Group {
        /// The channel.
        channel: ChannelId,
        /// The account, where it is not the default one.
        account: Option<AccountId>,
        /// The conversation.
        conversation: String,
    },
    /// One that the gateway or its clockwork made.
    Made {
        /// The kind of it.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// One that a caller named.
    Named(String),
}

/// Why something is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Nothing is there.
    #[error("an empty session key names no session")]
    Empty,
    /// It begins like a key of an agent, and is none.
    #[error("malformed session key; write agent:<agent>:<name>")]
    Agent,
    /// A key stands in the place of a name.
    #[error("malformed session key: it holds another key; write agent:<agent>:<name> once")]
    Nested,
}

/// Kinds of sessions that nobody speaks to from a conversation.
const MADE: [&str; 6] = ["subagent", "acp", "cron", "hook", "explicit", "dashboard"];
/// Words that no channel and no account may look like.
const WORDS: [&str; 5] = ["direct", "group", "channel", "thread", "agent"];
const THREAD: &str = ":thread:";

impl Naming {
    /// That of a gateway with these agents and channels.
    pub fn of<'c>(agents: &[AgentId], channels: impl IntoIterator<Item = &'c Channel>) -> Self {
        let channels = channels.into_iter().map(|channel| {
            let case = channel.capabilities.id_case;
            (channel.id.clone(), channel.accounts.clone(), case)
        });
        Self {
            agents: agents.to_vec(),
            channels: channels.collect(),
        }
    }

    /// The one spelling of a key.
    pub fn canonical(&self, raw: &str) -> Result<SessionKey, Malformed> {
        self.read(raw).map(|key| key.to_string().into())
    }

    /// Takes a key apart, in whatever spelling. A name without an agent is one of the default
    /// agent's.
    pub fn read(&self, raw: &str) -> Result<Key, Malformed> {
        let name = raw.trim();
        if name.is_empty() {
            return Err(Malformed::Empty);
        }
        if name.eq_ignore_ascii_case("global") {
            return Ok(Key::Global);
        }
        if name.eq_ignore_ascii_case("unknown") {
            return Ok(Key::Unknown);
        }
        match name.split_once(':') {
            Some((head, rest)) if is(head.trim(), "agent") => self.read_agent(rest),
            None if is(name, "agent") => Err(Malformed::Agent),
            Some(("", _)) => Err(Malformed::Agent),
            Some(_) | None => {
                let agent = self.agents.first().cloned();
                self.read_rest(agent.unwrap_or_else(|| "main".into()), name)
            }
        }
    }

    fn read_agent(&self, text: &str) -> Result<Key, Malformed> {
        let (agent, rest) = text.split_once(':').ok_or(Malformed::Agent)?;
        let agent = decoded(agent.trim());
        let named = |own: &&AgentId| own.as_str() == agent;
        let spelled = |own: &&AgentId| is(own.as_str(), &agent);
        let mut agents = self.agents.iter();
        let known = agents.clone().find(named).or_else(|| agents.find(spelled));
        let agent = match known {
            Some(known) => known.clone(),
            None if is_agent(&agent) => agent.to_ascii_lowercase().into(),
            None => return Err(Malformed::Agent),
        };
        match rest.trim() {
            "" => Err(Malformed::Agent),
            rest if rest.starts_with(':') => Err(Malformed::Agent),
            rest => self.read_rest(agent, rest),
        }
    }

    fn read_rest(&self, agent: AgentId, text: &str) -> Result<Key, Malformed> {
        if text
            .split(':')
            .next()
            .is_some_and(|head| is(head.trim(), "agent"))
        {
            return Err(Malformed::Nested);
        }
        let (base, thread) = split_thread(text);
        let rest = self.read_base(base);
        let case = match &rest {
            Rest::Direct {
                channel: Some(channel),
                ..
            }
            | Rest::Group { channel, .. } => self.case_of(channel),
            Rest::Main | Rest::Direct { .. } | Rest::Made { .. } | Rest::Named(_) => IdCase::Kept,
        };
        let thread = thread.map(|thread| case.fold(decoded(thread.trim())).into_owned());
        Ok(Key::Of {
            agent,
            rest,
            thread,
        })
    }

    fn read_base(&self, base: &str) -> Rest {
        if is(base, "main") {
            return Rest::Main;
        }
        let Some((head, tail)) = base.split_once(':').filter(|(head, _)| !head.is_empty()) else {
            return Rest::Named(base.to_ascii_lowercase());
        };
        if is(head, "direct") && !tail.is_empty() {
            let peer = decoded(tail).into_owned();
            return Rest::Direct {
                channel: None,
                account: None,
                peer,
            };
        }
        if let Some(kind) = MADE.into_iter().find(|kind| is(kind, head))
            && !tail.is_empty()
        {
            let name = tail.to_ascii_lowercase();
            return Rest::Made { kind, name };
        }
        self.read_conversation(head, tail)
            .unwrap_or_else(|| Rest::Named(base.to_ascii_lowercase()))
    }

    /// `channel [":" account] ":" ("direct" | "group" | "channel") ":" id`
    fn read_conversation(&self, channel: &str, tail: &str) -> Option<Rest> {
        let (first, rest) = tail.split_once(':')?;
        let (account, word, id) = match is_word(first) {
            true => (None, first, rest),
            false => {
                let (word, id) = rest.split_once(':')?;
                is_word(word).then_some((Some(first), word, id))?
            }
        };
        if id.is_empty() || account.is_some_and(str::is_empty) {
            return None;
        }
        let channel = self.channel(&decoded(channel));
        let account = account.map(|account| self.account(&channel, &decoded(account)));
        let id = self.case_of(&channel).fold(decoded(id)).into_owned();
        Some(if is(word, "direct") {
            Rest::Direct {
                channel: Some(channel),
                account,
                peer: id,
            }
        } else {
            let account = account.filter(|account| account.as_str() != "default");
            Rest::Group {
                channel,
                account,
                conversation: id,
            }
        })
    }

    fn channel(&self, name: &str) -> ChannelId {
        let known = |(id, ..): &&(ChannelId, _, _)| id.as_str() == name;
        let spelled = |(id, ..): &&(ChannelId, _, _)| is(id.as_str(), name);
        let mut channels = self.channels.iter();
        let found = channels
            .clone()
            .find(known)
            .or_else(|| channels.find(spelled));
        found.map_or_else(|| name.to_ascii_lowercase().into(), |(id, ..)| id.clone())
    }

    fn account(&self, channel: &ChannelId, name: &str) -> AccountId {
        let of = self.channels.iter().find(|(id, ..)| id == channel);
        let accounts = of.map_or(&[][..], |(_, accounts, _)| accounts);
        let exact = accounts.iter().find(|account| account.as_str() == name);
        let found = exact.or_else(|| accounts.iter().find(|account| is(account.as_str(), name)));
        found.cloned().unwrap_or_else(|| name.into())
    }

    /// The agent in a key.
    pub fn agent_of(&self, key: &SessionKey) -> Option<AgentId> {
        match self.read(key.as_str()) {
            Ok(Key::Of { agent, .. }) => Some(agent),
            Ok(Key::Global | Key::Unknown) | Err(_) => None,
        }
    }

    /// Whether case means something in the ids of a channel.
    pub fn case_of(&self, channel: &ChannelId) -> IdCase {
        let of = self.channels.iter().find(|(id, ..)| id == channel);
        of.map_or(IdCase::Kept, |&(_, _, case)| case)
    }
}

impl Key {
    /// The kind of conversation that it is of.
    pub fn place(&self) -> Place {
        match self {
            Self::Of {
                thread: Some(_), ..
            } => Place::Thread,
            Self::Of {
                rest: Rest::Group { .. },
                ..
            } => Place::Group,
            Self::Of { .. } | Self::Global | Self::Unknown => Place::Direct,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (agent, rest, thread) = match self {
            Self::Global => return f.write_str("global"),
            Self::Unknown => return f.write_str("unknown"),
            Self::Of {
                agent,
                rest,
                thread,
            } => (agent, rest, thread),
        };
        write!(f, "agent:{}:", segment(agent.as_str()))?;
        match rest {
            Rest::Main => f.write_str("main")?,
            Rest::Direct {
                channel,
                account,
                peer,
            } => {
                if let Some(channel) = channel {
                    write!(f, "{}:", segment(channel.as_str()))?;
                }
                if let Some(account) = account {
                    write!(f, "{}:", segment(account.as_str()))?;
                }
                write!(f, "direct:{}", opaque(peer))?;
            }
            Rest::Group {
                channel,
                account,
                conversation,
            } => {
                write!(f, "{}:", segment(channel.as_str()))?;
                if let Some(account) = account {
                    write!(f, "{}:", segment(account.as_str()))?;
                }
                write!(f, "group:{}", opaque(conversation))?;
            }
            Rest::Made { kind, name } => write!(f, "{kind}:{name}")?,
            Rest::Named(name) => f.write_str(name)?,
        }
        thread
            .as_ref()
            .map_or(Ok(()), |thread| write!(f, "{THREAD}{}", opaque(thread)))
    }
}

fn is(text: &str, word: &str) -> bool {
    text.eq_ignore_ascii_case(word)
}

fn is_word(text: &str) -> bool {
    ["direct", "group", "channel"]
        .into_iter()
        .any(|word| is(text, word))
}

/// Whether a text can be the id of an agent.
fn is_agent(text: &str) -> bool {
    let inner = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
    let first = text
        .as_bytes()
        .first()
        .is_some_and(u8::is_ascii_alphanumeric);
    first && text.len() <= 64 && text.bytes().all(inner)
}

/// The last `:thread:` begins the thread, if anything comes before and after it.
fn split_thread(text: &str) -> (&str, Option<&str>) {
    let at = (1..text.len()).rev().find(|&at| starts_thread(text, at));
    match at.map(|at| (&text[..at], &text[at + THREAD.len()..])) {
        Some((base, thread)) if !thread.trim().is_empty() => (base, Some(thread)),
        Some(_) | None => (text, None),
    }
}

fn starts_thread(text: &str, at: usize) -> bool {
    text.as_bytes()
        .get(at..at + THREAD.len())
        .is_some_and(|word| word.eq_ignore_ascii_case(THREAD.as_bytes()))
}

/// A name between colons, as it stands in a key: it holds no colon and is no word of the grammar.
pub fn segment(name: &str) -> Cow<'_, str> {
    let is_reserved = WORDS.into_iter().chain(MADE).any(|word| is(name, word));
    if !is_reserved
        && name
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
    {
        return Cow::Borrowed(name);
    }
    let plain = |at: usize, c: char| {
        let begins_word = is_reserved && at == 0;
        !(begins_word || c == ':' || c == '%' || c.is_whitespace())
    };
    encoded(name, plain)
}

/// An id at the end of a key: it may hold colons, but nothing that reads as a thread, also together
/// with the colon before it.
pub fn opaque(id: &str) -> Cow<'_, str> {
    let ends = id.starts_with(char::is_whitespace) || id.ends_with(char::is_whitespace);
    let word = &THREAD.as_bytes()[1..];
    let begins = id
        .as_bytes()
        .get(..word.len())
        .is_some_and(|id| id.eq_ignore_ascii_case(word));
    let threads = || id.contains(':') && (0..id.len()).any(|at| starts_thread(id, at));
    if !ends && !begins && !id.contains('%') && !threads() {
        return Cow::Borrowed(id);
    }
    let inner = id.len() - id.trim_start().len()..id.trim_end().len();
    let word = |at: usize| begins && at == 0 || starts_thread(id, at);
    encoded(id, |at, c| c != '%' && inner.contains(&at) && !word(at))
}

fn encoded(text: &str, plain: impl Fn(usize, char) -> bool) -> Cow<'_, str> {
    let mut encoded = String::with_capacity(text.len() + 8);
    for (at, c) in text.char_indices() {
        if plain(at, c) {
            encoded.push(c);
            continue;
        }
        let mut bytes = [0; 4];
        for byte in c.encode_utf8(&mut bytes).bytes() {
            write!(encoded, "%{byte:02X}").expect("a string takes all");
        }
    }
    Cow::Owned(encoded)
}

/// The text that was encoded; one that was not, as it is.
pub fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((&first, rest)) = bytes.split_first() {
        let hex = |at: usize| {
            rest.get(at)
                .and_then(|&digit| char::from(digit).to_digit(16))
        };
        if first == b'%'
            && let (Some(high), Some(low)) = (hex(0), hex(1))
        {
            decoded.push((high * 16 + low) as u8);
            bytes = &rest[2..];
        } else {
            decoded.push(first);
            bytes = rest;
        }
    }
    String::from_utf8(decoded).map_or(Cow::Borrowed(text), Cow::Owned)
}

impl IdCase {
    /// An id, without case where that means nothing.
    pub fn fold(self, id: Cow<'_, str>) -> Cow<'_, str> {
        match self {
            Self::Folded if id.bytes().any(|c| c.is_ascii_uppercase()) => {
                Cow::Owned(id.to_ascii_lowercase())
            }
            Self::Folded | Self::Kept => id,
        }
    }
}

#[cfg(test)]
mod tests;
