//! Wrong about conversations that go by another id.

use moorline_spec::profile::MovedConversation;

use super::{Broken, binding};
use crate::reference::{Belongs, BindingDecisions};

pub(super) fn gateways() -> Vec<Broken> {
    vec![
        Broken {
            id: "a-moved-group-loses-its-binding",
            rule: "routing.moved-conversation",
            report: None,
            summary: "What a conversation is bound to stays behind under the id that it went by.",
            build: binding::<LosesItsBinding>,
        },
        Broken {
            id: "a-moved-group-begins-anew",
            rule: "routing.moved-conversation",
            report: None,
            summary: "A conversation that goes by another id begins with a session of its own.",
            build: binding::<BeginsAnew>,
        },
        Broken {
            id: "a-moved-group-is-the-same-to-everybody",
            rule: "routing.moved-conversation",
            report: None,
            summary: "A conversation that goes by another id is the same one, whatever the profile says.",
            build: binding::<TheSame>,
        },
    ]
}

#[derive(Default)]
struct LosesItsBinding;

impl BindingDecisions for LosesItsBinding {
    fn moves(&self, what: Belongs, dial: MovedConversation) -> MovedConversation {
        match what {
            Belongs::Session => dial,
            Belongs::Binding => MovedConversation::Anew,
        }
    }
}

#[derive(Default)]
struct BeginsAnew;

impl BindingDecisions for BeginsAnew {
    fn moves(&self, what: Belongs, dial: MovedConversation) -> MovedConversation {
        match what {
            Belongs::Session => MovedConversation::Anew,
            Belongs::Binding => dial,
        }
    }
}

#[derive(Default)]
struct TheSame;

impl BindingDecisions for TheSame {
    fn moves(&self, _: Belongs, _: MovedConversation) -> MovedConversation {
        MovedConversation::Follows
    }
}
