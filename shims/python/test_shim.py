"""python3 -m unittest shims/python/test_shim.py"""
import io
import json
import os
import sys
import tempfile
import unittest
from contextlib import redirect_stderr

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from moorline_shim import (Clock, Future, Gateway, StateDir, keep_markers, length_of_time, markers, pieces, quote,  # noqa: E402
                           serve, without_markers)

HELLO = {"hello": {"wire": 1, "harness": "0"}}


def opened(**more):
    return {"open": {"now": 0, "starts_at": "2026-03-02T09:00:00Z", "timezone": "UTC", "config": {}, "channels": [],
                     "agents": ["main"], "restored": False, **more}}


class Sleeper(Gateway):
    hello = {"name": "sleeper"}

    def on_inbound(self, message):
        self.clock.start(self.answer_later(message))

    async def answer_later(self, message):
        await self.clock.sleep(1000)
        self.effects.deliver(message["at"], message["text"], key="k")

    def call_ping_pong(self, call, params):
        self.effects.answer(call["call"], "ok", pong=params["ping"])

    def on_stop(self, frame):
        print("a word for the log")
        raise RuntimeError("it breaks here")


def told(*requests):
    """The replies of a sleeper, the log, and whether it gave up."""
    out, errors, gave_up, stdout = io.StringIO(), io.StringIO(), False, sys.stdout
    lines = [request if isinstance(request, str) else json.dumps(request) for request in requests]
    with redirect_stderr(errors):
        try:
            serve(Sleeper, lines, out)
        except SystemExit:
            gave_up = True
        finally:
            sys.stdout = stdout
    return [json.loads(line) for line in out.getvalue().splitlines()], errors.getvalue(), gave_up


class Frames(unittest.TestCase):
    def test_a_coroutine_sleeps_until_the_harness_says_so(self):
        message = {"message": "m1", "at": {"channel": "c"}, "kind": "direct", "from": "alice", "text": "hi ⟦m1⟧"}
        call = {"call": "c1", "by": "admin", "method": "ping.pong", "params": {"ping": 5}}
        replies, _, _ = told(HELLO, opened(), {"now": 5, "stimuli": [{"inbound": message}, {"call": call}]},
                             {"now": 1005, "stimuli": [{"wake": {}}]})
        self.assertEqual(replies[0], {"hello": {"wire": 1, "name": "sleeper"}})
        self.assertEqual(replies[2], {"effects": [{"answer": {"call": "c1", "result": {"status": "ok", "pong": 5}}}], "wake_at": 1005})
        deliver = {"delivery": "delivery-1.1", "to": {"channel": "c"}, "text": "hi ⟦m1⟧", "key": "k"}
        self.assertEqual(replies[3], {"effects": [{"deliver": deliver}], "wake_at": None})

    def test_what_it_does_not_know_is_answered_so(self):
        replies, _, _ = told(HELLO, opened(), {"now": 0, "stimuli": [{"steered": {}}]},
                             {"now": 0, "stimuli": [{"call": {"call": "c", "by": "admin", "method": "no.such"}}]})
        self.assertEqual(replies[2:], [{"unsupported": "steered"}, {"unsupported": "no.such"}])

    def test_errors_of_both_ends_are_told_and_end_it(self):
        for request, words in [
                ({"stop": {"now": 0}}, "it breaks here"), ("{torn", "JSONDecodeError"), ({"what": 1}, "does not know"),
                ({"now": -1, "stimuli": []}, "went back in time"), ({"hello": {"wire": 2}}, "version 2 of the wire")]:
            replies, log, gave_up = told(HELLO, opened(), request)
            self.assertEqual((len(replies), gave_up), (2, True), log)
            self.assertIn(words, log)
            self.assertIn("It was asked: ", log)


class Parts(unittest.TestCase):
    def test_timers_fire_in_order_of_time_then_of_asking(self):
        clock, fired = Clock(10), []
        for name, due in [("b", 20), ("a", 15), ("c", 20), ("over", 3)]:
            clock.call_at(due, fired.append, name)
        clock.call_later(1, fired.append, "never").cancel()
        self.assertEqual(clock.wake_at(), 10)
        clock.advance(20)
        self.assertEqual((fired, clock.wake_at()), (["over", "a", "b", "c"], None))

    def test_a_future_is_awaited_before_and_after_it_came(self):
        clock, seen, future = Clock(), [], Future()

        async def wait():
            seen.append(await future)
        clock.start(wait())
        future.resolve("first")
        future.resolve("second")
        clock.start(wait())
        self.assertEqual(seen, ["first", "first"])

    def test_a_torn_line_is_left_out_and_lives_are_counted(self):
        with tempfile.TemporaryDirectory() as path, redirect_stderr(io.StringIO()) as log:
            state = StateDir(path)
            state.append("log", {"a": "ü"})
            with open(os.path.join(path, "log"), "ab") as file:
                file.write(b'{"b": "\xc3')
            state.append("log", 3)
            self.assertEqual(list(state.read("log")), [{"a": "ü"}, 3])
            self.assertIn("log:2 was torn", log.getvalue())
            self.assertEqual((state.life, StateDir(path).life), (1, 2))
            state.replace("all", [1])
            self.assertEqual((state.load("all"), state.load("none", 7), list(state.read("none"))), ([1], 7, []))

    def test_a_life_on_the_disk_of_the_harness_has_names_of_its_own(self):
        class Kept(Gateway):
            hello = {"name": "kept", "disk": "harness"}

            def on_open(self, frame):
                self.found = frame["disk"]

        def life(*disk):
            frame = opened(disk=list(disk))["open"]
            gateway = Kept(frame)
            record, = (effect["persist"]["record"] for effect in gateway.handle(0, [{"open": frame}])["effects"])
            return record, gateway.ids.new("run"), gateway.found
        mark, first, found = life()
        self.assertEqual((first, found), ("run-1.1", []))
        # A torn record is there once, and gone in the life after that.
        self.assertEqual(life(mark, "whole", "to")[1:], ("run-2.1", ["whole", "to"]))
        self.assertEqual(life(mark, "whole", mark)[1:], ("run-3.1", ["whole"]))

    def test_texts(self):
        self.assertEqual(markers("a ⟦m1⟧⟦m2⟧ ⟦m1⟧"), ["⟦m1⟧", "⟦m2⟧"])
        self.assertEqual(without_markers("/new ⟦m1⟧ now"), "/new now")
        self.assertEqual(keep_markers("long ⟦m1⟧ ⟦m2⟧", "short ⟦m2⟧"), "short ⟦m2⟧ ⟦m1⟧")
        self.assertEqual((quote("x", "it said"), quote("", "nothing")), ("it said: x", "nothing"))
        self.assertEqual(pieces("a😀b", {"max": 2, "unit": "utf16"}), ["a", "😀", "b"])
        self.assertEqual(pieces("éab", {"max": 3, "unit": "bytes"}), ["éa", "b"])
        self.assertEqual([length_of_time(text) for text in ("1h30m", "0.5s", "soon", "", "5")], [5_400_000, 500, None, None, None])


if __name__ == "__main__":
    unittest.main()
