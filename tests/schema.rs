//! The schemas that are checked in are those of the types.

use std::fs;
use std::path::Path;

/// The files under `spec/schema`, and their texts.
fn files() -> Vec<(&'static str, String)> {
    let report = ("report.schema.json", moorline::report::schema());
    moorline_spec::schema::files()
        .into_iter()
        .chain([report])
        .collect()
}

#[test]
fn checked_in_schemas_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("spec/schema");
    let bless = std::env::var_os("MOORLINE_BLESS").is_some_and(|value| value == "1");
    let mut drifted = Vec::new();
    for (name, text) in files() {
        let path = folder.join(name);
        if bless {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, text).unwrap();
        } else if fs::read_to_string(&path).ok().as_deref() != Some(&*text) {
            drifted.push(name);
        }
    }
    assert!(
        drifted.is_empty(),
        "{drifted:?} under spec/schema differ from the types; if the change is meant, write them \
         anew with\n\n    MOORLINE_BLESS=1 cargo test -p moorline --test schema\n\nand commit them"
    );
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name();
        let files = files();
        let known = files.iter().any(|(known, _)| name == **known);
        assert!(
            known,
            "{name:?} lies beside them and is the schema of no type"
        );
    }
}
