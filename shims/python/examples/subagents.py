"""What a session does with its children: lists, stops and steers them, and takes up what was given up."""
from __future__ import annotations

from typing import List, Optional

from settings import dig, first

STEER_MAX = 4_000  # How long a text to a child may be.
STEER_PAUSE = 2_000  # How long a session waits before it may steer the same child again.
GIVEN_UP_MAX = 1_000


class Subagents:
    """`self.data["steers"]` holds texts on their way into a run, `self.data["given_up"]` what could not be told."""

    def call_subagents(self, call: dict, params: dict) -> None:
        own, action = self.caller_key(call), params.get("action") or "list"
        obey = {"list": self.list_children, "kill": self.kill, "steer": self.steer_child, "retry": self.take_up, "dismiss": self.take_up}
        try:
            if action not in obey:
                raise ValueError(f'subagents has no action "{action}"; there is {", ".join(obey)}')
            obey[action](call["call"], own, params)
        except ValueError as why:
            self.effects.answer(call["call"], "error", error=str(why))

    # ---- Who is meant ----

    def children(self, own: Optional[str]) -> List[dict]:
        """At any depth; those at work first, then the others, the older before the newer."""
        below = [session for key, session in self.data["sessions"].items() if session.get("parent") and (own is None or self.is_below(key, own))]
        return sorted(below, key=lambda session: self.run_of(session["key"]) is None)

    def run_of(self, key: str) -> Optional[dict]:
        return next((run for run in self.data["runs"].values() if run["key"] == key), None)

    def picked(self, own: Optional[str], params: dict) -> dict:
        """The child that a target means: the last, the n-th listed, a key, a label or its beginning, the beginning of a run's id."""
        token = str(first(*(params.get(name) for name in ("target", "sessionKey", "key", "label")), "")).strip()
        rows = self.children(own)
        if not token:
            raise ValueError("Missing subagent target.")
        if token == "last" and rows:
            return max(rows, key=lambda row: list(self.data["sessions"]).index(row["key"]))
        if token.isdecimal():
            if not 0 < int(token) <= len(rows):
                raise ValueError(f"Invalid subagent index: {token}")
            return rows[int(token) - 1]
        if ":" in token:
            found = [row for row in rows if row["key"] == token]
            if not found:
                raise ValueError(f"Unknown subagent session: {token}")
            return found[0]
        label = {row["key"]: (row.get("label") or "").lower() for row in rows}
        for what, fits in (("label", lambda row: label[row["key"]] == token.lower()),
                           ("label prefix", lambda row: label[row["key"]].startswith(token.lower())),
                           ("run id prefix", lambda row: (dig(self.run_of(row["key"]), "run") or "").startswith(token))):
            found = [row for row in rows if fits(row)]
            if len(found) > 1:
                raise ValueError(f"Ambiguous subagent {what}: {token}")
            if found:
                return found[0]
        raise ValueError(f"Unknown subagent target: {token}")

    # ---- What is done with them ----

    def list_children(self, call: str, own: Optional[str], params: dict) -> None:
        debts = [debt for debt in self.data["debts"].values() if debt["what"] == "child" and (own is None or self.is_below(debt["child"], own))]
        runs = [{"runId": debt["run"], "sessionKey": debt["child"], "label": dig(self.data["sessions"], debt["child"], "label"),
                 "status": "running" if debt["stage"] == "running" else debt["outcome"]} for debt in debts]
        failed = [{"runId": run, "why": lost["why"]} for run, lost in self.data["given_up"].items() if self.may_take_up(own, lost)]
        self.effects.answer(call, "ok", runs=runs, failed=failed)

    def kill(self, call: str, own: Optional[str], params: dict) -> None:
        if params.get("target") in ("all", "*"):
            rows = [row for row in self.children(own) if self.run_of(row["key"])]
            text = f"killed {len(rows)} subagent(s)." if rows else "no running subagents to kill."
        else:
            rows = [self.picked(own, params)]
            name = rows[0].get("label") or rows[0]["key"]
            text = f"killed {name}." if self.run_of(rows[0]["key"]) else f"{name} is already finished."
        self.effects.answer(call, "ok", killed=[row["key"] for row in rows], text=text)
        for row in rows:
            runs = self.run_of(row["key"]) is not None
            self.stop(row["key"], hears=False)
            if runs:  # What ended before keeps its binding.
                self.unbind_session(row["key"], "killed")

    def steer_child(self, call: str, own: Optional[str], params: dict) -> None:
        message = params.get("message")
        if not isinstance(message, str) or not message.strip():
            raise ValueError("subagents steer needs `message`, the text")
        if len(message) > STEER_MAX:
            raise ValueError(f"Message too long ({len(message)} chars, max {STEER_MAX}).")
        if own and params.get("target") in (own, "current"):
            return self.effects.answer(call, "forbidden", error="Subagents cannot steer themselves.")
        row = self.picked(own, params)
        run, name = self.run_of(row["key"]), row.get("label") or row["key"]
        if run is None or run["stage"] != "running":
            return self.effects.answer(call, "done", text=f"{name} is already finished.")
        if row.get("steered", {}).get(own or "", -STEER_PAUSE) + STEER_PAUSE > self.now:
            return self.effects.answer(call, "rate_limited", error="Steer rate limit exceeded. Wait a moment before sending another steer.")
        row["steered"] = {**row.get("steered", {}), own or "": self.now}
        accepted = {"mode": "steer", "runId": run["run"], "sessionKey": row["key"], "text": f"steered {name}."}
        self.data["steers"][self.effects.steer_run(run["run"], message)] = {"call": call, "accepted": accepted}

    # ---- A completion for a busy session is steered into its run, where that answers to the same place. ----

    def run_that_takes(self, debt: dict) -> Optional[dict]:
        run = self.run_of(debt["requester"])
        # What follows progress, or may be left to the conversation, has a turn of its own.
        if not run or run["stage"] != "running" or not debt["to"] or debt.get("streams") or debt["audience"] == "both":
            return None
        to, remembers = self.answers_to(run), dig(self.data["sessions"], debt["requester"], "id") == debt["asked_by"]
        return run if remembers and to and self.place(to) == self.place(debt["to"]) else None

    def steer(self, debt: dict, run: dict) -> None:
        """It is told when that run has ended well, and not before."""
        debt.update(stage="steering", taken_by=run["run"])
        self.data["steers"][self.effects.steer_run(run["run"], self.words(debt))] = {"debt": debt["name"], "run": run["run"]}

    def on_steered(self, what: dict) -> None:
        steer, taken = self.data["steers"].pop(what["steer"], {}), what["outcome"] == "taken"
        debt = self.data["debts"].get(steer.get("debt"))
        if "call" in steer and taken:
            self.effects.answer(steer["call"], "accepted", **steer["accepted"])
        elif "call" in steer:
            self.effects.answer(steer["call"], "error", error="it took no text any more; use sessions_send for another turn")
        elif debt and not taken:
            debt.update(stage="ended", taken_by=None)
            self.tell_by_turn([debt])
        elif debt and "ended" in steer:  # Its run was over before it was known.
            self.telling_ended(debt["name"], steer["ended"], "")
        elif debt:
            debt["stage"] = "steered"

    def steered_run_ended(self, run: str, outcome: str) -> None:
        for steer in self.data["steers"].values():
            if steer.get("run") == run:
                steer["ended"] = outcome
        for debt in [debt for debt in self.data["debts"].values() if debt["stage"] == "steered" and debt["taken_by"] == run]:
            self.telling_ended(debt["name"], outcome, "")

    # ---- What could not be told is kept until somebody has it tried again, or dismisses it. ----

    def keep_given_up(self, run: str, why: str, entry: Optional[dict], debt: Optional[dict]) -> None:
        self.data["given_up"][run] = {"why": why, "entry": entry, "debt": debt}
        if len(self.data["given_up"]) > GIVEN_UP_MAX:
            del self.data["given_up"][next(iter(self.data["given_up"]))]

    def may_take_up(self, own: Optional[str], lost: dict) -> bool:
        names = [dig(lost, "entry", "session"), dig(lost, "debt", "requester"), dig(lost, "debt", "child")]
        return own is None or any(name and (name == own or self.is_below(name, own)) for name in names)

    def take_up(self, call: str, own: Optional[str], params: dict) -> None:
        run, again = first(params.get("target"), params.get("runId")), params["action"] == "retry"
        if not run:
            raise ValueError("name what was given up by `target`, the id of its run")
        lost = self.data["given_up"].get(run)
        if lost is None or not self.may_take_up(own, lost):
            raise ValueError(f"nothing of run {run} was given up here")
        del self.data["given_up"][run]
        self.effects.answer(call, "ok", **{"retried" if again else "dismissed": run})
        debt, entry = lost["debt"], lost["entry"]
        if again and debt:
            self.data["debts"][debt["name"]] = {**debt, "stage": "post" if entry else "ended"}
        if again and entry:
            self.data["outbox"][entry["name"]] = {**entry, "since": self.now, "due": self.now, "tries": 0}
            self.attempt(entry["name"])
        elif again and debt:
            self.hand(self.data["debts"][debt["name"]])
