"""Children and texts to other sessions: asked for, begun, and their ends told to whoever asked."""
from __future__ import annotations

import re
from typing import Optional

from moorline_shim import caller, without_markers
from settings import dig, first
from turns import is_silent

SEND_TIMEOUT = 30  # Seconds that a sender waits unless it says otherwise.
DELIVERY = ("target", "transport", "channel", "to", "threadId", "thread_id", "replyTo", "reply_to")


def one_of(*words):
    return (lambda value: value in words), " or ".join(f'"{word}"' for word in words)


TEXT = (lambda value: isinstance(value, str)), "a text"
FLAG = (lambda value: isinstance(value, bool)), "true or false"
SECONDS = (lambda value: type(value) is int and value >= 0), "a whole number of seconds; 0 is no limit"
LABEL = (lambda value: isinstance(value, str) and len(value.strip()) <= 512), "a text of at most 512 characters"
PARAMS = {
    "task": TEXT, "agentId": TEXT, "runtime": one_of("subagent", "acp"), "mode": one_of("run", "session"), "thread": FLAG,
    "label": LABEL, "model": TEXT, "thinking": TEXT, "runTimeoutSeconds": SECONDS, "cleanup": one_of("keep", "delete"),
    "context": one_of("isolated", "fork"), "expectsCompletionMessage": FLAG, "notifyParent": FLAG,
    "notifyUserOnComplete": FLAG, "streamTo": one_of("parent"), "resumeSessionId": TEXT, "sandbox": one_of("inherit"),
}


class Refused(Exception):
    """A spawn that may not be: `error`, or `forbidden` where somebody who decides may allow it."""

    def __init__(self, why: str, status: str = "error") -> None:
        super().__init__(why)
        self.status = status


class Children:
    """`self.data["debts"]` holds what is owed to whoever asked; `self.data["openings"]` spawns that wait for a thread."""

    # ---- A spawn is checked whole before anything happens; spec/SPAWN.md has the order. ----

    def call_sessions_spawn(self, call: dict, params: dict) -> None:
        try:
            spawn = self.checked_spawn(call, params)
        except Refused as why:
            return self.effects.answer(call["call"], why.status, error=str(why))
        at = spawn["to"]
        if spawn["thread"] and self.threads(at).get("placement") == "child":
            parent = {key: at[key] for key in ("channel", "account", "conversation")}
            name = spawn["label"] or without_markers(spawn["task"])
            self.data["openings"][self.effects.open_thread(parent, name, spawn["key"])] = spawn
        else:
            self.begin_child(spawn, at if spawn["thread"] else None)

    def checked_spawn(self, call: dict, params: dict) -> dict:
        requester = self.caller_key(call)
        if requester is None:
            raise Refused("sessions_spawn is a tool of agents that are at work; use runtime.subagent.run")
        run, session = self.data["runs"][caller(call)], self.data["sessions"][requester]
        self.check_params(params)
        given = {name: value for name, value in params.items() if value not in (None, "")}
        at, runtime = run["to"], given.get("runtime", "subagent")
        audience = self.audience(given)
        acp_only = [name for name in ("streamTo", "resumeSessionId") if name in given]
        if runtime == "subagent" and acp_only:
            name = acp_only[0]
            raise Refused(f'{name} is only supported for runtime=acp; got runtime=subagent. Leave `{name}` out, or use runtime="acp".')
        if runtime == "acp" and given.get("context") == "fork":
            raise Refused('context="fork" is only supported for runtime="subagent". Use context="isolated".')
        if runtime == "acp" and dig(self.config, "acp", "enabled") is False:
            raise Refused('ACP is disabled by policy (`acp.enabled=false`). Use runtime="subagent".', "forbidden")
        policy = (dig(self.channels, dig(at, "channel"), "threading") or {}) if runtime == "subagent" else {}
        thread = given.get("thread", False) or policy.get("requiresThreadForSubagents", False)
        mode = given.get("mode") or ("session" if thread else "run")
        if policy.get("autoInjectThreadParams"):
            mode = "session"
        if mode == "session" and given.get("cleanup") == "delete":
            raise Refused('`cleanup` is "keep" for mode="session": a session stays until sessions.delete')
        self.check_limits(requester, session)
        agent = self.checked_agent(session["agent"], given, runtime)
        if given.get("context") == "fork" and agent != session["agent"]:
            raise Refused('context="fork" currently requires the same target agent as the requester; use context="isolated".')
        if thread:
            self.check_thread(at, policy)
        if audience in ("origin", "both") and not at:
            raise Refused("`notifyUserOnComplete` needs a conversation, and this run has none; leave it out, and the parent is told")
        fork = self.resumed(requester, given["resumeSessionId"]) if "resumeSessionId" in given else None
        label = given.get("label", "").strip() or None
        taken = [spawn["label"] for spawn in self.data["openings"].values()] + [s.get("label") for s in self.data["sessions"].values()]
        if label and label in taken:
            raise Refused(f"label already in use: {label}; choose another `label`")
        overrides = {name: first(given.get(name), self.of_agent(agent, "subagents", name)) for name in ("model", "thinking")}
        seconds = first(given.get("runTimeoutSeconds"), self.of_agent(session["agent"], "subagents", "runTimeoutSeconds"), 0)
        return {
            "call": call["call"], "caller": caller(call), "requester": requester, "asked_by": session["id"], "to": at,
            "key": f"agent:{agent}:{runtime}:{self.ids.new('child').lower()}", "agent": agent, "runtime": runtime, "mode": mode,
            "thread": thread, "label": label, "task": params["task"], "audience": audience, "timeout": seconds * 1000,
            "overrides": {name: value for name, value in overrides.items() if value}, "streams": "streamTo" in given,
            "fork": fork or (requester if given.get("context") == "fork" else None), "depth": session.get("depth", 0) + 1,
            "kept": given.get("cleanup") == "keep", "deletes": given.get("cleanup") == "delete"}

    def check_params(self, params: dict) -> None:
        for name in params:
            if name not in PARAMS:
                help = {"timeoutSeconds": '. Use "runTimeoutSeconds" for a per-run timeout.'}.get(name)
                help = help or ('. Use "message" or "sessions_send" for channel delivery.' if name in DELIVERY
                                else f"; there is {', '.join(PARAMS)}")
                raise Refused(f'sessions_spawn does not support "{name}"{help}')
        if not isinstance(params.get("task"), str) or not params["task"].strip():
            raise Refused("sessions_spawn needs `task`, a text")
        agent = params.get("agentId")
        if isinstance(agent, str) and not re.fullmatch(r"(?i)[a-z0-9][a-z0-9_-]{0,63}", agent.strip()):
            raise Refused(f'Invalid agentId "{agent}". Agent IDs must match [a-z0-9][a-z0-9_-]{{0,63}}. Leave `agentId` out for your own.')
        for name, (is_right, right) in PARAMS.items():
            if params.get(name) is not None and not is_right(params[name]):
                raise Refused(f"`{name}` is {right}, not {params[name]!r}")

    def audience(self, given: dict) -> str:
        """Who is told of its end: the session that asked, the conversation that asked, both, or nobody."""
        expects, parent, person = (given.get(name) for name in ("expectsCompletionMessage", "notifyParent", "notifyUserOnComplete"))
        contrary = "notifyParent" if parent else "notifyUserOnComplete" if person else None
        if expects is True and parent is False and not person:
            contrary = "notifyParent"
        elif expects is not False:
            contrary = None
        if contrary:
            raise Refused(f"`{contrary}` says the contrary of `expectsCompletionMessage`: leave one of them out")
        if expects is False or (parent is False and not person):
            return "nobody"
        return ("both" if parent else "origin") if person else "parent"

    def check_limits(self, requester: str, session: dict) -> None:
        depth, deepest = session.get("depth", 0), first(self.of_agent(session["agent"], "subagents", "maxSpawnDepth"), 1)
        if depth >= deepest:
            raise Refused(f"sessions_spawn is not allowed at this depth (current depth: {depth}, max: {deepest}); "
                          "do the work in this run", "forbidden")
        running = [debt for debt in self.data["debts"].values()
                   if debt["requester"] == requester and debt["what"] == "child" and debt["stage"] == "running"]
        count = len(running) + sum(spawn["requester"] == requester for spawn in self.data["openings"].values())
        most = first(self.of_agent(session["agent"], "subagents", "maxChildrenPerAgent"), 5)
        if count >= most:
            raise Refused(f"sessions_spawn has reached max active children for this session ({count}/{most}); "
                          "wait until one has ended", "forbidden")

    def checked_agent(self, own: str, given: dict, runtime: str) -> str:
        """The agent that is asked: there, and allowed for whoever asks."""
        named = given.get("agentId", "").strip() or None
        known = [agent for agent in self.agents if named and agent.lower() == named.lower()]
        named = known[0] if known else named
        if runtime == "acp":
            allowed = dig(self.config, "acp", "allowedAgents") or []
            agent = named or dig(self.config, "acp", "defaultAgent") or own
            if allowed and not self.is_listed(allowed, agent):
                raise Refused(f'ACP agent "{agent}" is not allowed by policy. Set `agentId` to one of: {", ".join(allowed)}.', "forbidden")
        else:
            listed = self.of_agent(own, "subagents", "allowAgents")
            may = [agent for agent in self.agents if (agent == own if listed is None else self.is_listed(listed, agent))]
            allowed, agent = may, named or own
            if not named and self.of_agent(own, "subagents", "requireAgentId"):
                raise Refused("sessions_spawn requires explicit agentId when requireAgentId is configured. "
                              f"Set `agentId` to one of: {', '.join(may) or 'none'}.", "forbidden")
            if named and not (named == own if listed is None else self.is_listed(listed, named)):
                raise Refused(f"agentId is not allowed for sessions_spawn (allowed: {', '.join(may) or 'none'}). "
                              "Use one of these, or leave `agentId` out.", "forbidden")
        if agent not in self.agents:
            raise Refused(f'agentId "{agent}" is not in the configured agent registry (allowed: {", ".join(allowed) or "none"}). '
                          "Use one of these, or leave `agentId` out.", "forbidden")
        return agent

    def is_listed(self, agents: list, agent: str) -> bool:
        return any(entry == "*" or entry.strip().lower() == agent.lower() for entry in agents)

    def check_thread(self, at: Optional[dict], policy: dict) -> None:
        help = 'Leave `thread` out: mode="run" reports back here.'
        if not at:
            raise Refused(f"`thread` needs a conversation, and this run has none. {help}")
        name = at["channel"]
        if not self.can_bind(at, self.is_direct(at)):
            raise Refused(f"Thread bindings are unavailable for {name}. thread=true is only available on channels that expose "
                          f"thread bindings. {help}")
        if self.of_bindings(at, "enabled") is False:
            raise Refused(f"Thread bindings are disabled for {name} (set channels.{name}.threadBindings.enabled=true to use `thread`). {help}")
        if not first(self.of_bindings(at, "spawnSubagentSessions"), policy.get("requiresThreadForSubagents"), False):
            raise Refused(f"Thread-bound session spawns are disabled for {name} (set "
                          f"channels.{name}.threadBindings.spawnSubagentSessions=true to use `thread`). {help}")

    def resumed(self, requester: str, id: str) -> str:
        for key, session in self.data["sessions"].items():
            if session["id"] == id and session.get("parent") == requester and session.get("runtime") == "acp":
                return key
        raise Refused(f"resumeSessionId {id} is of no ACP session of this requester; leave `resumeSessionId` out to start afresh", "forbidden")

    # ---- Its session, binding, run and what is owed come to be together, and are undone together. ----

    def on_thread_opened(self, what: dict) -> None:
        focus = self.data["focuses"].pop(what["request"], None)
        if focus:
            return self.focus_opened(focus, what)
        spawn = self.data["openings"].pop(what["request"], None)
        if spawn is None:
            return
        at, why = dig(what, "opened", "at"), None
        if at is None:
            refused = dig(what, "refused", "why")
            why = f"Unable to create a thread for `thread`: {refused}." if refused else "Nobody knows whether the thread for `thread` was opened; one may remain, unbound."
        elif self.of_bindings(at, "enabled") is False:
            why = f"thread bindings were disabled meanwhile; the thread {self.told(at)} remains, unbound."
        elif spawn.get("stopped") or dig(self.data["sessions"], spawn["requester"], "id") != spawn["asked_by"]:
            why = f"whoever asked is gone, or was stopped; the thread {self.told(at)} remains, unbound."
        if why:
            return self.effects.answer(spawn["call"], "error", error=f'{why} Use mode="run" without `thread`.')
        self.begin_child(spawn, at)

    def begin_child(self, spawn: dict, bound: Optional[dict]) -> None:
        more = {name: spawn[name] for name in ("label", "depth", "mode", "runtime", "kept")}
        self.data["sessions"][spawn["key"]] = self.new_session(spawn["key"], spawn["agent"], parent=spawn["requester"], **more)
        debt = self.owe(spawn, child=spawn["key"], what="child", **{name: spawn[name] for name in ("audience", "streams", "deletes", "mode")})
        turn = self.turn(spawn["key"], "child", spawn["task"], spawn["to"], debt=debt["name"], accepted=False, call=spawn["call"],
                         **{name: spawn[name] for name in ("overrides", "fork", "timeout")})
        debt["run"] = turn["run"]
        self.data["queue"].insert(0, self.data["queue"].pop())  # Before whatever waits in its thread.
        if bound:
            self.bind(bound, spawn["key"], debt=debt["name"] if spawn["mode"] == "run" else None)
        self.start_turns()
        if turn in self.data["queue"]:  # It waits until fewer are at work, and is accepted already.
            self.accepted(turn)

    def owe(self, asked: dict, **more) -> dict:
        """Something whose end is owed to `asked["requester"]`, at the address that was captured with the asking."""
        name = self.ids.new("debt")
        debt = {"name": name, "stage": "running", "requester": asked["requester"], "asked_by": asked["asked_by"],
                "above": self.all_above(asked["requester"]), "to": asked["to"], "task": asked["task"], **more}
        self.data["debts"][name] = debt
        return debt

    def accepted(self, turn: dict) -> None:
        """It runs, or will: whoever asked hears of it once."""
        if not turn["accepted"]:
            turn["accepted"] = True
            debt, place = self.data["debts"][turn["debt"]], self.bound_place(turn["key"])
            bound = {"boundTo": self.told(place)} if place else {}
            self.effects.answer(turn["call"], "accepted", childSessionKey=turn["key"], runId=turn["run"], mode=debt["mode"], **bound)
        place = self.bound_place(turn["key"])
        if place and turn["stage"] == "running":
            self.introduce(place)

    def undo_spawn(self, turn: dict, why: str) -> None:
        """The child never was. A thread that was opened stays, and is named."""
        self.data["runs"].pop(turn["run"], None)
        self.data["debts"].pop(turn["debt"], None)
        place = self.bound_place(turn["key"])
        remains = f"; the thread {self.told(place)} remains, unbound" if place and place.get("thread") else ""
        self.unbind_session(turn["key"], "spawn-failed")
        self.delete_session(turn["key"])
        if turn["call"]:
            self.effects.answer(turn["call"], "error", error=f"the child did not start: {why}{remains}. Try again.")

    def undo_unheard(self, turn: dict) -> None:
        """Nobody can be answered any more that a child did not come to be."""
        why = "the gateway was restarted before it was accepted"
        self.effects.failed(turn["run"], why, turn["to"])
        debt = self.data["debts"].get(turn["debt"])
        self.keep_given_up(turn["run"], why, None, debt and {**debt, "outcome": "lost", "text": "", "said": None})
        self.undo_spawn({**turn, "call": None}, "")

    # ---- Its end is told: as a turn of whoever asked; where that cannot be, where it was asked from. ----

    def debt_ended(self, name: str, outcome: str, text: str, said: Optional[dict], paused: bool = False) -> None:
        debt = self.data["debts"].get(name)
        if debt is None or debt["stage"] != "running":
            return
        debt.update(stage="ended", outcome=outcome, text=text, said=said, paused=paused)
        waiting = debt.pop("call", None)
        if waiting:
            return self.reply_in_time(debt, waiting)
        self.hand_or_wait(debt)

    def words(self, debt: dict) -> str:
        subject, silent = (f"run {debt['run']}", is_silent(debt["text"]))
        if debt["outcome"] != "ok":
            return f"{subject} failed ({debt['outcome']}): {debt['task']}"
        if debt["what"] == "reply":
            return f"{debt['child']} did not reply to: {debt['task']}" if silent else f"{debt['child']} replied: {debt['text']}"
        # What it says when it was woken has nothing of its task in it.
        about = f" ({debt['task']})" if debt.get("paused") else ""
        if debt.get("in_vain"):
            waits = f"{subject} still waits for " + " and ".join(f"run {run}" for run in debt["in_vain"])
            return f"{waits}: {debt['task']}" if silent else f"{waits}{about}: {debt['text']}"
        return f"{subject} ended without output: {debt['task']}" if silent else f"{subject} ended{about}: {debt['text']}"

    def hand(self, debt: dict) -> None:
        ended = debt.get("exchanged") and debt["outcome"] == "ok" and is_silent(debt["text"])  # Nothing said ends an exchange.
        skips = debt["outcome"] == "ok" and without_markers(debt["text"]) == "ANNOUNCE_SKIP"
        if debt["audience"] == "nobody" or ended or skips:
            return self.settle_debt(debt["name"])
        if debt["audience"] != "origin":
            self.inherit(debt)
        if debt["audience"] == "origin" or debt["requester"] not in self.data["sessions"]:
            return self.tell_origin(debt)
        if self.waits_for_more(debt):
            return
        run = self.run_that_takes(debt)
        if run:
            self.steer(debt, run)
        else:
            self.tell_by_turn([debt])

    def tell_by_turn(self, debts: list) -> None:
        """A turn of whoever asked, behind what it is at."""
        if debts[0]["requester"] not in self.data["sessions"]:
            return self.tell_origin(debts[0])
        for debt in debts:
            debt["stage"] = "turn"
        text = "\n".join(self.words(debt) for debt in debts)
        self.turn(debts[0]["requester"], "telling", text, debts[0]["to"], debts=[debt["name"] for debt in debts])

    def still_asked_for(self, turn: dict, session: dict) -> bool:
        """Whether whoever asked remembers that it did; people hear of it where it does not."""
        if not turn["debts"]:
            return turn["asked_of"] == session["id"]
        for debt in [self.data["debts"][name] for name in turn["debts"] if name in self.data["debts"]]:
            if debt["asked_by"] != session["id"]:
                turn["debts"].remove(debt["name"])
                self.tell_origin(debt, f"⚠️ run {debt['run']} ended, and whoever asked for it was reset since: {debt['task']}")
        return bool(turn["debts"])

    def telling_ended(self, name: str, outcome: str, text: str) -> None:
        debt = self.data["debts"].get(name)
        if debt is None:
            return
        if outcome != "ok" or (debt["audience"] == "both" and is_silent(text)):
            return self.tell_origin(debt)
        self.settle_debt(name)
        self.exchange(debt, text)

    def tell_origin(self, debt: dict, instead: Optional[str] = None) -> None:
        to, said = debt["to"], debt.get("said")
        if not to:
            self.effects.failed(debt["run"], "nobody knows where it belongs")
            return self.settle_debt(debt["name"])
        debt["stage"] = "post"
        if said and said["to"] == to and not instead:  # Its own words stand there, or are on their way.
            entry = self.data["outbox"].get(said["post"])
            return entry.update(debt=debt["name"]) if entry else self.settle_debt(debt["name"])
        plain = debt["outcome"] == "ok" and not is_silent(debt["text"])
        self.post(to, instead or (debt["text"] if plain else f"⚠️ {self.words(debt)}"), about=debt["run"], debt=debt["name"])

    def settle_debt(self, name: Optional[str]) -> None:
        """Nobody waits for it any more."""
        debt = self.data["debts"].pop(name, None)
        if debt is None:
            return
        self.unbind_debt(name)
        if debt.get("deletes"):
            self.unbind_session(debt["child"], "deleted")
            self.delete_session(debt["child"])
        self.settled_below(debt["requester"])

    def stream(self, turn: dict, text: str) -> None:
        """What a child says before its end, for whoever asked to hear of it."""
        debt = self.data["debts"].get(turn.get("debt"))
        if debt and debt.get("streams") and dig(self.data["sessions"], debt["requester"], "id") == debt["asked_by"]:
            self.turn(debt["requester"], "telling", f"run {debt['run']} says: {text}", debt["to"], debts=[])

    def restore_debts(self, alive: set) -> None:
        for debt in self.data["debts"].values():
            if debt.get("call"):
                self.clock.call_at(debt["until"], self.stop_waiting, debt["name"])
            if debt["stage"] == "steering" or debt["stage"] == "steered" and debt["taken_by"] not in alive:
                debt.update(stage="ended", taken_by=None)  # Nobody will tell of it.

    def restore_ends(self) -> None:
        for name in list(self.data["debts"]):
            if dig(self.data["debts"], name, "stage") == "ended":
                self.hand_or_wait(self.data["debts"][name])

    # ---- Texts to other sessions: the reply in time is the answer, a later one is told like a child's end. ----

    def call_sessions_send(self, call: dict, params: dict) -> None:
        own, run = self.caller_key(call), self.data["runs"].get(caller(call) or "")
        try:
            target = self.send_target(own, params)
        except Refused as why:
            return self.effects.answer(call["call"], why.status, error=str(why))
        except ValueError as why:
            return self.effects.answer(call["call"], "error", error=str(why))
        asked = {"requester": own or target, "asked_by": dig(self.data["sessions"], own or target, "id"),
                 "to": run["to"] if run else None, "task": params["message"]}
        self.open_session(target)
        turn, debt = self.send_turn(asked, target, "parent" if own else "nobody", 0)
        seconds = first(params.get("timeoutSeconds"), SEND_TIMEOUT)
        if seconds <= 0 or own is None:
            delivery = {"status": "pending", "mode": "announce"}
            return self.effects.answer(call["call"], "accepted", runId=turn["run"], sessionKey=target, delivery=delivery)
        debt.update(call=call["call"], caller=caller(call), until=self.now + int(seconds) * 1000)
        self.clock.call_at(debt["until"], self.stop_waiting, debt["name"])

    def send_turn(self, asked: dict, target: str, audience: str, exchanged: int) -> tuple:
        debt = self.owe(asked, child=target, what="reply", audience=audience, exchanged=exchanged)
        turn = self.turn(target, "sent", asked["task"], asked["to"], debt=debt["name"])
        debt["run"] = turn["run"]
        return turn, debt

    def send_target(self, own: Optional[str], params: dict) -> str:
        if not isinstance(params.get("message"), str) or not params["message"].strip():
            raise Refused("sessions_send needs `message`, the text")
        key = self.named(params, own)
        if key == own:
            raise Refused("sessions_send cannot target the calling session; use your own reply instead")
        why = self.unseen(own, key)
        if why:
            raise Refused(f"Session send {why}", "forbidden")
        return key

    def exchange(self, debt: dict, text: str) -> None:
        """Whoever was told of a reply said something to that: it goes back, so many times and no more."""
        most = dig(self.config, "session", "agentToAgent", "maxPingPongTurns") or 0
        requester, child = debt["requester"], debt["child"]
        if debt["what"] != "reply" or is_silent(text) or is_silent(debt["text"]) or debt["exchanged"] >= most:
            return
        if self.is_below(child, requester) or ":cron:" in requester or not {requester, child} <= set(self.data["sessions"]):
            return
        turns = debt["exchanged"] + 1  # The answer to this is a turn too.
        self.send_turn({**debt, "task": text}, child, "parent" if turns < most else "nobody", turns + 1)

    def reply_in_time(self, debt: dict, call: str) -> None:
        if debt["caller"] not in self.data["runs"]:  # Whoever called is over.
            self.effects.answer(call, "timeout", runId=debt["run"], sessionKey=debt["child"])
            return self.hand(debt)
        del self.data["debts"][debt["name"]]
        more = {"reply": debt["text"]} if not is_silent(debt["text"]) else {}
        if debt["outcome"] != "ok":
            more = {"error": f"the run ended as {debt['outcome']}: {debt['task']}"}
        self.effects.answer(call, "ok" if debt["outcome"] == "ok" else "error", runId=debt["run"], sessionKey=debt["child"], **more)

    def stop_waiting(self, name: str) -> None:
        """The sender waits no longer; the reply will reach its session when it comes."""
        debt = self.data["debts"].get(name)
        if debt and debt.get("call"):
            self.effects.answer(debt.pop("call"), "timeout", runId=debt["run"], sessionKey=debt["child"])

    def stop_waiting_of(self, run: str) -> None:
        """A run that is over waits for nothing."""
        for debt in self.data["debts"].values():
            if debt.get("caller") == run:
                self.stop_waiting(debt["name"])
