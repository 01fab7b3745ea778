#!/usr/bin/env python3
"""The example with one thing wrong: what moorline finds then is held fast by its own tests.

    moorline run --gateway "python3 shims/python/examples/defects.py lost_completion"

Each defect is one method that is not as it should be. The tests list for each exactly which rules it breaks.
"""
import sys

from gateway import Example
from moorline_shim import serve
from settings import MINUTE


class lost_completion(Example):
    """Nobody hears of a child's end."""
    def hand(self, debt):
        self.settle_debt(debt["name"])


class duplicate_after_restart(Example):
    """What may have been posted before a crash is posted again, under another key and without a mark."""
    def restore_outbox(self):
        for entry in list(self.data["outbox"].values()):
            if entry["flight"]:
                del self.data["outbox"][entry["name"]]
                entry.update(name=self.ids.new("post"), flight=None, due=self.now)
                self.data["outbox"][entry["name"]] = entry
        super().restore_outbox()


class leak_across_dms(Example):
    """An answer goes to whoever wrote last in the session."""
    def take_in(self, message, seen, binding, resets, text):
        self.data.setdefault("last", {})[self.session_key(message)] = message["at"]
        super().take_in(message, seen, binding, resets, text)

    def answers_to(self, turn):
        return self.data.get("last", {}).get(turn["key"]) if turn["kind"] == "message" else super().answers_to(turn)


class wrong_thread(Example):
    """An answer is posted beside the thread that it belongs in."""
    def answers_to(self, turn):
        to = super().answers_to(turn)
        return {**to, "thread": None} if to and turn["kind"] == "message" else to


class default_account(Example):
    """Everything is delivered by the account that comes first."""
    def post(self, to, text, **more):
        return super().post({**to, "account": "default"}, text, **more)


class early_lapse(Example):
    """A binding ends a minute before its deadline."""
    def lapse(self, binding):
        end = super().lapse(binding)
        return end and (end[0] - MINUTE, end[1])


class no_lapse(Example):
    """No limit ever ends a binding."""
    def lapse(self, binding):
        return None


class stale_sweep(Example):
    """The sweep ends what was due when it was last looked at, whatever happened since."""
    def look(self, place, due):
        binding = self.data["bindings"].get(place)
        if binding:
            self.unbind(binding["at"], "idle")


class lapse_deletes(Example):
    """With its binding a session is gone."""
    def end_if_lapsed(self, binding):
        ended = super().end_if_lapsed(binding)
        if ended:
            self.delete_session(binding["key"])
        return ended


class silent_lapse(Example):
    """Nobody is told in a thread that it is bound no more."""
    def post(self, to, text, **more):
        return "" if text.startswith("⚙️ Session ended") else super().post(to, text, **more)


class rotation_on_agent_path(Example):
    """A plugin's call looks at the reset policy too."""
    def begin(self, turn):
        session = self.open_session(turn["key"])
        if turn["kind"] == "plugin" and self.reset_due(session, turn["came"], "", "direct"):
            self.rotate(session)
        return super().begin(turn)


class refusal_with_leftovers(Example):
    """The session of a spawn is there before its thread is, and stays where that is refused."""
    def call_sessions_spawn(self, call, params):
        super().call_sessions_spawn(call, params)
        for spawn in self.data["openings"].values():
            session = self.new_session(spawn["key"], spawn["agent"], label=spawn["label"], parent=spawn["requester"])
            self.data["sessions"].setdefault(spawn["key"], session)


class ignores_parameters(Example):
    """What a spawn says that is not understood counts for nothing."""
    def check_params(self, params):
        pass


class children_of_any_depth(Example):
    """No limit holds for children."""
    def check_limits(self, requester, session):
        pass


class never_retries(Example):
    """A text that was refused once is forgotten."""
    def pause(self, tries):
        return None

    def give_up(self, entry, why):
        del self.data["outbox"][entry["name"]]
        self.settle_debt(entry["debt"])


class unbounded_retries(Example):
    """What is refused for good is tried for ever."""
    relay_window = float("inf")

    def is_permanent(self, refused):
        return False


class unmarked_repeat(Example):
    """A text that may have been posted comes again as if for the first time."""
    def attempt(self, name):
        if name in self.data["outbox"]:
            self.data["outbox"][name]["doubtful"] = False
        super().attempt(name)


class a_key_for_each_attempt(Example):
    """The channel cannot know by its key that it has a text already."""
    def delivery_key(self, entry):
        return self.ids.new("key")


class cuts_long_texts(Example):
    """Of a text that is too long for one message, people read the beginning."""
    def arrived(self, entry):
        entry["pieces"] = entry["pieces"][:1]
        super().arrived(entry)


class forgets_bindings_at_restart(Example):
    """A crash ends every binding, and nobody hears of it."""
    def recall(self, frame):
        super().recall(frame)
        self.data["bindings"] = {}


class forgets_runs_at_restart(Example):
    """What agents were at when the process died is as if nobody had asked for it."""
    def recall(self, frame):
        super().recall(frame)
        self.data["runs"] = {}


class compaction_unbinds(Example):
    """A transcript is shortened, and the session's thread is bound no more."""
    def on_compacted(self, what):
        self.unbind_session(what["session"], "reset")


class archived_thread_stays_bound(Example):
    """An archived thread is bound still."""
    def on_thread_changed(self, what):
        if what["state"] != "archived":
            super().on_thread_changed(what)


class drops_queued_message(Example):
    """A message that finds its session busy is gone."""
    def queue_message(self, turn):
        if any(run["key"] == turn["key"] for run in self.data["runs"].values()):
            self.data["queue"].remove(turn)


class answers_out_of_order(Example):
    """What came last has its turn first."""
    def start_turns(self):
        self.data["queue"].reverse()
        super().start_turns()
        self.data["queue"].reverse()


class loses_late_reply(Example):
    """A reply after the sender's timeout reaches nobody."""
    def stop_waiting(self, name):
        super().stop_waiting(name)
        self.settle_debt(name)


class fresh_on_every_message(Example):
    """An agent remembers nothing of what was said before."""
    def begin(self, turn):
        if turn["kind"] == "message":
            self.open_session(turn["key"])["fresh"] = True
        return super().begin(turn)


class shares_peoples_sessions(Example):
    """All people have one session, whatever the scope says."""
    def session_key(self, message):
        return f"agent:{self.agents[0]}:main" if message["kind"] == "direct" else super().session_key(message)


class answers_every_copy(Example):
    """A message that comes twice is answered twice."""
    def remember(self, seen):
        pass


class hears_itself(Example):
    """Whatever is posted is a message, whoever wrote it."""
    def unheard(self, message, binding):
        return None


class everybody_may_unfocus(Example):
    """A binding is changed by whoever likes to."""
    def may_change(self, binding, message):
        return True


class stops_one_floor_only(Example):
    """A stop reaches children, and not their children."""
    def all_below(self, key):
        return [below for below in super().all_below(key) if self.data["sessions"][below]["parent"] == key]


class takes_any_configuration(Example):
    """No value is refused."""
    def take_config(self, config):
        self.config = config or {}


if __name__ == "__main__":
    defects = {name: kind for name, kind in list(globals().items()) if isinstance(kind, type) and issubclass(kind, Example) and kind is not Example}
    if len(sys.argv) != 2 or sys.argv[1] not in defects:
        sys.exit(f"name a defect: {', '.join(defects)}")
    serve(defects[sys.argv[1]])
