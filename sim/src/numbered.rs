//! Names that are counted.

use moorline_spec::id::Text;

/// A name with a number: `d7`, `post-7`, `m1.7`. Every message, run and post has some, so they are
/// put together without the machinery of formatting.
pub(crate) fn numbered(name: &[&str], number: u64) -> Text {
    // The number and the name before it are laid down from the end, where most fit.
    let mut whole = [0; 40];
    let mut start = whole.len();
    let mut rest = number;
    loop {
        start -= 1;
        whole[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    for part in name.iter().rev() {
        let Some(begin) = start.checked_sub(part.len()) else {
            return Text::from(format!("{}{number}", name.concat()));
        };
        whole[begin..start].copy_from_slice(part.as_bytes());
        start = begin;
    }
    std::str::from_utf8(&whole[start..]).map_or_else(|_| Text::default(), Text::from)
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
