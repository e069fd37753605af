/**
 * What differs between the IP stacks of kernels; see DESIGN's table and docs/sources.md.
 * @module
 */
import type { JiffiesOptions } from "../base/jiffies.ts";
import type { ArpBehaviour } from "../l2/arp-responder.ts";
import type { NeighborBehaviour } from "../l2/neighbor-cache.ts";
import type { ReassemblyBehaviour } from "./reassembly.ts";

/** Named behaviours of a router; a profile gives each a value. */
export interface RouterBehaviour {
  readonly arp: ArpBehaviour;
  readonly neighbor: NeighborBehaviour;
  readonly reassembly: ReassemblyBehaviour;
  readonly jiffies: JiffiesOptions;
  /** True: DF and too big is answered before FORWARD; false: after POSTROUTING (before 2.6.22). */
  readonly checksMtuBeforeForward: boolean;
  /** True: what was reassembled on the way leaves in pieces no larger than it came in. */
  readonly refragmentsToLargest: boolean;
  /** True: what a large segment is cut into must fit the route (since 3.14). */
  readonly checksSegments: boolean;
  /** True: TCP's header is put together before routing, to look for its socket (since 3.6). */
  readonly looksForSocketsEarly: boolean;
  /** True: the first address of a block is a broadcast address too (before 5.14). */
  readonly isLowestBroadcast: boolean;
  /** True: 240.0.0.0/4 is routed like any other block (since 2.6.25). */
  readonly routesClassE: boolean;
  /** True: of 0.0.0.0/8 only 0.0.0.0 itself is a martian (since 5.3). */
  readonly routesZeroNetwork: boolean;
  /** True: a frame tagged with VLAN 0 is read as if it had no tag (since 2.6.39). */
  readonly takesPriorityTags: boolean;
  /** True: without rp_filter too, a source must not be a broadcast address (before 2.6.39). */
  readonly checksSourceKind: boolean;
  /**
   * True: an interface's rp_filter is the larger of its own and that of all, and 2 is loose; false:
   * it is on where both are (before 2.6.31).
   */
  readonly hasLooseRpFilter: boolean;
  /** True: an ICMP error for which no address is found comes from 192.0.0.8 (since 5.13). */
  readonly hasDummyAddress: boolean;
  /** ICMP errors of the whole stack: credit a second and at once; `null` for no such limit. */
  readonly icmpGlobalLimit: { readonly perSecond: number; readonly burst: number } | null;
}
