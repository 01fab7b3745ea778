//! Names that are counted.

use moorline_spec::id::Text;
use smol_str::SmolStrBuilder;

/// A name with a number: `d7`, `post-7`, `m1.7`. Every message, run and post has some, so they are
/// put together without the machinery of formatting.
pub(crate) fn numbered(name: &[&str], number: u64) -> Text {
    let mut whole = SmolStrBuilder::new();
    for part in name {
        whole.push_str(part);
    }
    whole.push_str(itoa::Buffer::new().format(number));
    whole.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_behind_the_name() {
        assert_eq!(numbered(&["d"], 0), "d0");
        assert_eq!(numbered(&["m1", "."], 12), "m1.12");
        assert_eq!(numbered(&[], u64::MAX), u64::MAX.to_string());
        let long = "a name that fits into no short text";
        assert_eq!(numbered(&[long, "."], 12), format!("{long}.12"));
    }
}
