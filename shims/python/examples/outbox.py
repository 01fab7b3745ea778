"""Texts on their way to people: whole, in order, until a receipt says how it went or the window is over."""
from __future__ import annotations

from typing import Optional

from moorline_shim import pieces
from settings import dig


class Outbox:
    """`self.data["outbox"]` holds what is not delivered yet, by name, so that a later life goes on with it."""

    relay_window = 30 * 60_000  # For so long a text is tried again; then it is given up aloud.

    def post(self, to: dict, text: str, *, about: Optional[str] = None, debt: Optional[str] = None,
             session: Optional[str] = None) -> str:
        """`about` is the run whose words it has, `debt` what is settled by it, `session` whose output it is."""
        name = self.ids.new("post")
        limit = dig(self.channels, to["channel"], "capabilities", "text_limit")
        self.data["outbox"][name] = {
            "name": name, "to": to, "pieces": pieces(text, limit), "about": about, "debt": debt, "session": session,
            "since": self.now, "due": self.now, "tries": 0, "doubtful": False, "flight": None}
        self.attempt(name)
        return name

    def attempt(self, name: str) -> None:
        entry = self.data["outbox"].get(name)
        if entry is None or entry["flight"] or entry["due"] > self.now:
            return  # It went another way since.
        if self.is_switched_off(entry["to"]):
            return self.give_up(entry, "the account is switched off")
        recognised = self.now - entry["since"] < self.window(entry["to"]["channel"], "idempotency_window")
        entry["flight"] = self.effects.deliver(
            entry["to"], entry["pieces"][0], self.delivery_key(entry), entry["doubtful"] and not recognised)

    def delivery_key(self, entry: dict) -> str:
        """One for all attempts at one piece."""
        return f"{entry['name']}/{len(entry['pieces'])}"

    def pause(self, tries: int) -> Optional[int]:
        """How long to wait after so many attempts; None to try no more."""
        return min(5_000 * 3 ** (tries - 1), 300_000)

    def on_receipt(self, what: dict) -> None:
        found = [entry for entry in self.data["outbox"].values() if entry["flight"] == what["delivery"]]
        if not found:
            return
        entry, refused = found[0], what.get("refused")
        entry["flight"] = None
        if "accepted" in what:
            return self.arrived(entry)
        entry["doubtful"] = entry["doubtful"] or refused is None
        entry["tries"] += 1
        pause = self.pause(entry["tries"])
        if self.is_permanent(refused) or pause is None or self.now - entry["since"] >= self.relay_window:
            self.give_up(entry, dig(refused, "why") or "the channel did not take it in time")
        else:
            entry["due"] = self.now + max(dig(refused, "retry_after") or 0, pause)
            self.clock.call_at(entry["due"], self.attempt, entry["name"])
        if refused:
            self.probe_after_refusal(entry["to"])

    def is_permanent(self, refused: Optional[dict]) -> bool:
        return bool(dig(refused, "permanent"))

    def arrived(self, entry: dict) -> None:
        entry["pieces"].pop(0)
        if entry["pieces"]:
            entry.update(since=self.now, due=self.now, tries=0, doubtful=False)
            return self.attempt(entry["name"])
        del self.data["outbox"][entry["name"]]
        if entry["session"]:
            self.touch(entry["to"], entry["session"])
        self.settle_debt(entry["debt"])

    def give_up(self, entry: dict, why: str) -> None:
        del self.data["outbox"][entry["name"]]
        debt = self.data["debts"].get(entry["debt"])
        run = debt["run"] if debt else entry["about"]
        if run:
            self.effects.failed(run, why, entry["to"])
            self.keep_given_up(run, why, entry, debt)
        self.settle_debt(entry["debt"])

    def restore_outbox(self) -> None:
        """The receipt of what was in flight will never come: it may have been posted."""
        for entry in list(self.data["outbox"].values()):
            if entry["flight"]:
                entry.update(flight=None, doubtful=True, due=self.now)
            self.clock.call_at(entry["due"], self.attempt, entry["name"])
