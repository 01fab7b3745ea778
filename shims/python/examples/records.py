"""What is written down: one file where the gateway keeps its own disk, and records of what changed where the harness does."""
from __future__ import annotations

import json
from typing import Dict, List


class Records:
    """`self.data` is a table of tables and lists. A record holds each entry that changed, and null for one that is gone."""

    written: Dict[str, Dict[str, str]]
    foreign: List[str]

    def save(self) -> None:
        """What the reply asks for happens after it was written down."""
        if self.state:
            return self.state.replace("state", self.data)
        now, before = self.as_texts(), self.written
        changed = {part: {name: text for name, text in texts.items() if before.get(part, {}).get(name) != text} for part, texts in now.items()}
        for part, texts in before.items():
            changed[part].update({name: "null" for name in texts if name not in now[part]})
        changed = {part: {name: json.loads(text) for name, text in texts.items()} for part, texts in changed.items() if texts}
        if changed:
            # A failure is reported before it is written down that it was: it may be told twice, and is never lost.
            asked = [item for effect in self.effects.take() for item in effect.items()]
            before = [(kind, content) for kind, content in asked if kind == "persist" or kind == "report" and "failed" in content]
            record = ("persist", {"record": json.dumps({"ours": changed}, ensure_ascii=False)})
            for kind, content in [*before, record, *(effect for effect in asked if effect not in before)]:
                self.effects.add(kind, **content)
        self.written = now

    def as_texts(self) -> Dict[str, Dict[str, str]]:
        """A list is one entry of its table."""
        tables = {part: value if isinstance(value, dict) else {"": value} for part, value in self.data.items()}
        return {part: {name: json.dumps(value, ensure_ascii=False) for name, value in table.items()} for part, table in tables.items()}

    def recall(self, frame: dict) -> None:
        """Takes up what an earlier life wrote down, if there was one. `foreign` is what somebody else did, before our first."""
        self.written, self.foreign = {}, []
        if frame["restored"] and self.state:
            self.data.update(self.state.load("state", {}))
        for record in frame.get("disk") or ():
            try:
                changed = json.loads(record)["ours"]
            except (ValueError, TypeError, KeyError):
                # One that was torn by a crash tells of nothing that has happened.
                self.foreign.append(record)
                continue
            self.foreign = []
            for part, entries in changed.items():
                for name, value in entries.items():
                    if not isinstance(self.data[part], dict):
                        self.data[part] = value
                    elif value is None:
                        self.data[part].pop(name, None)
                    else:
                        self.data[part][name] = value
        if not self.state:
            self.written = self.as_texts()
