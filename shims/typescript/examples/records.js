/** What is written down: one file where the gateway keeps its own disk, and records of what changed where the harness does. */

const isTable = (value) => !Array.isArray(value);

/** What a record of ours tells; nothing of one that was torn by a crash: what that told of has not happened. */
function ours(record) {
  try {
    return JSON.parse(record)?.ours ?? null;
  } catch {
    return null;
  }
}

/** `this.data` is a table of tables and lists. A record holds each entry that changed, and null for one that is gone. */
export const Records = (Base) => class extends Base {
  /** What the reply asks for happens after it was written down. */
  save() {
    if (this.state) return this.state.replace("state", this.data);
    const [now, before] = [this.asTexts(), this.written];
    const changed = {};
    for (const [part, texts] of Object.entries(now)) {
      const names = new Set([...Object.keys(texts), ...Object.keys(before[part] ?? {})]);
      const others = [...names].filter((name) => texts[name] !== before[part]?.[name]);
      const entries = others.map((name) => [name, JSON.parse(texts[name] ?? "null")]);
      if (entries.length) changed[part] = Object.fromEntries(entries);
    }
    this.written = now;
    if (!Object.keys(changed).length) return;
    // A failure is reported before it is written down that it was: it may be told twice, and is never lost.
    const asked = this.effects.take().flatMap(Object.entries);
    const isBefore = ([kind, content]) => kind === "persist" || (kind === "report" && Boolean(content.failed));
    const record = ["persist", { record: JSON.stringify({ ours: changed }) }];
    const others = asked.filter((effect) => !isBefore(effect));
    for (const [kind, content] of [...asked.filter(isBefore), record, ...others]) this.effects.add(kind, content);
  }

  /** A list is one entry of its table. */
  asTexts() {
    const texts = (table) => Object.fromEntries(Object.entries(table).map(([name, value]) => [name, JSON.stringify(value)]));
    const parts = Object.entries(this.data);
    return Object.fromEntries(parts.map(([part, value]) => [part, texts(isTable(value) ? value : { "": value })]));
  }

  /** Takes up what an earlier life wrote down, if there was one. `foreign` is what somebody else did, before our first. */
  recall({ restored, disk = [] }) {
    [this.written, this.foreign] = [{}, []];
    if (restored && this.state) Object.assign(this.data, this.state.load("state", {}));
    for (const record of disk) {
      const changed = ours(record);
      this.foreign = changed ? [] : [...this.foreign, record];
      for (const [part, entries] of Object.entries(changed ?? {})) {
        for (const [name, value] of Object.entries(entries)) {
          if (!isTable(this.data[part])) this.data[part] = value;
          else if (value === null) delete this.data[part][name];
          else this.data[part][name] = value;
        }
      }
    }
    if (!this.state) this.written = this.asTexts();
  }
};
