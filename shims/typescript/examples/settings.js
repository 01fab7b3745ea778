/** What the configuration says, and how session keys are spelled. */
import { lengthOfTime } from "../moorline-shim.js";
import { problems } from "./configuration.js";

export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const DAY = 86_400_000;
export const MADE = ["subagent", "acp", "cron", "hook", "explicit", "dashboard"];

/** What stands at a path of keys, or null. */
export function dig(value, ...path) {
  for (const key of path) value = value !== null && typeof value === "object" && Object.hasOwn(value, key) ? value[key] : null;
  return value ?? null;
}

/** The first that says something; 0 and false do. */
export function first(...values) {
  return values.find((value) => value != null) ?? null;
}

/** The agent in a key `agent:<agent>:...`. */
export function agentOf(key) {
  const parts = key.split(":");
  return parts[0] === "agent" && parts.length > 2 ? parts[1] : null;
}

/** A text that names no session; why not. */
export class NoSession extends Error {}

/** A name between the colons of a key. */
function segment(name) {
  if (["direct", "group", "channel", "thread", "agent", ...MADE].includes(name.toLowerCase())) {
    return `%${name.charCodeAt(0).toString(16).padStart(2, "0")}${name.slice(1)}`;
  }
  return name.replace(/[:%\s]/g, (c) => [...Buffer.from(c)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""));
}

/** An id at the end of a key: nothing in it reads as the beginning of a thread. */
function opaque(name) {
  return name.replaceAll("%", "%25").replace(/(^|:)(thread:)/gi, (_, colon, word) => (colon ? `%3A${word}` : `%74${word.slice(1)}`));
}

/** How far a zone's clocks are ahead of UTC at an instant, in milliseconds. */
function offsetOf(format, instant) {
  const parts = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
  const shown = Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour % 24, parts.minute, parts.second);
  return shown - Math.floor(instant / 1000) * 1000;
}

/** `this.config`, `this.agents` and `this.channels` are as `open` gave them. */
export const Settings = (Base) => class extends Base {
  openSettings(frame) {
    this.startsAt = new Date(frame.starts_at).getTime();
    this.zone = new Intl.DateTimeFormat("en-US", {
      timeZone: frame.timezone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric",
      hour: "numeric", minute: "numeric", second: "numeric",
    });
    this.agents = frame.agents.length ? frame.agents : ["main"];
    this.channels = Object.fromEntries(frame.channels.map((channel) => [channel.id, channel]));
    this.config = {};
    this.takeConfig(frame.config);
  }

  /** The whole of it, or, where something in it means nothing, nothing of it. */
  takeConfig(config) {
    const wrong = [...problems(config)];
    for (const [path, why] of wrong) this.effects.refuseConfig(path, why);
    if (!wrong.length) this.config = config ?? {};
  }

  // ---- Sessions ----

  /** The session of whoever writes there, where nothing is bound. */
  sessionKey({ at: place, kind, from }) {
    const at = this.firstId(place);
    const [channel, account] = [segment(at.channel), segment(at.account)];
    const cased = (name) => this.cased(at.channel, name);
    const { agent, bound } = this.route(at, kind);
    if (bound) return `agent:${segment(agent)}:acp:binding:${channel}:${account}:${opaque(cased(at.conversation))}`;
    const base = `agent:${agent ?? this.agents[0]}`;
    if (kind !== "direct") {
      const middle = at.account === "default" ? channel : `${channel}:${account}`;
      const key = `${base}:${middle}:group:${opaque(cased(at.conversation))}`;
      return at.thread ? `${key}:thread:${opaque(cased(at.thread))}` : key;
    }
    const peer = opaque(cased(this.linked(at.channel, from) || at.conversation));
    const key = {
      main: `${base}:main`,
      "per-peer": `${base}:direct:${peer}`,
      "per-channel-peer": `${base}:${channel}:direct:${peer}`,
      "per-account-channel-peer": `${base}:${channel}:${account}:direct:${peer}`,
    }[this.dmScope()];
    // The number of a topic is its own only in its conversation.
    return at.thread ? `${key}:thread:${opaque(cased(`${at.conversation}:${at.thread}`))}` : key;
  }

  /** The agent that is configured for a place, and whether it has a session of its own there. The closest entry decides. */
  route(at, kind) {
    let found = { closeness: -1, agent: null, bound: false };
    for (const { type, agentId: agent, match } of this.config.bindings ?? []) {
      const { channel, accountId, peer } = match;
      const [account, bound] = [accountId ?? "default", type === "acp"];
      if (channel !== at.channel || !["*", at.account].includes(account) || (bound && !peer)) continue;
      if (peer && (peer.id !== at.conversation || (peer.kind === "direct") !== (kind === "direct"))) continue;
      const named = account === "*" ? 0 : 1;
      const routed = peer ? 2 : named;
      const closeness = bound ? 3 + named : routed;
      if (closeness > found.closeness) found = { closeness, agent, bound };
    }
    return found;
  }

  dmScope() {
    return dig(this.config, "session", "dmScope") ?? "main";
  }

  cased(channel, name) {
    return dig(this.channels, channel, "capabilities", "id_case") === "folded" ? name.toLowerCase() : name;
  }

  linked(channel, person) {
    const names = [person.toLowerCase(), `${channel}:${person}`.toLowerCase()];
    const links = Object.entries(dig(this.config, "session", "identityLinks") ?? {});
    const link = links.find(([, peers]) => peers.some((peer) => names.includes(peer.toLowerCase())));
    return link ? link[0] : person;
  }

  /** The one spelling of a session key; a `NoSession` says why a text is none. */
  spelled(raw) {
    let name = raw.trim();
    if (["global", "unknown"].includes(name.toLowerCase())) return name.toLowerCase();
    let agent = this.agents[0];
    const prefix = /^\s*agent\s*(?::([^:]*)(:?)([^]*))?$/i.exec(name);
    if (prefix) {
      name = (prefix[3] ?? "").trim();
      const given = (prefix[1] ?? "").trim();
      const known = this.agents.find((own) => own.toLowerCase() === given.toLowerCase());
      if (prefix[2] && name && !known) throw new NoSession(`unknown agent id "${given}" (there is ${this.agents.join(", ")})`);
      agent = known ?? given;
    }
    if (!name || name.startsWith(":") || name.split(":")[0].trim().toLowerCase() === "agent") {
      throw new NoSession(`malformed session key; write agent:<agent>:<name> (got ${JSON.stringify(raw)})`);
    }
    const split = /^([^]+):thread:([^]*\S[^]*)$/i.exec(name);
    const [base, channel] = this.spelledBase(split ? split[1] : name);
    let thread = split ? split[2].trim() : "";
    if (thread && channel) thread = this.cased(channel, thread);
    return `agent:${agent}:${base}${thread ? `:thread:${thread}` : ""}`;
  }

  /** What stands between agent and thread, and the channel that it is of. */
  spelledBase(base) {
    const parts = base.split(":");
    const words = parts.map((part) => part.toLowerCase());
    const at = [1, 2].find((at) => parts.length > at + 1 && ["direct", "group", "channel"].includes(words[at]));
    if (words[0] === "direct" && parts.length > 1) return [["direct", ...parts.slice(1)].join(":"), null];
    if (MADE.includes(words[0]) || !at) return [base.toLowerCase(), null];
    const kind = words[at] === "direct" ? "direct" : "group";
    const channel = Object.keys(this.channels).find((own) => own.toLowerCase() === words[0]) ?? words[0];
    const account = (dig(this.channels, channel, "accounts") ?? []).find((own) => own.toLowerCase() === words[1]) ?? parts[1];
    const middle = at === 2 && !(kind === "group" && account === "default") ? [account] : [];
    return [[channel, ...middle, kind, this.cased(channel, parts.slice(at + 1).join(":"))].join(":"), channel];
  }

  /** Whether a message finds its session too old: both comparisons are strict. */
  resetDue(session, at, channel, kind) {
    const settings = this.config.session ?? {};
    let policy = dig(settings, "resetByChannel", channel);
    if (!policy) {
      const byType = settings.resetByType ?? {};
      const own = byType[kind] ?? (kind === "direct" ? byType.dm : null);
      const mode = own ?? settings.reset ? "daily" : "idle";
      policy = { mode, idleMinutes: settings.idleMinutes, ...settings.reset, ...own };
    }
    const { mode = "daily", idleMinutes, atHour = 4 } = policy;
    if (mode === "none") return false;
    if (idleMinutes && at - session.spoken > idleMinutes * MINUTE) return true;
    return mode === "daily" && this.startsAt + session.began < this.lastHour(at, atHour);
  }

  /** The last time that the clocks of the gateway's zone showed that hour. */
  lastHour(at, hour) {
    const now = this.startsAt + at;
    const here = now + offsetOf(this.zone, now);
    let wall = Math.floor(here / DAY) * DAY + hour * HOUR;
    if (this.instantOf(wall) > now) wall -= DAY;
    return this.instantOf(wall);
  }

  /** When clocks show this for the first time; where they leave it out, as if they had not gone forward yet. */
  instantOf(wall) {
    const [before, after] = [offsetOf(this.zone, wall - DAY), offsetOf(this.zone, wall + DAY)];
    if (offsetOf(this.zone, wall - before) === before) return wall - before;
    return offsetOf(this.zone, wall - after) === after ? wall - after : wall - before;
  }

  // ---- Channels and agents ----

  /** What the account says of it, else the channel. */
  ofChannel(at, key) {
    const channel = dig(this.config, "channels", at.channel);
    return first(dig(channel, "accounts", at.account, key), dig(channel, key));
  }

  /** Whether the account of a place neither hears nor speaks. */
  isSwitchedOff(at) {
    return dig(this.config, "channels", at.channel, "accounts", at.account, "enabled") === false;
  }

  /** What holds for that agent, else for all. */
  ofAgent(agent, part, key) {
    const own = (dig(this.config, "agents", "list") ?? []).find(({ id }) => id === agent);
    return first(dig(own, part, key), dig(this.config, "agents", "defaults", part, key));
  }

  /** What the nearest level of `threadBindings` says; an older name stands behind its present one. */
  ofBindings(at, ...keys) {
    const channel = dig(this.config, "channels", at.channel);
    const levels = [dig(channel, "accounts", at.account), channel, this.config.session];
    return first(...levels.flatMap((level) => keys.map((key) => dig(level, "threadBindings", key))));
  }

  /** Its limits in milliseconds, its own before those of the configuration; one that is off is null. */
  limits(binding) {
    const idle = first(binding.idle, Math.round(first(this.ofBindings(binding.at, "idleHours", "ttlHours"), 24) * HOUR));
    const maxAge = first(binding.maxAge, Math.round(first(this.ofBindings(binding.at, "maxAgeHours"), 0) * HOUR));
    return { idle: idle || null, maxAge: maxAge || null };
  }

  threads(at) {
    return dig(this.channels, at.channel, "capabilities", "threads") ?? {};
  }

  canBind(at, direct) {
    const { placement = "none", in_direct: inDirect = false } = this.threads(at);
    return placement !== "none" && (!direct || inDirect);
  }

  /** A length of time that a channel declares; 0 where it has none. */
  window(channel, name) {
    return lengthOfTime(dig(this.channels, channel, "capabilities", name) ?? "") ?? 0;
  }
};
