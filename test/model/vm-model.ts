/** Who lives on a host, as xend 3.1 or xl 4.17 would have it: plain lists and sums. */
import { SECOND } from "../../src/base/time.ts";

export type ModelState = "running" | "paused" | "shutdown" | "restarting" | "saved";
export type OnCrash = "default" | "preserve" | "rename-restart" | "restart" | "destroy";

export interface ModelVm {
  readonly name: string;
  readonly onCrash: OnCrash;
  state: ModelState;
  domid: number;
  holds: number;
  /** Its vif is one of Dom0's. */
  isOnline: boolean;
  restartedAt: number;
  /** What its guest was asked for while it was held, and when xend loses its patience. */
  asked: "poweroff" | "reboot" | null;
  askedUntil: number;
  /** When xl builds it again, in a domain of its own or beside the dead one. */
  againAt: number;
}

const LAST_DOMID = 32_751;
const NEVER = Number.POSITIVE_INFINITY;

/** One host's VMs. */
export class VmModel {
  readonly vms = new Map<string, ModelVm>();
  /** Dead domains that are kept under other names. */
  readonly husks = new Set<number>();
  now = 0;
  readonly #isXl: boolean;
  #lastDomid: number;

  constructor(isXl: boolean, lastDomid: number) {
    this.#isXl = isXl;
    this.#lastDomid = lastDomid;
  }

  launch(name: string, onCrash: OnCrash): void {
    this.vms.set(name, {
      name,
      onCrash,
      state: "running",
      domid: this.#nextDomid(),
      holds: 0,
      isOnline: true,
      restartedAt: -NEVER,
      asked: null,
      askedUntil: NEVER,
      againAt: NEVER,
    });
  }

  ask(vm: ModelVm, what: "poweroff" | "reboot"): void {
    if (vm.state === "running") {
      this.#shutDown(vm, what === "reboot" ? "restart" : "destroy");
      return;
    }
    vm.asked = what;
    if (!this.#isXl) vm.askedUntil = Math.min(vm.askedUntil, this.now + 30 * SECOND);
  }

  crash(vm: ModelVm): void {
    const usual = this.#isXl ? "destroy" : "restart";
    this.#shutDown(vm, vm.onCrash === "default" ? usual : vm.onCrash);
  }

  hold(vm: ModelVm): void {
    vm.holds += 1;
    vm.state = "paused";
  }

  letGo(vm: ModelVm): void {
    vm.holds -= 1;
    if (vm.holds > 0) return;
    vm.state = "running";
    const { asked } = vm;
    vm.asked = null;
    if (asked !== null) this.ask(vm, asked);
  }

  save(vm: ModelVm): void {
    vm.state = "saved";
    vm.isOnline = false;
  }

  restore(vm: ModelVm): void {
    vm.restartedAt = -NEVER;
    this.#run(vm);
  }

  destroy({ name }: ModelVm): void {
    this.vms.delete(name);
  }

  wait(until: number): void {
    for (;;) {
      let next: ModelVm | null = null;
      const due = (vm: ModelVm): number => Math.min(vm.againAt, vm.askedUntil);
      for (const vm of this.vms.values()) {
        if (due(vm) <= until && (next === null || due(vm) < due(next))) next = vm;
      }
      if (next === null) break;
      this.now = due(next);
      if (next.againAt === this.now) this.#again(next);
      else this.destroy(next);
    }
    this.now = until;
  }

  #shutDown(vm: ModelVm, action: Exclude<OnCrash, "default">): void {
    vm.holds = 0;
    vm.asked = null;
    vm.askedUntil = NEVER;
    const isTooFast = !this.#isXl && this.now - vm.restartedAt < 20 * SECOND;
    if (action === "preserve") {
      vm.state = "shutdown";
    } else if (action === "destroy" || isTooFast) {
      this.destroy(vm);
    } else if (this.#isXl) {
      const isKept = action === "rename-restart";
      vm.state = isKept ? "shutdown" : "restarting";
      vm.isOnline = isKept;
      vm.againAt = this.now + 2 * SECOND;
    } else {
      if (action === "rename-restart") this.husks.add(vm.domid);
      vm.restartedAt = this.now;
      this.#run(vm);
    }
  }

  /** xl's two seconds are over. Beside a dead domain that holds its devices, nothing is built. */
  #again(vm: ModelVm): void {
    vm.againAt = NEVER;
    if (vm.state === "shutdown") this.#nextDomid();
    else this.#run(vm);
  }

  #run(vm: ModelVm): void {
    vm.domid = this.#nextDomid();
    vm.state = "running";
    vm.isOnline = true;
  }

  #nextDomid(): number {
    const taken = new Set(this.husks);
    for (const { state, domid } of this.vms.values()) {
      if (state !== "saved" && state !== "restarting") taken.add(domid);
    }
    do this.#lastDomid = this.#lastDomid === LAST_DOMID ? 1 : this.#lastDomid + 1;
    while (taken.has(this.#lastDomid));
    return this.#lastDomid;
  }
}
