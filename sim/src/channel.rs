//! Profiles of real channels: data, and where each was read. Code asks for a profile by the name a
//! scenario gives, and then follows what it declares.

use std::sync::LazyLock;

use moorline_spec::channel::{Capabilities, Source, Threading};
use moorline_spec::id::Text;
use serde::Deserialize;

/// What is known of one channel.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelProfile {
    /// What it can do.
    pub capabilities: Capabilities,
    /// The threading policy of its plugin, where it declares one.
    #[serde(default)]
    pub threading: Threading,
    /// Where all this was read.
    pub sources: Vec<Source>,
    /// What a reader of the numbers should know.
    #[serde(default)]
    pub notes: Vec<Text>,
    /// What is not known, and left out for that reason.
    #[serde(default)]
    pub unknown: Vec<Text>,
}

const FILES: [(&str, &str); 20] = [
    ("discord", include_str!("../channels/discord.json")),
    ("feishu", include_str!("../channels/feishu.json")),
    ("googlechat", include_str!("../channels/googlechat.json")),
    ("imessage", include_str!("../channels/imessage.json")),
    ("irc", include_str!("../channels/irc.json")),
    ("line", include_str!("../channels/line.json")),
    ("matrix", include_str!("../channels/matrix.json")),
    ("mattermost", include_str!("../channels/mattermost.json")),
    ("msteams", include_str!("../channels/msteams.json")),
    ("nostr", include_str!("../channels/nostr.json")),
    ("signal", include_str!("../channels/signal.json")),
    ("slack", include_str!("../channels/slack.json")),
    ("telegram", include_str!("../channels/telegram.json")),
    ("twitch", include_str!("../channels/twitch.json")),
    ("webchat", include_str!("../channels/webchat.json")),
    ("wechat_oa", include_str!("../channels/wechat_oa.json")),
    ("wecom", include_str!("../channels/wecom.json")),
    ("whatsapp", include_str!("../channels/whatsapp.json")),
    (
        "whatsapp_web",
        include_str!("../channels/whatsapp_web.json"),
    ),
    ("zalo_bot", include_str!("../channels/zalo_bot.json")),
];

const NAMES: [&str; FILES.len()] = {
    let mut names = [""; FILES.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = FILES[index].0;
        index += 1;
    }
    names
};

static PROFILES: LazyLock<Vec<ChannelProfile>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(_, text)| serde_json::from_str(text).expect("a shipped channel profile is one"))
        .collect()
});

/// The names of the channel profiles there are.
pub fn names() -> &'static [&'static str] {
    &NAMES
}

/// The channel profile of that name.
///
/// # Panics
///
/// Never: a test reads every one of them.
pub fn named(name: &str) -> Option<&'static ChannelProfile> {
    let index = NAMES.iter().position(|&known| known == name)?;
    PROFILES.get(index)
}

#[cfg(test)]
mod tests {
    use moorline_spec::channel::Placement;

    use super::*;

    #[test]
    fn each_profile_reads_and_says_where_it_was_read() {
        for name in names() {
            let profile = named(name).unwrap();
            assert!(!profile.sources.is_empty(), "{name}");
            for source in &profile.sources {
                assert!(!source.place.is_empty(), "{name}");
                assert!(!source.supports.is_empty(), "{name}");
                assert!(!source.class.is_empty(), "{name}");
            }
            assert_eq!(profile.threading, Threading::default(), "{name}");
        }
        assert_eq!(named("nowhere"), None);
    }

    #[test]
    fn only_channels_with_threads_open_children() {
        let children = names()
            .iter()
            .filter(|name| named(name).unwrap().capabilities.threads.placement == Placement::Child);
        assert_eq!(children.copied().collect::<Vec<_>>(), ["discord", "matrix"]);
    }
}
