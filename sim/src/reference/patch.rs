//! `sessions.patch`: what holds for a session from here on.

use moorline_spec::id::{CallId, SessionKey, Text};
use moorline_spec::time::Span;
use serde_json::{Value, json};

use super::Reference;
use super::journal::Dirty;

/// What lasts for all runs of a session.
const LASTING: [&str; 3] = ["model", "provider", "thinking"];
/// The longest label.
const LABEL_MAX: usize = 512;

impl Reference {
    pub(super) fn patch_call(&mut self, call: CallId, key: &SessionKey, params: &Value) {
        if let Err(why) = self.check_patch(key, params) {
            return self.refuse(call, why);
        }
        let Some(session) = self.state.sessions.get_mut(key) else {
            return;
        };
        if let Some(label) = params.get("label") {
            session.label = label.as_str().map(|label| Text::from(label.trim()));
        }
        if let Some(minutes) = params.get("archiveAfterMinutes") {
            session.archive_after = minutes.as_u64().map(Span::mins);
        }
        for name in LASTING {
            match params.get(name) {
                Some(Value::Null) => {
                    if let Some(lasting) = session.lasting.as_object_mut() {
                        lasting.remove(name);
                    }
                }
                Some(value) => session.lasting[name] = value.clone(),
                None => (),
            }
        }
        self.dirty(Dirty::Session(key.clone()));
        self.schedule_archive(key);
        self.answer(call, json!({"ok": true, "status": "ok", "key": key}));
    }

    /// Everything is looked at before anything is changed.
    fn check_patch(&self, key: &SessionKey, params: &Value) -> Result<(), String> {
        let names = params.as_object().into_iter().flatten();
        for (name, _) in names {
            let known = ["key", "label", "archiveAfterMinutes"].contains(&name.as_str());
            if !known && !LASTING.contains(&name.as_str()) {
                let there = LASTING.join(", ");
                return Err(format!(
                    "sessions.patch does not support \"{name}\"; there is key, \
                     label, archiveAfterMinutes, {there}"
                ));
            }
        }
        let minutes = &params["archiveAfterMinutes"];
        if !minutes.is_null() && minutes.as_u64().is_none_or(|minutes| minutes == 0) {
            return Err("`archiveAfterMinutes` is 1 or more, or null for never".to_owned());
        }
        let label = &params["label"];
        match label.as_str() {
            Some(label) => self.check_label(key, label.trim()),
            None if label.is_null() => Ok(()),
            None => Err("`label` is a text, or null to take it away".to_owned()),
        }
    }

    fn check_label(&self, key: &SessionKey, label: &str) -> Result<(), String> {
        let length = label.chars().count();
        if !(1..=LABEL_MAX).contains(&length) {
            return Err(format!(
                "`label` has {length} characters; write 1 to {LABEL_MAX}"
            ));
        }
        match self.by_label(label) {
            Some(other) if other != *key => Err(format!("label already in use: {label}")),
            Some(_) | None => Ok(()),
        }
    }
}
