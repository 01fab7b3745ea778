//! Wrong about what people can do to a binding by command.

use moorline_spec::effect::UnboundBecause;
use moorline_spec::id::PersonId;
use moorline_spec::time::Span;

use super::{Broken, binding};
use crate::reference::{BindingDecisions, Commanded, Obeys};

pub(super) fn gateways() -> Vec<Broken> {
    let mut all = wrong_about_focus();
    all.extend(wrong_about_limits());
    all.extend(wrong_about_who_hears());
    all
}

fn wrong_about_focus() -> Vec<Broken> {
    vec![
        Broken {
            id: "close-ends-one",
            rule: "binding.unfocus",
            report: None,
            summary: "`/acp close` ends the binding where it is said, and leaves the others of its session.",
            build: binding::<CloseEndsOne>,
        },
        Broken {
            id: "focus-binds-nothing",
            rule: "binding.focus",
            report: None,
            summary: "`/focus` is answered, and nothing is bound.",
            build: binding::<FocusBindsNothing>,
        },
        Broken {
            id: "focus-where-it-cannot",
            rule: "binding.focus",
            report: None,
            summary: "`/focus` binds where bindings are switched off or cannot be.",
            build: binding::<FocusWhereItCannot>,
        },
        Broken {
            id: "unfocus-only-says-so",
            rule: "binding.unfocus",
            report: None,
            summary: "`/unfocus` is answered, and the place stays bound.",
            build: binding::<UnfocusOnlySaysSo>,
        },
        Broken {
            id: "agents-hides-bindings",
            rule: "binding.unfocus",
            report: None,
            summary: "`/agents` tells of runs only.",
            build: binding::<AgentsHidesBindings>,
        },
    ]
}

fn wrong_about_limits() -> Vec<Broken> {
    vec![
        Broken {
            id: "limit-stays-here",
            rule: "binding.limits-by-command",
            report: None,
            summary: "A limit set by command holds in that one conversation of the session.",
            build: binding::<LimitStaysHere>,
        },
        Broken {
            id: "off-is-a-day",
            rule: "binding.limits-by-command",
            report: None,
            summary: "`/session idle off` sets the default in place of no limit.",
            build: binding::<OffIsADay>,
        },
        Broken {
            id: "anybody-changes-it",
            rule: "binding.who-may",
            report: None,
            summary: "Whoever may give commands may change any binding.",
            build: binding::<AnybodyChangesIt>,
        },
        Broken {
            id: "nobody-changes-the-systems",
            rule: "binding.who-may",
            report: None,
            summary: "A binding made by a spawn can be changed by nobody.",
            build: binding::<NobodyChangesTheSystems>,
        },
    ]
}

fn wrong_about_who_hears() -> Vec<Broken> {
    vec![
        Broken {
            id: "agent-gets-the-command",
            rule: "binding.command-bypass",
            report: Some("BL-027"),
            summary: "A command said in a bound conversation is given to its agent.",
            build: binding::<AgentGetsTheCommand>,
        },
        Broken {
            id: "broken-session-locks-out",
            rule: "binding.command-bypass",
            report: Some("BL-008"),
            summary: "Commands are not answered while the bound session cannot run.",
            build: binding::<BrokenSessionLocksOut>,
        },
    ]
}

#[derive(Default)]
struct FocusBindsNothing;

impl BindingDecisions for FocusBindsNothing {
    fn focuses(&self, _: bool) -> bool {
        false
    }
}

#[derive(Default)]
struct FocusWhereItCannot;

impl BindingDecisions for FocusWhereItCannot {
    fn focuses(&self, _: bool) -> bool {
        true
    }
}

#[derive(Default)]
struct UnfocusOnlySaysSo;

impl BindingDecisions for UnfocusOnlySaysSo {
    fn frees(&self, reason: UnboundBecause) -> bool {
        reason != UnboundBecause::Unfocus
    }
}

#[derive(Default)]
struct AgentsHidesBindings;

impl BindingDecisions for AgentsHidesBindings {
    fn lists_bindings(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct LimitStaysHere;

impl BindingDecisions for LimitStaysHere {
    fn limit_reaches(&self, here: bool) -> bool {
        here
    }
}

#[derive(Default)]
struct OffIsADay;

impl BindingDecisions for OffIsADay {
    fn typed(&self, span: Span) -> Span {
        if span.is_zero() {
            Span::hours(24)
        } else {
            span
        }
    }
}

#[derive(Default)]
struct AnybodyChangesIt;

impl BindingDecisions for AnybodyChangesIt {
    fn may_change(&self, _: Option<&PersonId>, _: &PersonId) -> bool {
        true
    }
}

#[derive(Default)]
struct NobodyChangesTheSystems;

impl BindingDecisions for NobodyChangesTheSystems {
    fn may_change(&self, by: Option<&PersonId>, from: &PersonId) -> bool {
        by == Some(from)
    }
}

#[derive(Default)]
struct AgentGetsTheCommand;

impl BindingDecisions for AgentGetsTheCommand {
    fn obeys(&self, command: Commanded) -> Obeys {
        if command.bound {
            Obeys::LeavesItToTheAgent
        } else {
            Obeys::Itself
        }
    }
}

#[derive(Default)]
struct BrokenSessionLocksOut;

impl BindingDecisions for BrokenSessionLocksOut {
    fn obeys(&self, command: Commanded) -> Obeys {
        if command.broken {
            Obeys::Ignores
        } else {
            Obeys::Itself
        }
    }
}

#[derive(Default)]
struct CloseEndsOne;

impl BindingDecisions for CloseEndsOne {
    fn close_reaches(&self, here: bool) -> bool {
        here
    }
}
