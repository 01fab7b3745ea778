/** Bindings that an older gateway stored, taken over by the first life that finds them on its disk. */

/** The first of these that says something. */
function text(record, ...names) {
  const values = names.map((name) => record[name]);
  return values.find((value) => typeof value === "string" && value.trim())?.trim() ?? null;
}

const number = (value) => (typeof value === "number" ? value : null);
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** Channel, name and content of each binding in a stored file; of what does not read as one, nothing. */
function bindingsOf(record) {
  let file = null;
  try {
    file = JSON.parse(record);
  } catch {
    return [];
  }
  if (!isObject(file) || file.version !== 1 || typeof file.channel !== "string") return [];
  const named = Array.isArray(file.bindings) ? file.bindings.map((one) => ["", one]) : Object.entries(file.bindings ?? {});
  return named.filter(([, one]) => isObject(one)).map(([name, one]) => [file.channel, name, one]);
}

export const Legacy = (Base) => class extends Base {
  migrate(disk) {
    for (const [channel, name, stored] of disk.flatMap(bindingsOf)) this.takeOver(channel, name, stored);
  }

  takeOver(channel, name, stored) {
    const cut = name.lastIndexOf(":");
    let [conversation, thread] = [text(stored, "channelId", "conversationId"), text(stored, "threadId")];
    if (!conversation) [conversation, thread] = [thread ?? name.slice(cut + 1), null];
    const key = text(stored, "targetSessionKey", "sessionKey");
    if (!conversation || !key) return;
    const touched = this.storedTime(stored.lastActivityAt);
    const bound = this.storedTime(stored.boundAt) ?? touched ?? this.now;
    const account = text(stored, "accountId") || name.slice(0, Math.max(cut, 0)) || "default";
    const [at, by] = [{ channel, account, conversation, thread }, text(stored, "boundBy")];
    this.openSession(key);
    this.data.bindings[this.place(at)] = {
      at, key, by: by === "system" ? null : by, bound, touched: Math.max(touched ?? 0, bound), debt: null, ...this.storedLimits(stored, bound),
    };
  }

  /** Milliseconds since 1970 as those since the start; what lies before that is as if it were its first instant. */
  storedTime(ms) {
    return number(ms) > 0 ? Math.max(0, Math.floor(ms - this.startsAt)) : null;
  }

  /** The newer form has two limits. The older one has a single deadline, and that stays where it is. */
  storedLimits(stored, bound) {
    const [idle, maxAge, expires] = [stored.idleTimeoutMs, stored.maxAgeMs, stored.expiresAt].map(number);
    const whole = (limit) => (limit === null ? null : Math.max(0, Math.floor(limit)));
    if (idle !== null || maxAge !== null || expires === null) return { idle: whole(idle), maxAge: whole(maxAge) };
    return expires > 0 ? { idle: 0, maxAge: Math.max(1, this.storedTime(expires) - bound) } : { idle: 0, maxAge: 0 };
  }
};
