"""Children of children: an end waits for what is below it, whoever yields is woken once, and a stop reaches all below."""
from __future__ import annotations

from typing import List, Optional

from moorline_shim import caller
from settings import MINUTE, dig
from turns import is_silent

SETTLE_WINDOW = 30 * MINUTE  # For so long an end waits for those below it.


class Nesting:
    """A debt at the stage "ended" was told to nobody yet. `session["awaits"]` names those that it yielded to wait for."""

    # ---- An end waits until what is below it is settled. ----

    def hand_or_wait(self, debt: dict) -> None:
        if self.is_open(debt):
            self.wait_at_most(debt)
        else:
            self.hand(debt)

    def is_open(self, debt: dict) -> bool:
        """Whether its run goes on, or went well and waits for its own children."""
        if debt["stage"] == "running":
            return True
        waits = debt["what"] == "child" and debt["outcome"] == "ok" and not debt.get("overdue")
        return debt["stage"] == "ended" and waits and self.is_open_below(debt["child"])

    def is_open_below(self, key: str) -> bool:
        return bool(self.open_below(key))

    def open_below(self, key: str) -> List[dict]:
        awaits = dig(self.data["sessions"], key, "awaits") or ()
        return [debt for debt in self.data["debts"].values()
                if debt["requester"] == key and debt["audience"] != "nobody" and (debt["what"] == "child" or debt["name"] in awaits)]

    def wait_at_most(self, debt: dict) -> None:
        debt.setdefault("waits_since", self.now)
        self.clock.call_at(debt["waits_since"] + SETTLE_WINDOW, self.waited_enough, debt["name"])

    def waited_enough(self, name: str) -> None:
        debt = self.data["debts"].get(name)
        if debt and debt["stage"] == "ended" and not debt.get("overdue"):
            debt["overdue"] = True
            if debt.get("paused"):  # It has no end to tell of.
                debt["in_vain"] = [below["run"] for below in self.open_below(debt["child"])]
            self.hand(debt)

    def settled_below(self, key: str) -> None:
        """Something that a session asked for is settled: its own end, or its turn, may have waited for that."""
        above = [debt for debt in self.data["debts"].values() if debt["child"] == key and debt["stage"] == "ended"]
        if above and not self.is_open_below(key):
            self.hand(above[0])
        self.wake_if_done(key)

    def says_for_waiting(self, key: str) -> bool:
        """Whether a session's own end waits: what it says meanwhile is part of that."""
        return any(debt["child"] == key and debt["stage"] == "ended" and debt["audience"] != "nobody" for debt in self.data["debts"].values())

    def add_to_waiting(self, key: str, text: str) -> None:
        waiting = next((debt for debt in self.data["debts"].values() if debt["child"] == key and debt["stage"] == "ended"), None)
        if waiting and not is_silent(text):
            waiting["text"] = f"{waiting['text']}\n{text}".lstrip("\n")

    # ---- Whoever asked may be gone: then the next one above it is told. ----

    def all_above(self, key: str) -> List[str]:
        above = []
        while (key := dig(self.data["sessions"], key, "parent")):
            above.append(key)
        return above

    def inherit(self, debt: dict) -> None:
        while debt["requester"] not in self.data["sessions"] and debt["above"]:
            debt["requester"] = debt["above"].pop(0)
            debt["asked_by"] = dig(self.data["sessions"], debt["requester"], "id")

    # ---- A turn may end to wait. One turn tells of all that it waited for. ----

    def call_sessions_yield(self, call: dict, params: dict) -> None:
        own, run = self.caller_key(call), self.data["runs"].get(caller(call) or "")
        if own is None or run is None:
            return self.effects.answer(call["call"], "error", error="No session context")
        session = self.data["sessions"][own]
        # What is on its way to people it is not told of, and what it was told already it has heard.
        pending = [debt for debt in self.data["debts"].values() if debt["requester"] == own and debt["audience"] != "nobody"
                   and debt["stage"] != "post" and not debt.get("call") and debt.get("taken_by") != run["run"]]
        if not pending:
            return self.effects.answer(call["call"], "error", error="nothing is pending: no child works, and no reply is awaited")
        for debt in pending:
            if debt["audience"] != "origin" and debt["to"] == run["to"] and debt["asked_by"] == session["id"] and self.is_unheard(debt):
                self.take_back(debt)
                session["awaits"] = [*session.get("awaits", ()), debt["name"]]
        run["yielded"] = True
        self.effects.answer(call["call"], "yielded", message=params.get("message") or "Turn yielded.")

    def telling(self, debt: dict) -> Optional[dict]:
        """The turn that waits to tell of a debt."""
        return next((turn for turn in self.data["queue"] if turn["kind"] == "telling" and not turn["starts"] and debt["name"] in turn["debts"]), None)

    def is_unheard(self, debt: dict) -> bool:
        return debt["stage"] in ("running", "ended") or debt["stage"] == "turn" and self.telling(debt) is not None

    def take_back(self, debt: dict) -> None:
        """The turn that waits to tell of a debt does not, any more."""
        turn = self.telling(debt) if debt["stage"] == "turn" else None
        if turn:
            debt["stage"] = "ended"
            turn["debts"].remove(debt["name"])
            turn["input"] = "\n".join(self.words(self.data["debts"][name]) for name in turn["debts"])
            if not turn["debts"]:
                self.data["queue"].remove(turn)

    def awaited(self, key: str) -> List[dict]:
        names = dig(self.data["sessions"], key, "awaits") or ()
        return [self.data["debts"][name] for name in names if name in self.data["debts"]]

    def waits_for_more(self, debt: dict) -> bool:
        """Whether whoever asked yielded, and hears of this with all that it waits for: now, or later."""
        session = self.data["sessions"][debt["requester"]]
        if debt["name"] not in session.get("awaits", ()) or debt["asked_by"] != session["id"]:
            return False
        together = [other for other in self.awaited(session["key"]) if other["to"] == debt["to"]]
        if debt.get("overdue") or not any(self.is_open(other) for other in together):
            self.wake(session["key"], together)
        else:
            self.wait_at_most(debt)
        return True

    def wake_if_done(self, key: str) -> None:
        rest = self.awaited(key)
        while rest:
            together = [debt for debt in rest if debt["to"] == rest[0]["to"]]
            rest = [debt for debt in rest if debt["to"] != rest[0]["to"]]
            if not any(self.is_open(debt) for debt in together):
                self.wake(key, together)

    def wake(self, key: str, together: List[dict]) -> None:
        """Of what was asked for in one conversation one turn tells; what others asked for is none of its business."""
        ready = [debt for debt in together if debt["stage"] == "ended" and not self.is_open(debt)]
        self.data["sessions"][key]["awaits"] = [debt["name"] for debt in self.awaited(key) if debt not in ready]
        if ready:
            self.tell_by_turn(ready)

    def wakes_no_more(self, key: str) -> None:
        """A session began anew or is gone: what was kept for it is handed on."""
        awaited = self.awaited(key)
        if key in self.data["sessions"]:
            self.data["sessions"][key]["awaits"] = []
        else:
            awaited = [debt for debt in self.data["debts"].values() if debt["requester"] == key]
        for debt in awaited:
            if debt["stage"] == "ended" and not self.is_open(debt):
                self.hand(debt)

    # ---- What is stopped is stopped with everything below it; nothing that it said is told after that. ----

    def all_below(self, key: str) -> List[str]:
        return [other for other in self.data["sessions"] if self.is_below(other, key)]

    def stop(self, key: str, hears: bool) -> None:
        """`hears`: whether the session itself still hears of what it asked for."""
        below = self.all_below(key)
        stopped, deaf = {key, *below}, {*below} if hears else {key, *below}
        self.stop_runs(key, ("child",))
        for spawn in self.data["openings"].values():
            spawn["stopped"] = spawn.get("stopped", False) or spawn["requester"] in stopped
        for other in stopped & set(self.data["sessions"]):
            self.data["sessions"][other]["awaits"] = []
        children = [debt for debt in self.data["debts"].values() if debt["what"] == "child"]
        killed = [debt for debt in children if debt["child"] in stopped and debt["stage"] != "running" and self.is_unheard(debt)]
        for debt in killed:
            self.take_back(debt)
            debt.update(outcome="killed", text="", said=None)
        for debt in children:
            if debt["requester"] in deaf:
                debt["audience"] = "nobody"
                self.take_back(debt)
                if debt["stage"] in ("ended", "turn", "steered"):
                    self.settle_debt(debt["name"])
        for other in below:
            self.stop_runs(other, ("child", "sent", "telling", "message", "internal", "plugin"))
        for debt in killed:
            if debt["name"] in self.data["debts"] and debt["stage"] == "ended":
                self.hand(debt)

    def stop_runs(self, key: str, waiting: tuple) -> None:
        """Stops what a session is at, and what waits behind it of these kinds."""
        for run in [run for run in self.data["runs"].values() if run["key"] == key]:
            self.cancel(run["run"], "killed")
        for turn in [turn for turn in self.data["queue"] if turn["key"] == key and turn["kind"] in waiting]:
            if turn in self.data["queue"]:
                self.data["queue"].remove(turn)
                self.ended(turn, "killed", "")

    def stop_command(self, message: dict, words: list) -> str:
        binding = self.binding_here(message["at"])
        key = binding["key"] if binding else self.session_key(message)
        if key not in self.data["sessions"]:
            return "⚙️ Nothing runs here."
        count = len({run["key"] for run in self.data["runs"].values()} & set(self.all_below(key)))
        self.stop(key, hears=False)
        return f"⚙️ Stopped, with {count} below it." if count else "⚙️ Stopped."
