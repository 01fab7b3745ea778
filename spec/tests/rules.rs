//! The rules that people read are those that are checked.

use std::fs;
use std::path::Path;

#[test]
fn the_book_of_rules_is_that_of_the_registry() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("RULES.md");
    let book = moorline_spec::rule::book();
    if std::env::var_os("MOORLINE_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, &book).unwrap();
    }
    assert!(
        fs::read_to_string(&path).is_ok_and(|text| text == book),
        "spec/RULES.md differs from the rules; if the change is meant, write it anew with\n\n    \
         MOORLINE_BLESS=1 cargo test -p moorline-spec --test rules\n\nand commit it"
    );
}
