/**
 * Joins the two ends of a vif at once, as the xenbus handshake does in its own time.
 * @module
 */
import { EmulatorError } from "../../base/errors.ts";
import type { Instant } from "../../base/time.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import { Companions, type VifCompanions } from "./companions.ts";
import type { Netback } from "./netback.ts";
import type { Netfront } from "./netfront.ts";
import type { TxRate } from "./tx-credit.ts";

/** What is joined. */
export interface JoinVifOptions {
  readonly hypervisor: Hypervisor;
  readonly netback: Netback;
  /** Of a guest that runs in this thread. */
  readonly netfront: Netfront;
  /** The node `rate`, read; `null`, the default, for no limit. */
  readonly rate?: TxRate | null;
}

/**
 * The front end makes its rings and a port, the back end maps and binds them, buffers are posted.
 * @throws {EmulatorError} if either end refuses.
 */
export function joinVif(options: JoinVifOptions, now: Instant): void {
  const { hypervisor, netback, netfront, rate = null } = options;
  const { events } = hypervisor;
  const { domid } = netback;
  const port = events.portOf(domid, events.allocUnbound(domid, 0));
  if (port === null) throw new EmulatorError("vif-join", domid, "no event channel is free");
  const companions: VifCompanions = { tx: new Companions(), rx: new Companions() };
  const announcement = netfront.open(port, companions);
  events.setHandler(domid, port.number, netfront, now);
  const failure = netback.connect(announcement, rate, companions, now);
  if (failure !== null) throw new EmulatorError("vif-join", failure, `domid ${domid}: ${failure}`);
  netfront.start(now);
}
