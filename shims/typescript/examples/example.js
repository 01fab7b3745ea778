/**
 * A complete example: sessions, children, bindings and relay, on the shim beside it. `gateway.js` serves it.
 *
 * What it shall survive is one file in `state_dir`, written anew before each reply; with `--disk=harness` it is records that
 * the harness keeps. A busy session has a queue. Each module beside this one is one part of it, and mixed in here:
 *
 *     configuration.js, settings.js  what the configuration says, and how session keys are spelled
 *     sessions.js  what agents remember: opened, begun anew, deleted, found
 *     turns.js     runs of agents, one at a time in each session
 *     children.js  spawns and sends, and whom their ends are told to
 *     nesting.js   children of children: who waits for whom, and is stopped with whom
 *     subagents.js children listed, stopped and steered; what was given up
 *     bindings.js  conversations tied to sessions, with idle timeout and max age
 *     outbox.js    texts on their way to people, tried again, given up aloud
 *     records.js, legacy.js  what is written down, and what an older gateway wrote down
 */
import { Gateway, withoutMarkers } from "../moorline-shim.js";
import { Bindings } from "./bindings.js";
import { Children } from "./children.js";
import { Legacy } from "./legacy.js";
import { Nesting } from "./nesting.js";
import { Outbox } from "./outbox.js";
import { Records } from "./records.js";
import { Sessions } from "./sessions.js";
import { Settings } from "./settings.js";
import { Subagents } from "./subagents.js";
import { Turns } from "./turns.js";

const NOTICE = ["⚙", "🤖", "🧰"]; // What gateways say themselves begins like this.

const Parts = Settings(Sessions(Turns(Children(Nesting(Subagents(Bindings(Outbox(Records(Legacy(Gateway))))))))));

export class Example extends Parts {
  static hello = {
    name: "example.js", version: "1", profile: "target", disk: "own", reports: ["binding"],
    families: [
      "ingress", "session", "spawn", "policy", "binding", "routing", "relay", "isolation", "nested", "send", "cancel", "restart",
      "config",
    ],
  };

  on_open(frame) {
    // Everything that a later life must know. Each module says what it keeps here.
    this.data = {
      sessions: {}, runs: {}, queue: [], debts: {}, openings: {}, focuses: {}, probes: {}, bindings: {}, moved: {},
      direct: [], outbox: {}, steers: {}, givenUp: {}, seen: {},
    };
    this.recall(frame);
    // Answers that were on their way to an earlier life never come.
    Object.assign(this.data, { openings: {}, focuses: {}, probes: {}, steers: {} });
    this.openSettings(frame);
    this.migrate(this.foreign);
    this.unbindDisabled();
    if (!frame.restored) return;
    const alive = new Set(frame.alive);
    this.restoreDebts(alive);
    this.restoreOutbox();
    this.restoreTurns(alive);
    this.restoreEnds();
    for (const session of Object.values(this.data.sessions)) this.archiveLater(session);
  }

  /** A reply says that all of it is safe. */
  settle() {
    this.startTurns();
    this.save();
  }

  on_config_changed(what) {
    const routes = JSON.stringify(this.config.bindings);
    this.takeConfig(what.config);
    this.maintain(null);
    this.unbindDisabled();
    if (routes !== JSON.stringify(this.config.bindings)) {
      for (const turn of this.data.queue) if (turn.kind === "message") this.changedHands(turn.to);
    }
    for (const session of Object.values(this.data.sessions)) this.archiveLater(session);
  }

  on_compacted() {} // The transcript is the agent's: key, label, route and binding are not touched by it.

  // ---- What people say ----

  on_inbound(message) {
    const { at } = message;
    const binding = this.bindingHere(at);
    const seen = [at.channel, at.account, at.conversation, message.message].join("\n");
    let why = this.unheard(message, binding);
    if (!why && !binding && this.isHeldByAnother(at)) why = "another account has bound this thread";
    if (!why && this.data.seen[seen] !== undefined) why = "it came before";
    if (why) return this.effects.drop(message.message, why);
    this.remember(seen);
    const [resets, text] = this.resetCommand(message);
    if (resets || !this.command(message)) this.takeIn(message, seen, binding, resets, text);
  }

  /** Why a message is not for the gateway; null if it is. */
  unheard({ author = "person", at, text, kind, mentioned = true }, binding) {
    if (this.isSwitchedOff(at)) return "the account is switched off";
    if (author === "self" || author === "webhook") return "the gateway's own words";
    if (author === "bot" && !this.ofChannel(at, "allowBots")) return "written by a bot";
    if (author === "bot" && NOTICE.some((mark) => text.trimStart().startsWith(mark))) return "a gateway's notice";
    const ownThread = binding && kind === "thread"; // There all is said to the bound session.
    const gated = kind !== "direct" && !ownThread && this.ofChannel(at, "requireMention");
    return gated && !mentioned ? "does not mention the gateway" : null;
  }

  remember(seen) {
    this.data.seen[seen] = this.now;
    const all = Object.keys(this.data.seen);
    if (all.length > 1000) delete this.data.seen[all[0]];
  }

  /** Whether it begins with `/new` or `/reset`, and what it says beside that. */
  resetCommand({ text, authorised = true }) {
    const found = /^\s*\/(?:new|reset)(?:\s+([^]*))?$/i.exec(text);
    return found && authorised ? [true, (found[1] ?? "").trim()] : [false, text];
  }

  /** A message that is for an agent waits for its turn. */
  takeIn(message, seen, binding, resets, text) {
    const { at, from, kind } = message;
    const key = binding ? binding.key : this.sessionKey(message);
    this.openSession(key);
    if (binding) this.touch(at, key);
    const place = this.place({ ...at, thread: null });
    if (kind === "direct" && !this.data.direct.includes(place)) this.data.direct.push(place);
    const more = { message: message.message, person: from, seen: [seen], place: kind, resets, bare: resets && !withoutMarkers(text) };
    this.queueMessage(this.turn(key, "message", text, at, more));
  }
}

/** The same, where the harness keeps what is written down: a crash may fall between any two effects. */
export class OnTheHarnessDisk extends Example {
  static hello = { ...Example.hello, disk: "harness" };
}
