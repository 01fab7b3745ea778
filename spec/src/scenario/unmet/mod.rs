//! Which expectations of a story a trace does not meet.

mod seen;

use std::collections::BTreeSet;
use std::fmt;

use super::{Expectation, Scenario, SessionRef, Where};
use crate::effect::{Effect, Report};
use crate::id::Marker;
use crate::profile::Profile;
use crate::stimulus::{Opened, Stimulus};
use crate::time::{Span, Time};
use crate::trace::{Trace, What, World};
use seen::{Giving, Seen, has, is_continuation};

/// An expectation that was not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// Its number in the story, from 0.
    pub index: usize,
    /// The number of the entry that speaks against it, where one does.
    pub entry: Option<usize>,
    /// What was seen, as a sentence without its full stop.
    pub seen: String,
    /// What would have been right, likewise.
    pub right: String,
}

/// `alice was told of r1 twice; right is: alice is told of r1 once`.
impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; right is: {}", self.seen, self.right)
    }
}

/// The expectations that hold under this profile and were not met, in their order.
pub fn unmet(scenario: &Scenario, profile: &Profile, trace: &Trace) -> Vec<Unmet> {
    if scenario.expect.is_empty() {
        return Vec::new();
    }
    let seen = Seen::new(scenario, trace);
    let expectations = scenario.expect.iter().enumerate();
    expectations
        .filter(|(_, expect)| profile.has(&expect.where_dials))
        .filter_map(|(index, expect)| {
            let Against { entry, seen, right } = seen.judge(&expect.what).err()?;
            Some(Unmet {
                index,
                entry,
                seen,
                right,
            })
        })
        .collect()
}

/// What speaks against an expectation.
struct Against {
    entry: Option<usize>,
    seen: String,
    right: String,
}

type Judgement = Result<(), Against>;

fn against(entry: Option<usize>, seen: String, right: String) -> Judgement {
    Err(Against { entry, seen, right })
}

fn times(count: usize) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

fn wanted(count: Option<usize>) -> String {
    count.map_or("at least once".to_owned(), times)
}

fn enough(count: usize, wanted: Option<usize>) -> bool {
    wanted.map_or(count > 0, |wanted| count == wanted)
}

/// One text that stands in a conversation, in however many pieces.
struct Text<'a> {
    entry: usize,
    markers: BTreeSet<&'a Marker>,
    repeat: bool,
}

impl Seen<'_> {
    fn judge(&self, what: &Expectation) -> Judgement {
        match what {
            Expectation::Told {
                place,
                of,
                times,
                marked,
            } => self.told(place, of, *times, *marked),
            Expectation::NeverTold { place, of } => self.never_told(place, of),
            Expectation::Answered { call, status, says } => {
                self.answered(call, status.as_deref(), says.as_deref())
            }
            Expectation::Given {
                text,
                to,
                not_to,
                memory,
                remembers,
                forgets,
            } => {
                let wish = Wish {
                    to: to.as_ref(),
                    memory: memory.as_deref(),
                    remembers: remembers.as_deref(),
                    forgets: forgets.as_deref(),
                };
                self.given(text, &wish)?;
                not_to
                    .as_ref()
                    .map_or(Ok(()), |session| self.not_given_to(text, session))
            }
            Expectation::NeverGiven { text } => self.never_given(text),
            Expectation::Posted {
                place,
                says,
                at,
                times,
            } => self.posted(place, says, *at, *times),
            Expectation::Failed { run } => self.failed(run),
            Expectation::Threads { count } => self.opened(*count),
        }
    }

    /// The place in words, and where it is.
    fn place(&self, place: &Where) -> Result<(String, crate::address::Address), Against> {
        let words = match place {
            Where::Named(name) => name.clone(),
            Where::Thread { thread } => format!("thread {thread}"),
        };
        match self.address(place) {
            Some(address) => Ok((words, address)),
            None => Err(Against {
                entry: None,
                seen: format!("there is no {words}"),
                right: format!("{words} is opened"),
            }),
        }
    }

    fn told(
        &self,
        place: &Where,
        of: &str,
        count: Option<usize>,
        marked: Option<usize>,
    ) -> Judgement {
        let (words, address) = self.place(place)?;
        let tale = self.tale(of);
        let mut texts: Vec<Text<'_>> = Vec::new();
        for (entry, seen) in self.trace.entries.iter().enumerate() {
            let What::World(World::Posted { at, repeat, .. }) = &seen.what else {
                continue;
            };
            if *at != address || !tale.tells(entry, &seen.markers, false) {
                continue;
            }
            let markers: BTreeSet<&Marker> = seen
                .markers
                .iter()
                .filter(|marker| !is_continuation(marker))
                .collect();
            match texts.last_mut() {
                Some(text) if self.same_text(&text.markers, &markers) => {
                    text.markers.extend(markers);
                    text.repeat |= repeat;
                }
                Some(_) | None => texts.push(Text {
                    entry,
                    markers,
                    repeat: *repeat,
                }),
            }
        }
        let last = texts.last().map(|text| text.entry);
        if !enough(texts.len(), count) {
            let seen = format!("{words} was told of {of} {}", times(texts.len()));
            let right = format!("{words} is told of {of} {}", wanted(count));
            return against(last, seen, right);
        }
        let repeats = texts.iter().filter(|text| text.repeat).count();
        match marked {
            Some(wanted) if wanted != repeats => against(
                last,
                format!(
                    "{words} was told of {of} marked as a repeat {}",
                    times(repeats)
                ),
                format!(
                    "{words} is told of {of} marked as a repeat {}",
                    times(wanted)
                ),
            ),
            Some(_) | None => Ok(()),
        }
    }

    fn never_told(&self, place: &Where, of: &str) -> Judgement {
        let (words, address) = self.place(place)?;
        let tale = self.tale(of);
        for (entry, seen) in self.trace.entries.iter().enumerate() {
            if let What::Effect(Effect::Deliver(deliver)) = &seen.what
                && deliver.to == address
                && tale.tells(entry, &seen.markers, true)
            {
                return against(
                    Some(entry),
                    format!("delivery {} to {words} tells of {of}", deliver.delivery),
                    format!("{words} is never told of {of}"),
                );
            }
        }
        Ok(())
    }

    fn answered(&self, call: &str, status: Option<&str>, says: Option<&str>) -> Judgement {
        let right = match (status, says) {
            (None, None) => format!("call {call} is answered"),
            (Some(status), None) => format!("call {call} is answered {status}"),
            (None, Some(says)) => format!("call {call} is answered with {says:?}"),
            (Some(status), Some(says)) => {
                format!("call {call} is answered {status} with {says:?}")
            }
        };
        let answers = self.answers(call);
        let fits = |result: &serde_json::Value| {
            let found = result.get("status").and_then(serde_json::Value::as_str);
            status.is_none_or(|status| found == Some(status))
                && says.is_none_or(|says| has_words(result, says))
        };
        if answers.iter().any(|(_, result)| fits(result)) {
            return Ok(());
        }
        match (answers.last(), self.calls(call).is_empty()) {
            (Some((entry, result)), _) => against(
                Some(*entry),
                format!("call {call} was answered {result}"),
                right,
            ),
            (None, false) => against(None, format!("call {call} was never answered"), right),
            (None, true) => against(None, format!("call {call} was never made"), right),
        }
    }

    fn givings_of<'s>(&'s self, text: &'s str) -> impl Iterator<Item = &'s Giving<'s>> {
        self.givings
            .iter()
            .filter(move |giving| has(giving.markers, text))
    }

    fn given(&self, text: &str, wish: &Wish<'_>) -> Judgement {
        let key = wish.to.map(|to| (to, self.key(to)));
        if let Some((to, None)) = &key {
            return against(
                None,
                format!("there is no session of {}", to.0),
                wish.words(text),
            );
        }
        let key = key.and_then(|(_, key)| key);
        let fits = |giving: &&Giving<'_>| {
            let keyed = key.as_ref().is_none_or(|key| giving.key == key);
            keyed && wish.agrees(giving)
        };
        if self.givings_of(text).any(|giving| fits(&giving)) {
            return Ok(());
        }
        match self.givings_of(text).last() {
            None => against(
                None,
                format!("{text} was given to no run"),
                wish.words(text),
            ),
            Some(giving) => {
                let memory = if giving.before.is_empty() {
                    "nothing".to_owned()
                } else {
                    let names: Vec<&str> = giving.before.iter().map(|m| m.as_str()).collect();
                    names.join(", ")
                };
                let seen = format!(
                    "{text} was given to run {} in {}, which remembered {memory}",
                    giving.run, giving.key
                );
                against(Some(giving.entry), seen, wish.words(text))
            }
        }
    }

    fn not_given_to(&self, text: &str, session: &SessionRef) -> Judgement {
        let Some(key) = self.key(session) else {
            return Ok(());
        };
        match self.givings_of(text).find(|giving| *giving.key == key) {
            None => Ok(()),
            Some(giving) => against(
                Some(giving.entry),
                format!("{text} was given to run {} in {key}", giving.run),
                format!("{text} is not given to the session of {}", session.0),
            ),
        }
    }

    fn never_given(&self, text: &str) -> Judgement {
        match self.givings_of(text).next() {
            None => Ok(()),
            Some(giving) => against(
                Some(giving.entry),
                format!("{text} was given to run {} in {}", giving.run, giving.key),
                format!("{text} is given to no run"),
            ),
        }
    }

    fn posted(
        &self,
        place: &Where,
        says: &str,
        time: Option<Span>,
        count: Option<usize>,
    ) -> Judgement {
        let (words, address) = self.place(place)?;
        let on_time = |at: Time| time.is_none_or(|time| at.0.abs_diff(time.0) <= Span::secs(1).0);
        let with_words: Vec<usize> = (self.trace.entries.iter().enumerate())
            .filter(|(_, entry)| match &entry.what {
                What::World(World::Posted { at, text, .. }) => {
                    *at == address && text.contains(says)
                }
                What::Stimulus(_) | What::Effect(_) | What::World(_) => false,
            })
            .map(|(index, _)| index)
            .collect();
        let at = |index: &usize| self.trace.entries[*index].at;
        let found = with_words.iter().filter(|index| on_time(at(index))).count();
        if enough(found, count) {
            return Ok(());
        }
        let when: Vec<String> = with_words
            .iter()
            .map(|index| at(index).to_string())
            .collect();
        let when = match when.is_empty() {
            true => String::new(),
            false => format!(", at {}", when.join(" and at ")),
        };
        let wanted = wanted(count);
        let right = time.map_or(wanted.clone(), |time| {
            format!("{wanted}, at {}", Time::ZERO + time)
        });
        against(
            with_words.last().copied(),
            format!(
                "{says:?} was posted in {words} {}{when}",
                times(with_words.len())
            ),
            format!("it is posted there {right}"),
        )
    }

    fn failed(&self, run: &str) -> Judgement {
        let runs = self.runs(run);
        let reported = self.trace.entries.iter().any(|entry| match &entry.what {
            What::Effect(Effect::Report(Report::Failed { run, .. })) => runs.contains(run),
            What::Stimulus(_) | What::Effect(_) | What::World(_) => false,
        });
        match reported {
            true => Ok(()),
            false => against(
                None,
                format!("no failure of {run} was reported"),
                format!("the gateway reports a visible failure of {run}"),
            ),
        }
    }

    fn opened(&self, count: usize) -> Judgement {
        let opened = |what: &What| match what {
            What::Stimulus(Stimulus::ThreadOpened(answer)) => {
                matches!(answer.outcome, Opened::Opened { .. })
            }
            What::Stimulus(_) | What::Effect(_) | What::World(_) => false,
        };
        let entries = self.trace.entries.iter().enumerate();
        let found: Vec<usize> = entries
            .filter(|(_, entry)| opened(&entry.what))
            .map(|(index, _)| index)
            .collect();
        let threads = |count: usize| match count {
            0 => "no thread".to_owned(),
            1 => "1 thread".to_owned(),
            count => format!("{count} threads"),
        };
        match found.len() == count {
            true => Ok(()),
            false => against(
                found.last().copied(),
                format!("{} opened", threads(found.len())),
                format!("{} opened", threads(count)),
            ),
        }
    }
}

/// How a text is to be given.
struct Wish<'a> {
    to: Option<&'a SessionRef>,
    memory: Option<&'a str>,
    remembers: Option<&'a str>,
    forgets: Option<&'a str>,
}

impl Wish<'_> {
    /// Whether the agent remembers what it should at that moment; what it is given counts.
    fn agrees(&self, giving: &Giving<'_>) -> bool {
        let holds = |name: &str| {
            has(giving.markers, name) || giving.before.iter().any(|m| m.as_str() == name)
        };
        let fresh = giving.before.is_empty();
        self.memory
            .is_none_or(|memory| (memory == "fresh") == fresh)
            && self.remembers.is_none_or(holds)
            && self.forgets.is_none_or(|name| !holds(name))
    }

    fn words(&self, text: &str) -> String {
        let mut words = format!("{text} is given to a run");
        if let Some(to) = self.to {
            words += &format!(" in the session of {}", to.0);
        }
        let mut memory = Vec::new();
        match self.memory {
            Some("fresh") => memory.push("remembers nothing".to_owned()),
            Some(_) => memory.push("remembers what was before".to_owned()),
            None => (),
        }
        memory.extend(self.remembers.map(|name| format!("remembers {name}")));
        memory.extend(self.forgets.map(|name| format!("does not remember {name}")));
        if memory.is_empty() {
            return words;
        }
        format!("{words}, which {}", memory.join(" and "))
    }
}

/// Whether words stand anywhere in a value: in one of its texts, or as it is written.
fn has_words(value: &serde_json::Value, words: &str) -> bool {
    use serde_json::Value;
    let inside = match value {
        Value::String(text) => text.contains(words),
        Value::Array(elements) => elements.iter().any(|element| has_words(element, words)),
        Value::Object(members) => members.values().any(|member| has_words(member, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    };
    inside || value.to_string().contains(words)
}

#[cfg(test)]
mod tests;
