/** What agents remember, by key: opened, begun anew, deleted, and found by whoever names one. */
import { caller, lengthOfTime } from "../moorline-shim.js";
import { agentOf, dig, MADE, MINUTE, NoSession } from "./settings.js";
import { isSilent } from "./turns.js";

const LASTING = ["model", "provider", "thinking"]; // What `sessions.patch` can set for all runs of a session.
const LINES_MAX = 64; // How much is shown of a session that is nobody's child.

/** Exactly, or, where it has stars, whatever its case. */
function isMeant(agent, pattern) {
  if (!pattern.includes("*")) return agent === pattern;
  const parts = pattern.split("*").map((part) => part.replace(/[^\w]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "is").test(agent);
}

/** `this.data.sessions` holds them by key. The id is another one after each fresh start. */
export const Sessions = (Base) => class extends Base {
  /** The session of that key, new where there is none. */
  openSession(key) {
    const session = this.data.sessions[key];
    if (session && !(this.isEnforced() && this.isOld(session) && this.isSpare(session))) return session;
    this.data.sessions[key] = this.newSession(key, agentOf(key) ?? this.agents[0]);
    this.maintain(key);
    return this.data.sessions[key];
  }

  newSession(key, agent, more = {}) {
    const { now } = this;
    return { key, id: this.ids.new("session"), agent, fresh: true, began: now, spoken: now, written: now, lines: [], lasting: {}, ...more };
  }

  /** Forgets what was before. Label and binding stay. */
  rotate(session) {
    const { now } = this;
    Object.assign(session, { id: this.ids.new("session"), fresh: true, began: now, spoken: now, written: now, lines: [] });
  }

  deleteSession(key) {
    delete this.data.sessions[key];
  }

  /** What it was given and said. A child's is kept whole; of others it is what they said last. */
  note(key, role, text) {
    const session = this.data.sessions[key];
    if (!session || isSilent(text)) return;
    const last = session.lines.at(-1);
    if (role === "user" && last?.role === role && last.text === text) return; // A crash took it, and it is given once more.
    session.lines.push({ role, text });
    if (!session.parent) session.lines = session.lines.slice(-LINES_MAX);
  }

  // ---- Who names one, and who may ----

  labelled(label) {
    return Object.values(this.data.sessions).filter((session) => session.label === label).map(({ key }) => key).sort();
  }

  byLabel(label) {
    const found = this.labelled(label);
    return found.length === 1 ? found[0] : null;
  }

  /** The spelling of a key, or null where it is none. */
  tryToSpell(name) {
    try {
      return this.spelled(name);
    } catch (error) {
      if (error instanceof NoSession) return null;
      throw error;
    }
  }

  /** The session that a key in any spelling, an id or an alias means, if there is one. */
  resolve(name, own = null) {
    if (name.trim().toLowerCase() === "main") name = `agent:${(own && agentOf(own)) || this.agents[0]}:main`;
    else if (name.trim() === "current" && own) return own;
    const spellings = [name.trim(), this.tryToSpell(name)];
    const byId = Object.values(this.data.sessions).find((session) => session.id === name);
    return spellings.find((key) => key && this.data.sessions[key]) ?? byId?.key ?? null;
  }

  /** The session that a call is about; a `NoSession` says why there is none. */
  named(params, own) {
    const given = (...names) => names.map((name) => params[name]).find((value) => typeof value === "string" && value.trim())?.trim() ?? "";
    const [key, label, agent] = [given("sessionKey", "key", "target"), given("label"), given("agentId")];
    if (key && label) throw new NoSession("Provide either sessionKey or label (not both).");
    if (key) {
      const found = this.resolve(key, own) ?? this.byLabel(key) ?? this.minted(key);
      if (!found) {
        this.spelled(key); // What is no key is told of as that.
        throw new NoSession(`Session not found: ${key} (use the full sessionKey from sessions_list, or a label)`);
      }
      if (agent && agentOf(found) !== agent) throw new NoSession("`sessionKey` is of another agent than `agentId`");
      return found;
    }
    if (agent) {
      if (!this.agents.includes(agent)) throw new NoSession(`Agent "${agent}" not found; there is ${this.agents.join(", ")}`);
      return `agent:${agent}:main`;
    }
    if (!label) throw new NoSession("Either sessionKey or label is required.");
    const found = this.labelled(label);
    if (found.length > 1) throw new NoSession(`Multiple sessions found with label: ${label} (${found.join(", ")})`);
    if (!found.length) throw new NoSession(`No session found with label: ${label}`);
    return found[0];
  }

  /** The main session of an agent comes to be with the first text to it. */
  minted(name) {
    const key = this.tryToSpell(name.trim().toLowerCase() === "main" ? `agent:${this.agents[0]}:main` : name);
    return this.agents.some((agent) => key === `agent:${agent}:main`) ? key : null;
  }

  isBelow(key, above) {
    for (key = dig(this.data.sessions, key, "parent"); key; key = dig(this.data.sessions, key, "parent")) {
      if (key === above) return true;
    }
    return false;
  }

  /** The session of the run that calls. */
  callerKey(call) {
    const run = this.data.runs[caller(call)];
    return run && run.stage !== "cancelled" && this.data.sessions[run.key] ? run.key : null;
  }

  /** Why a session does not reach another; null where it does. What it spawned is its own. */
  unseen(own, key) {
    const visibility = (dig(this.config, "tools", "sessions", "visibility") ?? "tree").trim().toLowerCase();
    if (!own || own === key) return null;
    if (visibility === "self") return "visibility is restricted to the current session (tools.sessions.visibility=self).";
    const same = agentOf(own) === agentOf(key);
    if (this.isBelow(key, own) || (same && ["agent", "all"].includes(visibility))) return null;
    if (visibility === "all") {
      const { enabled, allow = [] } = dig(this.config, "tools", "agentToAgent") ?? {};
      if (!enabled) return "is disabled between agents. Set tools.agentToAgent.enabled=true to allow cross-agent sends.";
      const listed = (agent) => allow.some((pattern) => isMeant(agent, pattern));
      if (!allow.length || (listed(agentOf(own)) && listed(agentOf(key)))) return null;
      return "between agents is denied by tools.agentToAgent.allow.";
    }
    if (same) return "visibility is restricted to the current session tree (tools.sessions.visibility=tree).";
    return "visibility is restricted. Set tools.sessions.visibility=all to allow cross-agent access.";
  }

  row(key) {
    const { id, label, parent } = this.data.sessions[key];
    return {
      key, sessionId: id, running: this.isBusy(key), ...(label ? { label } : {}), ...(parent ? { spawnedBy: parent } : {}),
    };
  }

  call_sessions_list(call) {
    this.maintain(null);
    const own = this.callerKey(call);
    const seen = Object.keys(this.data.sessions).sort().filter((key) => !this.unseen(own, key));
    this.effects.answer(call.call, "ok", { sessions: seen.map((key) => this.row(key)) });
  }

  call_session_status(call, params) {
    const own = this.callerKey(call);
    const key = this.namedOrAnswer(call, params);
    if (!key) return;
    const why = this.unseen(own, key);
    if (why) this.effects.answer(call.call, "forbidden", { error: `Session status ${why}` });
    else this.effects.answer(call.call, "ok", this.row(key));
  }

  call_sessions_history(call, params) {
    const own = this.callerKey(call);
    const key = this.namedOrAnswer(call, params);
    if (!key) return;
    const why = this.unseen(own, key);
    if (why) return this.effects.answer(call.call, "forbidden", { error: `Session status ${why}` });
    const { id, lines } = this.data.sessions[key];
    const messages = params.limit == null ? lines : lines.slice(Math.max(0, lines.length - params.limit));
    this.effects.answer(call.call, "ok", { key, sessionId: id, messages });
  }

  /** What holds for a session from here on. */
  call_sessions_patch(call, params) {
    const key = this.namedOrAnswer(call, { key: params.key });
    if (!key) return;
    const why = this.wrongInPatch(key, params);
    if (why) return this.effects.answer(call.call, "error", { error: why });
    const session = this.data.sessions[key];
    if ("label" in params) session.label = params.label?.trim() ?? null;
    if ("archiveAfterMinutes" in params) {
      session.archiveAfter = params.archiveAfterMinutes;
      this.archiveLater(session);
    }
    const lasting = { ...session.lasting, ...Object.fromEntries(LASTING.filter((name) => name in params).map((name) => [name, params[name]])) };
    session.lasting = Object.fromEntries(Object.entries(lasting).filter(([, value]) => value != null));
    this.effects.answer(call.call, "ok", { ok: true, key });
  }

  wrongInPatch(key, params) {
    const { label = null, archiveAfterMinutes: minutes = null } = params;
    const unknown = Object.keys(params).find((name) => !["key", "label", "archiveAfterMinutes", ...LASTING].includes(name));
    if (unknown) return `sessions.patch does not support "${unknown}"; there is key, label, archiveAfterMinutes, ${LASTING.join(", ")}`;
    if (label !== null && !(typeof label === "string" && label.trim() && [...label.trim()].length <= 512)) {
      return "`label` is a text of 1 to 512 characters, or null to take it away";
    }
    if (label && (this.byLabel(label.trim()) ?? key) !== key) return `label already in use: ${label}`;
    if (minutes !== null && !(Number.isInteger(minutes) && minutes > 0)) return "`archiveAfterMinutes` is 1 or more, or null for never";
    return null;
  }

  /** The session that a call is about and that is there; where there is none, that is the answer. */
  namedOrAnswer(call, params) {
    try {
      const key = this.named(params, this.callerKey(call));
      if (this.data.sessions[key]) return key;
      this.effects.answer(call.call, "error", { error: `Unknown session: ${key}` });
    } catch (error) {
      if (!(error instanceof NoSession)) throw error;
      this.effects.answer(call.call, "error", { error: error.message });
    }
    return null;
  }

  // ---- Ended from outside ----

  call_sessions_reset(call, params) {
    const key = this.namedOrAnswer(call, params);
    if (!key) return;
    this.rotate(this.data.sessions[key]);
    this.stop(key, true);
    this.wakesNoMore(key);
    this.unbindSession(key, "reset");
    this.effects.answer(call.call, "ok", { ok: true, key });
  }

  call_sessions_delete(call, params) {
    const key = this.namedOrAnswer(call, params);
    if (!key) return;
    this.unbindSession(key, "deleted");
    this.deleteSession(key);
    this.stop(key, true);
    this.wakesNoMore(key);
    this.effects.answer(call.call, "ok", { ok: true, deleted: true, key });
  }

  // ---- Maintenance, where it is enforced, and the archive ----

  isEnforced() {
    return dig(this.config, "session", "maintenance", "mode") === "enforce";
  }

  isOld(session) {
    return this.now - session.written > lengthOfTime(dig(this.config, "session", "maintenance", "pruneAfter") ?? "30d");
  }

  /** Nothing goes on there, is bound to it or owed by it. */
  isSpare({ key, agent }) {
    const { debts, outbox, openings, queue } = this.data;
    const needed = key === `agent:${agent}:main` || this.boundPlace(key) || this.isBusy(key)
      || queue.some((turn) => turn.key === key)
      || Object.values(debts).some((debt) => [debt.child, debt.requester].includes(key))
      || Object.values(outbox).some((entry) => entry.session === key)
      || Object.values(openings).some((spawn) => spawn.requester === key);
    return !needed;
  }

  /** What is too old goes, then what is too many: first what nobody speaks to, the oldest first. */
  maintain(used) {
    if (!this.isEnforced()) return;
    const spare = Object.values(this.data.sessions).filter((session) => session.key !== used && this.isSpare(session));
    for (const session of spare.filter((session) => this.isOld(session))) this.deleteSession(session.key);
    const most = dig(this.config, "session", "maintenance", "maxEntries") ?? 500;
    const isMade = (session) => session.parent || MADE.includes(session.key.split(":")[2]);
    const left = spare.filter((session) => this.data.sessions[session.key]);
    left.sort((a, b) => Number(!isMade(a)) - Number(!isMade(b)) || a.written - b.written);
    const surplus = Object.keys(this.data.sessions).length - most;
    for (const session of left.slice(0, Math.max(0, surplus))) this.deleteSession(session.key);
  }

  /** A run of it is over; a child of one run is archived some time after that. */
  sessionEnded(key) {
    const session = this.data.sessions[key];
    if (!session) return;
    session.ended = this.now;
    this.archiveLater(session);
  }

  archiveLater(session) {
    const asChild = session.mode === "run" && !session.kept;
    const minutes = session.archiveAfter || (asChild && this.ofAgent(session.agent, "subagents", "archiveAfterMinutes"));
    if (!minutes || session.ended === undefined) return;
    const { key, ended } = session;
    this.clock.callAt(ended + minutes * MINUTE, () => this.archive(key, ended));
  }

  archive(key, ended) {
    const session = this.data.sessions[key];
    if (!session || session.ended !== ended || this.isBusy(key)) return;
    if (this.isSpare(session)) this.deleteSession(key);
    else this.clock.callLater(MINUTE, () => this.archive(key, ended));
  }
};
