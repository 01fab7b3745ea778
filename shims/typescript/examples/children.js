/** Children and texts to other sessions: asked for, begun, and their ends told to whoever asked. */
import { caller, withoutMarkers } from "../moorline-shim.js";
import { dig, first, NoSession } from "./settings.js";
import { isSilent } from "./turns.js";

const SEND_TIMEOUT = 30; // Seconds that a sender waits unless it says otherwise.
const DELIVERY = ["target", "transport", "channel", "to", "threadId", "thread_id", "replyTo", "reply_to"];

const oneOf = (...words) => [(value) => words.includes(value), words.map((word) => `"${word}"`).join(" or ")];
const TEXT = [(value) => typeof value === "string", "a text"];
const FLAG = [(value) => typeof value === "boolean", "true or false"];
const SECONDS = [(value) => Number.isInteger(value) && value >= 0, "a whole number of seconds; 0 is no limit"];
const LABEL = [(value) => typeof value === "string" && [...value.trim()].length <= 512, "a text of at most 512 characters"];
const PARAMS = {
  task: TEXT, agentId: TEXT, runtime: oneOf("subagent", "acp"), mode: oneOf("run", "session"), thread: FLAG, label: LABEL,
  model: TEXT, thinking: TEXT, runTimeoutSeconds: SECONDS, cleanup: oneOf("keep", "delete"), context: oneOf("isolated", "fork"),
  expectsCompletionMessage: FLAG, notifyParent: FLAG, notifyUserOnComplete: FLAG, streamTo: oneOf("parent"),
  resumeSessionId: TEXT, sandbox: oneOf("inherit"),
};

/** A spawn or a text that may not be: `error`, or `forbidden` where somebody who decides may allow it. */
class Refused extends Error {
  constructor(why, status = "error") {
    super(why);
    this.status = status;
  }
}

const forbidden = (why) => new Refused(why, "forbidden");

/** `this.data.debts` holds what is owed to whoever asked; `this.data.openings` spawns that wait for a thread. */
export const Children = (Base) => class extends Base {
  // ---- A spawn is checked whole before anything happens; spec/SPAWN.md has the order. ----

  call_sessions_spawn(call, params) {
    let spawn;
    try {
      spawn = this.checkedSpawn(call, params);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return this.effects.answer(call.call, error.status, { error: error.message });
    }
    const at = spawn.to;
    if (spawn.thread && this.threads(at).placement === "child") {
      const parent = { channel: at.channel, account: at.account, conversation: at.conversation };
      const request = this.effects.openThread(parent, spawn.label ?? withoutMarkers(spawn.task), spawn.key);
      this.data.openings[request] = spawn;
    } else {
      this.beginChild(spawn, spawn.thread ? at : null);
    }
  }

  checkedSpawn(call, params) {
    const requester = this.callerKey(call);
    if (!requester) throw new Refused("sessions_spawn is a tool of agents that are at work; use runtime.subagent.run");
    const [run, session] = [this.data.runs[caller(call)], this.data.sessions[requester]];
    this.checkParams(params);
    const given = Object.fromEntries(Object.entries(params).filter(([, value]) => value != null && value !== ""));
    const [at, runtime, audience] = [run.to, given.runtime ?? "subagent", this.audience(given)];
    this.checkRuntime(runtime, given);
    const policy = (runtime === "subagent" && dig(this.channels, at?.channel, "threading")) || {};
    const thread = given.thread || policy.requiresThreadForSubagents || false;
    const mode = policy.autoInjectThreadParams ? "session" : given.mode ?? (thread ? "session" : "run");
    if (mode === "session" && given.cleanup === "delete") {
      throw new Refused('`cleanup` is "keep" for mode="session": a session stays until sessions.delete');
    }
    this.checkLimits(requester, session);
    const agent = this.checkedAgent(session.agent, given, runtime);
    if (given.context === "fork" && agent !== session.agent) {
      throw new Refused('context="fork" currently requires the same target agent as the requester; use context="isolated".');
    }
    if (thread) this.checkThread(at, policy);
    if (["origin", "both"].includes(audience) && !at) {
      throw new Refused("`notifyUserOnComplete` needs a conversation, and this run has none; leave it out, and the parent is told");
    }
    const resumed = given.resumeSessionId ? this.resumed(requester, given.resumeSessionId) : null;
    const label = given.label?.trim() || null;
    const taken = [...Object.values(this.data.openings), ...Object.values(this.data.sessions)].map((other) => other.label);
    if (label && taken.includes(label)) throw new Refused(`label already in use: ${label}; choose another \`label\``);
    const wanted = ["model", "thinking"].map((name) => [name, first(given[name], this.ofAgent(agent, "subagents", name))]);
    const seconds = first(given.runTimeoutSeconds, this.ofAgent(session.agent, "subagents", "runTimeoutSeconds"), 0);
    return {
      call: call.call, requester, askedBy: session.id, to: at, key: `agent:${agent}:${runtime}:${this.ids.new("child")}`,
      agent, runtime, mode, thread, label, task: params.task, audience, timeout: seconds * 1000, streams: "streamTo" in given,
      overrides: Object.fromEntries(wanted.filter(([, value]) => value)), depth: (session.depth ?? 0) + 1,
      fork: resumed ?? (given.context === "fork" ? requester : null),
      kept: given.cleanup === "keep", deletes: given.cleanup === "delete",
    };
  }

  checkParams(params) {
    for (const name of Object.keys(params)) {
      if (Object.hasOwn(PARAMS, name)) continue;
      let help = `; there is ${Object.keys(PARAMS).join(", ")}`;
      if (name === "timeoutSeconds") help = '. Use "runTimeoutSeconds" for a per-run timeout.';
      if (DELIVERY.includes(name)) help = '. Use "message" or "sessions_send" for channel delivery.';
      throw new Refused(`sessions_spawn does not support "${name}"${help}`);
    }
    if (typeof params.task !== "string" || !params.task.trim()) throw new Refused("sessions_spawn needs `task`, a text");
    const agent = params.agentId;
    if (typeof agent === "string" && !/^[a-z0-9][a-z0-9_-]{0,63}$/i.test(agent.trim())) {
      throw new Refused(`Invalid agentId "${agent}". Agent IDs must match [a-z0-9][a-z0-9_-]{0,63}. Leave \`agentId\` out for your own.`);
    }
    for (const [name, [isRight, right]] of Object.entries(PARAMS)) {
      if (params[name] != null && !isRight(params[name])) {
        throw new Refused(`\`${name}\` is ${right}, not ${JSON.stringify(params[name])}`);
      }
    }
  }

  /** What one runtime has is not asked of the other. */
  checkRuntime(runtime, given) {
    const only = ["streamTo", "resumeSessionId"].find((name) => name in given);
    if (runtime === "subagent" && only) {
      throw new Refused(`${only} is only supported for runtime=acp; got runtime=subagent. Leave \`${only}\` out, or use runtime="acp".`);
    }
    if (runtime === "acp" && given.context === "fork") {
      throw new Refused('context="fork" is only supported for runtime="subagent". Use context="isolated".');
    }
    if (runtime === "acp" && dig(this.config, "acp", "enabled") === false) {
      throw forbidden('ACP is disabled by policy (`acp.enabled=false`). Use runtime="subagent".');
    }
  }

  /** Who is told of its end: the session that asked, the conversation that asked, both, or nobody. */
  audience({ expectsCompletionMessage: expects, notifyParent: parent, notifyUserOnComplete: person }) {
    let contrary = null;
    if (expects === false && (parent || person)) contrary = parent ? "notifyParent" : "notifyUserOnComplete";
    if (expects === true && parent === false && !person) contrary = "notifyParent";
    if (contrary) throw new Refused(`\`${contrary}\` says the contrary of \`expectsCompletionMessage\`: leave one of them out`);
    if (expects === false || (parent === false && !person)) return "nobody";
    if (person) return parent ? "both" : "origin";
    return "parent";
  }

  checkLimits(requester, session) {
    const depth = session.depth ?? 0;
    const deepest = first(this.ofAgent(session.agent, "subagents", "maxSpawnDepth"), 1);
    if (depth >= deepest) {
      throw forbidden(`sessions_spawn is not allowed at this depth (current depth: ${depth}, max: ${deepest}); do the work in this run`);
    }
    const isRunning = (debt) => debt.requester === requester && debt.what === "child" && debt.stage === "running";
    const opening = Object.values(this.data.openings).filter((spawn) => spawn.requester === requester);
    const count = Object.values(this.data.debts).filter(isRunning).length + opening.length;
    const most = first(this.ofAgent(session.agent, "subagents", "maxChildrenPerAgent"), 5);
    if (count >= most) {
      throw forbidden(`sessions_spawn has reached max active children for this session (${count}/${most}); wait until one has ended`);
    }
  }

  /** The agent that is asked: there, and allowed for whoever asks. */
  checkedAgent(own, given, runtime) {
    const wish = given.agentId?.trim() || null;
    const named = this.agents.find((agent) => wish && agent.toLowerCase() === wish.toLowerCase()) ?? wish;
    const isListed = (list, agent) => list.some((entry) => entry === "*" || entry.trim().toLowerCase() === agent.toLowerCase());
    let [allowed, agent] = [dig(this.config, "acp", "allowedAgents") ?? [], named ?? own];
    if (runtime === "acp") {
      agent = named ?? dig(this.config, "acp", "defaultAgent") ?? own;
      if (allowed.length && !isListed(allowed, agent)) {
        throw forbidden(`ACP agent "${agent}" is not allowed by policy. Set \`agentId\` to one of: ${allowed.join(", ")}.`);
      }
    } else {
      const list = this.ofAgent(own, "subagents", "allowAgents");
      const may = (other) => (list ? isListed(list, other) : other === own);
      allowed = this.agents.filter(may);
      const there = allowed.join(", ") || "none";
      if (!named && this.ofAgent(own, "subagents", "requireAgentId")) {
        throw forbidden(`sessions_spawn requires explicit agentId when requireAgentId is configured. Set \`agentId\` to one of: ${there}.`);
      }
      if (named && !may(named)) {
        throw forbidden(`agentId is not allowed for sessions_spawn (allowed: ${there}). Use one of these, or leave \`agentId\` out.`);
      }
    }
    if (this.agents.includes(agent)) return agent;
    throw forbidden(`agentId "${agent}" is not in the configured agent registry (allowed: ${allowed.join(", ") || "none"}). `
      + "Use one of these, or leave `agentId` out.");
  }

  checkThread(at, policy) {
    const help = 'Leave `thread` out: mode="run" reports back here.';
    if (!at) throw new Refused(`\`thread\` needs a conversation, and this run has none. ${help}`);
    const name = at.channel;
    if (!this.canBind(at, this.isDirect(at))) {
      throw new Refused(`Thread bindings are unavailable for ${name}. thread=true is only available on channels that expose thread bindings. ${help}`);
    }
    if (this.ofBindings(at, "enabled") === false) {
      throw new Refused(`Thread bindings are disabled for ${name} (set channels.${name}.threadBindings.enabled=true to use \`thread\`). ${help}`);
    }
    if (!first(this.ofBindings(at, "spawnSubagentSessions"), policy.requiresThreadForSubagents, false)) {
      throw new Refused(`Thread-bound session spawns are disabled for ${name} (set `
        + `channels.${name}.threadBindings.spawnSubagentSessions=true to use \`thread\`). ${help}`);
    }
  }

  resumed(requester, id) {
    const found = Object.values(this.data.sessions).find((s) => s.id === id && s.parent === requester && s.runtime === "acp");
    if (found) return found.key;
    throw forbidden(`resumeSessionId ${id} is of no ACP session of this requester; leave \`resumeSessionId\` out to start afresh`);
  }

  // ---- Its session, binding, run and what is owed come to be together, and are undone together. ----

  on_thread_opened(what) {
    const focus = this.data.focuses[what.request];
    delete this.data.focuses[what.request];
    if (focus) return this.focusOpened(focus, what);
    const spawn = this.data.openings[what.request];
    delete this.data.openings[what.request];
    if (!spawn) return;
    const at = what.opened?.at;
    let why = null;
    if (!at) {
      why = what.refused
        ? `Unable to create a thread for \`thread\`: ${what.refused.why}.`
        : "Nobody knows whether the thread for `thread` was opened; one may remain, unbound.";
    } else if (this.ofBindings(at, "enabled") === false) {
      why = `thread bindings were disabled meanwhile; the thread ${this.told(at)} remains, unbound.`;
    } else if (spawn.stopped || dig(this.data.sessions, spawn.requester, "id") !== spawn.askedBy) {
      why = `whoever asked is gone, or was stopped; the thread ${this.told(at)} remains, unbound.`;
    }
    if (why) return this.effects.answer(spawn.call, "error", { error: `${why} Use mode="run" without \`thread\`.` });
    this.beginChild(spawn, at);
  }

  beginChild(spawn, bound) {
    const { key, agent, requester: parent, label, depth, mode, runtime, kept, overrides, fork, timeout } = spawn;
    this.data.sessions[key] = this.newSession(key, agent, { parent, label, depth, mode, runtime, kept });
    const { audience, streams, deletes } = spawn;
    const debt = this.owe(spawn, { child: key, what: "child", audience, streams, deletes, mode });
    const more = { debt: debt.name, accepted: false, call: spawn.call, overrides, fork, timeout };
    const turn = this.turn(key, "child", spawn.task, spawn.to, more);
    debt.run = turn.run;
    this.data.queue.unshift(this.data.queue.pop()); // Before whatever waits in its thread.
    if (bound) this.bind(bound, key, null, mode === "run" ? debt.name : null);
    this.startTurns();
    if (this.data.queue.includes(turn)) this.accepted(turn); // It waits until fewer are at work, and is accepted already.
  }

  /** Something whose end is owed to `asked.requester`, at the address that was captured with the asking. */
  owe({ requester, askedBy, to, task }, more) {
    const name = this.ids.new("debt");
    const above = this.allAbove(requester);
    return (this.data.debts[name] = { name, stage: "running", requester, askedBy, above, to, task, ...more });
  }

  /** It runs, or will: whoever asked hears of it once. */
  accepted(turn) {
    const place = this.boundPlace(turn.key);
    if (!turn.accepted) {
      turn.accepted = true;
      const bound = place ? { boundTo: this.told(place) } : {};
      const { mode } = this.data.debts[turn.debt];
      this.effects.answer(turn.call, "accepted", { childSessionKey: turn.key, runId: turn.run, mode, ...bound });
    }
    if (place && turn.stage === "running") this.introduce(place);
  }

  /** The child never was. A thread that was opened stays, and is named. */
  undoSpawn(turn, why, call = turn.call) {
    delete this.data.runs[turn.run];
    delete this.data.debts[turn.debt];
    const place = this.boundPlace(turn.key);
    const remains = place?.thread ? `; the thread ${this.told(place)} remains, unbound` : "";
    this.unbindSession(turn.key, "spawn-failed");
    this.deleteSession(turn.key);
    if (call) this.effects.answer(call, "error", { error: `the child did not start: ${why}${remains}. Try again.` });
  }

  /** Nobody can be answered any more that a child did not come to be. */
  undoUnheard(turn) {
    const why = "the gateway was restarted before it was accepted";
    this.effects.failed(turn.run, why, turn.to);
    const debt = this.data.debts[turn.debt];
    this.keepGivenUp(turn.run, { why, debt: debt && { ...debt, outcome: "lost", text: "", said: null } });
    this.undoSpawn(turn, "", null);
  }

  // ---- Its end is told: as a turn of whoever asked; where that cannot be, where it was asked from. ----

  debtEnded(name, outcome, text, said, paused = false) {
    const debt = this.data.debts[name];
    if (!debt || debt.stage !== "running") return;
    const { call } = debt;
    Object.assign(debt, { stage: "ended", outcome, text, said, paused, call: null });
    if (call) this.replyInTime(debt, call);
    else this.handOrWait(debt);
  }

  words({ run, what, outcome, text, task, child, paused, inVain = [] }) {
    const silent = isSilent(text);
    if (outcome !== "ok") return `run ${run} failed (${outcome}): ${task}`;
    if (what === "reply") return silent ? `${child} did not reply to: ${task}` : `${child} replied: ${text}`;
    const about = paused ? ` (${task})` : ""; // What it says when it was woken has nothing of its task in it.
    const waits = `run ${run} still waits for ${inVain.map((below) => `run ${below}`).join(" and ")}`;
    if (inVain.length > 0) return silent ? `${waits}: ${task}` : `${waits}${about}: ${text}`;
    return silent ? `run ${run} ended without output: ${task}` : `run ${run} ended${about}: ${text}`;
  }

  hand(debt) {
    const over = debt.exchanged && debt.outcome === "ok" && isSilent(debt.text); // Nothing said ends an exchange.
    const skips = debt.outcome === "ok" && withoutMarkers(debt.text) === "ANNOUNCE_SKIP";
    if (debt.audience === "nobody" || over || skips) return this.settleDebt(debt.name);
    if (debt.audience !== "origin") this.inherit(debt);
    if (debt.audience === "origin" || !this.data.sessions[debt.requester]) return this.tellOrigin(debt);
    if (this.waitsForMore(debt)) return;
    const run = this.runThatTakes(debt);
    if (run) this.steer(debt, run);
    else this.tellByTurn([debt]);
  }

  /** A turn of whoever asked, behind what it is at. */
  tellByTurn(debts) {
    const [{ requester, to }] = debts;
    if (!this.data.sessions[requester]) return this.tellOrigin(debts[0]);
    for (const debt of debts) debt.stage = "turn";
    const text = debts.map((debt) => this.words(debt)).join("\n");
    this.turn(requester, "telling", text, to, { debts: debts.map(({ name }) => name) });
  }

  /** Whether whoever asked remembers that it did; people hear of it where it does not. */
  stillAskedFor(turn, session) {
    if (!turn.debts.length) return turn.askedOf === session.id;
    for (const debt of turn.debts.map((name) => this.data.debts[name])) {
      if (!debt || debt.askedBy === session.id) continue;
      turn.debts = turn.debts.filter((name) => name !== debt.name);
      this.tellOrigin(debt, `⚠️ run ${debt.run} ended, and whoever asked for it was reset since: ${debt.task}`);
    }
    return turn.debts.length > 0;
  }

  tellingEnded(name, outcome, text) {
    const debt = this.data.debts[name];
    if (!debt) return;
    if (outcome !== "ok" || (debt.audience === "both" && isSilent(text))) return this.tellOrigin(debt);
    this.settleDebt(name);
    this.exchange(debt, text);
  }

  tellOrigin(debt, instead = null) {
    const { to, said } = debt;
    if (!to) {
      this.effects.failed(debt.run, "nobody knows where it belongs");
      return this.settleDebt(debt.name);
    }
    debt.stage = "post";
    if (said && !instead && this.place(said.to) === this.place(to)) {
      // Its own words stand there, or are on their way.
      const entry = this.data.outbox[said.post];
      if (!entry) return this.settleDebt(debt.name);
      entry.debt = debt.name;
      return;
    }
    const plain = debt.outcome === "ok" && !isSilent(debt.text);
    this.post(to, instead ?? (plain ? debt.text : `⚠️ ${this.words(debt)}`), { about: debt.run, debt: debt.name });
  }

  /** Nobody waits for it any more. */
  settleDebt(name) {
    const debt = this.data.debts[name];
    if (!debt) return;
    delete this.data.debts[name];
    this.unbindDebt(name);
    if (debt.deletes) {
      this.unbindSession(debt.child, "deleted");
      this.deleteSession(debt.child);
    }
    this.settledBelow(debt.requester);
  }

  /** What a child says before its end, for whoever asked to hear of it. */
  stream(turn, text) {
    const debt = this.data.debts[turn.debt];
    if (debt?.streams && dig(this.data.sessions, debt.requester, "id") === debt.askedBy) {
      this.turn(debt.requester, "telling", `run ${debt.run} says: ${text}`, debt.to, { debts: [] });
    }
  }

  restoreDebts(alive) {
    for (const debt of this.debts()) {
      if (debt.call) this.clock.callAt(debt.until, () => this.stopWaiting(debt.name));
      const isLost = debt.stage === "steering" || (debt.stage === "steered" && !alive.has(debt.takenBy));
      if (isLost) Object.assign(debt, { stage: "ended", takenBy: null }); // Nobody will tell of it.
    }
  }

  restoreEnds() {
    for (const { name } of this.debts()) if (this.data.debts[name]?.stage === "ended") this.handOrWait(this.data.debts[name]);
  }

  // ---- Texts to other sessions: the reply in time is the answer, a later one is told like a child's end. ----

  call_sessions_send(call, params) {
    const [own, run] = [this.callerKey(call), this.data.runs[caller(call)]];
    let target;
    try {
      target = this.sendTarget(own, params);
    } catch (error) {
      if (!(error instanceof Refused || error instanceof NoSession)) throw error;
      return this.effects.answer(call.call, error.status ?? "error", { error: error.message });
    }
    const requester = own ?? target;
    const asked = { requester, askedBy: dig(this.data.sessions, requester, "id"), to: run?.to ?? null, task: params.message };
    this.openSession(target);
    const [turn, debt] = this.sendTurn(asked, target, own ? "parent" : "nobody", 0);
    const seconds = params.timeoutSeconds ?? SEND_TIMEOUT;
    if (seconds <= 0 || !own) {
      const delivery = { status: "pending", mode: "announce" };
      return this.effects.answer(call.call, "accepted", { runId: turn.run, sessionKey: target, delivery });
    }
    Object.assign(debt, { call: call.call, caller: caller(call), until: this.now + Math.floor(seconds) * 1000 });
    this.clock.callAt(debt.until, () => this.stopWaiting(debt.name));
  }

  sendTurn(asked, target, audience, exchanged) {
    const debt = this.owe(asked, { child: target, what: "reply", audience, exchanged });
    const turn = this.turn(target, "sent", asked.task, asked.to, { debt: debt.name });
    debt.run = turn.run;
    return [turn, debt];
  }

  sendTarget(own, params) {
    if (typeof params.message !== "string" || !params.message.trim()) throw new Refused("sessions_send needs `message`, the text");
    const key = this.named(params, own);
    if (key === own) throw new Refused("sessions_send cannot target the calling session; use your own reply instead");
    const why = this.unseen(own, key);
    if (why) throw forbidden(`Session send ${why}`);
    return key;
  }

  /** Whoever was told of a reply said something to that: it goes back, so many times and no more. */
  exchange(debt, text) {
    const most = dig(this.config, "session", "agentToAgent", "maxPingPongTurns") ?? 0;
    const { requester, child, exchanged } = debt;
    if (debt.what !== "reply" || isSilent(text) || isSilent(debt.text) || exchanged >= most) return;
    if (this.isBelow(child, requester) || requester.includes(":cron:")) return;
    if (!this.data.sessions[requester] || !this.data.sessions[child]) return;
    const turns = exchanged + 1; // The answer to this is a turn too.
    this.sendTurn({ ...debt, task: text }, child, turns < most ? "parent" : "nobody", turns + 1);
  }

  replyInTime(debt, call) {
    const about = { runId: debt.run, sessionKey: debt.child };
    if (!this.data.runs[debt.caller]) {
      this.effects.answer(call, "timeout", about); // Whoever called is over.
      return this.hand(debt);
    }
    delete this.data.debts[debt.name];
    if (debt.outcome !== "ok") {
      this.effects.answer(call, "error", { ...about, error: `the run ended as ${debt.outcome}: ${debt.task}` });
    } else {
      this.effects.answer(call, "ok", isSilent(debt.text) ? about : { ...about, reply: debt.text });
    }
  }

  /** The sender waits no longer; the reply will reach its session when it comes. */
  stopWaiting(name) {
    const debt = this.data.debts[name];
    if (!debt?.call) return;
    this.effects.answer(debt.call, "timeout", { runId: debt.run, sessionKey: debt.child });
    debt.call = null;
  }

  /** A run that is over waits for nothing. */
  stopWaitingOf(run) {
    for (const debt of Object.values(this.data.debts)) if (debt.caller === run) this.stopWaiting(debt.name);
  }
};
