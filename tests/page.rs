//! The HTML report in a real browser: it draws itself from its data, finds and follows, and asks
//! nothing of any network.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A browser without a window. In CI there has to be one.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let paths: Vec<PathBuf> = env::var_os("PATH")
        .map(|path| env::split_paths(&path).collect())
        .unwrap_or_default();
    let found = paths
        .iter()
        .flat_map(|path| names.map(|name| path.join(name)))
        .find(|file| file.is_file());
    if found.is_none() {
        assert!(
            env::var_os("CI").is_none(),
            "CI has a browser: .ci/run installs one"
        );
        eprintln!("skipped: no Chromium is here to look at the page with");
    }
    found
}

/// The page of a broken gateway that leaks, with a script behind it that plays a reader.
fn page(test: &str, reader: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("page-{test}"));
    fs::create_dir_all(&directory).expect("it can be made");
    let file = directory.join("report.html");
    let said = Command::new(env!("CARGO_BIN_EXE_moorline"))
        .args([
            "run",
            "isolation",
            "--broken",
            "completion-to-last-route",
            "--report",
        ])
        .arg(format!("html={}", file.display()))
        .output()
        .expect("the binary is there");
    assert_eq!(
        said.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let text = fs::read_to_string(&file).expect("the page was written");
    assert!(
        text.contains("default-src 'none'"),
        "it may ask nothing of any network"
    );
    let text = text.replace(
        "</body>",
        &format!("<script>{{{reader}}}</script>\n</body>"),
    );
    fs::write(&file, text).expect("it can be written");
    file
}

/// What stands in the page once its scripts have run.
fn drawn(browser: &Path, file: &Path) -> String {
    let profile = file.with_extension("profile");
    let said = Command::new(browser)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=3000",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("the browser starts");
    String::from_utf8_lossy(&said.stdout).into_owned()
}

/// What the reader wrote down.
#[track_caller]
fn noted(dom: &str, name: &str) -> String {
    let start = format!("data-{name}=\"");
    let (_, rest) = dom
        .split_once(&start)
        .unwrap_or_else(|| panic!("nothing noted of {name}"));
    rest.split('"').next().unwrap_or_default().to_owned()
}

#[test]
fn the_page_draws_what_went_wrong() {
    let Some(browser) = browser() else { return };
    let reader = r##"
        const note = (name, value) => document.body.setAttribute("data-" + name, value);
        window.addEventListener("error", (event) => note("error", event.message));
        note("verdict", document.querySelector("#verdict").textContent);
        note("broken", document.querySelectorAll("#matrix .cell.fail").length);
        note("findings", document.querySelectorAll("article").length);
        document.querySelectorAll("article details").forEach((one) => { one.open = true; });
        setTimeout(() => {
          note("pictures", document.querySelectorAll("article svg").length);
          note("placed", all.filter((one) => one.entry !== undefined).length);
          note("lit", document.querySelectorAll("article svg .halo").length);
          note("lanes", [...document.querySelectorAll("svg .lane-name")].slice(0, 2).map((one) => one.firstChild.data).join(" "));
          note("arrows", document.querySelector("svg").querySelectorAll("line.arrow").length);
          note("undefined", document.body.innerText.includes("undefined"));
          note("links", [...document.querySelectorAll("a")].every((a) => document.querySelector("[id='" + a.hash.slice(1) + "']")));
        }, 500);
    "##;
    let dom = drawn(&browser, &page("draws", reader));
    assert!(!dom.contains("data-error="), "{}", noted(&dom, "error"));
    assert_eq!(noted(&dom, "verdict"), "does not conform");
    let number = |name: &str| noted(&dom, name).parse::<u32>().expect("it is a number");
    assert!(number("broken") > 0);
    assert!(number("findings") > 0);
    assert_eq!(number("pictures"), number("findings"));
    assert!(number("lit") > 0);
    assert_eq!(number("lit"), number("placed"), "the breaking entry is lit");
    assert!(number("arrows") > 5);
    assert!(
        noted(&dom, "lanes").contains("telegram/"),
        "{}",
        noted(&dom, "lanes")
    );
    assert_eq!(noted(&dom, "undefined"), "false");
    assert_eq!(noted(&dom, "links"), "true");
}

#[test]
fn the_page_is_read_by_keyboard() {
    let Some(browser) = browser() else { return };
    let reader = r##"
        const note = (name, value) => document.body.setAttribute("data-" + name, value);
        const press = (key) => document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        const shown = () => [...document.querySelectorAll("article")].filter((one) => !one.hidden);
        press("j"); press("j");
        note("second", document.activeElement.id);
        press("k");
        note("first", document.activeElement.id);
        press("/");
        note("searching", document.activeElement.id);
        const search = document.querySelector("#search");
        search.value = "isolation.people";
        search.dispatchEvent(new Event("input"));
        note("found", shown().length > 0 && shown().every((one) => one.textContent.includes("isolation.people")));
        search.value = "no such words anywhere";
        search.dispatchEvent(new Event("input"));
        note("none", shown().length);
        press("Escape");
        note("all", shown().length === document.querySelectorAll("article").length);
        const article = document.querySelector("article");
        article.querySelectorAll("details").forEach((one) => { one.open = true; });
        setTimeout(() => {
          const marker = article.querySelector(".transcript .marker");
          marker.click();
          note("pressed", marker.getAttribute("aria-pressed"));
          note("faded", article.querySelectorAll("svg .dim").length > 0);
          marker.click();
          note("back", article.querySelectorAll("svg .dim").length);
        }, 500);
    "##;
    let dom = drawn(&browser, &page("keyboard", reader));
    let rows = [
        ("second", "finding-1"),
        ("first", "finding-0"),
        ("searching", "search"),
        ("found", "true"),
        ("none", "0"),
        ("all", "true"),
        ("pressed", "true"),
        ("faded", "true"),
        ("back", "0"),
    ];
    for (name, value) in rows {
        assert_eq!(noted(&dom, name), value, "{name}");
    }
}
