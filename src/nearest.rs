//! A misspelt name is answered with the nearest known one.

/// `; did you mean "relay.once"?`, or a few of the known names, or nothing.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let near = known
        .iter()
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .filter(|&(distance, _)| distance <= name.chars().count().div_ceil(3).max(2))
        .min();
    match near {
        Some((_, near)) => format!("; did you mean {near:?}?"),
        None if known.is_empty() => String::new(),
        None if known.len() <= 8 => format!("; there is {}", known.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_or_all_of_a_few() {
        let known = ["relay.once", "relay.origin"];
        assert_eq!(
            did_you_mean("relay.onse", known.into_iter()),
            "; did you mean \"relay.once\"?"
        );
        assert_eq!(
            did_you_mean("binding", known.into_iter()),
            "; there is relay.once, relay.origin"
        );
    }
}
