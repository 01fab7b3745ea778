#!/usr/bin/env python3
"""The smallest complete gateway: sessions, children, sends, and completions that find their way back.

It speaks the wire of spec/WIRE.md and needs nothing but the standard library. What it shall survive is
one JSON file in `state_dir`, replaced before each reply; so a reply states that all of it is safe.
It binds no threads, and says so; it never steers, a busy session has a queue.
"""
import json
import os
import re
import sys
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

HELLO = {
    "wire": 1, "name": "minimal.py", "version": "1", "profile": "target",
    "families": ["ingress", "session", "spawn", "relay", "isolation", "send", "restart"],
    "clock": "virtual", "disk": "own", "channels": "nameless", "reopen": True, "reports": [],
}
RELAY_WINDOW = 30 * 60_000  # For so long a delivery is tried again; then it is given up aloud.
SEND_TIMEOUT = 30  # Seconds that a sender waits unless it says otherwise.
SPAWN_TAKES = {"task", "label", "mode", "thread", "runtime", "agentId", "model", "thinking"}
UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def span(text):
    """"1h30m" as milliseconds."""
    return sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)(ms|s|m|h|d)", text))


def dig(data, *path):
    """What stands at a path of keys, or None."""
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def silent(text):
    return text.split()[:1] in ([], ["NO_REPLY"], ["ANNOUNCE_SKIP"])


def size(character, unit):
    return {"characters": 1, "utf16": len(character.encode("utf-16-le")) // 2,
            "bytes": len(character.encode())}[unit]


def pieces(text, limit):
    """The text in pieces that the channel takes; joined they are the text."""
    if not limit:
        return [text]
    cut, room = [""], limit["max"]
    for character in text:
        need = size(character, limit["unit"])
        if need > room:
            cut, room = [*cut, ""], limit["max"]
        cut[-1] += character
        room -= need
    return cut


class Unsupported(Exception):
    """A stimulus or method that this gateway does not know."""


class Gateway:
    # ---- A life: it begins with `open`, on an empty state or on the one an earlier life left. ----

    def open(self, now, frame):
        self.now, self.effects = now, []
        self.start = datetime.fromisoformat(frame["starts_at"].replace("Z", "+00:00"))
        self.zone = ZoneInfo(frame["timezone"])
        self.config, self.agents = frame["config"] or {}, frame["agents"] or ["main"]
        self.channels = {channel["id"]: channel for channel in frame["channels"]}
        self.path = os.path.join(frame["state_dir"], "state.json")
        # sessions by key; runs that were asked for and have not ended; turns that wait for their
        # session; messages on their way out; sends that are waited for; inbound messages seen.
        self.state = {"names": 0, "sessions": {}, "runs": {}, "queue": [], "outbox": [], "sends": {}, "seen": []}
        if frame.get("restored"):
            if os.path.exists(self.path):
                with open(self.path, encoding="utf-8") as file:
                    self.state = json.load(file)
            self.recover(set(frame.get("alive", ())))
        return self.settle()

    def recover(self, alive):
        """After a crash: what was in flight is resumed once, told as lost, or repeated."""
        for entry in self.state["outbox"]:
            if entry.pop("flight", None):  # Its receipt will never come: it may have been posted.
                entry.update(doubtful=True, due=self.now)
        for name, run in list(self.state["runs"].items()):
            if name in alive:
                if run.pop("spawn_call", None) and run["caller"] in alive:
                    self.answer(run["call"], self.spawned(name, run))
            elif run["kind"] == "child":
                del self.state["runs"][name]
                if run.pop("spawn_call", None):  # Nobody was told that it was accepted.
                    del self.state["sessions"][run["key"]]
                    if run["caller"] in alive:
                        self.answer(run["call"], {"status": "error", "error": "the child was lost in a restart"})
                else:
                    self.completed(name, run, "lost", "")
            elif run.get("resumes"):  # Lost for the second time: it is not tried a third time.
                del self.state["runs"][name]
                self.turn_ended(name, run, "lost", "")
            else:
                del self.state["runs"][name]
                again = {**run, "run": self.name("run"), "resumes": name}
                self.state["queue"].insert(0, again)
        for send in self.state["sends"].values():
            if send["caller"] not in alive:
                send["late"] = True

    def handle(self, now, stimuli):
        self.now, self.effects = now, []
        for stimulus in stimuli:
            (kind, what), = stimulus.items()
            handler = getattr(self, "on_" + kind, None)
            if handler is None:
                raise Unsupported(kind)
            handler(what)
        return self.settle()

    def settle(self):
        """Whatever can go on goes on; then the state is made safe, and only then told of."""
        self.expire_sends()
        self.start_turns()
        self.post()
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.state, file)
        os.replace(self.path + ".new", self.path)
        due = [entry["due"] for entry in self.state["outbox"] if "flight" not in entry]
        due += [send["until"] for send in self.state["sends"].values() if not send["late"]]
        return {"effects": self.effects, "wake_at": min(due, default=None)}

    def effect(self, **effect):
        self.effects.append(effect)

    def answer(self, call, result):
        self.effect(answer={"call": call, "result": result})

    def name(self, kind):
        self.state["names"] += 1
        return f"{kind}-{self.state['names']}"

    # ---- What is of no concern: nothing here asked for it. ----

    def on_wake(self, _):
        pass

    on_stop = on_compacted = on_run_progress = on_thread_changed = on_wake

    def on_config_changed(self, what):
        self.config = what["config"] or {}

    # ---- Messages: to which session, and whether that begins anew. ----

    def on_inbound(self, message):
        at, text = message["at"], message["text"]
        seen = [at["channel"], at["account"], at["conversation"], message["message"]]
        words = text.split()
        why = None
        if message.get("author", "person") != "person":
            why = "not written by a person"
        elif seen in self.state["seen"]:
            why = "seen before"
        elif (message["kind"] != "direct" and not message.get("mentioned", True)
              and dig(self.config, "channels", at["channel"], "requireMention")):
            why = "not meant for this account"
        if why:
            return self.effect(drop={"message": message["message"], "why": why})
        self.state["seen"] = [*self.state["seen"][-999:], seen]
        key = self.session_key(message)
        command = words[:1] in (["/new"], ["/reset"]) and message.get("authorised", True)
        session = self.state["sessions"].get(key)
        anew = command or bool(session and self.reset_due(session, at["channel"], message["kind"]))
        if session:
            session["touched"] = self.now
            if anew:
                session["began"] = self.now
        # A command and nothing else is no message; the harness's markers are no words.
        bare = command and not re.sub("⟦[^⟧]*⟧", "", text).split()[1:]
        self.turn(key, "chat", text, to=at, anew=anew, seen=seen, bare=bare)

    def session_key(self, message):
        at, agent = message["at"], self.agents[0]
        account = "" if at["account"] == "default" else ":" + at["account"]
        if message["kind"] == "direct":
            scope = dig(self.config, "session", "dmScope") or "main"
            peer = self.linked(at["channel"], message["from"])
            key = {
                "main": f"agent:{agent}:main",
                "per-peer": f"agent:{agent}:direct:{peer}",
                "per-channel-peer": f"agent:{agent}:{at['channel']}:direct:{peer}",
                "per-account-channel-peer": f"agent:{agent}:{at['channel']}:{at['account']}:direct:{peer}",
            }[scope]
        else:
            key = f"agent:{agent}:{at['channel']}{account}:group:{at['conversation']}"
        return f"{key}:thread:{at['thread']}" if at.get("thread") else key

    def linked(self, channel, person):
        names = {person.lower(), f"{channel}:{person}".lower()}
        for name, peers in (dig(self.config, "session", "identityLinks") or {}).items():
            if names & {peer.lower() for peer in peers}:
                return name
        return person

    def reset_due(self, session, channel, kind):
        """Judged at a person's message only: the daily hour lies behind, or the idle time is exceeded."""
        settings = self.config.get("session") or {}
        policy = dig(settings, "resetByChannel", channel)
        if policy is None:
            policy = {**(settings.get("reset") or {}), **(dig(settings, "resetByType", kind) or {})}
            if not policy:
                policy["mode"] = "idle"
            policy.setdefault("idleMinutes", settings.get("idleMinutes"))
        mode, idle = policy.get("mode", "daily"), policy.get("idleMinutes")
        if mode == "none":
            return False
        if idle and self.now - session["touched"] > idle * 60_000:
            return True
        if mode != "daily":
            return False
        here = (self.start + timedelta(milliseconds=self.now)).astimezone(self.zone)
        hour = here.replace(hour=policy.get("atHour", 4), minute=0, second=0, microsecond=0)
        if hour.timestamp() > here.timestamp():
            hour -= timedelta(days=1)
        began = self.start + timedelta(milliseconds=session["began"])
        return began.timestamp() < hour.timestamp()

    # ---- Turns: one at a time in a session, the others wait in order. ----

    def turn(self, key, kind, text, **more):
        run = self.name("run")
        self.state["queue"].append({"run": run, "key": key, "kind": kind, "input": text, **more})
        return run

    def start_turns(self):
        waiting, self.state["queue"] = self.state["queue"], []
        busy = {run["key"] for run in self.state["runs"].values()}
        while waiting:
            turn = waiting.pop(0)
            if turn["key"] in busy:
                self.state["queue"].append(turn)
                continue
            session = self.state["sessions"].get(turn["key"])
            if turn.get("asked_by") and turn["asked_by"] != (session or {}).get("id"):
                # Whoever asked has forgotten that it did.
                self.failed_visibly(turn, "the session that asked for it was reset")
                continue
            session = session or self.new_session(turn["key"])
            if turn.pop("anew", False):
                session.update(id=self.name("session"), fresh=True)
            if turn.get("bare"):
                self.deliver(turn["to"], "A new session has begun.", turn["run"], "")
                continue
            busy.add(turn["key"])
            self.start_run(turn, session)

    def new_session(self, key, **more):
        session = {"id": self.name("session"), "fresh": True, "began": self.now, "touched": self.now, **more}
        self.state["sessions"][key] = session
        return session

    def start_run(self, turn, session):
        run = turn.pop("run")
        self.state["runs"][run] = turn
        more = {key: turn[key] for key in ("resumes", "overrides") if turn.get(key)}
        agent = turn["key"].split(":")[1] if turn["key"].count(":") > 1 else self.agents[0]
        self.effect(start_run={
            "run": run, "session_key": turn["key"], "session_id": session["id"],
            "memory": "fresh" if session["fresh"] else "continue",
            "agent": agent, "input": turn["input"], **more})

    def on_run_started(self, what):
        run = self.state["runs"].get(what["run"])
        if run is None:
            return
        session = self.state["sessions"].get(run["key"])
        if what["outcome"] == "started":
            if session:
                session["fresh"] = False
            if run.pop("spawn_call", None):
                self.answer(run["call"], self.spawned(what["run"], run))
            return
        if what["outcome"] == "unknown":  # It may run: then it shall not.
            self.effect(cancel_run={"run": what["run"]})
        del self.state["runs"][what["run"]]
        if run.pop("spawn_call", None):  # Nothing is left of it.
            del self.state["sessions"][run["key"]]
            self.answer(run["call"], {"status": "error", "error": "the child's run did not start"})
        elif run["kind"] == "chat":
            self.state["seen"] = [seen for seen in self.state["seen"] if seen != run["seen"]]
            self.turn_ended(what["run"], run, "not started", "")
        else:
            self.turn_ended(what["run"], run, "not started", "")

    def on_run_ended(self, what):
        run = self.state["runs"].pop(what["run"], None)
        for send in self.state["sends"].values():
            if send["caller"] == what["run"]:
                send["late"] = True  # Nobody waits for the answer any more; the reply is still wanted.
        if run is None:
            return
        if run["kind"] == "child":
            self.completed(what["run"], run, what["outcome"], what.get("text", ""))
        else:
            self.turn_ended(what["run"], run, what["outcome"], what.get("text", ""))

    def turn_ended(self, name, run, outcome, text):
        if run["kind"] == "send":
            return self.replied(run, outcome, text)
        if outcome == "ok" or not silent(text):
            if not silent(text):
                self.deliver(run.get("to"), text, run.get("about", name), run["input"])
        elif run["kind"] == "completion":  # The parent could not tell it: its origin is told directly.
            self.deliver(run["to"], run["input"], run["about"], run["task"])
        elif run["kind"] == "chat":
            self.deliver(run["to"], f"This was not answered ({outcome}): {run['input']}", name, run["input"])

    def on_internal_turn(self, what):
        to = dig(self.config, "agents", "defaults", "heartbeat", "to")
        self.turn(what["session"], "internal", what["text"], to=to)

    # ---- Calls ----

    def on_call(self, call):
        method, params, caller = call["method"], call["params"] or {}, dig(call["by"], "run") if isinstance(call["by"], dict) else None
        if method == "sessions_spawn":
            self.spawn(call["call"], caller, params)
        elif method == "sessions_send":
            self.send(call["call"], caller, params)
        elif method == "runtime.subagent.run":
            run = self.turn(params["sessionKey"], "plugin", params["message"])
            self.answer(call["call"], {"status": "accepted", "runId": run, "sessionKey": params["sessionKey"]})
        elif method in ("sessions.reset", "sessions.delete"):
            for name, run in self.state["runs"].items():
                if run["key"] == params["key"]:
                    self.effect(cancel_run={"run": name})
            session = self.state["sessions"].get(params["key"])
            if session and method == "sessions.reset":
                session.update(id=self.name("session"), fresh=True, began=self.now, touched=self.now)
            elif session:
                del self.state["sessions"][params["key"]]
            self.answer(call["call"], {"status": "ok", "key": params["key"]})
        else:
            raise Unsupported(method)

    def spawn(self, call, caller, params):
        run = self.state["runs"].get(caller) or {}
        refusal = self.spawn_refused(run, params)
        if refusal:
            status, error = refusal
            return self.answer(call, {"status": status, "error": error})
        policy = self.threading(run)
        mode = "session" if policy.get("autoInjectThreadParams") and params.get("runtime") != "acp" else params.get("mode", "run")
        agent, runtime = params.get("agentId", self.agents[0]), params.get("runtime", "subagent")
        key = f"agent:{agent}:{runtime}:{self.name('child')}"
        parent = self.state["sessions"][run["key"]]
        session = self.new_session(key, parent=run["key"], label=params.get("label"), depth=parent.get("depth", 0) + 1)
        overrides = {name: params[name] for name in ("model", "thinking") if name in params}
        child = {"run": self.name("run"), "key": key, "kind": "child", "input": params["task"], "to": run.get("to"),
                 "parent": run["key"], "asked_by_id": parent["id"], "mode": mode, "overrides": overrides,
                 "spawn_call": True, "call": call, "caller": caller}
        self.start_run(child, session)  # The call is answered once it is known that it runs.

    def threading(self, run):
        return (self.channels.get((run.get("to") or {}).get("channel")) or {}).get("threading") or {}

    def spawn_refused(self, run, params):
        """Why this child may not be, with a way out; None if it may."""
        acp, place = params.get("runtime") == "acp", (run.get("to") or {}).get("channel", "this place")
        limits = dig(self.config, "agents", "defaults", "subagents") or {}
        children = sum(other.get("parent") == run.get("key") for other in self.state["runs"].values())
        labels = [session.get("label") for session in self.state["sessions"].values()]
        unknown = sorted(set(params) - SPAWN_TAKES)
        if run.get("key") not in self.state["sessions"]:
            return "error", "only a run that goes on can spawn a child"
        if unknown:
            return "error", f'sessions_spawn does not support "{unknown[0]}" here; leave it out'
        if not isinstance(params.get("task"), str) or not params["task"].strip():
            return "error", "sessions_spawn needs a task, a text that is not empty"
        if params.get("mode", "run") not in ("run", "session"):
            return "error", 'mode must be "run" or "session"'
        if params.get("runtime", "subagent") not in ("subagent", "acp"):
            return "error", 'runtime must be "subagent" or "acp"'
        if params.get("agentId", self.agents[0]) not in self.agents:
            return "forbidden", f"agentId is not allowed for sessions_spawn (allowed: {', '.join(self.agents)})"
        if params.get("thread") is True or (self.threading(run).get("requiresThreadForSubagents") and not acp):
            return "error", f'Thread bindings are unavailable for {place}. Use mode="session" without thread.'
        if self.state["sessions"][run["key"]].get("depth", 0) >= limits.get("maxSpawnDepth", 1):
            return "forbidden", "sessions_spawn is not allowed at this depth"
        if children >= limits.get("maxChildrenPerAgent", 5):
            return "forbidden", f"sessions_spawn has reached max active children for this session ({children})"
        if params.get("label") and params["label"] in labels:
            return "error", f"label already in use: {params['label']}"
        return None

    def spawned(self, name, run):
        return {"status": "accepted", "childSessionKey": run["key"], "runId": name, "mode": run["mode"]}

    def completed(self, name, run, outcome, text):
        """A child's end goes to whoever asked, as a turn that answers to the origin captured then."""
        told = f"A child has ended ({outcome}): {text}"
        if outcome != "ok" or silent(text):
            said = "" if silent(text) else text
            told = f"A child has ended ({outcome}), having said {said or 'nothing'}. Its task was: {run['input']}"
        self.turn(run["parent"], "completion", told, to=run["to"], about=name, task=run["input"],
                  asked_by=run["asked_by_id"])

    def send(self, call, caller, params):
        run = self.state["runs"].get(caller) or {}
        key, label, sessions = params.get("sessionKey"), params.get("label"), self.state["sessions"]
        timeout = params.get("timeoutSeconds", SEND_TIMEOUT)
        if label and not key:
            key = next((key for key, session in sessions.items() if session.get("label") == label), None)
        elif key == "main":
            key = f"agent:{self.agents[0]}:main"
        tree = key
        while tree in sessions and tree != run.get("key"):  # Up to whoever asks, or past them.
            tree = sessions[tree].get("parent")
        error = None
        if params.get("sessionKey") and label:
            error = "error", "Provide either sessionKey or label (not both)."
        elif not params.get("sessionKey") and not label:
            error = "error", "Either sessionKey or label is required"
        elif key not in sessions:
            error = "error", f"No session found: {label or key}"
        elif key == run.get("key"):
            error = "error", "sessions_send cannot target the calling session; use your own reply instead"
        elif tree is None or tree != run.get("key"):
            error = "forbidden", f"Session not visible from here: {key}"
        if error:
            return self.answer(call, {"status": error[0], "error": error[1]})
        wait = max(0, int(timeout)) * 1000
        target = self.turn(key, "send", params["message"], to=run.get("to"), send=call)
        self.state["sends"][call] = {"caller": caller, "parent": run["key"], "asked_by_id": sessions[run["key"]]["id"], "to": run.get("to"),
                                     "input": params["message"], "key": key, "run": target, "until": self.now + wait, "late": False}
        if not wait:
            self.expire(call, "accepted")

    def expire_sends(self):
        for call, send in self.state["sends"].items():
            if not send["late"] and send["until"] <= self.now:
                self.expire(call, "timeout")

    def expire(self, call, status):
        send = self.state["sends"][call]
        send["late"] = True
        self.answer(call, {"status": status, "runId": send["run"], "sessionKey": send["key"], "note": "the reply will follow"})

    def replied(self, run, outcome, text):
        send = self.state["sends"].pop(run["send"])
        if send["late"]:
            return self.completed(send["run"], send, outcome, text)
        result = {"runId": send["run"], "sessionKey": send["key"], "reply": text}
        self.answer(run["send"], {"status": "ok", **result} if outcome == "ok" else {"status": "error", "error": outcome, **result})

    # ---- Deliveries: whole, in order, until a receipt says how it went or the window is over. ----

    def deliver(self, to, text, about, task):
        if to:
            channel = self.channels.get(to["channel"]) or {}
            self.state["outbox"].append({
                "to": to, "pieces": pieces(text, dig(channel, "capabilities", "text_limit")), "key": self.name("key"),
                "about": about, "task": task, "due": self.now, "since": self.now, "tries": 0})

    def failed_visibly(self, turn, why):
        if turn.get("to"):
            self.deliver(turn["to"], f"A result could not be told, because {why}: {turn['task']}", turn["about"], turn["task"])
        else:
            self.effect(report={"failed": {"run": turn["about"], "why": why}})

    def post(self):
        for entry in self.state["outbox"]:
            if "flight" in entry or entry["due"] > self.now:
                continue
            entry["flight"] = self.name("delivery")
            window = dig(self.channels, entry["to"]["channel"], "capabilities", "idempotency_window")
            recognised = window and self.now - entry["since"] < span(window)
            deliver = {"delivery": entry["flight"], "to": entry["to"], "text": entry["pieces"][0],
                       "key": f"{entry['key']}.{len(entry['pieces'])}"}
            if entry.get("doubtful") and not recognised:
                deliver["repeat"] = True
            self.effect(deliver=deliver)

    def on_receipt(self, what):
        entry = next((entry for entry in self.state["outbox"] if entry.get("flight") == what["delivery"]), None)
        if entry is None:
            return
        del entry["flight"]
        refused = what.get("refused")
        if "accepted" in what:
            entry.update(pieces=entry["pieces"][1:], due=self.now, since=self.now, tries=0, doubtful=False)
            if not entry["pieces"]:
                self.state["outbox"].remove(entry)
            return
        entry["doubtful"] = entry.get("doubtful", False) or refused is None
        entry["tries"] += 1
        entry["due"] = self.now + max(dig(refused, "retry_after") or 0, min(1000 * 2 ** entry["tries"], 300_000))
        if dig(refused, "permanent") or entry["due"] > entry["since"] + RELAY_WINDOW:
            self.state["outbox"].remove(entry)
            why = dig(refused, "why") or "the channel did not take it in time"
            self.effect(report={"failed": {"run": entry["about"], "address": entry["to"], "why": why}})


def reply_to(gateway, request):
    if "hello" in request:
        return {"hello": HELLO}
    if "open" in request:
        return gateway.open(request["open"]["now"], request["open"])
    if "stop" in request:
        return gateway.handle(request["stop"]["now"], [{"stop": {}}])
    return gateway.handle(request["now"], request["stimuli"])


def main():
    gateway = Gateway()
    for line in sys.stdin:
        try:
            reply = reply_to(gateway, json.loads(line))
        except Unsupported as what:
            reply = {"unsupported": str(what)}
        sys.stdout.write(json.dumps(reply, ensure_ascii=False) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
