//! Where a process keeps its own disk: a directory that lives as long as a scenario.

use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs, process};

use super::error::DriverError;

static MADE: AtomicU64 = AtomicU64::new(0);

/// A directory of its own, gone with this value.
#[derive(Debug)]
pub(super) struct StateDir(String);

impl StateDir {
    pub(super) fn make() -> Result<Self, DriverError> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("moorline-{}-{number}", process::id()));
        let path = path.to_string_lossy().into_owned();
        // One left over by an earlier process of the same id is not ours to read.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|error| DriverError::Machine {
            what: format!("the directory {path} for the gateway's state could not be made"),
            why: error.to_string(),
        })?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &str {
        &self.0
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        // What cannot be removed is left to the machine's own cleaning.
        let _ = fs::remove_dir_all(&self.0);
    }
}
