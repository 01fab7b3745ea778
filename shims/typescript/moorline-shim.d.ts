/** moorline's wire for gateways written in TypeScript or JavaScript: the types of `moorline-shim.js`. */

export type Address = { channel: string; account: string; conversation: string; thread?: string | null };
export type Memory = "fresh" | "continue" | { fork: string };
export type TextLimit = { max: number; unit: "characters" | "utf16" | "bytes" };
export type Json = { [key: string]: any };

/** What is said in `hello`. */
export type Hello = {
  name: string;
  version?: string;
  profile?: string;
  families?: string[];
  clock?: "virtual" | "real";
  disk?: "own" | "harness" | "none";
  channels?: "nameless" | "named";
  reopen?: boolean;
  reports?: string[];
};

/** The content of `open`. */
export type Open = {
  now: number;
  starts_at: string;
  timezone: string;
  config: Json;
  channels: { id: string; accounts: string[]; capabilities: Json; threading: Json }[];
  agents: string[];
  restored: boolean;
  state_dir?: string;
  disk?: string[];
  alive?: string[];
};

export type Inbound = {
  message: string;
  at: Address;
  kind: "direct" | "group" | "thread";
  author?: "person" | "bot" | "self" | "webhook";
  from: string;
  mentioned?: boolean;
  authorised?: boolean;
  text: string;
};
export type Call = { call: string; by: { run: string } | "admin" | "plugin"; method: string; params?: Json };
export type RunStarted = { run: string; outcome: "started" | "refused" | "unknown" };
export type RunEnded = { run: string; outcome: "ok" | "error" | "timeout" | "killed" | "lost"; text?: string };
export type InternalTurn = { path: "heartbeat" | "cron"; session: string; text: string };
export type RunProgress = { run: string; text: string };
export type Steered = { steer: string; outcome: "taken" | "refused" };
export type ThreadState = "live" | "archived" | "locked" | "gone" | "unknown";
export type ThreadOpened = { request: string; opened?: { at: Address }; refused?: { why: string }; unknown?: {} };
export type ThreadProbed = { request: string; state: ThreadState };
export type ConversationMoved = { from: Address; to: Address };
export type ThreadChanged = { at: Address; state: ThreadState };
export type Receipt = {
  delivery: string;
  accepted?: { message: string };
  refused?: { permanent?: boolean; retry_after?: number; why?: string };
  unknown?: {};
};

export class Unsupported extends Error {}
export class WireError extends Error {}
export function log(...words: unknown[]): void;
export function markers(text: string): string[];
export function withoutMarkers(text: string): string;
export function keepMarkers(source: string, text: string): string;
export function quote(source: string, introduction: string): string;
export function pieces(text: string, limit?: TextLimit | null): string[];
export function lengthOfTime(text: string): number | null;
export function caller(call: Call): string | null;

export type Timer = { due: number; cancel(): void };

export class Clock {
  constructor(now?: number);
  now: number;
  callAt<A extends unknown[]>(due: number, what: (...args: A) => unknown, ...args: A): Timer;
  callLater<A extends unknown[]>(delay: number, what: (...args: A) => unknown, ...args: A): Timer;
  sleep(delay: number): Promise<void>;
  wakeAt(): number | null;
  advance(now: number): void;
}

export class Ids {
  constructor(life?: number);
  life: number;
  new(kind: string): string;
}

export class Effects {
  constructor(ids: Ids);
  ids: Ids;
  add(kind: string, content: Json): void;
  take(): Json[];
  startRun(what: {
    run?: string;
    sessionKey: string;
    sessionId: string;
    memory: Memory;
    agent: string;
    input: string;
    overrides?: Json | null;
    resumes?: string | null;
  }): string;
  steerRun(run: string, input: string): string;
  cancelRun(run: string): void;
  deliver(to: Address, text: string, key: string, repeat?: boolean): string;
  openThread(parent: Address, name: string, sessionKey: string): string;
  probeThread(address: Address): string;
  answer(call: string, status: "accepted" | "ok" | "timeout" | "forbidden" | "error", result?: Json): void;
  persist(record: string): void;
  drop(message: string, why: string): void;
  refuseConfig(path: string, why: string): void;
  bound(address: Address, sessionKey: string): void;
  unbound(address: Address, sessionKey: string, reason: string): void;
  failed(run: string, why: string, address?: Address | null): void;
}

export class StateDir {
  constructor(path: string);
  path: string;
  life: number;
  append(name: string, record: unknown): void;
  read(name: string): any[];
  replace(name: string, value: unknown): void;
  load(name: string, absent?: any): any;
}

/** Derive from it, and write `on_<stimulus>(content)` and `call_<method>(call, params)` methods. */
export class Gateway {
  static hello: Hello;
  constructor(frame: Open);
  clock: Clock;
  state: StateDir | null;
  ids: Ids;
  effects: Effects;
  get now(): number;
  on_open(frame: Open): void;
  on_stop(frame: { now: number }): void;
  on_wake(content: {}): void;
  on_call(call: Call): void;
  // Without one of these, its stimulus is answered `unsupported`.
  on_inbound?(message: Inbound): void;
  on_internal_turn?(turn: InternalTurn): void;
  on_run_started?(what: RunStarted): void;
  on_run_progress?(what: RunProgress): void;
  on_run_ended?(what: RunEnded): void;
  on_steered?(what: Steered): void;
  on_receipt?(what: Receipt): void;
  on_thread_opened?(what: ThreadOpened): void;
  on_thread_probed?(what: ThreadProbed): void;
  on_thread_changed?(what: ThreadChanged): void;
  on_conversation_moved?(what: ConversationMoved): void;
  on_compacted?(what: { session: string }): void;
  on_config_changed?(what: { config: Json }): void;
  settle(): void;
  handle(now: number, stimuli: Json[]): Promise<Json>;
}

export function serve(kind: typeof Gateway): Promise<void>;
