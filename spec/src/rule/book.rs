//! The rules as a text for people: `RULES.md` is this and nothing else.

use std::fmt::Write;

use super::{Keyword, Rule, all};
use crate::profile::Family;

const PREFACE: &str = "\
<!-- Written by moorline from the rules themselves. To write it anew:
     MOORLINE_BLESS=1 cargo test -p moorline-spec --test rules -->

# The rules

What a gateway is held to. Each rule has a checker beside its text in `src/rule`; once released, an
id keeps its meaning. A rule is judged by what can be seen from outside: what the gateway was told,
what it asked for, and what people saw. It passes only where a story put it to the test.

A *visible failure* is a message where the request came from or, where that takes none, a report of
the failure. *Dials* are the points where honest designs differ; a profile says how they stand.
";

/// Every rule, family by family, as Markdown.
pub fn book() -> String {
    let mut text = PREFACE.to_owned();
    for family in Family::ALL {
        let mut rules = all().iter().filter(|rule| rule.family == family).peekable();
        if rules.peek().is_none() {
            continue;
        }
        write!(text, "\n## {}\n", family.as_str()).expect("memory takes everything");
        for rule in rules {
            text.push_str(&entry(rule));
        }
    }
    text
}

fn entry(rule: &Rule) -> String {
    let keyword = match rule.keyword {
        Keyword::Must => "MUST",
        Keyword::Should => "SHOULD",
    };
    let listed = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let mut text = format!("\n### {}\n\n**{keyword}:** {}\n\n", rule.id, rule.text);
    if rule.relation.is_some() {
        text.push_str("- Judged by two plays that are compared.\n");
    }
    if !rule.dials.is_empty() {
        writeln!(text, "- Dials: {}", listed(rule.dials)).expect("memory takes everything");
    }
    writeln!(text, "- Sources: {}", rule.sources.join(", ")).expect("memory takes everything");
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::profile::Dials;

    #[test]
    fn every_rule_is_whole() {
        let mut ids = BTreeSet::new();
        let dials = serde_json::to_value(Dials::default()).unwrap();
        for rule in all() {
            let id = rule.id;
            assert!(ids.insert(id), "{id} is there once");
            let family = id.split_once('.').map(|(family, _)| family);
            assert_eq!(family, Some(rule.family.as_str()), "{id} is of its family");
            assert!(rule.text.ends_with('.'), "{id} is told in sentences");
            assert!(!rule.sources.is_empty(), "{id} comes from somewhere");
            let judged = (rule.checker.is_some(), rule.relation.is_some());
            assert!(
                matches!(judged, (true, false) | (false, true)),
                "{id} is judged one way"
            );
            for dial in rule.dials {
                assert!(
                    dials.get(dial).is_some(),
                    "{id} reads {dial}, which is a dial"
                );
            }
        }
        for id in crate::rule::OF_THE_DISK {
            let rule = all().iter().find(|rule| rule.id == id);
            let sees = rule.is_some_and(|rule| rule.sees.contains(&crate::rule::Kind::Persist));
            assert!(sees, "{id} looks at records");
        }
    }
}
