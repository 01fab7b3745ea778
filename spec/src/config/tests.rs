use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::address::Address;
use crate::profile::Profile;

#[track_caller]
fn refused(config: Value, path: &str, why: &str) {
    let error = Config::read(&config).unwrap_err();
    assert_eq!(error.path, path);
    assert!(error.why.contains(why), "{error}");
}

#[test]
fn what_is_not_understood_is_refused_at_its_path() {
    let session = |value: Value| json!({ "session": value });
    let idle = json!({"reset": {"idleMinutes": 0}});
    refused(session(idle), "session.reset.idleMinutes", "1 or more");
    let hour = json!({"reset": {"atHour": 24}});
    refused(session(hour), "session.reset.atHour", "0 to 23");
    let mode = json!({"reset": {"mode": "weekly"}});
    refused(session(mode), "session.reset.mode", "unknown variant");
    refused(json!({"sesion": {}}), "sesion", "unknown field `sesion`");
    let turns = json!({"agentToAgent": {"maxPingPongTurns": 6}});
    refused(
        session(turns),
        "session.agentToAgent.maxPingPongTurns",
        "0 to 5",
    );
    refused(
        session(json!({"mainKey": "work"})),
        "session.mainKey",
        "always",
    );
    refused(
        json!({"channels": {"x": {"threadBindings": {"idleHours": -1}}}}),
        "channels.x.threadBindings.idleHours",
        "0 or more",
    );
    refused(
        json!({"channels": {"x": {"requireMention": "no"}}}),
        "channels.x.requireMention",
        "expected a boolean",
    );
    let tools = |value: Value| json!({ "tools": value });
    let seen = json!({"sessions": {"visibility": "family"}});
    refused(
        tools(seen),
        "tools.sessions.visibility",
        "self, tree, agent or all",
    );
    let queue = |value: Value| json!({"messages": {"queue": value}});
    refused(queue(json!({"cap": 0})), "messages.queue.cap", "1 or more");
    refused(
        queue(json!({"mode": "interrupt"})),
        "messages.queue.mode",
        "unknown variant",
    );
    let children = |value: Value| json!({"agents": {"defaults": {"subagents": value}}});
    let path = "agents.defaults.subagents";
    for (key, wrong, right) in [
        ("maxSpawnDepth", 0, "1 to 5"),
        ("maxSpawnDepth", 6, "1 to 5"),
        ("maxChildrenPerAgent", 0, "1 to 20"),
        ("maxChildrenPerAgent", 21, "1 to 20"),
    ] {
        refused(
            children(json!({ key: wrong })),
            &format!("{path}.{key}"),
            right,
        );
    }
    let listed = json!({"agents": {"list": [{"id": "a"}, {"subagents": {}}]}});
    refused(listed, "agents.list[1]", "missing field `id`");
}

#[test]
fn the_bounds_themselves_are_understood() {
    for good in [
        json!({"session": {"reset": {"idleMinutes": 1, "atHour": 23}, "mainKey": "main"}}),
        json!({"session": {"reset": {"atHour": 0}, "agentToAgent": {"maxPingPongTurns": 0}}}),
        json!({"session": {"agentToAgent": {"maxPingPongTurns": 5}}}),
        json!({"agents": {"defaults": {"subagents": {"maxSpawnDepth": 5, "maxChildrenPerAgent": 20}}}}),
        json!({"agents": {"defaults": {"subagents": {"maxSpawnDepth": 1, "maxChildrenPerAgent": 1}}}}),
        json!({"tools": {"sessions": {"visibility": "ALL "}}, "messages": {"queue": {"cap": 1}}}),
        json!({"channels": {"x": {"threadBindings": {"idleHours": 0, "maxAgeHours": 0.5}}}}),
        Value::Null,
    ] {
        assert_eq!(Config::read(&good).err(), None, "{good}");
    }
}

#[test]
fn every_problem_is_found_and_nothing_else() {
    let config = json!({
        "session": {"idleMinutes": 30, "reset": {"idleMinutes": 0, "atHour": 4}, "dmScop": "main"},
        "channels": {"x": {"threadBindings": {"ttlHours": 2}}, "y": {"requireMention": 1}},
    });
    let dials = Profile::target().dials;
    let paths = |dials: &Dials| {
        let mut paths: Vec<String> = Config::problems(&config, dials)
            .into_iter()
            .map(|problem| problem.path)
            .collect();
        paths.sort();
        paths
    };
    let wrong = [
        "channels.y.requireMention",
        "session.dmScop",
        "session.reset.idleMinutes",
    ];
    assert_eq!(paths(&dials), wrong);
    let strict = Dials {
        legacy_keys: LegacyKeys::Refused,
        ..dials
    };
    let mut wrong: Vec<&str> = wrong.to_vec();
    wrong.extend(["channels.x.threadBindings.ttlHours", "session.idleMinutes"]);
    wrong.sort_unstable();
    assert_eq!(paths(&strict), wrong);
}

fn at(account: &str) -> Address {
    Address {
        channel: "chat".into(),
        account: account.into(),
        conversation: "general".into(),
        thread: None,
    }
}

/// Any value, of the shapes that configurations have.
fn any_value() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "session",
        "reset",
        "idleMinutes",
        "atHour",
        "mode",
        "channels",
        "x",
        "accounts",
        "threadBindings",
        "idleHours",
        "ttlHours",
        "enabled",
        "agents",
        "list",
        "id",
        "defaults",
        "subagents",
        "maxSpawnDepth",
        "tools",
        "sessions",
        "visibility",
        "messages",
        "queue",
        "cap",
        "byChannel",
        "requireMention",
        "identityLinks",
        "dmScope",
        "a.b",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..30).prop_map(Value::from),
        Just(json!(0.5)),
        prop::sample::select(vec!["main", "daily", "tree", "steer", "x", ""]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        let members = prop::collection::vec((keys.clone(), inner.clone()), 0..4);
        prop_oneof![
            4 => members.prop_map(|members| {
                Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
            1 => prop::collection::vec(inner, 0..3).prop_map(Value::Array),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// A configuration is understood or refused, whatever it is; the first problem is among all of
    /// them, and there are none exactly where it is understood.
    #[test]
    fn reading_never_panics_and_problems_agree_with_it(value in any_value()) {
        for legacy_keys in [LegacyKeys::Migrated, LegacyKeys::Refused] {
            let dials = Dials { legacy_keys, ..Profile::target().dials };
            let problems = Config::problems(&value, &dials);
            match Config::read_as(&value, &dials) {
                Ok(_) => prop_assert_eq!(problems, Vec::new()),
                Err(wrong) => prop_assert_eq!(problems.first(), Some(&wrong)),
            }
        }
    }

    /// However few or many layers speak, the strongest of them decides, and a weaker one changes
    /// nothing: the layers are in one total order.
    #[test]
    fn layers_are_in_one_order(says in prop::array::uniform5(prop::option::of(0_u8..3))) {
        let layers = Layer::ALL.into_iter().zip(says);
        let all = layers.fold(Layers::default(), |all, (layer, says)| all.with(layer, says));
        let strongest = says.into_iter().flatten().next();
        prop_assert_eq!(all.clone().decided(), strongest);
        prop_assert_eq!(all.strongest().map(|(_, says)| *says), strongest);
        for weaker in Layer::ALL {
            let stays = all.strongest().is_some_and(|(layer, _)| layer < weaker);
            if stays {
                prop_assert_eq!(all.clone().with(weaker, Some(9)).decided(), strongest);
            } else {
                prop_assert_eq!(all.clone().with(weaker, Some(9)).decided(), Some(9));
            }
        }
    }

    /// Every setting that several layers can give is decided by the same order.
    #[test]
    fn each_setting_follows_the_order(
        account in prop::option::of(any::<bool>()),
        channel in prop::option::of(any::<bool>()),
        own in prop::option::of(1_u32..6),
        all in prop::option::of(1_u32..6),
        hours in prop::array::uniform3(prop::option::of(0_u64..3)),
    ) {
        let config = json!({
            "session": {"threadBindings": {"idleHours": hours[2]}},
            "agents": {
                "defaults": {"subagents": {"maxSpawnDepth": all}},
                "list": [{"id": "main", "subagents": {"maxSpawnDepth": own}}],
            },
            "channels": {"chat": {
                "requireMention": channel, "allowBots": channel,
                "threadBindings": {"idleHours": hours[1]},
                "accounts": {"work": {
                    "requireMention": account, "allowBots": account,
                    "threadBindings": {"idleHours": hours[0]},
                }},
            }},
        });
        let config = Config::read(&config).unwrap();
        let decided = account.or(channel).unwrap_or(false);
        prop_assert_eq!(config.requires_mention(&at("work")), decided);
        prop_assert_eq!(config.allows_bots(&at("work")), decided);
        prop_assert_eq!(config.requires_mention(&at("home")), channel.unwrap_or(false));
        let depth = config.subagents(&"main".into(), |own| own.max_spawn_depth).decided();
        prop_assert_eq!(depth, own.or(all));
        let hours = hours.into_iter().flatten().next().unwrap_or(24);
        let limit = (hours > 0).then(|| crate::time::Span::hours(hours));
        prop_assert_eq!(config.binding_limits(&at("work")).idle, limit);
    }
}
