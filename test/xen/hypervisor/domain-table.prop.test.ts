import fc from "fast-check";
import { it } from "vitest";
import { DomainError } from "../../../src/xen/hypervisor/domain-error.ts";
import { type DomainConfig, DomainTable } from "../../../src/xen/hypervisor/domain-table.ts";
import { DomainList } from "../../model/domain-list.ts";
import { Step } from "../../support/step.ts";

const TOTAL = 20_000;

/** The table behind the model's way to answer. */
class Answers {
  readonly mapped: ReadonlySet<number>;
  readonly #table: DomainTable;

  constructor(mapped: ReadonlySet<number>) {
    this.mapped = mapped;
    this.#table = new DomainTable({
      totalKib: TOTAL + 1,
      dom0Kib: 1,
      isReferenced: (domid) => mapped.has(domid),
    });
  }

  get freeKib(): number {
    return this.#table.memory.freeKib;
  }

  get all(): unknown[] {
    return this.#table.domains.map(({ domid, config, isPaused, shutdown, isDying }) => ({
      domid,
      name: config.name,
      isPaused,
      shutdown,
      isDying,
    }));
  }

  create(config: DomainConfig, wanted: number | null): unknown {
    return answer(() => this.#table.create(config, 0, wanted).domid);
  }

  pause(domid: number): unknown {
    return answer(() => this.#table.pause(domid));
  }

  unpause(domid: number): unknown {
    return answer(() => this.#table.unpause(domid));
  }

  shutdown(domid: number, reason: 0 | 1 | 2 | 3): unknown {
    return answer(() => String(this.#table.shutdown(domid, reason)));
  }

  resume(domid: number): unknown {
    return answer(() => this.#table.resume(domid));
  }

  rename(domid: number, name: string): unknown {
    return answer(() => this.#table.rename(domid, name));
  }

  destroy(domid: number): boolean {
    return this.#table.destroy(domid);
  }

  reap(domid: number): boolean {
    return this.#table.reap(domid);
  }
}

function answer(act: () => unknown): unknown {
  try {
    return act() ?? "ok";
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
}

type Subject = DomainList | Answers;
const step = (name: string, act: (subject: Subject) => unknown): Step<DomainList, Answers> =>
  new Step(name, act, ({ freeKib, all }) => ({ freeKib, all }));

const name = fc.constantFrom("a", "b", "c", "d", "e", "f");
const domid = fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constantFrom(32_750, 32_751));
const config = fc
  .record({ name, memoryKib: fc.integer({ min: 1, max: 9000 }) })
  .map((given): DomainConfig => ({
    ...given,
    uuid: given.name,
    vcpus: 1,
    weight: 256,
    cap: 0,
    onPoweroff: "destroy",
    onReboot: "restart",
    onCrash: "preserve",
  }));

it("is the naive list, whatever is done to it", () => {
  const create = fc
    .tuple(config, fc.option(domid))
    .map(([one, wanted]) =>
      step(`create(${one.name}, ${one.memoryKib}, ${wanted})`, (all) => all.create(one, wanted)),
    );
  const reason = fc.constantFrom(0 as const, 1 as const, 2 as const, 3 as const);
  const commands = fc.commands(
    [
      create,
      create,
      create,
      domid.map((one) => step(`pause(${one})`, (all) => all.pause(one))),
      domid.map((one) => step(`unpause(${one})`, (all) => all.unpause(one))),
      domid.map((one) => step(`resume(${one})`, (all) => all.resume(one))),
      domid.map((one) => step(`destroy(${one})`, (all) => all.destroy(one))),
      domid.map((one) => step(`reap(${one})`, (all) => all.reap(one))),
      fc
        .tuple(domid, reason)
        .map(([one, why]) => step(`shutdown(${one}, ${why})`, (all) => all.shutdown(one, why))),
      fc
        .tuple(domid, name)
        .map(([one, other]) => step(`rename(${one}, ${other})`, (all) => all.rename(one, other))),
    ],
    { maxCommands: 80, size: "max" },
  );
  const mapped = fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 3 });
  fc.assert(
    fc.property(commands, mapped, (steps, list) => {
      const set = new Set(list);
      fc.modelRun(() => ({ model: new DomainList(TOTAL, set), real: new Answers(set) }), steps);
    }),
    { numRuns: 150 },
  );
});
