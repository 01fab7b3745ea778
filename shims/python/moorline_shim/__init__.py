"""moorline's wire for gateways written in Python. One file, the standard library only.

Derive from `Gateway`, write `on_<stimulus>` and `call_<method>` methods, and `serve` it:

    class Echo(Gateway):
        hello = {"name": "echo", "families": ["isolation"]}

        def on_inbound(self, message):
            self.effects.deliver(message["at"], message["text"], key=message["message"])

    serve(Echo)

The harness sends one line; every stimulus in it is handed to its method, timers that are due fire, coroutines go on,
`settle` is called, and one line goes back: the effects in order, and when the earliest timer is due. `spec/WIRE.md` is
the contract.
"""
from __future__ import annotations

import heapq
import json
import os
import re
import sys
import traceback
from typing import Any, Awaitable, Callable, Coroutine, Dict, Generator, Iterable, List, NoReturn, Optional, TextIO, Tuple, Type

__all__ = ["Clock", "Effects", "Future", "Gateway", "Ids", "StateDir", "Timer", "Unsupported", "WireError", "caller",
           "keep_markers", "length_of_time", "log", "markers", "pieces", "quote", "serve", "without_markers"]

WIRE, LINE_MAX, LIFE = 1, 1024 * 1024, "a life began"
Json = Dict[str, Any]


class Unsupported(Exception):
    """A stimulus or method that the gateway does not know; its name. Rules that need it are inapplicable then."""

class WireError(Exception):
    """One of the two ends broke the contract of the wire; in words."""


def log(*words: object) -> None:
    """Writes to standard error. The harness shows the end of it where something went wrong."""
    print(*words, file=sys.stderr, flush=True)


# ---- Texts: the harness follows information by markers such as ⟦m1⟧. Pass texts on whole. ----
MARKER = re.compile("⟦[^⟦⟧]*⟧")


def markers(text: str) -> List[str]:
    """The markers in a text, in order, each once."""
    return list(dict.fromkeys(MARKER.findall(text)))


def without_markers(text: str) -> str:
    """What a person would read: `/new ⟦m2⟧` is nothing but the command `/new`."""
    return " ".join(MARKER.sub(" ", text).split())


def keep_markers(source: str, text: str) -> str:
    """The text, with each marker of its source behind it that it lacks: for what is reworded or cut."""
    return " ".join([text, *(marker for marker in markers(source) if marker not in text)])


def quote(source: str, introduction: str) -> str:
    """An introduction and the whole of the source, which the harness follows from there."""
    return f"{introduction}: {source}" if source else introduction


_SIZES: Dict[str, Callable[[str], int]] = {
    "characters": lambda _: 1, "utf16": lambda c: len(c.encode("utf-16-le")) // 2, "bytes": lambda c: len(c.encode())}
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def pieces(text: str, limit: Optional[Json]) -> List[str]:
    """The text in pieces that a channel with this `text_limit` takes; joined they are the text."""
    if not limit:
        return [text]
    size, cut, room = _SIZES[limit["unit"]], [""], limit["max"]
    for character in text:
        if size(character) > room:
            cut.append("")
            room = limit["max"]
        cut[-1] += character
        room -= size(character)
    return cut


def length_of_time(text: str) -> Optional[int]:
    """`1h30m` in milliseconds; None where it does not read as a length of time."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    if not parts or "".join(n + unit for n, unit in parts) != text:
        return None
    return round(sum(float(n) * _UNITS[unit] for n, unit in parts))


# ---- The clock: it stands still until the harness says what time it is. ----
class Timer:
    """One call that is due at a time; `cancel` takes it back."""

    def __init__(self, due: int, what: Callable[[], object]) -> None:
        self.due, self.what, self.cancelled = due, what, False

    def cancel(self) -> None:
        self.cancelled = True


class Future:
    """What a coroutine waits for, such as a receipt: `value = await future`; somebody calls `resolve(value)`."""

    def __init__(self) -> None:
        self.done, self.value = False, None
        self._waiting: List[Callable[[], object]] = []

    def resolve(self, value: Any = None) -> None:
        if not self.done:
            self.done, self.value = True, value
            for go_on in self._waiting:
                go_on()

    def __await__(self) -> Generator["Future", None, Any]:
        if not self.done:
            yield self
        return self.value


class Clock:
    """Virtual time in milliseconds since `starts_at`. A month passes as fast as the harness says so."""

    def __init__(self, now: int = 0) -> None:
        self.now = now
        self._timers: List[Tuple[int, int, Timer]] = []
        self._count = 0

    def call_at(self, due: int, what: Callable[..., object], *args: Any) -> Timer:
        """Calls it at that time, or at once before the reply where that is over."""
        timer = Timer(max(due, self.now), lambda: what(*args))
        self._count += 1
        heapq.heappush(self._timers, (timer.due, self._count, timer))
        return timer

    def call_later(self, delay: int, what: Callable[..., object], *args: Any) -> Timer:
        return self.call_at(self.now + delay, what, *args)

    def sleep(self, delay: int) -> Awaitable[None]:  # In a coroutine: `await clock.sleep(1000)`.
        future = Future()
        self.call_later(delay, future.resolve)
        return future

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Runs a coroutine as far as it goes; it goes on when what it awaits has come."""
        try:
            coroutine.send(None)._waiting.append(lambda: self.start(coroutine))
        except StopIteration:
            pass

    def wake_at(self) -> Optional[int]:
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def advance(self, now: int) -> None:
        """Sets the time and fires what is due, in order of time, then in the order of asking."""
        if now < self.now:
            raise WireError(f"the harness went back in time, from {self.now} to {now}")
        self.now = now
        while (due := self.wake_at()) is not None and due <= now:
            heapq.heappop(self._timers)[2].what()


# ---- Effects: what the gateway asks for. Each that waits for an answer has an id of its own. ----
class Ids:
    """Names that are never used twice, in no life: `run-2.17` is the 17th of the second life."""

    def __init__(self, life: int = 1) -> None:
        self.life, self._last = life, 0

    def new(self, kind: str) -> str:
        self._last += 1
        return f"{kind}-{self.life}.{self._last}"


class Effects:
    """Collects what one reply holds. A method that names something returns the name."""

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        self._asked: List[Json] = []

    def add(self, kind: str, **content: Any) -> None:  # Any effect by its name; what is None is left out.
        self._asked.append({kind: {key: value for key, value in content.items() if value is not None}})

    def take(self) -> List[Json]:
        asked, self._asked = self._asked, []
        return asked

    def start_run(self, session_key: str, session_id: str, memory: Any, agent: str, input: str, *, run: Optional[str] = None,
                  overrides: Optional[Json] = None, resumes: Optional[str] = None) -> str:
        """`memory` is "fresh", "continue" or {"fork": key}. `run_started` answers, later `run_ended`."""
        run = run or self.ids.new("run")
        self.add("start_run", run=run, session_key=session_key, session_id=session_id, memory=memory, agent=agent,
                 input=input, overrides=overrides or None, resumes=resumes)
        return run

    def steer_run(self, run: str, input: str) -> str:  # `steered` answers.
        steer = self.ids.new("steer")
        self.add("steer_run", steer=steer, run=run, input=input)
        return steer

    def cancel_run(self, run: str) -> None:  # `run_ended` tells whichever end comes first.
        self.add("cancel_run", run=run)

    def deliver(self, to: Json, text: str, key: str, repeat: bool = False) -> str:
        """Posts to an address. `key` is the same for each attempt at one message; `receipt` answers."""
        delivery = self.ids.new("delivery")
        self.add("deliver", delivery=delivery, to=to, text=text, key=key, repeat=repeat or None)
        return delivery

    def open_thread(self, parent: Json, name: str, session_key: str) -> str:  # `thread_opened` answers.
        request = self.ids.new("request")
        self.add("open_thread", request=request, parent=parent, name=name, session_key=session_key)
        return request

    def probe_thread(self, address: Json) -> str:  # `thread_probed` answers.
        request = self.ids.new("request")
        self.add("probe_thread", request=request, address=address)
        return request

    def answer(self, call: str, status: str, **result: Any) -> None:
        """Answers a call: `accepted`, `ok`, `timeout`, `forbidden` or `error`."""
        self.add("answer", call=call, result={"status": status, **result})

    def persist(self, record: str) -> None:  # With `disk: "harness"`.
        self.add("persist", record=record)

    def drop(self, message: str, why: str) -> None:
        self.add("drop", message=message, why=why)

    def refuse_config(self, path: str, why: str) -> None:
        self.add("refuse_config", path=path, why=why)

    def bound(self, address: Json, session_key: str) -> None:
        self.add("report", bound={"address": address, "session_key": session_key})

    def unbound(self, address: Json, session_key: str, reason: str) -> None:
        self.add("report", unbound={"address": address, "session_key": session_key, "reason": reason})

    def failed(self, run: str, why: str, address: Optional[Json] = None) -> None:  # It cannot be told.
        self.add("report", failed={"run": run, **({"address": address} if address else {}), "why": why})


# ---- The disk, for `disk: "own"`: what a crash of the process leaves. Write before you reply. ----
class StateDir:
    """Files in `state_dir`. `life` counts the processes that were opened on it, from 1."""

    def __init__(self, path: str) -> None:
        self.path = path
        os.makedirs(path, exist_ok=True)
        self.append("lives", "begun")
        self.life = sum(1 for _ in self.read("lives"))

    def append(self, name: str, record: Any) -> None:
        with open(os.path.join(self.path, name), "ab+") as file:
            end = file.seek(0, os.SEEK_END)
            if end and (file.seek(end - 1), file.read(1))[1] != b"\n":
                file.write(b"\n")  # An earlier life was killed in the middle of a line: it stays alone.
            file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")

    def read(self, name: str) -> Iterable[Any]:
        """All records of a file, in order. A line that was torn by a crash is told of and left out."""
        path = os.path.join(self.path, name)
        for number, line in enumerate(open(path, "rb") if os.path.exists(path) else (), 1):
            try:
                yield json.loads(line)
            except ValueError:
                log(f"{name}:{number} was torn by a crash, and is left out")

    def replace(self, name: str, value: Any) -> None:
        """The whole file anew: a crash leaves the old one or the new one."""
        path = os.path.join(self.path, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(json.dumps(value, ensure_ascii=False))
        os.replace(path + ".new", path)

    def load(self, name: str, absent: Any = None) -> Any:
        path = os.path.join(self.path, name)
        if not os.path.exists(path):
            return absent
        with open(path, encoding="utf-8") as file:
            return json.load(file)


# ---- The gateway, and the loop that feeds it. ----
class Gateway:
    """Derive from it. One of these lives from `open` to the next `open`; nothing is shared between two."""

    hello: Json = {"name": "gateway"}  # `wire` is added. See the table in spec/WIRE.md.

    def __init__(self, frame: Json) -> None:
        """`frame` is the content of `open`; the clock stands, nothing was said yet."""
        self.clock = Clock(frame["now"])
        own_disk = self.hello.get("disk") == "own"
        self.state: Optional[StateDir] = StateDir(frame["state_dir"]) if own_disk else None
        # Where the harness holds the disk, each life leaves a mark of its own there, which the gateway never sees.
        records = frame.get("disk") or []
        frame["disk"] = [record for record in records if record != LIFE]
        self.ids = Ids(self.state.life if self.state else len(records) - len(frame["disk"]) + 1)
        self.effects = Effects(self.ids)
        if self.hello.get("disk") == "harness":
            self.effects.persist(LIFE)

    @property
    def now(self) -> int:
        return self.clock.now

    def on_open(self, frame: Json) -> None:
        """A scenario begins, or goes on after a crash (`frame["restored"]`)."""

    def on_stop(self, frame: Json) -> None:
        """A clean end: write down what is in memory."""

    def on_wake(self, content: Json) -> None:
        """The time that was asked for; timers fire by themselves."""

    def settle(self) -> None:
        """All was handed over, nothing more is due: the last moment before the reply."""

    def on_call(self, call: Json) -> None:
        """Hands `sessions_spawn` to `call_sessions_spawn(call, params)`, `sessions.reset` to `call_sessions_reset`."""
        method = getattr(self, "call_" + call["method"].replace(".", "_"), None)
        if method is None:
            raise Unsupported(call["method"])
        method(call, call.get("params") or {})

    def handle(self, now: int, stimuli: List[Json]) -> Json:
        """One request of the harness, and the reply."""
        self.clock.advance(now)
        for stimulus in stimuli:
            for kind, content in stimulus.items():
                handler = getattr(self, "on_" + kind, None)
                if handler is None:
                    raise Unsupported(kind)
                handler(content)
        self.clock.advance(now)
        self.settle()
        return {"effects": self.effects.take(), "wake_at": self.clock.wake_at()}


def caller(call: Json) -> Optional[str]:
    """The run that calls; None where the administrator or a plugin does."""
    return call["by"].get("run") if isinstance(call["by"], dict) else None


def _reply(kind: Type[Gateway], gateway: Optional[Gateway], request: Json) -> Tuple[Optional[Gateway], Json]:
    if "hello" in request:
        wire = request["hello"].get("wire")
        if wire != WIRE:
            raise WireError(f"the harness speaks version {wire} of the wire, and this shim version {WIRE}")
        return gateway, {"hello": {"wire": WIRE, **kind.hello}}
    if "open" in request:
        frame = request["open"]
        gateway = kind(frame)
        return gateway, gateway.handle(frame["now"], [{"open": frame}])
    if gateway is None:
        raise WireError("the harness says something before `open`")
    if "stop" in request:
        return gateway, gateway.handle(request["stop"]["now"], [{"stop": request["stop"]}])
    if "stimuli" not in request:
        raise WireError("the harness wrote a frame that this shim does not know")
    return gateway, gateway.handle(request["now"], request["stimuli"])


def _give_up(line: str, why: str) -> NoReturn:
    log(f"{why}\nIt was asked: {line.strip()[:2000]}")
    sys.exit(1)


def serve(kind: Type[Gateway], lines: Optional[Iterable[str]] = None, out: Optional[TextIO] = None) -> None:
    """Answers each line of standard input with one on standard output, until there are no more.

    What the gateway itself prints goes to standard error. An exception ends the process with its traceback and the
    request there, and the harness shows both.
    """
    if lines is None:
        lines = open(0, encoding="utf-8", newline="\n", closefd=False)
    if out is None:
        out, sys.stdout = open(1, "w", encoding="utf-8", newline="\n", closefd=False), sys.stderr
    gateway: Optional[Gateway] = None
    for line in lines:
        try:
            request = json.loads(line)
            gateway, reply = _reply(kind, gateway, request)
        except Unsupported as what:
            reply = {"unsupported": str(what)}
        except WireError as error:
            _give_up(line, str(error))
        except Exception:
            _give_up(line, traceback.format_exc().rstrip())
        text = json.dumps(reply, ensure_ascii=False)
        if len(text.encode()) >= LINE_MAX:
            _give_up(line, f"the reply has {len(text.encode())} bytes, and a line of the wire at most {LINE_MAX}")
        out.write(text + "\n")
        out.flush()
