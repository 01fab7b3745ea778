"""What agents remember, by key: opened, begun anew, deleted, and found by whoever names one."""
from __future__ import annotations

from fnmatch import fnmatchcase
from typing import List, Optional

from moorline_shim import caller, length_of_time
from settings import MADE, MINUTE, dig
from turns import is_silent

LASTING = ("model", "provider", "thinking")  # What `sessions.patch` can set for all runs of a session.
LINES_MAX = 64  # How much is shown of a session that is nobody's child.


def is_meant(agent: str, pattern: str) -> bool:
    """Exactly, or, where it has stars, whatever its case."""
    return fnmatchcase(agent.lower(), pattern.lower()) if "*" in pattern else agent == pattern


class Sessions:
    """`self.data["sessions"]` holds them by key. The id is another one after each fresh start."""

    def open_session(self, key: str) -> dict:
        """The session of that key, new where there is none."""
        session = self.data["sessions"].get(key)
        if session and not (self.is_enforced() and self.is_old(session) and self.is_spare(session)):
            return session
        parts = key.split(":")
        agent = parts[1] if parts[0] == "agent" and len(parts) > 2 else self.agents[0]
        session = self.data["sessions"][key] = self.new_session(key, agent)
        self.maintain(key)
        return session

    def new_session(self, key: str, agent: str, **more) -> dict:
        return {"key": key, "id": self.ids.new("session"), "agent": agent, "fresh": True, "began": self.now,
                "spoken": self.now, "written": self.now, "lines": [], "lasting": {}, **more}

    def rotate(self, session: dict) -> None:
        """Forgets what was before. Label and binding stay."""
        session.update(id=self.ids.new("session"), fresh=True, began=self.now, spoken=self.now, written=self.now, lines=[])

    def delete_session(self, key: str) -> None:
        self.data["sessions"].pop(key, None)

    def note(self, key: str, role: str, text: str) -> None:
        """What it was given and said. A child's is kept whole; of others it is what they said last."""
        session, line = self.data["sessions"].get(key), {"role": role, "text": text}
        # A turn that a crash took is given the same once more.
        if session and not is_silent(text) and not (role == "user" and session["lines"][-1:] == [line]):
            session["lines"] = [*session["lines"], line][0 if session.get("parent") else -LINES_MAX:]

    # ---- Who names one, and who may ----

    def by_label(self, label: str) -> Optional[str]:
        found = [key for key, session in self.data["sessions"].items() if session.get("label") == label]
        return found[0] if len(found) == 1 else None

    def resolve(self, name: str, own: Optional[str] = None) -> Optional[str]:
        """The session that a key in any spelling, an id or an alias means, if there is one."""
        if name.strip().lower() == "main":
            name = f"agent:{own.split(':')[1] if own else self.agents[0]}:main"
        elif name.strip() == "current" and own:
            return own
        try:
            spelled = self.spelled(name)
        except ValueError:
            spelled = None
        for key in (name.strip(), spelled):
            if key in self.data["sessions"]:
                return key
        by_id = [key for key, session in self.data["sessions"].items() if session["id"] == name]
        return by_id[0] if by_id else None

    def named(self, params: dict, own: Optional[str]) -> str:
        """The session that a call is about; a `ValueError` says why there is none."""
        key, label, agent = (str(params.get(name) or "").strip() for name in ("sessionKey", "label", "agentId"))
        key = key or next((params[name] for name in ("key", "target") if isinstance(params.get(name), str)), "")
        if key and label:
            raise ValueError("Provide either sessionKey or label (not both).")
        if key:
            found = self.resolve(key, own) or self.by_label(key) or self.minted(key)
            if not found:
                self.spelled(key)  # What is no key is told of as that.
                raise ValueError(f"Session not found: {key} (use the full sessionKey from sessions_list, or a label)")
            if agent and found.split(":")[1:2] != [agent]:
                raise ValueError("`sessionKey` is of another agent than `agentId`")
            return found
        if agent:
            if agent not in self.agents:
                raise ValueError(f'Agent "{agent}" not found; there is {", ".join(self.agents)}')
            return f"agent:{agent}:main"
        if not label:
            raise ValueError("Either sessionKey or label is required.")
        found = sorted(key for key, session in self.data["sessions"].items() if session.get("label") == label)
        if len(found) != 1:
            raise ValueError(f"Multiple sessions found with label: {label} ({', '.join(found)})" if found else f"No session found with label: {label}")
        return found[0]

    def minted(self, key: str) -> Optional[str]:
        """The main session of an agent comes to be with the first text to it."""
        try:
            key = self.spelled(f"agent:{self.agents[0]}:main" if key.strip().lower() == "main" else key)
        except ValueError:
            return None
        return key if key in [f"agent:{agent}:main" for agent in self.agents] else None

    def is_below(self, key: Optional[str], above: Optional[str]) -> bool:
        while key is not None:
            key = dig(self.data["sessions"], key, "parent")
            if key == above:
                return True
        return False

    def caller_key(self, call: dict) -> Optional[str]:
        """The session of the run that calls."""
        run = self.data["runs"].get(caller(call) or "")
        return run["key"] if run and run["stage"] != "cancelled" and run["key"] in self.data["sessions"] else None

    def unseen(self, own: Optional[str], key: str) -> Optional[str]:
        """Why a session does not reach another; None where it does. What it spawned is its own."""
        visibility = (dig(self.config, "tools", "sessions", "visibility") or "tree").strip().lower()
        if own is None or own == key:
            return None
        if visibility == "self":
            return "visibility is restricted to the current session (tools.sessions.visibility=self)."
        same = own.split(":")[1:2] == key.split(":")[1:2]
        if self.is_below(key, own) or (same and visibility in ("agent", "all")):
            return None
        if visibility == "all":
            allowed = dig(self.config, "tools", "agentToAgent") or {}
            agents = [own.split(":")[1], key.split(":")[1]]
            if not allowed.get("enabled"):
                return "is disabled between agents. Set tools.agentToAgent.enabled=true to allow cross-agent sends."
            if not allowed.get("allow") or all(any(is_meant(agent, by) for by in allowed["allow"]) for agent in agents):
                return None
            return "between agents is denied by tools.agentToAgent.allow."
        if same:
            return "visibility is restricted to the current session tree (tools.sessions.visibility=tree)."
        return "visibility is restricted. Set tools.sessions.visibility=all to allow cross-agent access."

    def row(self, key: str) -> dict:
        session = self.data["sessions"][key]
        more = {"label": session.get("label"), "spawnedBy": session.get("parent")}
        running = any(run["key"] == key for run in self.data["runs"].values())
        return {"key": key, "sessionId": session["id"], "running": running, **{k: v for k, v in more.items() if v}}

    def call_sessions_list(self, call: dict, params: dict) -> None:
        self.maintain(None)
        own = self.caller_key(call)
        rows = [self.row(key) for key in sorted(self.data["sessions"]) if not self.unseen(own, key)]
        self.effects.answer(call["call"], "ok", sessions=rows)

    def call_session_status(self, call: dict, params: dict) -> None:
        own = self.caller_key(call)
        key = self.named_or_answer(call, params)
        if key and self.unseen(own, key):
            self.effects.answer(call["call"], "forbidden", error=f"Session status {self.unseen(own, key)}")
        elif key:
            self.effects.answer(call["call"], "ok", **self.row(key))

    def call_sessions_history(self, call: dict, params: dict) -> None:
        own = self.caller_key(call)
        key = self.named_or_answer(call, params)
        if key and self.unseen(own, key):
            self.effects.answer(call["call"], "forbidden", error=f"Session status {self.unseen(own, key)}")
        elif key:
            session, most = self.data["sessions"][key], params.get("limit")
            lines = session["lines"] if most is None else session["lines"][max(0, len(session["lines"]) - most):]
            self.effects.answer(call["call"], "ok", key=key, sessionId=session["id"], messages=lines)

    def call_sessions_patch(self, call: dict, params: dict) -> None:
        """What holds for a session from here on."""
        key = self.named_or_answer(call, {"key": params.get("key")})
        if key is None:
            return
        session, label, minutes = self.data["sessions"][key], params.get("label"), params.get("archiveAfterMinutes")
        unknown = [name for name in params if name not in ("key", "label", "archiveAfterMinutes", *LASTING)]
        why = None
        if unknown:
            why = f'sessions.patch does not support "{unknown[0]}"; there is key, label, archiveAfterMinutes, {", ".join(LASTING)}'
        elif label is not None and not (isinstance(label, str) and 0 < len(label.strip()) <= 512):
            why = "`label` is a text of 1 to 512 characters, or null to take it away"
        elif label and self.by_label(label.strip()) not in (None, key):
            why = f"label already in use: {label}"
        elif minutes is not None and not (type(minutes) is int and minutes > 0):
            why = "`archiveAfterMinutes` is 1 or more, or null for never"
        if why:
            return self.effects.answer(call["call"], "error", error=why)
        if "label" in params:
            session["label"] = label and label.strip()
        if "archiveAfterMinutes" in params:
            session["archive_after"] = minutes
            self.archive_later(session)
        lasting = {**session["lasting"], **{name: params[name] for name in LASTING if name in params}}
        session["lasting"] = {name: value for name, value in lasting.items() if value is not None}
        self.effects.answer(call["call"], "ok", ok=True, key=key)

    def named_or_answer(self, call: dict, params: dict) -> Optional[str]:
        """The session that a call is about and that is there; where there is none, that is the answer."""
        try:
            key = self.named(params, self.caller_key(call))
            if key in self.data["sessions"]:
                return key
            self.effects.answer(call["call"], "error", error=f"Unknown session: {key}")
        except ValueError as why:
            self.effects.answer(call["call"], "error", error=str(why))
        return None

    # ---- Ended from outside ----

    def call_sessions_reset(self, call: dict, params: dict) -> None:
        key = self.named_or_answer(call, params)
        if key is None:
            return
        self.rotate(self.data["sessions"][key])
        self.stop(key, hears=True)
        self.wakes_no_more(key)
        self.unbind_session(key, "reset")
        self.effects.answer(call["call"], "ok", ok=True, key=key)

    def call_sessions_delete(self, call: dict, params: dict) -> None:
        key = self.named_or_answer(call, params)
        if key is None:
            return
        self.unbind_session(key, "deleted")
        self.delete_session(key)
        self.stop(key, hears=True)
        self.wakes_no_more(key)
        self.effects.answer(call["call"], "ok", ok=True, deleted=True, key=key)

    # ---- Maintenance, where it is enforced, and the archive ----

    def is_enforced(self) -> bool:
        return dig(self.config, "session", "maintenance", "mode") == "enforce"

    def is_old(self, session: dict) -> bool:
        after = length_of_time(dig(self.config, "session", "maintenance", "pruneAfter") or "30d")
        return self.now - session["written"] > after

    def is_spare(self, session: dict) -> bool:
        """Nothing goes on there, is bound to it or owed by it."""
        key, debts, outbox = session["key"], self.data["debts"].values(), self.data["outbox"].values()
        return not (key == f"agent:{session['agent']}:main" or self.bound_place(key)
                    or any(turn["key"] == key for turn in [*self.data["runs"].values(), *self.data["queue"]])
                    or any(key in (debt["child"], debt["requester"]) for debt in debts)
                    or any(entry["session"] == key for entry in outbox)
                    or any(spawn["requester"] == key for spawn in self.data["openings"].values()))

    def maintain(self, used: Optional[str]) -> None:
        """What is too old goes, then what is too many: first what nobody speaks to, the oldest first."""
        if not self.is_enforced():
            return
        spare: List[dict] = [session for key, session in self.data["sessions"].items() if key != used and self.is_spare(session)]
        for session in [session for session in spare if self.is_old(session)]:
            spare.remove(session)
            self.delete_session(session["key"])
        most = dig(self.config, "session", "maintenance", "maxEntries") or 500
        made = [session for session in spare if session.get("parent") or session["key"].split(":")[2:3] in [[kind] for kind in MADE]]
        spare.sort(key=lambda session: (session not in made, session["written"]))
        for session in spare[:max(0, len(self.data["sessions"]) - most)]:
            self.delete_session(session["key"])

    def session_ended(self, key: str) -> None:
        """A run of it is over; a child of one run is archived some time after that."""
        session = self.data["sessions"].get(key)
        if session:
            session["ended"] = self.now
            self.archive_later(session)

    def archive_later(self, session: dict) -> None:
        as_child = session.get("mode") == "run" and not session.get("kept")
        minutes = session.get("archive_after") or (as_child and self.of_agent(session["agent"], "subagents", "archiveAfterMinutes"))
        if minutes and "ended" in session:
            self.clock.call_at(session["ended"] + minutes * MINUTE, self.archive, session["key"], session["ended"])

    def archive(self, key: str, ended: int) -> None:
        session = self.data["sessions"].get(key)
        if not session or session.get("ended") != ended or any(run["key"] == key for run in self.data["runs"].values()):
            return
        if self.is_spare(session):
            self.delete_session(key)
        else:
            self.clock.call_later(MINUTE, self.archive, key, ended)
