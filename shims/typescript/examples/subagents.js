/** What a session does with its children: lists, stops and steers them, and takes up what was given up. */
import { dig, first, NoSession } from "./settings.js";

const STEER_MAX = 4_000; // How long a text to a child may be.
const STEER_PAUSE = 2_000; // How long a session waits before it may steer the same child again.
const GIVEN_UP_MAX = 1_000;

/** `this.data.steers` holds texts on their way into a run, `this.data.givenUp` what could not be told. */
export const Subagents = (Base) => class extends Base {
  call_subagents({ call, by }, params) {
    const own = this.callerKey({ by });
    const obey = {
      list: this.listChildren, kill: this.kill, steer: this.steerChild,
      retry: (...asked) => this.takeUp(true, ...asked), dismiss: (...asked) => this.takeUp(false, ...asked),
    };
    const action = params.action || "list";
    try {
      if (!Object.hasOwn(obey, action)) throw new NoSession(`subagents has no action "${action}"; there is ${Object.keys(obey).join(", ")}`);
      obey[action].call(this, call, own, params);
    } catch (error) {
      if (!(error instanceof NoSession)) throw error;
      this.effects.answer(call, "error", { error: error.message });
    }
  }

  // ---- Who is meant ----

  isReached(own, key) {
    return !own || this.isBelow(key, own);
  }

  runOf(key) {
    return this.runs().find((run) => run.key === key);
  }

  /** At any depth; those at work first, then the others, the older before the newer. */
  children(own) {
    const below = Object.values(this.data.sessions).filter((session) => session.parent && this.isReached(own, session.key));
    return [...below.filter(({ key }) => this.isBusy(key)), ...below.filter(({ key }) => !this.isBusy(key))];
  }

  /** The child that a target means: the last, the n-th listed, a key, a label or its beginning, the beginning of a run's id. */
  picked(own, params) {
    const token = String(first(params.target, params.sessionKey, params.key, params.label, "")).trim();
    const rows = this.children(own);
    if (!token) throw new NoSession("Missing subagent target.");
    if (token === "last" && rows.length) {
      const last = Object.keys(this.data.sessions).findLast((key) => rows.some((row) => row.key === key));
      return this.data.sessions[last];
    }
    if (/^\d+$/.test(token)) {
      const row = rows[Number(token) - 1];
      if (!row) throw new NoSession(`Invalid subagent index: ${token}`);
      return row;
    }
    if (token.includes(":")) {
      const row = rows.find(({ key }) => key === token);
      if (!row) throw new NoSession(`Unknown subagent session: ${token}`);
      return row;
    }
    const label = (row) => (row.label ?? "").toLowerCase();
    const ways = {
      label: (row) => label(row) === token.toLowerCase(),
      "label prefix": (row) => label(row).startsWith(token.toLowerCase()),
      "run id prefix": (row) => this.runOf(row.key)?.run.startsWith(token),
    };
    for (const [what, fits] of Object.entries(ways)) {
      const found = rows.filter(fits);
      if (found.length > 1) throw new NoSession(`Ambiguous subagent ${what}: ${token}`);
      if (found.length) return found[0];
    }
    throw new NoSession(`Unknown subagent target: ${token}`);
  }

  // ---- What is done with them ----

  listChildren(call, own) {
    const debts = this.debts().filter((debt) => debt.what === "child" && this.isReached(own, debt.child));
    const runs = debts.map(({ run, child, stage, outcome }) => ({
      runId: run, sessionKey: child, label: dig(this.data.sessions, child, "label"), status: stage === "running" ? stage : outcome,
    }));
    const lost = Object.entries(this.data.givenUp).filter(([, lost]) => this.mayTakeUp(own, lost));
    this.effects.answer(call, "ok", { runs, failed: lost.map(([runId, { why }]) => ({ runId, why })) });
  }

  kill(call, own, params) {
    let [rows, text] = [[], ""];
    if (["all", "*"].includes(params.target)) {
      rows = this.children(own).filter(({ key }) => this.isBusy(key));
      text = rows.length ? `killed ${rows.length} subagent(s).` : "no running subagents to kill.";
    } else {
      const row = this.picked(own, params);
      const name = row.label || row.key;
      rows = [row];
      text = this.isBusy(row.key) ? `killed ${name}.` : `${name} is already finished.`;
    }
    this.effects.answer(call, "ok", { killed: rows.map(({ key }) => key), text });
    for (const { key } of rows) {
      const runs = this.isBusy(key);
      this.stop(key, false);
      if (runs) this.unbindSession(key, "killed"); // What ended before keeps its binding.
    }
  }

  steerChild(call, own, params) {
    const { message, target } = params;
    if (typeof message !== "string" || !message.trim()) throw new NoSession("subagents steer needs `message`, the text");
    const { length } = [...message];
    if (length > STEER_MAX) throw new NoSession(`Message too long (${length} chars, max ${STEER_MAX}).`);
    if (own && [own, "current"].includes(target)) {
      return this.effects.answer(call, "forbidden", { error: "Subagents cannot steer themselves." });
    }
    const row = this.picked(own, params);
    const [run, name] = [this.runOf(row.key), row.label || row.key];
    if (run?.stage !== "running") return this.effects.answer(call, "done", { text: `${name} is already finished.` });
    if ((row.steered?.[own] ?? -STEER_PAUSE) + STEER_PAUSE > this.now) {
      const error = "Steer rate limit exceeded. Wait a moment before sending another steer.";
      return this.effects.answer(call, "rate_limited", { error });
    }
    row.steered = { ...row.steered, [own]: this.now };
    const accepted = { mode: "steer", runId: run.run, sessionKey: row.key, text: `steered ${name}.` };
    this.data.steers[this.effects.steerRun(run.run, message)] = { call, accepted };
  }

  // ---- A completion for a busy session is steered into its run, where that answers to the same place. ----

  runThatTakes(debt) {
    const run = this.runOf(debt.requester);
    // What follows progress, or may be left to the conversation, has a turn of its own.
    if (run?.stage !== "running" || !debt.to || debt.streams || debt.audience === "both") return null;
    const [to, remembers] = [this.answersTo(run), dig(this.data.sessions, debt.requester, "id") === debt.askedBy];
    return remembers && to && this.place(to) === this.place(debt.to) ? run : null;
  }

  /** It is told when that run has ended well, and not before. */
  steer(debt, { run }) {
    Object.assign(debt, { stage: "steering", takenBy: run });
    this.data.steers[this.effects.steerRun(run, this.words(debt))] = { debt: debt.name, run };
  }

  on_steered({ steer, outcome }) {
    const { call, accepted, debt: name, ended } = this.data.steers[steer] ?? {};
    delete this.data.steers[steer];
    const debt = this.data.debts[name];
    if (call && outcome === "taken") {
      this.effects.answer(call, "accepted", accepted);
    } else if (call) {
      this.effects.answer(call, "error", { error: "it took no text any more; use sessions_send for another turn" });
    } else if (debt && outcome !== "taken") {
      Object.assign(debt, { stage: "ended", takenBy: null });
      this.tellByTurn([debt]);
    } else if (debt && ended) {
      this.tellingEnded(name, ended, ""); // Its run was over before it was known.
    } else if (debt) {
      debt.stage = "steered";
    }
  }

  steeredRunEnded(run, outcome) {
    for (const steer of Object.values(this.data.steers)) if (steer.run === run) steer.ended = outcome;
    const told = this.debts().filter((debt) => debt.stage === "steered" && debt.takenBy === run);
    for (const debt of told) this.tellingEnded(debt.name, outcome, "");
  }

  // ---- What could not be told is kept until somebody has it tried again, or dismisses it. ----

  keepGivenUp(run, lost) {
    this.data.givenUp[run] = lost;
    const runs = Object.keys(this.data.givenUp);
    if (runs.length > GIVEN_UP_MAX) delete this.data.givenUp[runs[0]];
  }

  mayTakeUp(own, { entry, debt }) {
    const names = [entry?.session, debt?.requester, debt?.child].filter(Boolean);
    return !own || names.some((name) => name === own || this.isBelow(name, own));
  }

  takeUp(again, call, own, params) {
    const run = first(params.target, params.runId);
    if (!run) throw new NoSession("name what was given up by `target`, the id of its run");
    const lost = this.data.givenUp[run];
    if (!lost || !this.mayTakeUp(own, lost)) throw new NoSession(`nothing of run ${run} was given up here`);
    delete this.data.givenUp[run];
    this.effects.answer(call, "ok", { [again ? "retried" : "dismissed"]: run });
    if (!again) return;
    const { debt, entry } = lost;
    if (debt) this.data.debts[debt.name] = { ...debt, stage: entry ? "post" : "ended" };
    if (entry) {
      this.data.outbox[entry.name] = { ...entry, since: this.now, due: this.now, tries: 0 };
      this.attempt(entry.name);
    } else if (debt) {
      this.hand(this.data.debts[debt.name]);
    }
  }
};
