#!/usr/bin/env node
/**
 * The example with one thing wrong: what moorline finds then is held fast by its own tests.
 *
 *     moorline run --gateway "node shims/typescript/examples/defects.js lost_completion"
 *
 * Each defect is one method that is not as it should be. The tests list for each exactly which rules it breaks.
 */
import { serve } from "../moorline-shim.js";
import { Example } from "./example.js";
import { MINUTE } from "./settings.js";

const DEFECTS = {
  /** Nobody hears of a child's end. */
  lost_completion: class extends Example {
    hand(debt) {
      this.settleDebt(debt.name);
    }
  },

  /** What may have been posted before a crash is posted again, under another key and without a mark. */
  duplicate_after_restart: class extends Example {
    restoreOutbox() {
      for (const entry of Object.values(this.data.outbox).filter((entry) => entry.flight)) {
        delete this.data.outbox[entry.name];
        Object.assign(entry, { name: this.ids.new("post"), flight: null, due: this.now });
        this.data.outbox[entry.name] = entry;
      }
      super.restoreOutbox();
    }
  },

  /** A completion goes to whoever wrote last, in whatever conversation. */
  leak_across_dms: class extends Example {
    takeIn(message, ...rest) {
      this.data.last = message.at;
      super.takeIn(message, ...rest);
    }

    owe(asked, more) {
      return Object.defineProperty(super.owe(asked, more), "to", { get: () => this.data.last, set() {}, enumerable: true });
    }
  },

  /** An answer is posted beside the thread that it belongs in. */
  wrong_thread: class extends Example {
    answersTo(turn) {
      const to = super.answersTo(turn);
      return to && turn.kind === "message" ? { ...to, thread: null } : to;
    }
  },

  /** Everything is delivered by the account that comes first. */
  default_account: class extends Example {
    post(to, text, more) {
      return super.post({ ...to, account: "default" }, text, more);
    }
  },

  /** Activity does not postpone the idle timeout. */
  idle_from_binding: class extends Example {
    touch() {}
  },

  /** At a tie the age is the reason. */
  age_at_a_tie: class extends Example {
    lapse(binding) {
      const end = super.lapse(binding);
      const { maxAge } = this.limits(binding);
      return end && binding.bound + maxAge === end.at ? { ...end, why: "max-age" } : end;
    }
  },

  /** The words by which a thread is introduced name no limit. */
  intro_names_no_limit: class extends Example {
    introduce(at) {
      this.post(at, "⚙️ session active. Messages here go directly to this session.");
    }
  },

  /** Whatever the configuration says, a message after an hour of silence begins anew. */
  resets_after_an_hour: class extends Example {
    resetDue(session, at) {
      return at - session.spoken > 60 * MINUTE;
    }
  },

  /** An idle session is stale at the boundary itself. */
  exactly_idle_is_stale: class extends Example {
    resetDue(session, at, channel, kind) {
      return super.resetDue({ ...session, spoken: session.spoken - 1 }, at, channel, kind);
    }
  },

  /** Turns of the clockwork count as if a person had spoken. */
  heartbeats_count: class extends Example {
    begin(turn) {
      const begun = super.begin(turn);
      if (turn.kind === "internal") this.openSession(turn.key).spoken = turn.came;
      return begun;
    }
  },

  /** A session without a thread binds the conversation that asked for it. */
  binds_headless_sessions: class extends Example {
    beginChild(spawn, bound) {
      super.beginChild(spawn, bound ?? (spawn.mode === "session" ? spawn.to : null));
    }
  },

  /** Whatever is asked for, a child has one run. */
  every_spawn_is_one_run: class extends Example {
    checkedSpawn(call, params) {
      return { ...super.checkedSpawn(call, params), mode: "run" };
    }
  },

  /** A child that ended is counted until the process ends. */
  slots_are_never_freed: class extends Example {
    settleDebt(name) {
      const debt = this.data.debts[name];
      super.settleDebt(name);
      if (debt?.what === "child") this.data.debts[name] = { ...debt, stage: "running" };
    }
  },

  /** A channel is known by its name: only one of them can bind. */
  channels_by_name: class extends Example {
    canBind(at, direct) {
      return at.channel === "discord" && super.canBind(at, direct);
    }
  },

  /** An end is told of at once, whatever its own children are at. */
  waits_for_nothing_below: class extends Example {
    handOrWait(debt) {
      this.hand(debt);
    }
  },

  /** A requester that is busy is not told. */
  drops_busy_requester: class extends Example {
    hand(debt) {
      if (this.isBusy(debt.requester)) this.settleDebt(debt.name);
      else super.hand(debt);
    }
  },
};

const kind = DEFECTS[process.argv[2]];
if (kind) {
  serve(kind);
} else {
  console.error(`name a defect: ${Object.keys(DEFECTS).join(", ")}`);
  process.exitCode = 1;
}
