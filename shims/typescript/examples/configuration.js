// @ts-check
/** Which keys a configuration may have, and which values mean something. What is not understood is refused at its path. */
import { lengthOfTime } from "../moorline-shim.js";

/** @typedef {(value: any) => string | null} Check What is wrong with a value, if anything. */

const told = (value) => JSON.stringify(value);

/** @returns {Check} */
function number(least, most = Infinity, whole = true) {
  const right = most === Infinity ? `write ${least} or more` : `write ${least} to ${most}`;
  return (value) => {
    const fits = typeof value === "number" && Number.isFinite(value) && (!whole || Number.isInteger(value));
    return fits && least <= value && value <= most ? null : `${told(value)} is out of range; ${right}`;
  };
}

/** @returns {Check} */
const word = (...words) => (value) =>
  typeof value === "string" && words.includes(value.trim().toLowerCase()) ? null : `${told(value)} is not one of ${words.join(", ")}`;

/** @returns {Check} */
const kind = (type, name) => (value) => (typeof value === type ? null : `${told(value)} is not ${name}`);

/** @type {Check} */
const span = (value) =>
  typeof value === "string" && lengthOfTime(value) ? null : `${told(value)} is no length of time; write one such as "30d"`;

const FLAG = kind("boolean", "true or false");
const TEXT = kind("string", "a text");
const MINUTES = number(1);
const HOURS = number(0, Infinity, false);
const SECONDS = number(0);
const RESET = { mode: word("daily", "idle", "none"), atHour: number(0, 23), idleMinutes: MINUTES };
const BINDINGS = { enabled: FLAG, idleHours: HOURS, maxAgeHours: HOURS, ttlHours: HOURS, spawnSubagentSessions: FLAG };
const ACCOUNT = { requireMention: FLAG, allowBots: FLAG, threadBindings: BINDINGS };
const MODE = word("followup", "steer", "queue", "collect");
const AGENT = {
  subagents: {
    maxSpawnDepth: number(1, 5), maxChildrenPerAgent: number(1, 20), maxConcurrent: number(1), runTimeoutSeconds: SECONDS,
    allowAgents: [TEXT], requireAgentId: FLAG, archiveAfterMinutes: SECONDS, model: TEXT, thinking: TEXT,
  },
  heartbeat: { to: { channel: TEXT, account: TEXT, conversation: TEXT, thread: TEXT } },
};

/** A key is a name or, where any name may stand, "*". A list has one check for each of its values. */
export const KEYS = {
  session: {
    dmScope: word("main", "per-peer", "per-channel-peer", "per-account-channel-peer"), identityLinks: { "*": [TEXT] },
    reset: RESET, resetByType: { direct: RESET, dm: RESET, group: RESET, thread: RESET },
    resetByChannel: { "*": RESET }, idleMinutes: MINUTES, mainKey: word("main"), threadBindings: BINDINGS,
    agentToAgent: { maxPingPongTurns: number(0, 5) },
    maintenance: { mode: word("warn", "enforce"), pruneAfter: span, maxEntries: number(1) },
  },
  channels: { "*": { ...ACCOUNT, accounts: { "*": { ...ACCOUNT, enabled: FLAG } } } },
  agents: { defaults: AGENT, list: [{ id: TEXT, ...AGENT }] },
  messages: { queue: { mode: MODE, byChannel: { "*": MODE }, cap: number(1), drop: word("old", "new") } },
  tools: { sessions: { visibility: word("self", "tree", "agent", "all") }, agentToAgent: { enabled: FLAG, allow: [TEXT] } },
  bindings: [{ type: word("route", "acp"), agentId: TEXT, match: {
    channel: TEXT, accountId: TEXT, peer: { kind: word("direct", "group", "channel"), id: TEXT } } }],
  acp: { enabled: FLAG, defaultAgent: TEXT, allowedAgents: [TEXT] },
};

/** Every place where something is wrong, and what. @returns {Generator<[string, string]>} */
export function* problems(value, keys = /** @type {any} */ (KEYS), path = "") {
  if (value == null) return;
  if (typeof keys === "function") {
    const why = keys(value);
    if (why) yield [path, why];
  } else if (Array.isArray(keys)) {
    if (!Array.isArray(value)) yield [path, `${told(value)} is no list`];
    else for (const [index, inner] of value.entries()) yield* problems(inner, keys[0], `${path}[${index}]`);
  } else if (typeof value !== "object" || Array.isArray(value)) {
    yield [path, `${told(value)} is no object`];
  } else {
    for (const [name, inner] of Object.entries(value)) {
      const at = path ? `${path}.${name}` : name;
      const known = Object.hasOwn(keys, name) ? keys[name] : keys["*"];
      if (known) yield* problems(inner, known, at);
      else yield [at, `unknown key; there is ${Object.keys(keys).join(", ")}`];
    }
  }
}
