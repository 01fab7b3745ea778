"""Conversations tied to sessions: bound, touched, ended by limits, by people and by the channel."""
from __future__ import annotations

import re
from typing import Optional

from moorline_shim import length_of_time, without_markers
from settings import HOUR, dig

USAGE = "Usage: /session idle <duration|off> | /session max-age <duration|off> (example: /session idle 24h)"
LIMITS = {"idle": ("idle", "Idle timeout"), "max-age": ("max_age", "Max age")}


def span(ms: int) -> str:
    """`1d12h`"""
    parts = []
    for unit, size in (("d", 24 * HOUR), ("h", HOUR), ("m", 60_000), ("s", 1_000), ("ms", 1)):
        if ms >= size:
            parts.append(f"{ms // size}{unit}")
            ms %= size
    return "".join(parts) or "0s"


def typed_span(words: list) -> Optional[int]:
    """A length of time as people type it: `off`, hours, or numbers with units. 0 is off."""
    text = "".join(words).lower()
    if text in ("off", "disable", "disabled", "none", "0"):
        return 0
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return round(float(text) * HOUR)
    return length_of_time(text)


class Bindings:
    """`self.data["bindings"]` holds them by place: the whole address, so that accounts are apart."""

    def place(self, at: dict) -> str:
        return "\n".join([at["channel"], at["account"], at["conversation"], at.get("thread") or ""])

    def told(self, at: dict) -> str:
        return "/".join(filter(None, [at["channel"], "" if at["account"] == "default" else at["account"], at["conversation"], at.get("thread")]))

    def is_direct(self, at: dict) -> bool:
        return self.place({**at, "thread": None}) in self.data["direct"]

    def bind(self, at: dict, key: str, by: Optional[str] = None, debt: Optional[str] = None) -> dict:
        """Ties a place to a session; it has one owner. `debt` is what the binding ends with."""
        if self.place(at) in self.data["bindings"]:
            self.unbind(at, "replaced")
        binding = {"at": at, "key": key, "by": by, "bound": self.now, "touched": self.now, "idle": None, "max_age": None, "debt": debt}
        self.data["bindings"][self.place(at)] = binding
        self.effects.bound(at, key)
        self.watch(binding)
        self.changed_hands(at)
        return binding

    def changed_hands(self, at: dict) -> None:
        """What waits from a place moves with it, and keeps its place in line."""
        binding = self.data["bindings"].get(self.place(at))
        for turn in self.data["queue"]:
            waits = turn["kind"] == "message" and not (turn["starts"] or turn.get("resumes") or turn["resets"])
            if waits and self.place(turn["to"]) == self.place(at):
                own = {"at": at, "kind": turn["place"], "from": turn["person"]}
                turn["key"] = binding["key"] if binding else self.session_key(own)

    def bound_place(self, key: str) -> Optional[dict]:
        """Where a session speaks, if it is bound."""
        return next((binding["at"] for binding in self.data["bindings"].values() if binding["key"] == key), None)

    # ---- Limits ----

    def lapse(self, binding: dict):
        """When it lapses, and why; at a tie idle is the reason."""
        limits = self.limits(binding)
        ends = [(binding["touched"] + limits["idle"], "idle")] if limits["idle"] else []
        ends += [(binding["bound"] + limits["max_age"], "max-age")] if limits["max_age"] else []
        return min(ends, key=lambda end: end[0], default=None)

    def watch(self, binding: dict) -> None:
        """Looks again when it lapses as things stand now. A touch only postpones that."""
        end = self.lapse(binding)
        if end:
            self.clock.call_at(end[0], self.look, self.place(binding["at"]), end[0])

    def look(self, place: str, due: int) -> None:
        """The sweep comes by: what was touched since is looked at again later."""
        binding = self.data["bindings"].get(place)
        if binding and not self.end_if_lapsed(binding):
            self.watch(binding)

    def end_if_lapsed(self, binding: dict) -> bool:
        end = self.lapse(binding)
        if not end or end[0] > self.now:
            return False
        limits = self.limits(binding)
        self.unbind(binding["at"], end[1])
        how = f"after {span(limits['idle'])} of inactivity" if end[1] == "idle" else f"at max age of {span(limits['max_age'])}"
        self.post(binding["at"], f"⚙️ Session ended automatically {how}. Messages here will no longer be routed.")
        return True

    def touch(self, at: dict, key: str) -> None:
        """Traffic of its session in its place; what lapsed meanwhile is not revived."""
        binding = self.data["bindings"].get(self.place(at))
        if binding and binding["key"] == key and not self.end_if_lapsed(binding):
            binding["touched"] = self.now

    # ---- Ends ----

    def unbind(self, at: dict, reason: str) -> None:
        binding = self.data["bindings"].pop(self.place(at), None)
        if binding:
            self.effects.unbound(binding["at"], binding["key"], reason)
            if reason != "replaced":
                self.changed_hands(at)

    def unbind_session(self, key: str, reason: str) -> None:
        for binding in [binding for binding in self.data["bindings"].values() if binding["key"] == key]:
            self.unbind(binding["at"], reason)

    def unbind_debt(self, debt: str) -> None:
        for binding in [binding for binding in self.data["bindings"].values() if binding["debt"] == debt]:
            self.unbind(binding["at"], "run-ended")

    def unbind_disabled(self) -> None:
        for binding in list(self.data["bindings"].values()):
            if self.is_switched_off(binding["at"]):
                self.unbind(binding["at"], "account-stopped")
            elif self.of_bindings(binding["at"], "enabled") is False:
                self.unbind(binding["at"], "disabled")
            else:
                self.watch(binding)

    def on_thread_changed(self, what: dict) -> None:
        reasons = {"gone": "thread-gone", "locked": "thread-locked", "archived": "thread-archived"}
        if what["state"] in reasons:
            self.unbind(what["at"], reasons[what["state"]])

    def on_conversation_moved(self, what: dict) -> None:
        """A conversation goes by another id: its session is found by the first one, its binding under the new one."""
        old, new = what["from"], what["to"]
        self.data["moved"][self.place(new)] = self.first_id(old)
        if self.place(old) in self.data["bindings"] and self.place(new) not in self.data["bindings"]:
            binding = self.data["bindings"].pop(self.place(old))
            binding["at"] = new
            self.data["bindings"][self.place(new)] = binding
            self.effects.bound(new, binding["key"])
            self.watch(binding)

    def first_id(self, at: dict) -> dict:
        """The place by the id that its conversation went by first."""
        first = self.data["moved"].get(self.place({**at, "thread": None}), at)
        return {**first, "thread": at.get("thread")}

    def probe_after_refusal(self, at: dict) -> None:
        """A text for a bound thread was refused: is it still there?"""
        if at.get("thread") and self.place(at) in self.data["bindings"] and at not in self.data["probes"].values():
            self.data["probes"][self.effects.probe_thread(at)] = at

    def on_thread_probed(self, what: dict) -> None:
        at = self.data["probes"].pop(what["request"], None)
        if at:
            self.on_thread_changed({"at": at, "state": what["state"]})

    # ---- Where a message finds itself ----

    def binding_here(self, at: dict) -> Optional[dict]:
        """The binding of a place that holds still, and whose session is there."""
        binding = self.data["bindings"].get(self.place(at))
        if binding is None or self.end_if_lapsed(binding):
            return None
        if binding["key"] not in self.data["sessions"]:
            self.unbind(at, "deleted")
            return None
        return binding

    def is_held_by_another(self, at: dict) -> bool:
        """Whether another account of the gateway has bound this very thread: it will answer."""
        for account in dig(self.channels, at["channel"], "accounts") or () if at.get("thread") else ():
            there = {**at, "account": account}
            binding = self.data["bindings"].get(self.place(there)) if account != at["account"] else None
            if binding and self.of_bindings(there, "enabled") is not False and not self.end_if_lapsed(binding):
                return True
        return False

    def introduce(self, at: dict) -> None:
        """Says in a bound place which limits are on."""
        binding = self.data["bindings"][self.place(at)]
        limits = self.limits(binding)
        said = [f"idle auto-unfocus after {span(limits['idle'])} inactivity"] if limits["idle"] else []
        said += [f"max age {span(limits['max_age'])}"] if limits["max_age"] else []
        both = f" ({'; '.join(said)})" if said else ""
        name = dig(self.data["sessions"], binding["key"], "label") or binding["key"]
        self.post(at, f"⚙️ {name} session active{both}. Messages here go directly to this session.")

    # ---- What people type. A command works although the session that is bound cannot. ----

    def command(self, message: dict) -> bool:
        """Whether a message is a command to the gateway; if so it was obeyed or answered."""
        name, *words = without_markers(message["text"]).split() or [""]
        obey = {"/session": self.session_command, "/focus": self.focus_command, "/unfocus": self.unfocus_command,
                "/agents": self.agents_command, "/stop": self.stop_command}.get(name.lower())
        if obey is None:
            return False
        if not message.get("authorised", True):
            self.effects.drop(message["message"], "its author may not give commands")
            return True
        reply = obey(message, words)
        if reply:
            self.post(message["at"], reply)
        return True

    def unavailable(self, message: dict) -> Optional[str]:
        at = message["at"]
        if not self.can_bind(at, message["kind"] == "direct"):
            return f"Thread bindings are unavailable for {at['channel']}."
        if self.of_bindings(at, "enabled") is False:
            return f"Thread bindings are disabled for {at['channel']}."
        return None

    def may_change(self, binding: dict, message: dict) -> bool:
        return binding["by"] in (None, message["from"])

    def session_command(self, message: dict, words: list) -> str:
        which = LIMITS.get(words[0].lower()) if words else None
        if which is None:
            return USAGE
        limit, name = which
        why, binding = self.unavailable(message), None
        if why is None:
            binding = self.binding_here(message["at"])
        if binding is None:
            return why or "ℹ️ This thread is not currently focused."
        if len(words) < 2:
            ms, since = self.limits(binding)[limit], binding["touched" if limit == "idle" else "bound"]
            at = f"{span(ms)}, next auto-unfocus at {span(since + ms)}" if ms else ""
            return f"ℹ️ {name} active ({at})." if ms else f"ℹ️ {name} is currently disabled for this focused session."
        if not self.may_change(binding, message):
            return f"⚠️ Only {binding['by']} can update session lifecycle settings for this conversation."
        ms = typed_span(words[1:])
        if ms is None:
            return USAGE
        return self.set_limit(binding, limit, name, ms)

    def set_limit(self, here: dict, limit: str, name: str, ms: int) -> str:
        """For all places of the session in that account."""
        count = 0
        for binding in self.data["bindings"].values():
            if (binding["key"], binding["at"]["channel"], binding["at"]["account"]) == (here["key"], here["at"]["channel"], here["at"]["account"]):
                binding[limit] = ms
                if limit == "idle":
                    binding["touched"] = self.now
                count += 1
                self.watch(binding)
        return f"✅ {name} set to {span(ms)} for {count} binding(s)." if ms else f"✅ {name} disabled for {count} binding(s)."

    def unfocus_command(self, message: dict, words: list) -> str:
        why = self.unavailable(message)
        binding = None if why else self.binding_here(message["at"])
        if binding is None:
            return why or "ℹ️ This thread is not currently focused."
        if not self.may_change(binding, message):
            return f"⚠️ Only {binding['by']} can unfocus this conversation."
        self.unbind(message["at"], "unfocus")
        return "✅ Thread unfocused."

    def focus_command(self, message: dict, words: list) -> Optional[str]:
        if not words:
            return "Usage: /focus <session key or label>"
        why = self.unavailable(message)
        if why:
            return why
        key = self.by_label(words[0]) or self.resolve(words[0])
        if key is None or not self.may_focus(key, message):
            return f"Unable to resolve focus target: {words[0]}"
        here = self.binding_here(message["at"])
        if here and not self.may_change(here, message):
            return f"⚠️ Only {here['by']} can refocus this conversation."
        if not message["at"].get("thread") and self.threads(message["at"]).get("placement") == "child":
            request = self.effects.open_thread(message["at"], key, key)
            self.data["focuses"][request] = {"at": message["at"], "by": message["from"], "key": key}
            return None
        self.bind(message["at"], key, by=message["from"])
        self.introduce(message["at"])
        return f"✅ bound this conversation to {key}"

    def may_focus(self, key: str, message: dict) -> bool:
        """A session that was spawned, or that of the conversation itself: nobody gets at another one's by naming it."""
        own = self.session_key(message)
        return bool(self.data["sessions"][key].get("parent")) or key == own or own.startswith(f"{key}:thread:")

    def focus_opened(self, focus: dict, what: dict) -> None:
        at, key = dig(what, "opened", "at"), focus["key"]
        if at and key in self.data["sessions"]:
            self.bind(at, key, by=focus["by"])
            self.introduce(at)
            reply = f"✅ created thread {self.told(at)} and bound it to {key}"
        elif at:
            reply = f"⚠️ {key} is gone; the thread {self.told(at)} remains, unbound."
        else:
            reply = f"⚠️ No thread could be opened: {dig(what, 'refused', 'why') or 'nobody knows whether it was'}."
        self.post(focus["at"], reply)

    def agents_command(self, message: dict, words: list) -> str:
        """Runs that somebody waits for, and bindings, of the same account."""
        here = message["at"]

        def is_here(at: Optional[dict]) -> bool:
            return not at or (at["channel"], at["account"]) == (here["channel"], here["account"])

        lines = [f"- run {debt['run']} in {debt['child']}" for debt in self.data["debts"].values() if is_here(debt["to"])]
        lines += [f"- {self.told(binding['at'])} -> {binding['key']}" for binding in self.data["bindings"].values() if is_here(binding["at"])]
        return "\n".join(["Agents:", *(lines or ["- none"])])
