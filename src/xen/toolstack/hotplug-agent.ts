/** Runs Dom0's hotplug scripts: at once, or when they have taken their time. @module */
import type { Machine } from "../../base/machine.ts";
import { type Duration, type Instant, NEVER } from "../../base/time.ts";
import type { StoreClient } from "../xenstore/client.ts";
import type { BlockScript } from "./block-script.ts";
import { backendNode, backendPath, domainPath, frontendPath } from "./device-path.ts";
import { type BackendName, removeTidily, type ScriptName } from "./toolstack.ts";

/** The script of vifs, such as `/etc/xen/scripts/ec2-vif-route-dhcpd`. */
export interface VifScript {
  /** @returns what went wrong, for `hotplug-error`; `null` for nothing. */
  online(device: BackendName, now: Instant): string | null;
  offline(device: BackendName, now: Instant): void;
}

/** What an agent stands on. */
export interface HotplugAgentOptions<Disk> {
  readonly client: StoreClient;
  readonly block: BlockScript<Disk>;
  readonly vif: VifScript;
  /** How long a script takes; 0 for none. `NEVER`: it hangs. */
  readonly scriptTime: (name: ScriptName, device: BackendName) => Duration;
  /** When a script that has not ended is killed, having done nothing. */
  readonly timeLimit: Duration;
}

interface Job {
  readonly name: ScriptName;
  readonly device: BackendName;
  readonly until: Instant;
  readonly isKilled: boolean;
  isDone: boolean;
}

/** udev's part, or that of xl: one script of a device after the other, in the order of start. */
export class HotplugAgent<Disk> implements Machine {
  readonly #options: HotplugAgentOptions<Disk>;
  #jobs: Job[] = [];

  constructor(options: HotplugAgentOptions<Disk>) {
    this.#options = options;
  }

  /** Scripts that have not ended. */
  get size(): number {
    return this.#jobs.length;
  }

  /** Start a script; {@link expire} ends it. @returns what tells whether it has ended. */
  start(name: ScriptName, device: BackendName, now: Instant): () => boolean {
    const { scriptTime, timeLimit } = this.#options;
    let from = now;
    for (const job of this.#jobs) {
      if (isSame(job.device, device)) from = Math.max(from, job.until);
    }
    const time = scriptTime(name, device);
    const until = from + Math.min(time, timeLimit);
    const job: Job = { name, device, until, isKilled: time > timeLimit, isDone: false };
    this.#jobs.push(job);
    return () => job.isDone;
  }

  /** Kill what sets up devices of a domain: nobody waits for it any more. */
  kill(domid: number): void {
    this.#jobs = this.#jobs.filter(
      ({ name, device }) =>
        device.domid !== domid || (name !== "block-add" && name !== "vif-online"),
    );
  }

  nextDeadline(): Instant {
    let soonest = NEVER;
    for (const { until } of this.#jobs) soonest = Math.min(soonest, until);
    return soonest;
  }

  expire(now: Instant): void {
    const due = this.#jobs.filter(({ until }) => until <= now);
    if (due.length === 0) return;
    this.#jobs = this.#jobs.filter(({ until }) => until > now);
    for (const job of due) {
      if (!job.isKilled) this.#run(job, now);
      job.isDone = true;
    }
  }

  #run({ name, device }: Job, now: Instant): void {
    const { client, block, vif } = this.#options;
    const path = backendPath(device.type, device.domid, device.devid);
    switch (name) {
      case "block-add":
        if (client.find(`${path}/state`) !== null) block.add(client, path);
        break;
      case "block-remove":
        block.remove(client, path);
        break;
      case "vif-online":
        this.#vifOnline(path, device, now);
        break;
      case "vif-offline":
        vif.offline(device, now);
        break;
      case "cleanup":
        cleanUp(client, device);
        break;
    }
  }

  #vifOnline(path: string, device: BackendName, now: Instant): void {
    const { client, vif } = this.#options;
    if (client.find(`${path}/state`) === null) return;
    const error = vif.online(device, now);
    if (error !== null) client.write(`${path}/hotplug-error`, error);
    client.write(`${path}/hotplug-status`, error === null ? "connected" : "error");
  }
}

const isSame = (one: BackendName, other: BackendName): boolean =>
  one.type === other.type && one.domid === other.domid && one.devid === other.devid;

/** `xen-hotplug-cleanup`: nothing of the device stays in the store. */
function cleanUp(client: StoreClient, { type, domid, devid }: BackendName): void {
  const vm = client.find(`${domainPath(domid)}/vm`);
  removeTidily(client, frontendPath(type, domid, devid));
  removeTidily(client, backendPath(type, domid, devid));
  removeTidily(client, `${domainPath(0)}/error/${backendNode(type, domid, devid)}`);
  if (vm !== null) removeTidily(client, `${vm}/device/${type}/${devid}`);
}
