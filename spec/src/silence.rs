//! Words by which agents say that they have nothing to say. They stand alone, or at an edge of a
//! text, where they are left out; no person reads them.

/// All of them.
const TOKENS: [&str; 3] = ["NO_REPLY", "ANNOUNCE_SKIP", "REPLY_SKIP"];

/// A text without the markers at its end, and without what is blank around it.
fn bare(text: &str) -> &str {
    let mut rest = text.trim_end();
    while rest.ends_with('⟧')
        && let Some(open) = rest.rfind('⟦')
    {
        rest = rest[..open].trim_end();
    }
    rest.trim_start()
}

fn is_word_end(after: Option<char>) -> bool {
    after.is_none_or(|c| !(c.is_alphanumeric() || c == '_'))
}

/// The token that a text consists of, where it does of nothing else.
pub fn token_of(text: &str) -> Option<&'static str> {
    let text = bare(text);
    TOKENS.into_iter().find(|token| *token == text)
}

/// Whether a text says nothing: it is blank, or a token.
pub fn is_silent(text: &str) -> bool {
    let text = text.trim_start();
    // What is said seldom begins with the first letter of a token.
    match text.as_bytes().first() {
        None => true,
        Some(b'N' | b'A' | b'R') => token_of(text).is_some(),
        Some(_) => false,
    }
}

/// Whether a text asks that nobody be told of it.
pub fn skips(text: &str) -> bool {
    token_of(text) == Some("ANNOUNCE_SKIP")
}

fn first_token(text: &str) -> Option<&'static str> {
    TOKENS.into_iter().find(|token| {
        let rest = text.strip_prefix(token);
        rest.is_some_and(|rest| is_word_end(rest.chars().next()))
    })
}

fn last_token(text: &str) -> Option<&'static str> {
    TOKENS.into_iter().find(|token| {
        let rest = text.strip_suffix(token);
        rest.is_some_and(|rest| is_word_end(rest.chars().next_back()))
    })
}

/// The token at the beginning of a text, or at its end.
pub fn edge_token(text: &str) -> Option<&'static str> {
    let text = bare(text);
    first_token(text).or_else(|| last_token(text))
}

/// A text without the tokens at its edges; as it is, where it has none or consists of nothing else.
pub fn spoken(text: &str) -> Option<String> {
    if !text.contains('_') || is_silent(text) {
        return None;
    }
    let whole = bare(text);
    let markers = &text.trim_end()[text.find(whole)? + whole.len()..];
    let mut rest = whole;
    while let Some(token) = first_token(rest) {
        rest = rest[token.len()..].trim_start();
    }
    while let Some(token) = last_token(rest) {
        rest = rest[..rest.len() - token.len()].trim_end();
    }
    (rest.len() < whole.len()).then(|| match rest {
        "" => markers.trim_start().to_owned(),
        rest => format!("{rest}{markers}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stands_alone_and_nothing_else_does() {
        for (text, token) in [
            ("NO_REPLY", Some("NO_REPLY")),
            (" NO_REPLY \n", Some("NO_REPLY")),
            ("ANNOUNCE_SKIP ⟦r1⟧", Some("ANNOUNCE_SKIP")),
            ("no_reply", None),
            ("NO_REPLY yet", None),
            ("NO_REPLYING", None),
            ("", None),
        ] {
            assert_eq!(token_of(text), token, "{text:?}");
        }
        assert!(is_silent("  ") && !is_silent("say NO_REPLY"));
        assert!(skips("ANNOUNCE_SKIP") && !skips("NO_REPLY"));
    }

    #[test]
    fn what_is_said_is_said_without_the_tokens_at_its_edges() {
        for (text, left) in [
            ("NO_REPLY all is well ⟦m1⟧", Some("all is well ⟦m1⟧")),
            (
                "all is well NO_REPLY ⟦m1⟧ ⟦m2⟧",
                Some("all is well ⟦m1⟧ ⟦m2⟧"),
            ),
            ("NO_REPLY REPLY_SKIP fine", Some("fine")),
            ("say NO_REPLY to be silent", None),
            ("MY_NO_REPLY is not a token", None),
            ("NO_REPLY", None),
            ("snake_case", None),
        ] {
            assert_eq!(spoken(text).as_deref(), left, "{text:?}");
            assert_eq!(
                spoken(text).is_some(),
                left.is_some() && edge_token(text).is_some()
            );
        }
    }
}
