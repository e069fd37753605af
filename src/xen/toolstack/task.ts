/** What a toolstack does in steps, waiting for others in between. @module */
import { type Instant, NEVER } from "../../base/time.ts";
import { StoreError } from "../xenstore/errno.ts";

/** What a task waits for, and how long. */
export interface Wait {
  readonly isMet: () => boolean;
  /** When it has waited long enough; `NEVER` for always. */
  readonly until: Instant;
}

/** Yields what it waits for; told whether that was met (true) or took too long (false). */
export type Task = Generator<Wait, void, boolean>;

interface Running {
  readonly owner: object;
  readonly task: Task;
  wait: Wait;
}

/** Tasks under way. As many as their owner starts. */
export class TaskRunner {
  #running: Running[] = [];

  get size(): number {
    return this.#running.length;
  }

  /** Start a task: it goes on until it waits for something. @param owner whom it works for. */
  start(owner: object, task: Task): void {
    const { done, value } = task.next();
    if (done !== true) this.#running.push({ owner, task, wait: value });
  }

  /** Give up what is done for `owner`, where it stands. */
  cancel(owner: object): void {
    this.#running = this.#running.filter((one) => one.owner !== owner);
  }

  /** Let every task go on that can. @returns true if one did. */
  run(now: Instant): boolean {
    let hasMoved = false;
    for (const running of [...this.#running]) {
      if (!this.#running.includes(running)) continue;
      const isMet = running.wait.isMet();
      if (!isMet && running.wait.until > now) continue;
      hasMoved = true;
      const { done, value } = running.task.next(isMet);
      if (done === true) this.#drop(running);
      else running.wait = value;
    }
    return hasMoved;
  }

  #drop(running: Running): void {
    this.#running = this.#running.filter((one) => one !== running);
  }

  nextDeadline(): Instant {
    let soonest = NEVER;
    for (const { wait } of this.#running) soonest = Math.min(soonest, wait.until);
    return soonest;
  }
}

/** `task`, a turn later. */
export function* after(task: Task): Task {
  yield { isMet: () => true, until: NEVER };
  yield* task;
}

/** `task`, which ends where the store refuses what it asks, for somebody spoiled a node. */
export function* unlessRefused(task: Task): Task {
  try {
    yield* task;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
}
