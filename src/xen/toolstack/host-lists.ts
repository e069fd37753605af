/** What xm and xl list: the hypervisor's word and the store, as text. @module */
import type { Instant } from "../../base/time.ts";
import type { CreditScheduler } from "../hypervisor/credit-scheduler.ts";
import { type DomainTable, ShutdownReason } from "../hypervisor/domain-table.ts";
import type { StoreClient } from "../xenstore/client.ts";
import { domainPath } from "./device-path.ts";
import { scanInteger, scanState } from "./xenbus-state.ts";
import {
  type BlockLine,
  blockListText,
  type DomainLine,
  domainListText,
  type ListStyle,
  type NetworkLine,
  networkListText,
} from "./xl-text.ts";

/** Where the lists come from. */
export interface HostListsOptions {
  readonly style: ListStyle;
  readonly table: DomainTable;
  readonly scheduler: CreditScheduler;
  readonly client: StoreClient;
}

/** The lists of one host. */
export class HostLists {
  readonly #options: HostListsOptions;

  constructor(options: HostListsOptions) {
    this.#options = options;
  }

  /** `xm list` or `xl list`. */
  domains(now: Instant): string {
    const { style, table, scheduler } = this.#options;
    return domainListText(style, domainLines(table, scheduler, now));
  }

  /** `network-list` of a domain. */
  networks(domid: number): string {
    const { style, client } = this.#options;
    return networkListText(style, networkLines(client, domid));
  }

  /** `block-list` of a domain. */
  blocks(domid: number): string {
    const { style, client } = this.#options;
    return blockListText(style, blockLines(client, domid));
  }
}

/** Dom0, which runs while anybody asks, and the domains. */
function domainLines(table: DomainTable, scheduler: CreditScheduler, now: Instant): DomainLine[] {
  const dom0: DomainLine = {
    name: "Domain-0",
    domid: 0,
    memoryKib: table.memory.heldBy(0),
    vcpus: 1,
    isRunning: true,
    isBlocked: false,
    isPaused: false,
    isShutdown: false,
    isCrashed: false,
    isDying: false,
    cpuTime: scheduler.cpuTime(0, now),
  };
  const others = table.domains.map(({ domid, config, isPaused, shutdown, isDying }): DomainLine => {
    const state = isDying ? "blocked" : scheduler.stateOf(domid);
    return {
      name: config.name,
      domid,
      memoryKib: table.memory.heldBy(domid),
      vcpus: config.vcpus,
      isRunning: state === "running",
      isBlocked: state === "blocked" && !isPaused && shutdown === null && !isDying,
      isPaused,
      isShutdown: shutdown !== null,
      isCrashed: shutdown === ShutdownReason.Crash,
      isDying,
      cpuTime: isDying ? 0 : scheduler.cpuTime(domid, now),
    };
  });
  return [dom0, ...others];
}

/** A domain's interfaces, as its home names them. */
function networkLines(client: StoreClient, domid: number): NetworkLine[] {
  return devicesOf(client, domid, "vif").map(({ devid, read }) => ({
    devid,
    backendId: scanInteger(read("backend-id")) ?? -1,
    mac: read("mac") ?? "??",
    state: scanState(read("state")),
    eventChannel: scanInteger(read("event-channel")),
    txRingRef: scanInteger(read("tx-ring-ref")),
    rxRingRef: scanInteger(read("rx-ring-ref")),
    backendPath: read("backend") ?? "??",
  }));
}

/** A domain's disks, as its home names them. */
function blockLines(client: StoreClient, domid: number): BlockLine[] {
  return devicesOf(client, domid, "vbd").map(({ devid, read }) => ({
    devid,
    backendId: scanInteger(read("backend-id")) ?? -1,
    domid,
    state: scanState(read("state")),
    eventChannel: scanInteger(read("event-channel")),
    ringRef: scanInteger(read("ring-ref")),
    backendPath: read("backend") ?? "??",
  }));
}

interface DeviceNodes {
  readonly devid: number;
  readonly read: (key: string) => string | null;
}

function devicesOf(client: StoreClient, domid: number, type: string): DeviceNodes[] {
  const root = `${domainPath(domid)}/device/${type}`;
  if (client.find(root) === null) return [];
  return client
    .list(root)
    .filter((name) => /^\d{1,9}$/.test(name))
    .map((name) => ({
      devid: Number(name),
      read: (key) => client.find(`${root}/${name}/${key}`),
    }));
}
