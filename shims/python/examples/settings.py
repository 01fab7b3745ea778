"""What the configuration says, and how session keys are spelled."""
from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, List, Optional, Tuple
from zoneinfo import ZoneInfo

from configuration import problems
from moorline_shim import length_of_time

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
MADE = ("subagent", "acp", "cron", "hook", "explicit", "dashboard")


def dig(value: Any, *path: str) -> Any:
    """What stands at a path of keys, or None."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def first(*values: Any) -> Any:
    """The first that says something; 0 and False do."""
    return next((value for value in values if value is not None), None)


def segment(name: str) -> str:
    """A name between the colons of a key."""
    if name.lower() in ("direct", "group", "channel", "thread", "agent", *MADE):
        return f"%{ord(name[0]):02x}{name[1:]}"
    return re.sub(r"[:%\s]", lambda c: "".join(f"%{byte:02x}" for byte in c[0].encode()), name)


def opaque(name: str) -> str:
    """An id at the end of a key: nothing in it reads as the beginning of a thread."""
    name = name.replace("%", "%25")
    return re.sub(r"(?i)(^|:)(thread:)", lambda m: m[1].replace(":", "%3A") + (m[2] if m[1] else "%74" + m[2][1:]), name)


class Settings:
    """Mixed into the gateway: `self.config`, `self.agents`, `self.channels` are as `open` gave them."""

    config: dict
    agents: List[str]
    channels: dict

    def take_config(self, config: Optional[dict]) -> None:
        """The whole of it, or, where something in it means nothing, nothing of it."""
        wrong = list(problems(config or {}))
        for path, why in wrong:
            self.effects.refuse_config(path, why)
        if not wrong:
            self.config = config or {}

    # ---- Sessions ----

    def session_key(self, message: dict) -> str:
        """The session of whoever writes there, where nothing is bound."""
        at, thread = self.first_id(message["at"]), message["at"].get("thread")
        channel, account = segment(at["channel"]), segment(at["account"])
        conversation = self.cased(at["channel"], at["conversation"])
        agent, bound = self.route(at, message["kind"])
        if bound:
            return f"agent:{segment(agent)}:acp:binding:{channel}:{account}:{opaque(conversation)}"
        base = f"agent:{agent or self.agents[0]}"
        if message["kind"] != "direct":
            middle = channel if at["account"] == "default" else f"{channel}:{account}"
            key = f"{base}:{middle}:group:{opaque(conversation)}"
            return f"{key}:thread:{opaque(self.cased(at['channel'], thread))}" if thread else key
        peer = opaque(self.cased(at["channel"], self.linked(at["channel"], message["from"]) or at["conversation"]))
        key = {
            "main": f"{base}:main",
            "per-peer": f"{base}:direct:{peer}",
            "per-channel-peer": f"{base}:{channel}:direct:{peer}",
            "per-account-channel-peer": f"{base}:{channel}:{account}:direct:{peer}",
        }[dig(self.config, "session", "dmScope") or "main"]
        # The number of a topic is its own only in its conversation.
        return f"{key}:thread:{opaque(self.cased(at['channel'], at['conversation'] + ':' + thread))}" if thread else key

    def route(self, at: dict, kind: str) -> Tuple[Optional[str], bool]:
        """The agent that is configured for a place, and whether it has a session of its own there. The closest entry decides."""
        best, found = -1, (None, False)
        for entry in self.config.get("bindings") or ():
            match, bound = entry["match"], entry.get("type") == "acp"
            account, peer = match.get("accountId") or "default", match.get("peer")
            if match["channel"] != at["channel"] or account not in ("*", at["account"]) or bound and not peer:
                continue
            if peer and (peer["id"] != at["conversation"] or (peer["kind"] == "direct") != (kind == "direct")):
                continue
            named = int(account != "*")
            closeness = 3 + named if bound else 2 if peer else named
            if closeness > best:
                best, found = closeness, (entry["agentId"], bound)
        return found

    def cased(self, channel: str, name: str) -> str:
        folded = dig(self.channels, channel, "capabilities", "id_case") == "folded"
        return name.lower() if folded else name

    def linked(self, channel: str, person: str) -> str:
        names = {person.lower(), f"{channel}:{person}".lower()}
        for name, peers in (dig(self.config, "session", "identityLinks") or {}).items():
            if names & {peer.lower() for peer in peers}:
                return name
        return person

    def spelled(self, raw: str) -> str:
        """The one spelling of a session key; a `ValueError` says why a text is none."""
        name = raw.strip()
        if name.lower() in ("global", "unknown"):
            return name.lower()
        head, colon, rest = name.partition(":")
        agent = self.agents[0]
        if head.strip().lower() == "agent":
            agent, colon, name = (part.strip() for part in rest.partition(":"))
            known = [own for own in self.agents if own.lower() == agent.lower()]
            if colon and name and not known:
                raise ValueError(f'unknown agent id "{agent}" (there is {", ".join(self.agents)})')
            agent = known[0] if known else agent
        if not name or name.startswith(":") or name.partition(":")[0].strip().lower() == "agent":
            raise ValueError(f"malformed session key; write agent:<agent>:<name> (got {raw!r})")
        split = re.match(r"(?is)(.+):thread:(.*\S.*)$", name)
        base, thread = (split[1], split[2].strip()) if split else (name, None)
        base, channel = self.spelled_base(base)
        if thread is not None and channel:
            thread = self.cased(channel, thread)
        return f"agent:{agent}:{base}" + (f":thread:{thread}" if thread else "")

    def spelled_base(self, base: str):
        """What stands between agent and thread, and the channel that it is of."""
        parts = base.split(":")
        words = [part.lower() for part in parts]
        kinds = [at for at in (1, 2) if len(parts) > at + 1 and words[at] in ("direct", "group", "channel")]
        if words[0] == "direct" and len(parts) > 1:
            return ":".join(["direct", *parts[1:]]), None
        if words[0] in MADE or not kinds:
            return base.lower(), None
        at = kinds[0]
        kind = "direct" if words[at] == "direct" else "group"
        channel = next((own for own in self.channels if own.lower() == words[0]), words[0])
        accounts = [own for own in dig(self.channels, channel, "accounts") or () if own.lower() == words[1]]
        middle = [accounts[0] if accounts else parts[1]] if at == 2 else []
        if kind == "group" and middle == ["default"]:
            middle = []
        return ":".join([channel, *middle, kind, self.cased(channel, ":".join(parts[at + 1:]))]), channel

    def reset_due(self, session: dict, at: int, channel: str, kind: str) -> bool:
        """Whether a message finds its session too old: both comparisons are strict."""
        settings = self.config.get("session") or {}
        policy = dig(settings, "resetByChannel", channel)
        if policy is None:
            by_type = settings.get("resetByType") or {}
            own = by_type.get(kind) or (by_type.get("dm") if kind == "direct" else None)
            default = "daily" if own is not None or settings.get("reset") is not None else "idle"
            policy = {"mode": default, **(settings.get("reset") or {}), **(own or {})}
            policy.setdefault("idleMinutes", settings.get("idleMinutes"))
        mode, idle = policy.get("mode", "daily"), policy.get("idleMinutes")
        if mode == "none":
            return False
        if idle and at - session["spoken"] > idle * MINUTE:
            return True
        return mode == "daily" and self.instant(session["began"]) < self.last_hour(at, first(policy.get("atHour"), 4))

    def instant(self, ms: int) -> float:
        return (self.starts_at + timedelta(milliseconds=ms)).timestamp()

    def last_hour(self, at: int, hour: int) -> float:
        """The last time that the clocks of the gateway's zone showed that hour."""
        here = datetime.fromtimestamp(self.instant(at), self.zone)
        sharp = here.replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)
        if sharp.timestamp() > self.instant(at):
            sharp -= timedelta(days=1)
        return sharp.timestamp()

    # ---- Channels and agents ----

    def of_channel(self, at: dict, key: str) -> Any:
        """What the account says of it, else the channel."""
        channel = dig(self.config, "channels", at["channel"])
        return first(dig(channel, "accounts", at["account"], key), dig(channel, key))

    def is_switched_off(self, at: dict) -> bool:
        """Whether the account of a place neither hears nor speaks."""
        return dig(self.config, "channels", at["channel"], "accounts", at["account"], "enabled") is False

    def of_agent(self, agent: str, part: str, key: str) -> Any:
        """What holds for that agent, else for all."""
        listed = [own for own in dig(self.config, "agents", "list") or () if own.get("id") == agent]
        own = dig(listed[0], part, key) if listed else None
        return first(own, dig(self.config, "agents", "defaults", part, key))

    def of_bindings(self, at: dict, *keys: str) -> Any:
        """What the nearest level of `threadBindings` says; an older name stands behind its present one."""
        channel = dig(self.config, "channels", at["channel"])
        levels = (dig(channel, "accounts", at["account"]), channel, self.config.get("session"))
        return first(*(dig(level, "threadBindings", key) for level in levels for key in keys))

    def limits(self, binding: dict) -> dict:
        """Its limits in milliseconds, its own before those of the configuration; one that is off is None."""
        at = binding["at"]
        idle = first(binding["idle"], round(first(self.of_bindings(at, "idleHours", "ttlHours"), 24) * HOUR))
        age = first(binding["max_age"], round(first(self.of_bindings(at, "maxAgeHours"), 0) * HOUR))
        return {"idle": idle or None, "max_age": age or None}

    def threads(self, at: dict) -> dict:
        return dig(self.channels, at["channel"], "capabilities", "threads") or {}

    def can_bind(self, at: dict, direct: bool) -> bool:
        threads = self.threads(at)
        return threads.get("placement", "none") != "none" and (not direct or threads.get("in_direct", False))

    def window(self, channel: str, name: str) -> int:
        """A length of time that a channel declares; 0 where it has none."""
        return length_of_time(dig(self.channels, channel, "capabilities", name) or "") or 0

    def open_settings(self, frame: dict) -> None:
        self.starts_at = datetime.fromisoformat(frame["starts_at"].replace("Z", "+00:00"))
        self.zone = ZoneInfo(frame["timezone"])
        self.agents = frame["agents"] or ["main"]
        self.channels = {channel["id"]: channel for channel in frame["channels"]}
        self.config = {}
        self.take_config(frame["config"])
