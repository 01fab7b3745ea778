#!/usr/bin/env python3
"""A complete example: sessions, children, bindings and relay, on the shim beside it.

Judge it:  moorline run --gateway "python3 shims/python/examples/gateway.py"

What it shall survive is one file in `state_dir`, written anew before each reply; with `--disk=harness` it is records that
the harness keeps. A busy session has a queue. Each module beside this one is one part of it, and mixed in here:

    configuration.py, settings.py  what the configuration says, and how session keys are spelled
    sessions.py  what agents remember: opened, begun anew, deleted, found
    turns.py     runs of agents, one at a time in each session
    children.py  spawns and sends, and whom their ends are told to
    nesting.py   children of children: who waits for whom, and is stopped with whom
    subagents.py children listed, stopped and steered; what was given up
    bindings.py  conversations tied to sessions, with idle timeout and max age
    outbox.py    texts on their way to people, tried again, given up aloud
    records.py, legacy.py  what is written down, and what an older gateway wrote down
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from bindings import Bindings  # noqa: E402
from children import Children  # noqa: E402
from legacy import Legacy  # noqa: E402
from moorline_shim import Gateway, serve, without_markers  # noqa: E402
from nesting import Nesting  # noqa: E402
from outbox import Outbox  # noqa: E402
from records import Records  # noqa: E402
from sessions import Sessions  # noqa: E402
from settings import Settings  # noqa: E402
from subagents import Subagents  # noqa: E402
from turns import Turns  # noqa: E402

NOTICE = ("⚙", "🤖", "🧰")  # What gateways say themselves begins like this.


class Example(Settings, Sessions, Turns, Children, Nesting, Subagents, Bindings, Outbox, Records, Legacy, Gateway):
    hello = {
        "name": "example.py", "version": "1", "profile": "target", "disk": "own", "reports": ["binding"],
        "families": ["ingress", "session", "spawn", "policy", "binding", "routing", "relay", "isolation", "nested", "send", "cancel",
                     "restart", "config"],
    }

    def on_open(self, frame: dict) -> None:
        # Everything that a later life must know. Each module says what it keeps here.
        self.data = {"sessions": {}, "runs": {}, "queue": [], "debts": {}, "openings": {}, "focuses": {}, "probes": {},
                     "bindings": {}, "moved": {}, "direct": [], "outbox": {}, "steers": {}, "given_up": {}, "seen": {}}
        self.recall(frame)
        # Answers that were on their way to an earlier life never come.
        self.data.update(openings={}, focuses={}, probes={}, steers={})
        self.open_settings(frame)
        self.migrate(self.foreign)
        self.unbind_disabled()
        if frame["restored"]:
            alive = set(frame.get("alive") or ())
            self.restore_debts(alive)
            self.restore_outbox()
            self.restore_turns(alive)
            self.restore_ends()
            for session in self.data["sessions"].values():
                self.archive_later(session)

    def settle(self) -> None:
        """A reply says that all of it is safe."""
        self.start_turns()
        self.save()

    def on_config_changed(self, what: dict) -> None:
        routes = self.config.get("bindings")
        self.take_config(what["config"])
        self.maintain(None)
        self.unbind_disabled()
        if routes != self.config.get("bindings"):
            for turn in self.data["queue"]:
                if turn["kind"] == "message":
                    self.changed_hands(turn["to"])
        for session in self.data["sessions"].values():
            self.archive_later(session)

    def on_compacted(self, what: dict) -> None:
        pass  # The transcript is the agent's: key, label, route and binding are not touched by it.

    # ---- What people say ----

    def on_inbound(self, message: dict) -> None:
        at = message["at"]
        binding = self.binding_here(at)
        seen = "\n".join([at["channel"], at["account"], at["conversation"], message["message"]])
        why = self.unheard(message, binding)
        if why is None and binding is None and self.is_held_by_another(at):
            why = "another account has bound this thread"
        if why is None and seen in self.data["seen"]:
            why = "it came before"
        if why:
            return self.effects.drop(message["message"], why)
        self.remember(seen)
        resets, text = self.reset_command(message)
        if resets or not self.command(message):
            self.take_in(message, seen, binding, resets, text)

    def unheard(self, message: dict, binding) -> "str | None":
        """Why a message is not for the gateway; None if it is."""
        author, at = message.get("author", "person"), message["at"]
        if self.is_switched_off(at):
            return "the account is switched off"
        if author in ("self", "webhook"):
            return "the gateway's own words"
        if author == "bot" and not self.of_channel(at, "allowBots"):
            return "written by a bot"
        if author == "bot" and message["text"].lstrip().startswith(NOTICE):
            return "a gateway's notice"
        own_thread = binding and message["kind"] == "thread"  # There all is said to the bound session.
        if message["kind"] != "direct" and not own_thread and not message.get("mentioned", True) and self.of_channel(at, "requireMention"):
            return "does not mention the gateway"
        return None

    def remember(self, seen: str) -> None:
        self.data["seen"][seen] = self.now
        if len(self.data["seen"]) > 1000:
            del self.data["seen"][next(iter(self.data["seen"]))]

    def reset_command(self, message: dict):
        """Whether it begins with `/new` or `/reset`, and what it says beside that."""
        found = re.match(r"(?is)\s*/(?:new|reset)(?:\s+(.*))?$", message["text"])
        if found and message.get("authorised", True):
            return True, (found[1] or "").strip()
        return False, message["text"]

    def take_in(self, message: dict, seen: str, binding, resets: bool, text: str) -> None:
        """A message that is for an agent waits for its turn."""
        at = message["at"]
        key = binding["key"] if binding else self.session_key(message)
        self.open_session(key)
        if binding:
            self.touch(at, key)
        if message["kind"] == "direct" and self.place({**at, "thread": None}) not in self.data["direct"]:
            self.data["direct"].append(self.place({**at, "thread": None}))
        self.queue_message(self.turn(key, "message", text, at, person=message["from"], seen=[seen], place=message["kind"],
                                     resets=resets, bare=resets and not without_markers(text)))


class OnTheHarnessDisk(Example):
    """The same, where the harness keeps what is written down: a crash may fall between any two effects."""
    hello = {**Example.hello, "disk": "harness"}


if __name__ == "__main__":
    serve(OnTheHarnessDisk if "--disk=harness" in sys.argv else Example)
