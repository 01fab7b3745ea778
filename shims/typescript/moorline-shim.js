/**
 * moorline's wire for gateways written in TypeScript or JavaScript. One file, Node >= 20, nothing to build; the
 * types stand in `moorline-shim.d.ts`.
 *
 * Derive from `Gateway`, write `on_<stimulus>` and `call_<method>` methods, and `serve` it:
 *
 *     class Echo extends Gateway {
 *       static hello = { name: "echo", families: ["isolation"] };
 *       on_inbound(message) { this.effects.deliver(message.at, message.text, message.message); }
 *     }
 *     serve(Echo);
 *
 * The harness sends one line; every stimulus in it is handed to its method, timers that are due fire, promises go on
 * as far as they can, `settle` is called, and one line goes back: the effects in the order in which they were asked
 * for, and when the earliest timer is due. `spec/WIRE.md` is the contract.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const WIRE = 1;
const LINE_MAX = 1024 * 1024;
const LIFE = "a life began";

/** A stimulus or method that the gateway does not know; its name. Rules that need it are inapplicable then. */
export class Unsupported extends Error {}

/** One of the two ends broke the contract of the wire; in words. */
export class WireError extends Error {}

/** Writes to standard error. The harness shows the end of it where something went wrong. */
export function log(...words) {
  console.error(...words);
}

// ---- Texts: the harness follows information by markers such as ⟦m1⟧. Pass texts on whole. ----

const MARKER = /⟦[^⟦⟧]*⟧/g;

/** The markers in a text, in order, each once. */
export function markers(text) {
  return [...new Set(text.match(MARKER) ?? [])];
}

/** What a person would read: `/new ⟦m2⟧` is nothing but the command `/new`. */
export function withoutMarkers(text) {
  return text.replace(MARKER, " ").split(/\s+/).filter(Boolean).join(" ");
}

/** The text, with each marker of its source behind it that it lacks: for what is reworded or cut. */
export function keepMarkers(source, text) {
  return [text, ...markers(source).filter((marker) => !text.includes(marker))].join(" ");
}

/** An introduction and the whole of the source, which the harness follows from there. */
export function quote(source, introduction) {
  return source ? `${introduction}: ${source}` : introduction;
}

const SIZES = { characters: () => 1, utf16: (c) => c.length, bytes: (c) => Buffer.byteLength(c) };

/** The text in pieces that a channel with this `text_limit` takes; joined they are the text. */
export function pieces(text, limit) {
  if (!limit) return [text];
  const cut = [""];
  let room = limit.max;
  for (const character of text) {
    const size = SIZES[limit.unit](character);
    if (size > room) {
      cut.push("");
      room = limit.max;
    }
    cut[cut.length - 1] += character;
    room -= size;
  }
  return cut;
}

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `1h30m` in milliseconds; null where it does not read as a length of time. */
export function lengthOfTime(text) {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return null;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  return Math.round(parts.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit], 0));
}

// ---- The clock: it stands still until the harness says what time it is. ----

/** Virtual time in milliseconds since `starts_at`. A month passes as fast as the harness says so. */
export class Clock {
  #timers = [];
  #count = 0;

  constructor(now = 0) {
    this.now = now;
  }

  /** Calls it at that time, or at once before the reply where that is over. `cancel()` takes it back. */
  callAt(due, what, ...args) {
    const timer = { due: Math.max(due, this.now), number: ++this.#count, what: () => what(...args) };
    this.#timers.push(timer);
    return { due: timer.due, cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)) };
  }

  callLater(delay, what, ...args) {
    return this.callAt(this.now + delay, what, ...args);
  }

  /** `await this.clock.sleep(1000)`. */
  sleep(delay) {
    return new Promise((resolve) => this.callLater(delay, resolve));
  }

  /** When the earliest timer is due; null where there is none. */
  wakeAt() {
    return this.#timers.reduce((first, { due }) => (first === null || due < first ? due : first), null);
  }

  /** Sets the time and fires what is due, in order of time, then in the order of asking. */
  advance(now) {
    if (now < this.now) throw new WireError(`the harness went back in time, from ${this.now} to ${now}`);
    this.now = now;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.due <= now);
      if (!due.length) return;
      const first = due.reduce((a, b) => (b.due < a.due || (b.due === a.due && b.number < a.number) ? b : a));
      this.#timers = this.#timers.filter((timer) => timer !== first);
      first.what();
    }
  }
}

// ---- Effects: what the gateway asks for. Each that waits for an answer has an id of its own. ----

/** Names that are never used twice, in no life: `run-2.17` is the 17th of the second life. */
export class Ids {
  #last = 0;

  constructor(life = 1) {
    this.life = life;
  }

  new(kind) {
    return `${kind}-${this.life}.${++this.#last}`;
  }
}

/** Collects what one reply holds. A method that names something returns the name. */
export class Effects {
  #asked = [];

  constructor(ids) {
    this.ids = ids;
  }

  /** Any effect by its name; what is null or undefined is left out. */
  add(kind, content) {
    this.#asked.push({ [kind]: Object.fromEntries(Object.entries(content).filter(([, value]) => value != null)) });
  }

  take() {
    return this.#asked.splice(0);
  }

  /** `memory` is "fresh", "continue" or {fork: key}. `run_started` answers, later `run_ended`. */
  startRun({ run = this.ids.new("run"), sessionKey, sessionId, memory, agent, input, overrides, resumes }) {
    const some = overrides && Object.keys(overrides).length ? overrides : null;
    this.add("start_run", {
      run, session_key: sessionKey, session_id: sessionId, memory, agent, input, overrides: some, resumes,
    });
    return run;
  }

  /** Says something to a run that goes on. `steered` answers. */
  steerRun(run, input) {
    return this.#named("steer_run", "steer", { run, input });
  }

  /** Whichever end comes first is told by `run_ended`. */
  cancelRun(run) {
    this.add("cancel_run", { run });
  }

  /** Posts to an address. `key` is the same for each attempt at one message; `receipt` answers. */
  deliver(to, text, key, repeat = false) {
    return this.#named("deliver", "delivery", { to, text, key, repeat: repeat || null });
  }

  /** `thread_opened` answers. */
  openThread(parent, name, sessionKey) {
    return this.#named("open_thread", "request", { parent, name, session_key: sessionKey });
  }

  /** `thread_probed` answers. */
  probeThread(address) {
    return this.#named("probe_thread", "request", { address });
  }

  /** Answers a call: `accepted`, `ok`, `timeout`, `forbidden` or `error`. */
  answer(call, status, result = {}) {
    this.add("answer", { call, result: { status, ...result } });
  }

  /** With `disk: "harness"`: on the disk before the next effect happens. */
  persist(record) {
    this.add("persist", { record });
  }

  drop(message, why) {
    this.add("drop", { message, why });
  }

  refuseConfig(path, why) {
    this.add("refuse_config", { path, why });
  }

  bound(address, sessionKey) {
    this.add("report", { bound: { address, session_key: sessionKey } });
  }

  unbound(address, sessionKey, reason) {
    this.add("report", { unbound: { address, session_key: sessionKey, reason } });
  }

  /** A completion that cannot be told. */
  failed(run, why, address) {
    this.add("report", { failed: { run, ...(address ? { address } : {}), why } });
  }

  #named(kind, what, content) {
    const name = this.ids.new(what);
    this.add(kind, { [what]: name, ...content });
    return name;
  }
}

// ---- The disk, for `disk: "own"`: what a crash of the process leaves. Write before you reply. ----

/** Files in `state_dir`. `life` counts the processes that were opened on it, from 1. */
export class StateDir {
  constructor(path) {
    this.path = path;
    mkdirSync(path, { recursive: true });
    this.append("lives", "begun");
    this.life = this.read("lives").length;
  }

  /** One more record at the end of a file. */
  append(name, record) {
    const path = join(this.path, name);
    // An earlier life may have been killed in the middle of a line: that one stays alone.
    const torn = existsSync(path) && /[^\n]$/.test(readFileSync(path, "utf8").slice(-1));
    appendFileSync(path, `${torn ? "\n" : ""}${JSON.stringify(record)}\n`);
  }

  /** All records of a file, in order. A line that was torn by a crash is told of and left out. */
  read(name) {
    const path = join(this.path, name);
    if (!existsSync(path)) return [];
    return readFileSync(path, "utf8").split("\n").flatMap((line, index) => {
      try {
        return line ? [JSON.parse(line)] : [];
      } catch {
        log(`${name}:${index + 1} was torn by a crash, and is left out`);
        return [];
      }
    });
  }

  /** The whole file anew: a crash leaves the old one or the new one. */
  replace(name, value) {
    const path = join(this.path, name);
    writeFileSync(`${path}.new`, JSON.stringify(value));
    renameSync(`${path}.new`, path);
  }

  /** What `replace` wrote last. */
  load(name, absent = null) {
    const path = join(this.path, name);
    return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : absent;
  }
}

// ---- The gateway, and the loop that feeds it. ----

/** Derive from it. One of these lives from `open` to the next `open`; nothing is shared between two. */
export class Gateway {
  /** What is said in `hello`; `wire` is added. See the table in spec/WIRE.md. */
  static hello = { name: "gateway" };

  /** `frame` is the content of `open`; the clock stands, nothing was said yet. */
  constructor(frame) {
    this.clock = new Clock(frame.now);
    this.state = this.constructor.hello.disk === "own" ? new StateDir(frame.state_dir) : null;
    // Where the harness holds the disk, each life leaves a mark of its own there, which the gateway never sees.
    const records = frame.disk ?? [];
    frame.disk = records.filter((record) => record !== LIFE);
    this.ids = new Ids(this.state ? this.state.life : records.length - frame.disk.length + 1);
    this.effects = new Effects(this.ids);
    if (this.constructor.hello.disk === "harness") this.effects.persist(LIFE);
  }

  get now() {
    return this.clock.now;
  }

  /** A scenario begins, or goes on after a crash (`frame.restored`). */
  on_open(_frame) {}

  /** A clean end: write down what is in memory. */
  on_stop(_frame) {}

  /** The time that was asked for; timers fire by themselves. */
  on_wake(_content) {}

  /** All was handed over, nothing more is due: the last moment before the reply. */
  settle() {}

  /** Hands `sessions_spawn` to `call_sessions_spawn(call, params)`, `sessions.reset` to `call_sessions_reset`. */
  on_call(call) {
    const method = this[`call_${call.method.replaceAll(".", "_")}`];
    if (!method) throw new Unsupported(call.method);
    method.call(this, call, call.params ?? {});
  }

  /** One request of the harness, and the reply. */
  async handle(now, stimuli) {
    this.clock.advance(now);
    for (const stimulus of stimuli) {
      for (const [kind, content] of Object.entries(stimulus)) {
        if (!this[`on_${kind}`]) throw new Unsupported(kind);
        this[`on_${kind}`](content);
      }
    }
    do {
      this.clock.advance(now);
      await promisesHaveGoneOn();
    } while (this.#isDue(now));
    this.settle();
    return { effects: this.effects.take(), wake_at: this.clock.wakeAt() };
  }

  #isDue(now) {
    const due = this.clock.wakeAt();
    return due !== null && due <= now;
  }
}

/** The run that calls; null where the administrator or a plugin does. */
export function caller(call) {
  return call.by?.run ?? null;
}

/** Promises that can go on do so before the next turn of Node's own loop. */
const promisesHaveGoneOn = () => new Promise((resolve) => setImmediate(resolve));

function giveUp(line, why) {
  log(`${why}\nIt was asked: ${line.trim().slice(0, 2000)}`);
  process.exit(1);
}

/**
 * Answers each line of standard input with one on standard output, until there are no more.
 *
 * What the gateway itself logs goes to standard error, so that it cannot be mistaken for a frame. An exception, in a
 * promise too, ends the process with its stack and the request there, and the harness shows both.
 */
export async function serve(kind) {
  let gateway = null;
  let line = "";
  console.log = console.info = console.debug = console.error;
  process.on("unhandledRejection", (error) => giveUp(line, error?.stack ?? String(error)));

  async function reply(request) {
    if (request.hello) {
      if (request.hello.wire !== WIRE) {
        throw new WireError(`the harness speaks version ${request.hello.wire} of the wire, and this shim version ${WIRE}`);
      }
      return { hello: { wire: WIRE, ...kind.hello } };
    }
    if (request.open) {
      gateway = new kind(request.open);
      return gateway.handle(request.open.now, [{ open: request.open }]);
    }
    if (!gateway) throw new WireError("the harness says something before `open`");
    if (request.stop) return gateway.handle(request.stop.now, [{ stop: request.stop }]);
    if (request.stimuli) return gateway.handle(request.now, request.stimuli);
    throw new WireError("the harness wrote a frame that this shim does not know");
  }

  async function answer() {
    try {
      return JSON.stringify(await reply(JSON.parse(line)));
    } catch (error) {
      if (error instanceof Unsupported) return JSON.stringify({ unsupported: error.message });
      return giveUp(line, error instanceof WireError ? error.message : error.stack);
    }
  }

  let read = "";
  process.stdin.setEncoding("utf8");
  for await (const chunk of process.stdin) {
    const lines = (read + chunk).split("\n");
    read = lines.pop();
    for (line of lines) {
      const text = await answer();
      const size = Buffer.byteLength(text);
      if (size >= LINE_MAX) giveUp(line, `the reply has ${size} bytes, and a line of the wire at most ${LINE_MAX}`);
      process.stdout.write(`${text}\n`);
    }
  }
}
