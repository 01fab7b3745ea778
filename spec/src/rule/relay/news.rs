//! What a start or a steer tells a session of, where that is a child that somebody spawned.

use crate::facts::{BornAs, CallFacts, Facts, Role};
use crate::id::{Marker, RunId, SessionKey};

/// News of a child, by the latest-born of the texts that a session is given.
pub(in crate::rule) struct News<'f> {
    /// The child's run.
    pub(in crate::rule) child: &'f RunId,
    /// The spawn that it is for.
    pub(in crate::rule) call: &'f CallFacts,
    /// The text that tells of it.
    pub(in crate::rule) marker: &'f Marker,
    /// What that is.
    pub(in crate::rule) by: By,
    /// The session that is told.
    pub(in crate::rule) told: &'f SessionKey,
}

/// By what a child is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rule) enum By {
    /// Words that it said at an end.
    Words,
    /// Something that it said on its way.
    Progress,
    /// Its task.
    Task,
}

/// The news that the start or the steer brings which facts are up to date with. A turn that answers
/// a person's message brings none: whatever it is given it is given beside that.
pub(in crate::rule) fn news(facts: &Facts) -> Option<News<'_>> {
    let turn = facts.run_here()?;
    let (marker, born) = facts.texts_here().max_by_key(|(_, born)| born.entry)?;
    let (child, by) = match &born.what {
        BornAs::LastWords(run) => (run, By::Words),
        BornAs::Progress(run) => (run, By::Progress),
        BornAs::Parameter(call) => (facts.calls.get(call)?.run.as_ref()?, By::Task),
        BornAs::Message { .. } | BornAs::Internal => return None,
    };
    let (child, run) = facts.runs.get_key_value(child)?;
    let Role::Child(call) = &run.role else {
        return None;
    };
    // The turn that is for the task itself is no news of it.
    let own = matches!(&turn.role, Role::Child(id) if id == call) || turn.key == run.key;
    (!own).then_some(())?;
    Some(News {
        child,
        call: facts.calls.get(call)?,
        marker,
        by,
        told: &turn.key,
    })
}

/// Whether the session that asked may be gone, or begin anew, as far as can be seen.
pub(in crate::rule) fn may_be_gone(facts: &Facts, key: &SessionKey) -> bool {
    let archived = facts.archive_due(key).is_some_and(|due| due <= facts.now());
    let session = facts.sessions.get(key);
    archived
        || session
            .is_none_or(|session| session.deleted || session.told_to_forget || session.uncertain)
}
