//! Frozen sets of rules, by date: whoever conformed to one conforms to it tomorrow, whatever rules
//! come after.

/// The rules that were required at a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements {
    /// The date, as it is asked for: `2026-11-28`.
    pub date: &'static str,
    /// The ids of its rules.
    pub rules: Vec<&'static str>,
}

/// The files under `spec/requirements`, the oldest first.
const FROZEN: [(&str, &str); 1] = [("2026-11-28", include_str!("../requirements/2026-11-28.txt"))];

/// All sets, the oldest first.
pub fn all() -> Vec<Requirements> {
    let sets = FROZEN.into_iter();
    sets.map(|(date, text)| Requirements {
        date,
        rules: ids(text).collect(),
    })
    .collect()
}

/// The set of a date.
pub fn of(date: &str) -> Option<Requirements> {
    all().into_iter().find(|set| set.date == date)
}

impl Requirements {
    /// Whether a rule was required then.
    pub fn has(&self, rule: &str) -> bool {
        self.rules.contains(&rule)
    }
}

/// One id a line; what begins with `#` is for people.
fn ids(text: &'static str) -> impl Iterator<Item = &'static str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule;

    #[test]
    fn every_rule_of_a_set_is_still_there() {
        for set in all() {
            for id in &set.rules {
                assert!(
                    rule::named(id).is_some(),
                    "{id} of {} is gone; ids keep their meaning",
                    set.date
                );
            }
        }
    }

    #[test]
    fn sets_grow_with_time() {
        for pair in all().windows(2) {
            assert!(pair[0].date < pair[1].date);
            assert!(
                pair[0].rules.iter().all(|id| pair[1].has(id)),
                "{}",
                pair[1].date
            );
        }
    }
}
