//! `spec/SESSIONS.md` tells stories as the reference plays them, to the letter.

use std::path::Path;

use moorline::fixtures;
use moorline::gate::{Gate, Outcome};

/// What begins a story in the page; the name of its fixture follows, and then its transcript.
const BEGINS: &str = "<!-- story: ";

/// The page with each transcript as it is played.
fn told(page: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let named = fixtures::on_disk(&root).expect("the fixtures read");
    let mut parts = page.split(BEGINS);
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (id, rest) = part.split_once(" -->").expect("a story names its fixture");
        let (_, after) = rest.split_once("\n```\n").expect("a story ends");
        let fixture = named.iter().find(|named| named.id == id);
        let fixture = fixture.unwrap_or_else(|| panic!("there is no fixture {id}"));
        let Outcome::Played(played) = Gate::reference(None).play(fixture.scenario()) else {
            panic!("{id} was not played");
        };
        let transcript = played.trace.transcript();
        let transcript = transcript.trim_end();
        told += &format!("{BEGINS}{id} -->\n\n```text\n{transcript}\n```\n{after}");
    }
    told
}

#[test]
fn the_page_of_sessions_is_true_to_the_transcripts() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("spec/SESSIONS.md");
    let page = std::fs::read_to_string(&file).expect("the page can be read");
    let right = told(&page);
    if std::env::var_os("MOORLINE_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&file, right).expect("the page can be written");
        return;
    }
    let stories = page.matches(BEGINS).count();
    assert!(2 <= stories, "the page tells a story and its opposite");
    assert_eq!(
        page, right,
        "the stories are told otherwise now; write the page anew with\n\n    \
         MOORLINE_BLESS=1 cargo test -p moorline --test sessions_page\n\nand commit it"
    );
}
