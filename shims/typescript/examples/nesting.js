/** Children of children: an end waits for what is below it, whoever yields is woken once, and a stop reaches all below. */
import { caller } from "../moorline-shim.js";
import { dig, MINUTE } from "./settings.js";
import { isSilent } from "./turns.js";

const SETTLE_WINDOW = 30 * MINUTE; // For so long an end waits for those below it.

/** A debt at the stage "ended" was told to nobody yet. `session.awaits` names those that it yielded to wait for. */
export const Nesting = (Base) => class extends Base {
  debts() {
    return Object.values(this.data.debts);
  }

  // ---- An end waits until what is below it is settled. ----

  handOrWait(debt) {
    if (this.isOpen(debt)) this.waitAtMost(debt);
    else this.hand(debt);
  }

  /** Whether its run goes on, or went well and waits for its own children. */
  isOpen(debt) {
    if (debt.stage === "running") return true;
    const waits = debt.what === "child" && debt.outcome === "ok" && !debt.overdue;
    return debt.stage === "ended" && waits && this.isOpenBelow(debt.child);
  }

  isOpenBelow(key) {
    return this.openBelow(key).length > 0;
  }

  openBelow(key) {
    const awaits = dig(this.data.sessions, key, "awaits") ?? [];
    const isOwed = ({ requester, audience }) => requester === key && audience !== "nobody";
    return this.debts().filter((debt) => isOwed(debt) && (debt.what === "child" || awaits.includes(debt.name)));
  }

  waitAtMost(debt) {
    debt.waitsSince ??= this.now;
    this.clock.callAt(debt.waitsSince + SETTLE_WINDOW, () => this.waitedEnough(debt.name));
  }

  waitedEnough(name) {
    const debt = this.data.debts[name];
    if (debt?.stage !== "ended" || debt.overdue) return;
    debt.overdue = true;
    if (debt.paused) debt.inVain = this.openBelow(debt.child).map(({ run }) => run); // It has no end to tell of.
    this.hand(debt);
  }

  /** Something that a session asked for is settled: its own end, or its turn, may have waited for that. */
  settledBelow(key) {
    const above = this.debts().find((debt) => debt.child === key && debt.stage === "ended");
    if (above && !this.isOpenBelow(key)) this.hand(above);
    this.wakeIfDone(key);
  }

  /** Whether a session's own end waits: what it says meanwhile is part of that. */
  saysForWaiting(key) {
    return this.debts().some((debt) => debt.child === key && debt.stage === "ended" && debt.audience !== "nobody");
  }

  addToWaiting(key, text) {
    const waiting = this.debts().find((debt) => debt.child === key && debt.stage === "ended");
    if (waiting && !isSilent(text)) waiting.text = [waiting.text, text].filter(Boolean).join("\n");
  }

  // ---- Whoever asked may be gone: then the next one above it is told. ----

  allAbove(key) {
    const parent = dig(this.data.sessions, key, "parent");
    return parent ? [parent, ...this.allAbove(parent)] : [];
  }

  inherit(debt) {
    while (!this.data.sessions[debt.requester] && debt.above.length) {
      debt.requester = debt.above.shift();
      debt.askedBy = dig(this.data.sessions, debt.requester, "id");
    }
  }

  // ---- A turn may end to wait. One turn tells of all that it waited for. ----

  call_sessions_yield(call, params) {
    const [own, run] = [this.callerKey(call), this.data.runs[caller(call)]];
    if (!own || !run) return this.effects.answer(call.call, "error", { error: "No session context" });
    const session = this.data.sessions[own];
    // What is on its way to people it is not told of, and what it was told already it has heard.
    const pending = this.debts().filter((debt) => debt.requester === own && debt.audience !== "nobody" && debt.stage !== "post"
      && !debt.call && debt.takenBy !== run.run);
    if (!pending.length) {
      return this.effects.answer(call.call, "error", { error: "nothing is pending: no child works, and no reply is awaited" });
    }
    for (const debt of pending) {
      if (debt.audience === "origin" || !this.isSamePlace(debt.to, run.to) || debt.askedBy !== session.id || !this.isUnheard(debt)) continue;
      this.takeBack(debt);
      session.awaits = [...(session.awaits ?? []), debt.name];
    }
    run.yielded = true;
    this.effects.answer(call.call, "yielded", { message: params.message || "Turn yielded." });
  }

  /** The turn that waits to tell of a debt. */
  telling(debt) {
    return this.data.queue.find((turn) => turn.kind === "telling" && !turn.starts && turn.debts.includes(debt.name));
  }

  isUnheard(debt) {
    return ["running", "ended"].includes(debt.stage) || (debt.stage === "turn" && Boolean(this.telling(debt)));
  }

  /** The turn that waits to tell of a debt does not, any more. */
  takeBack(debt) {
    const turn = debt.stage === "turn" && this.telling(debt);
    if (!turn) return;
    debt.stage = "ended";
    turn.debts = turn.debts.filter((name) => name !== debt.name);
    turn.input = turn.debts.map((name) => this.words(this.data.debts[name])).join("\n");
    if (!turn.debts.length) this.data.queue.splice(this.data.queue.indexOf(turn), 1);
  }

  isSamePlace(one, other) {
    return one && other ? this.place(one) === this.place(other) : !one && !other;
  }

  awaited(key) {
    return (dig(this.data.sessions, key, "awaits") ?? []).map((name) => this.data.debts[name]).filter(Boolean);
  }

  /** Whether whoever asked yielded, and hears of this with all that it waits for: now, or later. */
  waitsForMore(debt) {
    const session = this.data.sessions[debt.requester];
    if (!session.awaits?.includes(debt.name) || debt.askedBy !== session.id) return false;
    const together = this.awaited(session.key).filter((other) => this.isSamePlace(other.to, debt.to));
    if (debt.overdue || !together.some((other) => this.isOpen(other))) this.wake(session.key, together);
    else this.waitAtMost(debt);
    return true;
  }

  wakeIfDone(key) {
    let rest = this.awaited(key);
    while (rest.length) {
      const together = rest.filter((debt) => this.isSamePlace(debt.to, rest[0].to));
      rest = rest.filter((debt) => !together.includes(debt));
      if (!together.some((debt) => this.isOpen(debt))) this.wake(key, together);
    }
  }

  /** Of what was asked for in one conversation one turn tells; what others asked for is none of its business. */
  wake(key, together) {
    const ready = together.filter((debt) => debt.stage === "ended" && !this.isOpen(debt));
    this.data.sessions[key].awaits = this.awaited(key).filter((debt) => !ready.includes(debt)).map((debt) => debt.name);
    if (ready.length) this.tellByTurn(ready);
  }

  /** A session began anew or is gone: what was kept for it is handed on. */
  wakesNoMore(key) {
    const session = this.data.sessions[key];
    const kept = session ? this.awaited(key) : this.debts().filter((debt) => debt.requester === key);
    if (session) session.awaits = [];
    for (const debt of kept) if (debt.stage === "ended" && !this.isOpen(debt)) this.hand(debt);
  }

  // ---- What is stopped is stopped with everything below it; nothing that it said is told after that. ----

  allBelow(key) {
    return Object.keys(this.data.sessions).filter((other) => this.isBelow(other, key));
  }

  /** `hears`: whether the session itself still hears of what it asked for. */
  stop(key, hears) {
    const below = this.allBelow(key);
    const [stopped, deaf] = [new Set([key, ...below]), new Set(hears ? below : [key, ...below])];
    this.stopRuns(key, ["child"]);
    for (const spawn of Object.values(this.data.openings)) spawn.stopped ||= stopped.has(spawn.requester);
    for (const other of stopped) if (this.data.sessions[other]) this.data.sessions[other].awaits = [];
    const children = this.debts().filter((debt) => debt.what === "child");
    const killed = children.filter((debt) => stopped.has(debt.child) && debt.stage !== "running" && this.isUnheard(debt));
    for (const debt of killed) {
      this.takeBack(debt);
      Object.assign(debt, { outcome: "killed", text: "", said: null });
    }
    for (const debt of children.filter((debt) => deaf.has(debt.requester))) {
      debt.audience = "nobody";
      this.takeBack(debt);
      if (["ended", "turn", "steered"].includes(debt.stage)) this.settleDebt(debt.name);
    }
    for (const other of below) this.stopRuns(other, ["child", "sent", "telling", "message", "internal", "plugin"]);
    for (const debt of killed) if (this.data.debts[debt.name]?.stage === "ended") this.hand(debt);
  }

  /** Stops what a session is at, and what waits behind it of these kinds. */
  stopRuns(key, waiting) {
    for (const run of this.runs().filter((run) => run.key === key)) this.cancel(run.run, "killed");
    for (const turn of this.data.queue.filter((turn) => turn.key === key && waiting.includes(turn.kind))) {
      if (!this.data.queue.includes(turn)) continue;
      this.data.queue.splice(this.data.queue.indexOf(turn), 1);
      this.ended(turn, "killed", "");
    }
  }

  stopCommand(message) {
    const key = this.bindingHere(message.at)?.key ?? this.sessionKey(message);
    if (!this.data.sessions[key]) return "⚙️ Nothing runs here.";
    const count = this.allBelow(key).filter((below) => this.isBusy(below)).length;
    this.stop(key, false);
    return count ? `⚙️ Stopped, with ${count} below it.` : "⚙️ Stopped.";
  }
};
