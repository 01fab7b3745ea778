"""Turns of agents: one at a time in each session, the others wait in order."""
from __future__ import annotations

import re
from typing import Optional

from moorline_shim import without_markers
from settings import dig, first

STARTS_MAX = 4  # How often a refused start is asked for.
SILENT = ("NO_REPLY", "ANNOUNCE_SKIP", "REPLY_SKIP")  # Words by which an agent says that it says nothing.
WORD = f"(?:{'|'.join(SILENT)})"


def is_silent(text: Optional[str]) -> bool:
    return not (text or "").strip() or without_markers(text) in SILENT


def spoken(text: str) -> str:
    """A text without such words at its edges: no person reads them."""
    if is_silent(text):
        return text
    whole, marks = re.fullmatch(r"(?s)\s*(.*?)((?:\s*⟦[^⟦⟧]*⟧)*)\s*", text).groups()
    rest = re.sub(rf"^(?:{WORD}(?!\w)\s*)+|(?:\s*(?<!\w){WORD})+$", "", whole)
    return text if rest == whole else (rest + marks).strip()


class Turns:
    """`self.data["queue"]` holds turns that wait, `self.data["runs"]` those at work by run, both as dicts."""

    def turn(self, key: str, kind: str, text: str, to: Optional[dict] = None, **more) -> dict:
        """`kind`: message, child, sent, telling, internal, plugin. `to` is the address it belongs to."""
        turn = {"run": self.ids.new("run"), "key": key, "kind": kind, "input": text, "to": to, "came": self.now,
                "starts": 0, "stage": "waiting", "asked_of": dig(self.data["sessions"], key, "id"), **more}
        self.data["queue"].append(turn)
        return turn

    def start_turns(self) -> None:
        """Whatever waits for nothing begins; behind what waits the rest of its session does."""
        again = True
        while again:  # What begins, or comes to nothing, may make others wait.
            again = False
            self.waiting, self.data["queue"] = self.data["queue"], []
            busy = {run["key"] for run in self.data["runs"].values()}
            while self.waiting:
                turn = self.waiting.pop(0)
                if turn["key"] in busy or turn.get("not_before", 0) > self.now or not self.has_room(turn):
                    self.data["queue"].append(turn)
                    busy.add(turn["key"])
                else:
                    again = True
                    if self.begin(turn):
                        busy.add(turn["key"])

    def has_room(self, turn: dict) -> bool:
        """Children of one requester are at work in a limited number."""
        if turn["kind"] != "child" or turn["starts"]:
            return True
        requester = self.data["debts"][turn["debt"]]["requester"]
        at_work = [run for run in [*self.data["runs"].values(), *self.data["queue"]]
                   if run["kind"] == "child" and run["starts"] and dig(self.data["debts"], run["debt"], "requester") == requester]
        agent = requester.split(":")[1] if ":" in requester else self.agents[0]
        most = self.of_agent(agent, "subagents", "maxConcurrent")
        return len(at_work) < (8 if most is None else most)

    def begin(self, turn: dict) -> bool:
        """Whether a run was asked for."""
        session = self.open_session(turn["key"])
        if turn["kind"] == "internal" and turn["asked_of"] not in (None, session["id"]):
            return False  # Whoever asked for it is forgotten.
        if turn["kind"] == "telling" and not self.still_asked_for(turn, session):
            return False
        if turn["kind"] == "message":
            if turn["resets"] or self.reset_due(session, turn["came"], turn["to"]["channel"], turn["place"]):
                self.rotate(session)
                self.wakes_no_more(session["key"])
            session["spoken"] = max(session["spoken"], turn["came"])
            if turn["bare"]:
                self.post(turn["to"], "⚙️ A new session has begun.")
                return False
            self.collect(turn, session)
        session["written"] = max(session["written"], turn["came"])
        self.start(turn, session)
        return True

    # ---- Messages that find their session busy: `messages.queue` ----

    def queue_message(self, turn: dict) -> None:
        """Where too many wait, one is given up, aloud."""
        settings = dig(self.config, "messages", "queue") or {}
        waiting = [other for other in self.data["queue"] if other is not turn and other["key"] == turn["key"] and other["kind"] == "message"]
        busy = any(run["key"] == turn["key"] for run in self.data["runs"].values())
        if not busy or settings.get("cap") is None or len(waiting) < settings["cap"]:
            return
        given_up = waiting[0] if settings.get("drop") == "old" and waiting else turn
        self.data["queue"].remove(given_up)
        self.forget(given_up)
        self.effects.drop(given_up["seen"][0].split("\n")[-1], "too many messages wait")
        self.post(given_up["to"], f"⚠️ Not worked on, since too many messages wait: {given_up['input']}")

    def forget(self, turn: dict) -> None:
        """Nothing was done with its messages: they may come again."""
        for seen in turn["seen"]:
            self.data["seen"].pop(seen, None)

    def collect(self, turn: dict, session: dict) -> None:
        """What one person wrote in one place meanwhile has one turn together, where that is configured."""
        queue = dig(self.config, "messages", "queue") or {}
        if first(dig(queue, "byChannel", turn["to"]["channel"]), queue.get("mode")) != "collect" or turn["starts"]:
            return
        behind = [other for other in self.waiting if other["key"] == turn["key"] and other is not turn]
        for other in behind:
            same = other["kind"] == "message" and (other["to"], other["person"]) == (turn["to"], turn["person"])
            if not same or other["resets"] or other["starts"] or self.reset_due(session, other["came"], turn["to"]["channel"], turn["place"]):
                return
            self.waiting.remove(other)
            turn.update(input=f"{turn['input']}\n{other['input']}", seen=turn["seen"] + other["seen"])
            session["spoken"] = max(session["spoken"], other["came"])

    # ---- Runs ----

    def start(self, turn: dict, session: dict) -> None:
        turn.update(starts=turn["starts"] + 1, stage="starting")
        self.data["runs"][turn["run"]] = turn
        memory = "fresh" if session["fresh"] else "continue"
        if turn.get("fork") and session["fresh"]:
            memory = {"fork": turn["fork"]}
        self.effects.start_run(session["key"], session["id"], memory, session["agent"], turn["input"], run=turn["run"],
                               overrides={**session["lasting"], **(turn.get("overrides") or {})}, resumes=turn.get("resumes"))

    def start_again(self, turn: dict, pause: int) -> None:
        """A name is used once: the next attempt has another."""
        self.data["runs"].pop(turn["run"], None)
        turn.update(run=self.ids.new("run"), stage="waiting", not_before=self.now + pause)
        if dig(self.data["debts"], turn.get("debt"), "run"):
            self.data["debts"][turn["debt"]]["run"] = turn["run"]
        self.data["queue"].insert(0, turn)
        self.clock.call_later(pause, self.start_turns)

    def on_run_started(self, what: dict) -> None:
        turn = self.data["runs"].get(what["run"])
        if turn is None:
            return
        if turn["stage"] == "cancelled":
            if what["outcome"] == "refused":  # It never ran, so that it will not say that it ended.
                self.ended(turn, turn["cancelled"], "")
        elif turn["stage"] != "starting":
            return
        elif what["outcome"] == "started":
            self.runs_now(turn)
        elif what["outcome"] == "unknown":
            self.may_run(turn)
        elif turn["kind"] == "child" and not turn["accepted"]:
            self.undo_spawn(turn, "its run was refused")
        elif turn["starts"] < STARTS_MAX:
            self.start_again(turn, 2_000 * turn["starts"])
        else:
            if turn["kind"] == "message":  # Nothing was done with it: it may come again.
                self.forget(turn)
            self.ended(turn, "error", "")

    def may_run(self, turn: dict) -> None:
        """Nobody knows whether it runs: then it shall not, and it is asked for once more."""
        self.effects.cancel_run(turn["run"])
        if turn["kind"] == "child" and not turn["accepted"]:
            self.undo_spawn(turn, "nobody knows whether its run started; it was cancelled")
        elif turn.get("resumes"):
            self.ended(turn, "lost", "")
        else:
            turn["resumes"] = turn["run"]
            self.start_again(turn, 0)

    def runs_now(self, turn: dict) -> None:
        turn["stage"] = "running"
        session = self.data["sessions"].get(turn["key"])
        if session:
            session["fresh"] = False
        self.note(turn["key"], "user", turn["input"])
        if turn.get("timeout"):
            turn["deadline"] = self.now + turn["timeout"]
            self.clock.call_at(turn["deadline"], self.cancel, turn["run"], "timeout")
        if turn["kind"] == "child":
            self.accepted(turn)
        elif turn["kind"] == "plugin" and turn.get("call"):
            self.effects.answer(turn.pop("call"), "accepted", runId=turn["run"], sessionKey=turn["key"])

    def on_run_ended(self, what: dict) -> None:
        turn = self.data["runs"].get(what["run"])
        if turn is None:
            return
        if turn["stage"] == "cancelled":  # What it says after that is not heard.
            return self.ended(turn, turn["cancelled"], "")
        if turn["stage"] == "starting":
            self.runs_now(turn)
        self.ended(turn, what["outcome"], spoken(what.get("text") or ""))

    def ended(self, turn: dict, outcome: str, text: str) -> None:
        """A run is over: its words go where it answers to, and whoever waits for it is told."""
        self.data["runs"].pop(turn["run"], None)
        if turn["kind"] == "child" and not turn["accepted"]:
            return self.undo_spawn(turn, "it was stopped before it ran")
        self.note(turn["key"], "assistant", text)
        self.session_ended(turn["key"])
        self.stop_waiting_of(turn["run"])
        # What a child says as it yields is not its end: that is what it says when it was woken.
        paused = turn["kind"] == "child" and turn.get("yielded") and outcome == "ok"
        to = self.answers_to(turn)
        said = None
        if outcome == "ok" and not is_silent(text) and to:
            said = self.post(to, text, about=turn["run"], session=turn["key"])
        if turn["kind"] == "message" and outcome != "ok":
            self.post(turn["to"], f"⚠️ This was not answered ({outcome}): {turn['input']}", about=turn["run"])
        elif turn["kind"] in ("child", "sent"):
            if paused:
                self.debt_ended(turn["debt"], outcome, "", None, paused)
            else:
                self.debt_ended(turn["debt"], outcome, text, said and {"to": to, "post": said})
        elif turn["kind"] == "telling":
            if outcome == "ok" and self.tells_of_children(turn):
                self.add_to_waiting(turn["key"], text)
            for name in turn["debts"]:
                self.telling_ended(name, outcome, text)
        elif turn["kind"] == "plugin" and turn.get("call"):
            self.effects.answer(turn["call"], "error", error=f"the run ended ({outcome})")
        self.steered_run_ended(turn["run"], outcome)
        if turn.get("yielded"):
            self.wake_if_done(turn["key"])

    def tells_of_children(self, turn: dict) -> bool:
        return any(dig(self.data["debts"], name, "what") == "child" for name in turn["debts"])

    def on_run_progress(self, what: dict) -> None:
        turn = self.data["runs"].get(what["run"])
        if turn is None or turn["stage"] == "cancelled" or is_silent(what["text"]):
            return
        text = spoken(what["text"])
        self.stream(turn, text)
        self.note(turn["key"], "assistant", text)
        to = self.answers_to(turn)
        if to:
            self.post(to, text, about=turn["run"], session=turn["key"])

    def answers_to(self, turn: dict) -> Optional[dict]:
        """Where the words of a run go."""
        if turn["kind"] == "message":
            return turn["to"]
        bound = self.bound_place(turn["key"])
        if turn["kind"] in ("child", "sent", "plugin"):
            return bound
        if turn["kind"] == "telling" and not bound and self.tells_of_children(turn) and self.says_for_waiting(turn["key"]):
            return None
        if turn["kind"] == "telling" and (bound or turn["to"]):
            return bound or turn["to"]
        agent = dig(self.data["sessions"], turn["key"], "agent") or self.agents[0]
        return self.of_agent(agent, "heartbeat", "to")

    def cancel(self, run: str, outcome: str) -> None:
        """What it says from here on is not heard; whoever waits is told when it is over."""
        turn = self.data["runs"].get(run)
        if turn and turn["stage"] != "cancelled":
            turn.update(stage="cancelled", cancelled=outcome)
            self.effects.cancel_run(run)

    def on_internal_turn(self, what: dict) -> None:
        try:
            key = self.spelled(what["session"])
        except ValueError:
            return  # The clockwork has no ear for a refusal.
        self.open_session(key)
        self.turn(key, "internal", what["text"])

    def call_runtime_subagent_run(self, call: dict, params: dict) -> None:
        if not isinstance(params.get("sessionKey"), str) or not isinstance(params.get("message"), str):
            return self.effects.answer(call["call"], "error", error="runtime.subagent.run needs `sessionKey` and `message`")
        try:
            key = self.spelled(params["sessionKey"])
        except ValueError as why:
            return self.effects.answer(call["call"], "error", error=str(why))
        self.open_session(key)
        overrides = {name: params[name] for name in ("model", "provider", "extraSystemPrompt") if params.get(name) is not None}
        self.turn(key, "plugin", params["message"], call=call["call"], overrides=overrides)

    def restore_turns(self, alive: set) -> None:
        """After a crash: what was at work is resumed once, or ends as lost."""
        for run in sorted(alive - set(self.data["runs"])):  # It was undone, and may not have been told to stop.
            self.effects.cancel_run(run)
        for run, turn in list(self.data["runs"].items()):
            if run in alive:
                self.restore_alive(turn)
            elif turn["stage"] == "cancelled":
                self.ended(turn, turn["cancelled"], "")
            elif turn["kind"] == "message" and not turn.get("resumes"):
                turn["resumes"] = run
                self.start_again(turn, 0)
            elif turn["kind"] in ("internal", "plugin"):
                del self.data["runs"][run]
            elif turn["kind"] == "child" and not turn["accepted"]:
                self.undo_unheard(turn)
            else:
                self.ended(turn, "lost", "")
        for turn in self.data["queue"]:
            self.clock.call_at(turn.get("not_before", 0), self.start_turns)

    def restore_alive(self, turn: dict) -> None:
        if turn["stage"] == "starting":
            turn["stage"] = "running"
            if turn["key"] in self.data["sessions"]:
                self.data["sessions"][turn["key"]]["fresh"] = False
        if turn["kind"] == "child" and not turn["accepted"]:
            self.effects.cancel_run(turn["run"])
            self.undo_unheard(turn)
        elif turn["stage"] == "cancelled":
            self.effects.cancel_run(turn["run"])
        elif turn.get("deadline"):
            self.clock.call_at(turn["deadline"], self.cancel, turn["run"], "timeout")
