/** Conversations tied to sessions: bound, touched, ended by limits, by people and by the channel. */
import { lengthOfTime, withoutMarkers } from "../moorline-shim.js";
import { dig, HOUR } from "./settings.js";

const USAGE = "Usage: /session idle <duration|off> | /session max-age <duration|off> (example: /session idle 24h)";
const LIMITS = { idle: ["idle", "Idle timeout"], "max-age": ["maxAge", "Max age"] };
const UNITS = [["d", 24 * HOUR], ["h", HOUR], ["m", 60_000], ["s", 1_000], ["ms", 1]];
const NOT_FOCUSED = "ℹ️ This thread is not currently focused.";

/** `1d12h` */
function span(ms) {
  let text = "";
  for (const [unit, size] of UNITS) {
    if (ms >= size) text += `${Math.floor(ms / size)}${unit}`;
    ms %= size;
  }
  return text || "0s";
}

/** A length of time as people type it: `off`, hours, or numbers with units. 0 is off; null reads as nothing. */
function typedSpan(words) {
  const text = words.join("").toLowerCase();
  if (["off", "disable", "disabled", "none", "0"].includes(text)) return 0;
  return /^\d+(\.\d+)?$/.test(text) ? Math.round(Number(text) * HOUR) : lengthOfTime(text);
}

/** `this.data.bindings` holds them by place: the whole address, so that accounts are apart. */
export const Bindings = (Base) => class extends Base {
  place(at) {
    return [at.channel, at.account, at.conversation, at.thread ?? ""].join("\n");
  }

  told(at) {
    return [at.channel, at.account === "default" ? "" : at.account, at.conversation, at.thread].filter(Boolean).join("/");
  }

  isDirect(at) {
    return this.data.direct.includes(this.place({ ...at, thread: null }));
  }

  bindings() {
    return Object.values(this.data.bindings);
  }

  /** Ties a place to a session; it has one owner. `debt` is what the binding ends with. */
  bind(at, key, by = null, debt = null) {
    if (this.data.bindings[this.place(at)]) this.unbind(at, "replaced");
    const binding = { at, key, by, bound: this.now, touched: this.now, idle: null, maxAge: null, debt };
    this.data.bindings[this.place(at)] = binding;
    this.effects.bound(at, key);
    this.watch(binding);
    this.changedHands(at);
  }

  /** What waits from a place moves with it, and keeps its place in line. */
  changedHands(at) {
    const binding = this.data.bindings[this.place(at)];
    for (const turn of this.data.queue) {
      const waits = turn.kind === "message" && !turn.starts && !turn.resumes && !turn.resets;
      if (!waits || this.place(turn.to) !== this.place(at)) continue;
      turn.key = binding ? binding.key : this.sessionKey({ at, kind: turn.place, from: turn.person });
    }
  }

  /** Where a session speaks, if it is bound. */
  boundPlace(key) {
    return this.bindings().find((binding) => binding.key === key)?.at ?? null;
  }

  // ---- Limits ----

  /** When it lapses, and why; at a tie idle is the reason. */
  lapse(binding) {
    const { idle, maxAge } = this.limits(binding);
    const ends = [];
    if (idle) ends.push({ at: binding.touched + idle, why: "idle" });
    if (maxAge) ends.push({ at: binding.bound + maxAge, why: "max-age" });
    return ends.reduce((first, end) => (first && first.at <= end.at ? first : end), null);
  }

  /** Looks again when it lapses as things stand now. A touch only postpones that. */
  watch(binding) {
    const end = this.lapse(binding);
    if (end) this.clock.callAt(end.at, () => this.look(this.place(binding.at)));
  }

  /** The sweep comes by: what was touched since is looked at again later. */
  look(place) {
    const binding = this.data.bindings[place];
    if (binding && !this.endIfLapsed(binding)) this.watch(binding);
  }

  endIfLapsed(binding) {
    const end = this.lapse(binding);
    if (!end || end.at > this.now) return false;
    const { idle, maxAge } = this.limits(binding);
    this.unbind(binding.at, end.why);
    const how = end.why === "idle" ? `after ${span(idle)} of inactivity` : `at max age of ${span(maxAge)}`;
    this.post(binding.at, `⚙️ Session ended automatically ${how}. Messages here will no longer be routed.`);
    return true;
  }

  /** Traffic of its session in its place; what lapsed meanwhile is not revived. */
  touch(at, key) {
    const binding = this.data.bindings[this.place(at)];
    if (binding?.key === key && !this.endIfLapsed(binding)) binding.touched = this.now;
  }

  // ---- Ends ----

  unbind(at, reason) {
    const binding = this.data.bindings[this.place(at)];
    if (!binding) return;
    delete this.data.bindings[this.place(at)];
    this.effects.unbound(binding.at, binding.key, reason);
    if (reason !== "replaced") this.changedHands(at);
  }

  unbindSession(key, reason) {
    for (const binding of this.bindings()) if (binding.key === key) this.unbind(binding.at, reason);
  }

  unbindDebt(debt) {
    for (const binding of this.bindings()) if (binding.debt === debt) this.unbind(binding.at, "run-ended");
  }

  unbindDisabled() {
    for (const binding of this.bindings()) {
      if (this.isSwitchedOff(binding.at)) this.unbind(binding.at, "account-stopped");
      else if (this.ofBindings(binding.at, "enabled") === false) this.unbind(binding.at, "disabled");
      else this.watch(binding);
    }
  }

  /** A conversation goes by another id: its session is found by the first one, its binding under the new one. */
  on_conversation_moved({ from, to }) {
    this.data.moved[this.place(to)] = this.firstId(from);
    const binding = this.data.bindings[this.place(from)];
    if (!binding || this.data.bindings[this.place(to)]) return;
    delete this.data.bindings[this.place(from)];
    binding.at = to;
    this.data.bindings[this.place(to)] = binding;
    this.effects.bound(to, binding.key);
    this.watch(binding);
  }

  /** The place by the id that its conversation went by first. */
  firstId(at) {
    const first = this.data.moved[this.place({ ...at, thread: null })] ?? at;
    return { ...first, thread: at.thread };
  }

  on_thread_changed({ at, state }) {
    const reasons = { gone: "thread-gone", locked: "thread-locked", archived: "thread-archived" };
    if (reasons[state]) this.unbind(at, reasons[state]);
  }

  /** A text for a bound thread was refused: is it still there? */
  probeAfterRefusal(at) {
    const asked = Object.values(this.data.probes).some((other) => this.place(other) === this.place(at));
    if (at.thread && this.data.bindings[this.place(at)] && !asked) this.data.probes[this.effects.probeThread(at)] = at;
  }

  on_thread_probed({ request, state }) {
    const at = this.data.probes[request];
    delete this.data.probes[request];
    if (at) this.on_thread_changed({ at, state });
  }

  // ---- Where a message finds itself ----

  /** The binding of a place that holds still, and whose session is there. */
  bindingHere(at) {
    const binding = this.data.bindings[this.place(at)];
    if (!binding || this.endIfLapsed(binding)) return null;
    if (this.data.sessions[binding.key]) return binding;
    this.unbind(at, "deleted");
    return null;
  }

  /** Whether another account of the gateway has bound this very thread: it will answer. */
  isHeldByAnother(at) {
    const accounts = at.thread ? dig(this.channels, at.channel, "accounts") ?? [] : [];
    return accounts.some((account) => {
      const there = { ...at, account };
      const binding = account === at.account ? null : this.data.bindings[this.place(there)];
      return binding && this.ofBindings(there, "enabled") !== false && !this.endIfLapsed(binding);
    });
  }

  /** Says in a bound place which limits are on. */
  introduce(at) {
    const binding = this.data.bindings[this.place(at)];
    const { idle, maxAge } = this.limits(binding);
    const said = [idle && `idle auto-unfocus after ${span(idle)} inactivity`, maxAge && `max age ${span(maxAge)}`].filter(Boolean);
    const both = said.length ? ` (${said.join("; ")})` : "";
    const name = dig(this.data.sessions, binding.key, "label") ?? binding.key;
    this.post(at, `⚙️ ${name} session active${both}. Messages here go directly to this session.`);
  }

  // ---- What people type. A command works although the session that is bound cannot. ----

  /** Whether a message is a command to the gateway; if so it was obeyed or answered. */
  command(message) {
    const [name = "", ...words] = withoutMarkers(message.text).split(" ");
    const obey = {
      "/session": this.sessionCommand, "/focus": this.focusCommand, "/unfocus": this.unfocusCommand, "/agents": this.agentsCommand,
      "/stop": this.stopCommand,
    }[name.toLowerCase()];
    if (!obey) return false;
    if (message.authorised === false) {
      this.effects.drop(message.message, "its author may not give commands");
      return true;
    }
    const reply = obey.call(this, message, words);
    if (reply) this.post(message.at, reply);
    return true;
  }

  unavailable({ at, kind }) {
    if (!this.canBind(at, kind === "direct")) return `Thread bindings are unavailable for ${at.channel}.`;
    return this.ofBindings(at, "enabled") === false ? `Thread bindings are disabled for ${at.channel}.` : null;
  }

  mayChange(binding, message) {
    return binding.by === null || binding.by === message.from;
  }

  sessionCommand(message, words) {
    const [limit, name] = LIMITS[words[0]?.toLowerCase()] ?? [];
    if (!limit) return USAGE;
    const why = this.unavailable(message);
    const binding = why ? null : this.bindingHere(message.at);
    if (!binding) return why ?? NOT_FOCUSED;
    if (words.length < 2) {
      const ms = this.limits(binding)[limit];
      const until = limit === "idle" ? binding.touched + ms : binding.bound + ms;
      if (ms) return `ℹ️ ${name} active (${span(ms)}, next auto-unfocus at ${span(until)}).`;
      return `ℹ️ ${name} is currently disabled for this focused session.`;
    }
    if (!this.mayChange(binding, message)) {
      return `⚠️ Only ${binding.by} can update session lifecycle settings for this conversation.`;
    }
    const ms = typedSpan(words.slice(1));
    return ms === null ? USAGE : this.setLimit(binding, limit, name, ms);
  }

  /** For all places of the session in that account. */
  setLimit(here, limit, name, ms) {
    const same = ({ key, at }) => key === here.key && at.channel === here.at.channel && at.account === here.at.account;
    const all = this.bindings().filter(same);
    for (const binding of all) {
      binding[limit] = ms;
      if (limit === "idle") binding.touched = this.now;
      this.watch(binding);
    }
    return ms ? `✅ ${name} set to ${span(ms)} for ${all.length} binding(s).` : `✅ ${name} disabled for ${all.length} binding(s).`;
  }

  unfocusCommand(message) {
    const why = this.unavailable(message);
    const binding = why ? null : this.bindingHere(message.at);
    if (!binding) return why ?? NOT_FOCUSED;
    if (!this.mayChange(binding, message)) return `⚠️ Only ${binding.by} can unfocus this conversation.`;
    this.unbind(message.at, "unfocus");
    return "✅ Thread unfocused.";
  }

  focusCommand(message, words) {
    if (!words.length) return "Usage: /focus <session key or label>";
    const why = this.unavailable(message);
    if (why) return why;
    const { at, from } = message;
    const key = this.byLabel(words[0]) ?? this.resolve(words[0]);
    if (!key || !this.mayFocus(key, message)) return `Unable to resolve focus target: ${words[0]}`;
    const here = this.bindingHere(at);
    if (here && !this.mayChange(here, message)) return `⚠️ Only ${here.by} can refocus this conversation.`;
    if (!at.thread && this.threads(at).placement === "child") {
      this.data.focuses[this.effects.openThread(at, key, key)] = { at, by: from, key };
      return null;
    }
    this.bind(at, key, from);
    this.introduce(at);
    return `✅ bound this conversation to ${key}`;
  }

  /** A session that was spawned, or that of the conversation itself: nobody gets at another one's by naming it. */
  mayFocus(key, message) {
    const own = this.sessionKey(message);
    return Boolean(this.data.sessions[key].parent) || key === own || own.startsWith(`${key}:thread:`);
  }

  focusOpened({ at: asked, by, key }, what) {
    const at = what.opened?.at;
    if (at && this.data.sessions[key]) {
      this.bind(at, key, by);
      this.introduce(at);
      this.post(asked, `✅ created thread ${this.told(at)} and bound it to ${key}`);
    } else if (at) {
      this.post(asked, `⚠️ ${key} is gone; the thread ${this.told(at)} remains, unbound.`);
    } else {
      this.post(asked, `⚠️ No thread could be opened: ${what.refused?.why ?? "nobody knows whether it was"}.`);
    }
  }

  /** Runs that somebody waits for, and bindings, of the same account. */
  agentsCommand({ at: here }) {
    const isHere = (at) => !at || (at.channel === here.channel && at.account === here.account);
    const debts = Object.values(this.data.debts).filter((debt) => isHere(debt.to));
    const lines = debts.map((debt) => `- run ${debt.run} in ${debt.child}`);
    lines.push(...this.bindings().filter(({ at }) => isHere(at)).map(({ at, key }) => `- ${this.told(at)} -> ${key}`));
    return ["Agents:", ...(lines.length ? lines : ["- none"])].join("\n");
  }
};
