//! Interpreters that gateways are written for: a machine may lack one, CI may not.

use std::env;
use std::process::{Command, Stdio};

/// Whether it can be started. Where it cannot, the test says so and has nothing to do; in CI, whose
/// set-up installs it, that is a failure.
pub(crate) fn is_there(interpreter: &str) -> bool {
    let started = Command::new(interpreter)
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    let there = started.is_ok_and(|status| status.success());
    assert!(
        there || env::var_os("CI").is_none(),
        "{interpreter} is missing, and CI is to have it"
    );
    if !there {
        println!("skipped: {interpreter} is not on this machine");
    }
    there
}
