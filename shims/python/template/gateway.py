#!/usr/bin/env python3
"""A gateway to begin with. It answers a message by starting a run, and delivers the run's words where it was asked.

Judge it:        moorline run --gateway "python3 gateway.py"
One story:       moorline replay isolation/two_accounts_of_one_channel_stay_apart --gateway "python3 gateway.py"

It says below that it has the family `isolation` and no more. To go on, add a family to `families` and make its rules
pass. The next one:

    "ingress"    `moorline explain ingress.once`: a message that comes twice is answered once. Remember what was seen.

Then "relay" (spawn a child on `sessions_spawn`, and tell whoever asked when it ends), "session" (which messages
share a memory, and when that is dropped), "restart" (`"disk": "own"`, and `self.state` to write to), and the others
that `moorline rules` lists. `moorline_shim.py` beside this file has all that the wire needs; it is yours too.
"""
from moorline_shim import Gateway, log, serve


class MyGateway(Gateway):
    hello = {"name": "my-gateway", "version": "0", "families": ["isolation"]}

    def on_open(self, frame):
        self.agent = (frame["agents"] or ["main"])[0]  # The first one is the default.
        self.known = set()  # Session keys that an agent has a memory of.
        self.answers_to = {}  # Runs that go on, and the address that each of them answers to.

    def on_inbound(self, message):
        """Somebody wrote. Each conversation has a session of its own."""
        if message.get("author", "person") != "person":
            return self.effects.drop(message["message"], "not written by a person")
        at = message["at"]
        place = [at["channel"], at["account"], message["kind"], at["conversation"], *filter(None, [at.get("thread")])]
        key = ":".join(["agent", self.agent, *place])
        memory = "continue" if key in self.known else "fresh"
        run = self.effects.start_run(key, "id-of-" + key, memory, self.agent, message["text"])
        self.known.add(key)
        self.answers_to[run] = at

    def on_run_started(self, what):
        if what["outcome"] != "started":
            self.answers_to.pop(what["run"], None)

    def on_run_ended(self, what):
        """An agent has said its words: they go where the message came from."""
        to = self.answers_to.pop(what["run"], None)
        if to and what.get("text"):
            self.effects.deliver(to, what["text"], key=what["run"])

    def on_run_progress(self, what):
        pass  # It says something and goes on.

    def on_receipt(self, what):
        if "accepted" not in what:
            log("this was not delivered, and is not tried again yet:", what)


if __name__ == "__main__":
    serve(MyGateway)
