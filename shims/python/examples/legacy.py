"""Bindings that an older gateway stored, taken over by the first life that finds them on its disk."""
from __future__ import annotations

import json
from typing import Any, Iterator, Optional


def text(record: dict, *names: str) -> Optional[str]:
    """The first of these that says something."""
    values = (record.get(name) for name in names)
    return next((value.strip() for value in values if isinstance(value, str) and value.strip()), None)


def number(value: Any) -> Optional[float]:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def bindings_of(record: str) -> Iterator[tuple]:
    """Channel, name and content of each binding in a stored file; of what does not read as one, nothing."""
    try:
        file = json.loads(record)
    except ValueError:
        return
    if isinstance(file, dict) and number(file.get("version")) == 1 and isinstance(file.get("channel"), str):
        stored = file.get("bindings")
        named = stored.items() if isinstance(stored, dict) else (("", one) for one in stored) if isinstance(stored, list) else ()
        yield from ((file["channel"], name, one) for name, one in named if isinstance(one, dict))


class Legacy:
    def migrate(self, disk: list) -> None:
        for record in disk:
            for channel, name, stored in bindings_of(record):
                self.take_over(channel, name, stored)

    def take_over(self, channel: str, name: str, stored: dict) -> None:
        account, _, id = name.rpartition(":")
        conversation, thread = text(stored, "channelId", "conversationId"), text(stored, "threadId")
        if conversation is None:
            conversation, thread = thread or id, None
        key = text(stored, "targetSessionKey", "sessionKey")
        if not conversation or not key:
            return
        bound, touched = self.stored_time(stored.get("boundAt")), self.stored_time(stored.get("lastActivityAt"))
        bound = bound if bound is not None else touched if touched is not None else self.now
        idle, max_age = self.stored_limits(stored, bound)
        at = {"channel": channel, "account": text(stored, "accountId") or account or "default", "conversation": conversation, "thread": thread}
        by = text(stored, "boundBy")
        self.open_session(key)
        self.data["bindings"][self.place(at)] = {
            "at": at, "key": key, "by": None if by == "system" else by, "bound": bound, "touched": max(touched or 0, bound),
            "idle": idle, "max_age": max_age, "debt": None}

    def stored_time(self, ms: Any) -> Optional[int]:
        """Milliseconds since 1970 as those since the start; what lies before that is as if it were its first instant."""
        ms = number(ms)
        return max(0, int(ms - self.instant(0) * 1000)) if ms and ms > 0 else None

    def stored_limits(self, stored: dict, bound: int) -> tuple:
        """The newer form has two limits. The older one has a single deadline, and that stays where it is."""
        idle, max_age, expires = (number(stored.get(name)) for name in ("idleTimeoutMs", "maxAgeMs", "expiresAt"))
        if idle is not None or max_age is not None or expires is None:
            return tuple(limit and max(0, int(limit)) for limit in (idle, max_age))
        return (0, max(1, self.stored_time(expires) - bound)) if expires > 0 else (0, 0)
