// @ts-check
/**
 * A gateway to begin with. It answers a message by starting a run, and delivers the run's words where it was asked.
 *
 * Judge it:        moorline run --gateway "node gateway.js"
 * One story:       moorline replay isolation/two_accounts_of_one_channel_stay_apart --gateway "node gateway.js"
 *
 * It says below that it has the family `isolation` and no more. To go on, add a family to `families` and make its
 * rules pass. The next one:
 *
 *     "ingress"    `moorline explain ingress.once`: a message that comes twice is answered once. Remember what was seen.
 *
 * Then "relay" (spawn a child on `sessions_spawn`, and tell whoever asked when it ends), "session" (which messages
 * share a memory, and when that is dropped), "restart" (`disk: "own"`, and `this.state` to write to), and the others
 * that `moorline rules` lists. `moorline-shim.js` beside this file has all that the wire needs, with its types in
 * `moorline-shim.d.ts`; both are yours too.
 */
import { Gateway, log, serve } from "./moorline-shim.js";

class MyGateway extends Gateway {
  /** @type {import("./moorline-shim.js").Hello} */
  static hello = { name: "my-gateway", version: "0", families: ["isolation"] };

  /** @param {import("./moorline-shim.js").Open} frame */
  on_open(frame) {
    this.agent = frame.agents[0] ?? "main"; // The first one is the default.
    /** Session keys that an agent has a memory of. @type {Set<string>} */
    this.known = new Set();
    /** Runs that go on, and the address that each of them answers to. @type {Map<string, import("./moorline-shim.js").Address>} */
    this.answersTo = new Map();
  }

  /** Somebody wrote. Each conversation has a session of its own. @param {import("./moorline-shim.js").Inbound} message */
  on_inbound(message) {
    if ((message.author ?? "person") !== "person") {
      return this.effects.drop(message.message, "not written by a person");
    }
    const { channel, account, conversation, thread } = message.at;
    const sessionKey = ["agent", this.agent, channel, account, message.kind, conversation, ...(thread ? [thread] : [])].join(":");
    const memory = this.known.has(sessionKey) ? "continue" : "fresh";
    const agent = this.agent ?? "main";
    const run = this.effects.startRun({ sessionKey, sessionId: `id-of-${sessionKey}`, memory, agent, input: message.text });
    this.known.add(sessionKey);
    this.answersTo.set(run, message.at);
  }

  /** @param {import("./moorline-shim.js").RunStarted} what */
  on_run_started(what) {
    if (what.outcome !== "started") this.answersTo.delete(what.run);
  }

  /** An agent has said its words: they go where the message came from. @param {import("./moorline-shim.js").RunEnded} what */
  on_run_ended(what) {
    const to = this.answersTo.get(what.run);
    this.answersTo.delete(what.run);
    if (to && what.text) this.effects.deliver(to, what.text, what.run);
  }

  on_run_progress() {} // It says something and goes on.

  /** @param {import("./moorline-shim.js").Receipt} what */
  on_receipt(what) {
    if (!what.accepted) log("this was not delivered, and is not tried again yet:", what);
  }
}

serve(MyGateway);
