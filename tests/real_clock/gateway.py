"""A gateway whose clock nobody can steer: it reads that of the machine.

It keeps sessions whose memory is dropped after an hour without a message, and tries a refused delivery again when the
channel said so, by a timer of its own. `forgets` in the command line has it never drop a memory.
"""

import json
import sys
import time

SCALE = 3600
IDLE = 3_600_000


class Gateway:
    def __init__(self, forgets):
        self.forgets = forgets
        self.began = time.monotonic()
        self.count = 0
        self.heard = None
        self.queue = []
        self.run = None
        self.sent = {}
        self.timers = []

    def now(self):
        return int((time.monotonic() - self.began) * 1000 * SCALE)

    def name(self, kind):
        self.count += 1
        return f"{kind}{self.count}"

    def on_inbound(self, message):
        self.queue.append(message)
        return self.next_run()

    def next_run(self):
        if self.run or not self.queue:
            return []
        message = self.queue.pop(0)
        now = self.now()
        fresh = self.heard is None or (self.forgets and now - self.heard >= IDLE)
        self.heard = now
        self.run = (self.name("run"), message["at"])
        if fresh:
            self.session = self.name("session")
        start = {"run": self.run[0], "session_key": "agent:main:main", "session_id": self.session, "agent": "main",
                 "memory": "fresh" if fresh else "continue", "input": message["text"]}
        return [{"start_run": start}]

    def on_run_ended(self, ended):
        run, at = self.run
        self.run = None
        return self.deliver(at, ended["text"], run) + self.next_run()

    def deliver(self, at, text, key):
        delivery = self.name("d")
        self.sent[delivery] = (at, text, key)
        return [{"deliver": {"delivery": delivery, "to": at, "text": text, "key": key}}]

    def on_receipt(self, receipt):
        sent = self.sent.pop(receipt["delivery"])
        if "refused" in receipt:
            self.timers.append((self.now() + receipt["refused"].get("retry_after", 1000), sent))
        return []

    def due(self):
        now = self.now()
        effects = []
        for timer in [timer for timer in self.timers if timer[0] <= now]:
            self.timers.remove(timer)
            effects += self.deliver(*timer[1])
        return effects


def main():
    gateway = None
    for line in sys.stdin:
        frame = json.loads(line)
        reply = {"effects": [], "wake_at": None}
        if "hello" in frame:
            reply = {"hello": {"wire": 1, "name": "by-its-own-clock", "clock": "real", "scale": SCALE,
                               "families": ["session", "relay", "policy"]}}
        elif "open" in frame:
            gateway = Gateway("forgets" in sys.argv)
        else:
            for stimulus in frame.get("stimuli", []):
                (kind, what), = stimulus.items()
                handler = getattr(gateway, f"on_{kind}", lambda what: [])
                reply["effects"] += handler(what)
            reply["effects"] += gateway.due()
        print(json.dumps(reply), flush=True)


main()
