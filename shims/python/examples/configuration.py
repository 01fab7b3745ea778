"""Which keys a configuration may have, and which values mean something. What is not understood is refused at its path."""
from __future__ import annotations

from typing import Any, Callable, Iterator, Optional, Tuple

from moorline_shim import length_of_time

Check = Callable[[Any], Optional[str]]


def number(least: float, most: Optional[float] = None, whole: bool = True) -> Check:
    right = f"write {least} or more" if most is None else f"write {least} to {most}"

    def check(value: Any) -> Optional[str]:
        kind = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        fits = kind and least <= value < float("inf") and (most is None or value <= most)
        return None if fits else f"{value!r} is out of range; {right}"
    return check


def word(*words: str) -> Check:
    return lambda value: None if isinstance(value, str) and value.strip().lower() in words else f"{value!r} is not one of {', '.join(words)}"


def kind(of: type, name: str) -> Check:
    return lambda value: None if isinstance(value, of) else f"{value!r} is not {name}"


def span(value: Any) -> Optional[str]:
    return None if isinstance(value, str) and length_of_time(value) else f'{value!r} is no length of time; write one such as "30d"'


FLAG, TEXT = kind(bool, "true or false"), kind(str, "a text")
MINUTES, HOURS, SECONDS = number(1), number(0, whole=False), number(0)
RESET = {"mode": word("daily", "idle", "none"), "atHour": number(0, 23), "idleMinutes": MINUTES}
BINDINGS = {"enabled": FLAG, "idleHours": HOURS, "maxAgeHours": HOURS, "ttlHours": HOURS, "spawnSubagentSessions": FLAG}
ACCOUNT = {"requireMention": FLAG, "allowBots": FLAG, "threadBindings": BINDINGS}
MODE = word("followup", "steer", "queue", "collect")
AGENT = {
    "subagents": {
        "maxSpawnDepth": number(1, 5), "maxChildrenPerAgent": number(1, 20), "maxConcurrent": number(1), "runTimeoutSeconds": SECONDS,
        "allowAgents": [TEXT], "requireAgentId": FLAG, "archiveAfterMinutes": SECONDS, "model": TEXT, "thinking": TEXT},
    "heartbeat": {"to": {"channel": TEXT, "account": TEXT, "conversation": TEXT, "thread": TEXT}},
}
# A key is a name or, where any name may stand, "*". A list has one check for each of its values.
KEYS = {
    "session": {
        "dmScope": word("main", "per-peer", "per-channel-peer", "per-account-channel-peer"), "identityLinks": {"*": [TEXT]},
        "reset": RESET, "resetByType": {"direct": RESET, "dm": RESET, "group": RESET, "thread": RESET},
        "resetByChannel": {"*": RESET}, "idleMinutes": MINUTES, "mainKey": word("main"), "threadBindings": BINDINGS,
        "agentToAgent": {"maxPingPongTurns": number(0, 5)},
        "maintenance": {"mode": word("warn", "enforce"), "pruneAfter": span, "maxEntries": number(1)}},
    "channels": {"*": {**ACCOUNT, "accounts": {"*": {**ACCOUNT, "enabled": FLAG}}}},
    "agents": {"defaults": AGENT, "list": [{"id": TEXT, **AGENT}]},
    "messages": {"queue": {"mode": MODE, "byChannel": {"*": MODE}, "cap": number(1), "drop": word("old", "new")}},
    "tools": {"sessions": {"visibility": word("self", "tree", "agent", "all")}, "agentToAgent": {"enabled": FLAG, "allow": [TEXT]}},
    "bindings": [{"type": word("route", "acp"), "agentId": TEXT, "match": {
        "channel": TEXT, "accountId": TEXT, "peer": {"kind": word("direct", "group", "channel"), "id": TEXT}}}],
    "acp": {"enabled": FLAG, "defaultAgent": TEXT, "allowedAgents": [TEXT]},
}


def problems(value: Any, keys: Any = KEYS, path: str = "") -> Iterator[Tuple[str, str]]:
    """Every place where something is wrong, and what."""
    if value is None:
        return
    if callable(keys):
        why = keys(value)
        if why:
            yield path, why
    elif isinstance(keys, list):
        for index, inner in enumerate(value) if isinstance(value, list) else ():
            yield from problems(inner, keys[0], f"{path}[{index}]")
        if not isinstance(value, list):
            yield path, f"{value!r} is no list"
    elif not isinstance(value, dict):
        yield path, f"{value!r} is no object"
    else:
        for name, inner in value.items():
            at = f"{path}.{name}" if path else name
            if name in keys or "*" in keys:
                yield from problems(inner, keys.get(name, keys.get("*")), at)
            else:
                yield at, f"unknown key; there is {', '.join(keys)}"
