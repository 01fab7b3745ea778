/** Texts on their way to people: whole, in order, until a receipt says how it went or the window is over. */
import { pieces } from "../moorline-shim.js";
import { dig } from "./settings.js";

/** `this.data.outbox` holds what is not delivered yet, by name, so that a later life goes on with it. */
export const Outbox = (Base) => class extends Base {
  relayWindow = 30 * 60_000; // For so long a text is tried again; then it is given up aloud.

  /** `about` is the run whose words it has, `debt` what is settled by it, `session` whose output it is. */
  post(to, text, { about = null, debt = null, session = null } = {}) {
    const name = this.ids.new("post");
    const limit = dig(this.channels, to.channel, "capabilities", "text_limit");
    this.data.outbox[name] = {
      name, to, pieces: pieces(text, limit), about, debt, session,
      since: this.now, due: this.now, tries: 0, doubtful: false, flight: null,
    };
    this.attempt(name);
    return name;
  }

  attempt(name) {
    const entry = this.data.outbox[name];
    if (!entry || entry.flight || entry.due > this.now) return; // It went another way since.
    if (this.isSwitchedOff(entry.to)) return this.giveUp(entry, "the account is switched off");
    const recognised = this.now - entry.since < this.window(entry.to.channel, "idempotency_window");
    entry.flight = this.effects.deliver(entry.to, entry.pieces[0], this.deliveryKey(entry), entry.doubtful && !recognised);
  }

  /** One for all attempts at one piece. */
  deliveryKey(entry) {
    return `${entry.name}/${entry.pieces.length}`;
  }

  /** How long to wait after so many attempts; null to try no more. */
  pause(tries) {
    return Math.min(5_000 * 3 ** (tries - 1), 300_000);
  }

  on_receipt(what) {
    const entry = Object.values(this.data.outbox).find((entry) => entry.flight === what.delivery);
    if (!entry) return;
    entry.flight = null;
    if (what.accepted) return this.arrived(entry);
    const refused = what.refused;
    entry.doubtful ||= !refused;
    entry.tries += 1;
    const pause = this.pause(entry.tries);
    if (this.isPermanent(refused) || pause === null || this.now - entry.since >= this.relayWindow) {
      this.giveUp(entry, refused?.why || "the channel did not take it in time");
    } else {
      entry.due = this.now + Math.max(refused?.retry_after ?? 0, pause);
      this.clock.callAt(entry.due, () => this.attempt(entry.name));
    }
    if (refused) this.probeAfterRefusal(entry.to);
  }

  isPermanent(refused) {
    return Boolean(refused?.permanent);
  }

  arrived(entry) {
    entry.pieces.shift();
    if (entry.pieces.length) {
      Object.assign(entry, { since: this.now, due: this.now, tries: 0, doubtful: false });
      return this.attempt(entry.name);
    }
    delete this.data.outbox[entry.name];
    if (entry.session) this.touch(entry.to, entry.session);
    this.settleDebt(entry.debt);
  }

  giveUp(entry, why) {
    delete this.data.outbox[entry.name];
    const debt = this.data.debts[entry.debt];
    const run = debt?.run ?? entry.about;
    if (run) {
      this.effects.failed(run, why, entry.to);
      this.keepGivenUp(run, { why, entry, debt });
    }
    this.settleDebt(entry.debt);
  }

  /** The receipt of what was in flight will never come: it may have been posted. */
  restoreOutbox() {
    for (const entry of Object.values(this.data.outbox)) {
      if (entry.flight) Object.assign(entry, { flight: null, doubtful: true, due: this.now });
      this.clock.callAt(entry.due, () => this.attempt(entry.name));
    }
  }
};
