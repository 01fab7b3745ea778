//! `moorline new` as a user meets it: what it writes is a gateway that can be judged at once.

mod interpreter;

use std::fs;
use std::path::{Path, PathBuf};

use snapbox::cmd::{Command, OutputAssert, cargo_bin};

/// A directory of its own for a test, empty.
fn directory(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("new")
        .join(test);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("it can be made");
    path
}

fn moorline(inside: &Path, arguments: &[&str]) -> OutputAssert {
    Command::new(cargo_bin!("moorline"))
        .args(arguments)
        .current_dir(inside)
        .env("NO_COLOR", "1")
        .env_remove("CLICOLOR_FORCE")
        .assert()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is UTF-8")
}

/// What it writes is judged from where it was called, and from elsewhere; it keeps what it claims.
#[track_caller]
fn is_judged_at_once(language: &str, interpreter: &str, main: &str) {
    let place = directory(language);
    let made = moorline(&place, &["new", "--lang", language, "my first/gw"]).code(0);
    let said = text(&made.get_output().stdout);
    let next = said
        .lines()
        .find_map(|line| line.split_once("moorline run --gateway "));
    let (_, command) = next.expect("it says how to go on");
    assert_eq!(
        command,
        format!(r"'{interpreter} '\''my first/gw/{main}'\'''")
    );
    if !interpreter::is_there(interpreter) {
        return;
    }
    let here = format!("{interpreter} 'my first/gw/{main}'");
    let whole = format!(
        "{interpreter} '{}'",
        place.join("my first/gw").join(main).display()
    );
    for (inside, command) in [(place.as_path(), here), (Path::new("/"), whole)] {
        let judged = moorline(inside, &["run", "isolation", "--gateway", &command]);
        let said = text(&judged.get_output().stdout);
        assert!(said.contains("my-gateway"), "{said}");
        let kept = said.split_once("\nconforms: ").expect("it conforms").1;
        assert!(!kept.starts_with("0 "), "{said}");
        judged.code(0);
    }
}

#[test]
fn a_gateway_in_python_is_judged_at_once() {
    is_judged_at_once("python", "python3", "gateway.py");
}

#[test]
fn a_gateway_in_typescript_is_judged_at_once() {
    is_judged_at_once("typescript", "node", "gateway.js");
}

#[test]
fn nothing_is_overwritten() {
    let place = directory("overwritten");
    fs::write(place.join("moorline_shim.py"), "mine").expect("it can be written");
    let output = moorline(&place, &["new", "--lang", "python", "."]).code(64);
    let said = text(&output.get_output().stderr);
    assert!(
        said.contains("moorline_shim.py is there already, and nothing was written"),
        "{said}"
    );
    assert_eq!(
        fs::read_to_string(place.join("moorline_shim.py"))
            .ok()
            .as_deref(),
        Some("mine")
    );
    assert!(!place.join("gateway.py").exists(), "nothing was written");
}

#[test]
fn where_it_cannot_write_it_says_where() {
    let place = directory("file");
    fs::write(place.join("gw"), "a file").expect("it can be written");
    let output = moorline(&place, &["new", "--lang", "python", "gw"]).code(64);
    let said = text(&output.get_output().stderr);
    assert!(said.starts_with("moorline: gw: "), "{said}");
}

#[test]
fn a_language_that_it_does_not_know_is_answered_with_those_it_knows() {
    let output = moorline(&directory("language"), &["new", "--lang", "cobol", "gw"]).code(64);
    let said = text(&output.get_output().stderr);
    assert!(said.contains("python, typescript"), "{said}");
}

/// The first rule that a gateway to begin with names is one that there is, and that it lacks.
#[test]
fn the_rule_to_implement_next_is_one() {
    for (language, main) in [("python", "gateway.py"), ("typescript", "gateway.js")] {
        let place = directory(&format!("next-{language}"));
        moorline(&place, &["new", "--lang", language, "gw"]).code(0);
        let source = fs::read_to_string(place.join("gw").join(main)).expect("it was written");
        let rule = source
            .split("moorline explain ")
            .nth(1)
            .and_then(|rest| rest.split('`').next());
        let rule = rule.expect("it names a rule");
        moorline(&place, &["explain", rule.trim_end_matches(':')]).code(0);
        let story = source
            .split("moorline replay ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        moorline(&place, &["replay", story.expect("it names a story")]).code(0);
    }
}
