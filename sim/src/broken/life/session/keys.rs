//! Wrong about the names of sessions.

use moorline_spec::address::{Address, Place};
use moorline_spec::channel::IdCase;
use moorline_spec::id::SessionKey;
use moorline_spec::key::{Malformed, Naming};

use super::super::super::{Broken, deciding};
use crate::reference::{Decisions, Right, Speaking};

const RULE: &str = "session.key-canonical";

pub(super) fn gateways() -> Vec<Broken> {
    let mut gateways = of_conversations();
    gateways.extend(of_callers());
    gateways
}

fn of_conversations() -> Vec<Broken> {
    vec![
        Broken {
            id: "ids-are-lower-cased",
            rule: RULE,
            report: Some("SI-016"),
            summary: "Two rooms whose ids differ in case only have one session.",
            build: deciding::<LowerCased>,
        },
        Broken {
            id: "keys-leave-out-the-account",
            rule: RULE,
            report: Some("SI-021"),
            summary: "What one account of a channel hears is said in the session of another.",
            build: deciding::<NoAccount>,
        },
        Broken {
            id: "topics-are-known-by-number-alone",
            rule: RULE,
            report: Some("SI-023"),
            summary: "Topics of two conversations that have one number have one session.",
            build: deciding::<NumberAlone>,
        },
        Broken {
            id: "threads-share-the-session-of-their-room",
            rule: RULE,
            report: Some("SI-025"),
            summary: "Every thread of a room has the room's session.",
            build: deciding::<NoThreads>,
        },
    ]
}

fn of_callers() -> Vec<Broken> {
    vec![
        Broken {
            id: "keys-as-they-are-spelled",
            rule: RULE,
            report: Some("SI-017"),
            summary: "A key in another spelling is another session.",
            build: deciding::<AsSpelled>,
        },
        Broken {
            id: "keys-are-prefixed-again",
            rule: RULE,
            report: Some("SI-018"),
            summary: "A key of an agent is taken for the name of a session of that agent.",
            build: deciding::<PrefixedAgain>,
        },
        Broken {
            id: "a-malformed-key-is-the-main-one",
            rule: RULE,
            report: Some("SI-019"),
            summary: "What is no key reaches the main session of the default agent.",
            build: deciding::<MalformedIsMain>,
        },
    ]
}

#[derive(Default)]
struct LowerCased;

impl Decisions for LowerCased {
    fn session_of(&self, message: &Speaking<'_>) -> SessionKey {
        Right.session_of(&Speaking {
            id_case: IdCase::Folded,
            ..*message
        })
    }
}

#[derive(Default)]
struct NoAccount;

impl Decisions for NoAccount {
    fn session_of(&self, message: &Speaking<'_>) -> SessionKey {
        let at = Address {
            account: "default".into(),
            ..message.at.clone()
        };
        Right.session_of(&Speaking {
            at: &at,
            ..*message
        })
    }
}

#[derive(Default)]
struct NumberAlone;

impl Decisions for NumberAlone {
    fn session_of(&self, message: &Speaking<'_>) -> SessionKey {
        match &message.at.thread {
            Some(thread) => {
                let channel = &message.at.channel;
                format!("agent:{}:{channel}:topic:thread:{thread}", message.agent).into()
            }
            None => Right.session_of(message),
        }
    }
}

#[derive(Default)]
struct NoThreads;

impl Decisions for NoThreads {
    fn session_of(&self, message: &Speaking<'_>) -> SessionKey {
        let at = message.at.without_thread();
        let kind = match message.kind {
            Place::Thread => Place::Group,
            Place::Direct | Place::Group => message.kind,
        };
        Right.session_of(&Speaking {
            at: &at,
            kind,
            ..*message
        })
    }
}

#[derive(Default)]
struct AsSpelled;

impl Decisions for AsSpelled {
    fn canonical(&self, _naming: &Naming, raw: &str) -> Result<SessionKey, Malformed> {
        Ok(raw.into())
    }
}

#[derive(Default)]
struct PrefixedAgain;

impl Decisions for PrefixedAgain {
    fn canonical(&self, _naming: &Naming, raw: &str) -> Result<SessionKey, Malformed> {
        Ok(format!("agent:main:{raw}").into())
    }
}

#[derive(Default)]
struct MalformedIsMain;

impl Decisions for MalformedIsMain {
    fn canonical(&self, naming: &Naming, raw: &str) -> Result<SessionKey, Malformed> {
        Ok(naming
            .canonical(raw)
            .unwrap_or_else(|_| "agent:main:main".into()))
    }
}
