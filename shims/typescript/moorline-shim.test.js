/** node --test shims/typescript/ */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Clock, Gateway, keepMarkers, lengthOfTime, markers, pieces, quote, StateDir, withoutMarkers } from "./moorline-shim.js";

const place = mkdtempSync(join(tmpdir(), "moorline-shim-"));
after(() => rmSync(place, { recursive: true }));

const HELLO = { hello: { wire: 1, harness: "0" } };
const OPEN = {
  open: { now: 0, starts_at: "2026-03-02T09:00:00Z", timezone: "UTC", config: {}, channels: [], agents: ["main"], restored: false },
};
const SLEEPER = `
import { Gateway, serve } from ${JSON.stringify(new URL("./moorline-shim.js", import.meta.url).href)};
class Sleeper extends Gateway {
  static hello = { name: "sleeper" };
  async on_inbound(message) {
    await this.clock.sleep(1000);
    if (message.text === "break") throw new Error("it breaks later");
    this.effects.deliver(message.at, message.text, "k");
  }
  call_ping_pong(call, params) { this.effects.answer(call.call, "ok", { pong: params.ping }); }
  on_stop() { console.log("a word for the log"); throw new Error("it breaks here"); }
}
serve(Sleeper);
`;
writeFileSync(join(place, "sleeper.mjs"), SLEEPER);

/** The replies of a sleeper, its log, and how it ended. */
function told(...requests) {
  const input = requests.map((request) => (typeof request === "string" ? request : JSON.stringify(request))).join("\n") + "\n";
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(place, "sleeper.mjs")], { input, encoding: "utf8" });
  return { replies: stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line)), log: stderr, status };
}

const says = (text) => ({ inbound: { message: "m1", at: { channel: "c" }, kind: "direct", from: "alice", text } });

test("a promise sleeps until the harness says so", () => {
  const call = { call: { call: "c1", by: "admin", method: "ping.pong", params: { ping: 5 } } };
  const { replies, status } = told(HELLO, OPEN, { now: 5, stimuli: [says("hi ⟦m1⟧"), call] }, { now: 1005, stimuli: [{ wake: {} }] });
  assert.equal(status, 0);
  assert.deepEqual(replies[0], { hello: { wire: 1, name: "sleeper" } });
  assert.deepEqual(replies[2], { effects: [{ answer: { call: "c1", result: { status: "ok", pong: 5 } } }], wake_at: 1005 });
  const deliver = { delivery: "delivery-1.1", to: { channel: "c" }, text: "hi ⟦m1⟧", key: "k" };
  assert.deepEqual(replies[3], { effects: [{ deliver }], wake_at: null });
});

test("what it does not know is answered so", () => {
  const call = { call: "c", by: "admin", method: "no.such" };
  const { replies } = told(HELLO, OPEN, { now: 0, stimuli: [{ steered: {} }] }, { now: 0, stimuli: [{ call }] });
  assert.deepEqual(replies.slice(2), [{ unsupported: "steered" }, { unsupported: "no.such" }]);
});

test("errors of both ends are told and end it", () => {
  for (const [requests, words] of [
    [[{ stop: { now: 0 } }], "it breaks here"],
    [[{ now: 0, stimuli: [says("break")] }, { now: 1000, stimuli: [{ wake: {} }] }], "it breaks later"],
    [["{torn"], "SyntaxError"],
    [[{ what: 1 }], "does not know"],
    [[{ now: -1, stimuli: [] }], "went back in time"],
    [[{ hello: { wire: 2 } }], "version 2 of the wire"],
  ]) {
    const { log, status } = told(HELLO, OPEN, ...requests);
    assert.equal(status, 1, log);
    assert.ok(log.includes(words) && log.includes("It was asked: "), log);
  }
});

test("timers fire in order of time, then of asking", () => {
  const [clock, fired] = [new Clock(10), []];
  for (const [name, due] of [["b", 20], ["a", 15], ["c", 20], ["over", 3]]) clock.callAt(due, () => fired.push(name));
  clock.callLater(1, () => fired.push("never")).cancel();
  assert.equal(clock.wakeAt(), 10);
  clock.advance(20);
  assert.deepEqual([fired, clock.wakeAt()], [["over", "a", "b", "c"], null]);
});

test("a torn line is left out, and lives are counted", () => {
  const path = join(place, "state");
  const state = new StateDir(path);
  state.append("log", { a: "ü" });
  appendFileSync(join(path, "log"), '{"b": "');
  state.append("log", 3);
  assert.deepEqual(state.read("log"), [{ a: "ü" }, 3]);
  assert.deepEqual([state.life, new StateDir(path).life], [1, 2]);
  state.replace("all", [1]);
  assert.deepEqual([state.load("all"), state.load("none", 7), state.read("none")], [[1], 7, []]);
});

test("texts", () => {
  assert.deepEqual(markers("a ⟦m1⟧⟦m2⟧ ⟦m1⟧"), ["⟦m1⟧", "⟦m2⟧"]);
  assert.equal(withoutMarkers("/new ⟦m1⟧ now"), "/new now");
  assert.equal(keepMarkers("long ⟦m1⟧ ⟦m2⟧", "short ⟦m2⟧"), "short ⟦m2⟧ ⟦m1⟧");
  assert.deepEqual([quote("x", "it said"), quote("", "nothing")], ["it said: x", "nothing"]);
  assert.deepEqual(pieces("a😀b", { max: 2, unit: "utf16" }), ["a", "😀", "b"]);
  assert.deepEqual(pieces("éab", { max: 3, unit: "bytes" }), ["éa", "b"]);
  assert.deepEqual(["1h30m", "0.5s", "soon", "", "5"].map(lengthOfTime), [5_400_000, 500, null, null, null]);
});

test("a life on the disk of the harness has names of its own", async () => {
  class Kept extends Gateway {
    static hello = { name: "kept", disk: "harness" };
    on_open(frame) { this.found = frame.disk; }
  }
  const life = async (...disk) => {
    const frame = { ...OPEN.open, disk };
    const gateway = new Kept(frame);
    const { effects } = await gateway.handle(0, [{ open: frame }]);
    return { records: effects.map((effect) => effect.persist.record), run: gateway.ids.new("run"), found: gateway.found };
  };
  const { records: [mark, ...more], run, found } = await life();
  assert.deepEqual([more, run, found], [[], "run-1.1", []]);
  // A torn record is there once, and gone in the life after that.
  const second = await life(mark, "whole", "to");
  assert.deepEqual([second.run, second.found], ["run-2.1", ["whole", "to"]]);
  assert.equal((await life(mark, "whole", mark)).run, "run-3.1");
});
