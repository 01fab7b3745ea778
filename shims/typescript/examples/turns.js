/** Turns of agents: one at a time in each session, the others wait in order. */
import { withoutMarkers } from "../moorline-shim.js";
import { agentOf, dig, first, NoSession } from "./settings.js";

const STARTS_MAX = 4; // How often a refused start is asked for.

const SILENT = ["NO_REPLY", "ANNOUNCE_SKIP", "REPLY_SKIP"]; // Words by which an agent says that it says nothing.
const WORD = `(?:${SILENT.join("|")})`;
const EDGES = new RegExp(`^(?:${WORD}(?!\\w)\\s*)+|(?:\\s*(?<!\\w)${WORD})+$`, "g");

export function isSilent(text) {
  return !(text ?? "").trim() || SILENT.includes(withoutMarkers(text));
}

/** A text without such words at its edges: no person reads them. */
function spoken(text) {
  if (isSilent(text)) return text;
  const [, whole, marks] = /^\s*([^]*?)((?:\s*⟦[^⟦⟧]*⟧)*)\s*$/.exec(text);
  const rest = whole.replace(EDGES, "");
  return rest === whole ? text : (rest + marks).trim();
}

/** `this.data.queue` holds turns that wait, `this.data.runs` those at work by run. */
export const Turns = (Base) => class extends Base {
  /** `kind`: message, child, sent, telling, internal, plugin. `to` is the address it belongs to. */
  turn(key, kind, input, to = null, more = {}) {
    const askedOf = dig(this.data.sessions, key, "id");
    const turn = { run: this.ids.new("run"), key, kind, input, to, came: this.now, starts: 0, stage: "waiting", askedOf, ...more };
    this.data.queue.push(turn);
    return turn;
  }

  runs() {
    return Object.values(this.data.runs);
  }

  isBusy(key) {
    return this.runs().some((run) => run.key === key);
  }

  /** Whatever waits for nothing begins; behind what waits the rest of its session does. */
  startTurns() {
    let again = true;
    while (again) {
      again = false; // What begins, or comes to nothing, may make others wait.
      this.waiting = this.data.queue;
      this.data.queue = [];
      const busy = new Set(this.runs().map((run) => run.key));
      while (this.waiting.length) {
        const turn = this.waiting.shift();
        if (busy.has(turn.key) || (turn.notBefore ?? 0) > this.now || !this.hasRoom(turn)) {
          this.data.queue.push(turn);
          busy.add(turn.key);
        } else {
          again = true;
          if (this.begin(turn)) busy.add(turn.key);
        }
      }
    }
  }

  /** Children of one requester are at work in a limited number. */
  hasRoom(turn) {
    if (turn.kind !== "child" || turn.starts) return true;
    const { requester } = this.data.debts[turn.debt];
    const atWork = [...this.runs(), ...this.data.queue].filter(
      (run) => run.kind === "child" && run.starts && dig(this.data.debts, run.debt, "requester") === requester,
    );
    return atWork.length < (this.ofAgent(agentOf(requester) ?? this.agents[0], "subagents", "maxConcurrent") ?? 8);
  }

  /** Whether a run was asked for. */
  begin(turn) {
    const session = this.openSession(turn.key);
    // Whoever asked for it is forgotten.
    if (turn.kind === "internal" && turn.askedOf && turn.askedOf !== session.id) return false;
    if (turn.kind === "telling" && !this.stillAskedFor(turn, session)) return false;
    if (turn.kind === "message") {
      if (turn.resets || this.resetDue(session, turn.came, turn.to.channel, turn.place)) {
        this.rotate(session);
        this.wakesNoMore(session.key);
      }
      session.spoken = Math.max(session.spoken, turn.came);
      if (turn.bare) {
        this.post(turn.to, "⚙️ A new session has begun.");
        return false;
      }
      this.collect(turn, session);
    }
    session.written = Math.max(session.written, turn.came);
    this.start(turn, session);
    return true;
  }

  // ---- Messages that find their session busy: `messages.queue` ----

  /** Where too many wait, one is given up, aloud. */
  queueMessage(turn) {
    const settings = dig(this.config, "messages", "queue") ?? {};
    const waiting = this.data.queue.filter((other) => other !== turn && other.key === turn.key && other.kind === "message");
    if (!this.isBusy(turn.key) || settings.cap == null || waiting.length < settings.cap) return;
    const givenUp = settings.drop === "old" && waiting.length ? waiting[0] : turn;
    this.data.queue.splice(this.data.queue.indexOf(givenUp), 1);
    this.forget(givenUp);
    this.effects.drop(givenUp.message, "too many messages wait");
    this.post(givenUp.to, `⚠️ Not worked on, since too many messages wait: ${givenUp.input}`);
  }

  /** Nothing was done with its messages: they may come again. */
  forget(turn) {
    for (const seen of turn.seen) delete this.data.seen[seen];
  }

  /** What one person wrote in one place meanwhile has one turn together, where that is configured. */
  collect(turn, session) {
    const queue = dig(this.config, "messages", "queue") ?? {};
    if (first(dig(queue, "byChannel", turn.to.channel), queue.mode) !== "collect" || turn.starts) return;
    for (const other of this.waiting.filter((other) => other.key === turn.key)) {
      const same = other.kind === "message" && other.person === turn.person && this.place(other.to) === this.place(turn.to);
      if (!same || other.resets || other.starts || this.resetDue(session, other.came, turn.to.channel, turn.place)) return;
      this.waiting.splice(this.waiting.indexOf(other), 1);
      turn.input = `${turn.input}\n${other.input}`;
      turn.seen.push(...other.seen);
      session.spoken = Math.max(session.spoken, other.came);
    }
  }

  // ---- Runs ----

  start(turn, session) {
    Object.assign(turn, { starts: turn.starts + 1, stage: "starting" });
    this.data.runs[turn.run] = turn;
    const goesOn = session.fresh ? "fresh" : "continue";
    this.effects.startRun({
      run: turn.run, sessionKey: session.key, sessionId: session.id, agent: session.agent, input: turn.input,
      memory: turn.fork && session.fresh ? { fork: turn.fork } : goesOn, overrides: { ...session.lasting, ...turn.overrides },
      resumes: turn.resumes,
    });
  }

  /** A name is used once: the next attempt has another. */
  startAgain(turn, pause) {
    delete this.data.runs[turn.run];
    Object.assign(turn, { run: this.ids.new("run"), stage: "waiting", notBefore: this.now + pause });
    if (this.data.debts[turn.debt]) this.data.debts[turn.debt].run = turn.run;
    this.data.queue.unshift(turn);
    this.clock.callLater(pause, () => this.startTurns());
  }

  on_run_started({ run, outcome }) {
    const turn = this.data.runs[run];
    if (!turn) return;
    if (turn.stage === "cancelled") {
      if (outcome === "refused") this.ended(turn, turn.cancelled, ""); // It never ran, so that it will not say that it ended.
    } else if (turn.stage !== "starting") {
      return;
    } else if (outcome === "started") {
      this.runsNow(turn);
    } else if (outcome === "unknown") {
      this.mayRun(turn);
    } else if (turn.kind === "child" && !turn.accepted) {
      this.undoSpawn(turn, "its run was refused");
    } else if (turn.starts < STARTS_MAX) {
      this.startAgain(turn, 2_000 * turn.starts);
    } else {
      if (turn.kind === "message") this.forget(turn); // Nothing was done with it: it may come again.
      this.ended(turn, "error", "");
    }
  }

  /** Nobody knows whether it runs: then it shall not, and it is asked for once more. */
  mayRun(turn) {
    this.effects.cancelRun(turn.run);
    if (turn.kind === "child" && !turn.accepted) {
      this.undoSpawn(turn, "nobody knows whether its run started; it was cancelled");
    } else if (turn.resumes) {
      this.ended(turn, "lost", "");
    } else {
      turn.resumes = turn.run;
      this.startAgain(turn, 0);
    }
  }

  runsNow(turn) {
    turn.stage = "running";
    if (this.data.sessions[turn.key]) this.data.sessions[turn.key].fresh = false;
    this.note(turn.key, "user", turn.input);
    if (turn.timeout) {
      turn.deadline = this.now + turn.timeout;
      this.clock.callAt(turn.deadline, () => this.cancel(turn.run, "timeout"));
    }
    if (turn.kind === "child") {
      this.accepted(turn);
    } else if (turn.kind === "plugin" && turn.call) {
      this.effects.answer(turn.call, "accepted", { runId: turn.run, sessionKey: turn.key });
      turn.call = null;
    }
  }

  on_run_ended({ run, outcome, text }) {
    const turn = this.data.runs[run];
    if (!turn) return;
    if (turn.stage === "cancelled") return this.ended(turn, turn.cancelled, ""); // What it says after that is not heard.
    if (turn.stage === "starting") this.runsNow(turn);
    this.ended(turn, outcome, spoken(text ?? ""));
  }

  /** A run is over: its words go where it answers to, and whoever waits for it is told. */
  ended(turn, outcome, text) {
    delete this.data.runs[turn.run];
    if (turn.kind === "child" && !turn.accepted) return this.undoSpawn(turn, "it was stopped before it ran");
    this.note(turn.key, "assistant", text);
    this.sessionEnded(turn.key);
    this.stopWaitingOf(turn.run);
    // What a child says as it yields is not its end: that is what it says when it was woken.
    const paused = turn.kind === "child" && outcome === "ok" && Boolean(turn.yielded);
    const to = this.answersTo(turn);
    let said = null;
    if (outcome === "ok" && !isSilent(text) && to) {
      said = { to, post: this.post(to, text, { about: turn.run, session: turn.key }) };
    }
    if (turn.kind === "message" && outcome !== "ok") {
      this.post(turn.to, `⚠️ This was not answered (${outcome}): ${turn.input}`, { about: turn.run });
    } else if (turn.kind === "child" || turn.kind === "sent") {
      this.debtEnded(turn.debt, outcome, paused ? "" : text, paused ? null : said, paused);
    } else if (turn.kind === "telling") {
      if (outcome === "ok" && this.tellsOfChildren(turn)) this.addToWaiting(turn.key, text);
      for (const name of turn.debts) this.tellingEnded(name, outcome, text);
    } else if (turn.kind === "plugin" && turn.call) {
      this.effects.answer(turn.call, "error", { error: `the run ended (${outcome})` });
    }
    this.steeredRunEnded(turn.run, outcome);
    if (turn.yielded) this.wakeIfDone(turn.key);
  }

  tellsOfChildren(turn) {
    return turn.debts.some((name) => dig(this.data.debts, name, "what") === "child");
  }

  on_run_progress({ run, text }) {
    const turn = this.data.runs[run];
    if (!turn || turn.stage === "cancelled" || isSilent(text)) return;
    const words = spoken(text);
    this.stream(turn, words);
    this.note(turn.key, "assistant", words);
    const to = this.answersTo(turn);
    if (to) this.post(to, words, { about: run, session: turn.key });
  }

  /** Where the words of a run go. */
  answersTo(turn) {
    if (turn.kind === "message") return turn.to;
    const bound = this.boundPlace(turn.key);
    if (["child", "sent", "plugin"].includes(turn.kind)) return bound;
    if (turn.kind === "telling" && !bound && this.tellsOfChildren(turn) && this.saysForWaiting(turn.key)) return null;
    if (turn.kind === "telling" && (bound || turn.to)) return bound ?? turn.to;
    const agent = dig(this.data.sessions, turn.key, "agent") ?? this.agents[0];
    return this.ofAgent(agent, "heartbeat", "to");
  }

  /** What it says from here on is not heard; whoever waits is told when it is over. */
  cancel(run, outcome) {
    const turn = this.data.runs[run];
    if (!turn || turn.stage === "cancelled") return;
    Object.assign(turn, { stage: "cancelled", cancelled: outcome });
    this.effects.cancelRun(run);
  }

  on_internal_turn(what) {
    let key;
    try {
      key = this.spelled(what.session);
    } catch (error) {
      if (error instanceof NoSession) return; // The clockwork has no ear for a refusal.
      throw error;
    }
    this.openSession(key);
    this.turn(key, "internal", what.text);
  }

  call_runtime_subagent_run({ call }, params) {
    if (typeof params.sessionKey !== "string" || typeof params.message !== "string") {
      return this.effects.answer(call, "error", { error: "runtime.subagent.run needs `sessionKey` and `message`" });
    }
    let key;
    try {
      key = this.spelled(params.sessionKey);
    } catch (error) {
      if (error instanceof NoSession) return this.effects.answer(call, "error", { error: error.message });
      throw error;
    }
    this.openSession(key);
    const given = ["model", "provider", "extraSystemPrompt"].filter((name) => params[name] != null);
    const overrides = Object.fromEntries(given.map((name) => [name, params[name]]));
    this.turn(key, "plugin", params.message, null, { call, overrides });
  }

  /** After a crash: what was at work is resumed once, or ends as lost. */
  restoreTurns(alive) {
    // What was undone may not have been told to stop.
    for (const run of alive) if (!this.data.runs[run]) this.effects.cancelRun(run);
    for (const turn of this.runs()) {
      if (alive.has(turn.run)) {
        this.restoreAlive(turn);
      } else if (turn.stage === "cancelled") {
        this.ended(turn, turn.cancelled, "");
      } else if (turn.kind === "message" && !turn.resumes) {
        turn.resumes = turn.run;
        this.startAgain(turn, 0);
      } else if (turn.kind === "internal" || turn.kind === "plugin") {
        delete this.data.runs[turn.run];
      } else if (turn.kind === "child" && !turn.accepted) {
        this.undoUnheard(turn);
      } else {
        this.ended(turn, "lost", "");
      }
    }
    for (const turn of this.data.queue) this.clock.callAt(turn.notBefore ?? 0, () => this.startTurns());
  }

  restoreAlive(turn) {
    if (turn.stage === "starting") {
      turn.stage = "running";
      if (this.data.sessions[turn.key]) this.data.sessions[turn.key].fresh = false;
    }
    if (turn.kind === "child" && !turn.accepted) {
      this.effects.cancelRun(turn.run);
      this.undoUnheard(turn);
    } else if (turn.stage === "cancelled") {
      this.effects.cancelRun(turn.run);
    } else if (turn.deadline) {
      this.clock.callAt(turn.deadline, () => this.cancel(turn.run, "timeout"));
    }
  }
};
