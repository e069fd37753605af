/** Named behaviours of two kernels, for tests that stand below the profiles. @module */
import type { RouterBehaviour } from "../../src/l3/behaviour.ts";
import type { HostBehaviour } from "../../src/guest/host.ts";

/** A stack of Linux 6 without the random wait of proxy ARP. */
export const ROUTER_6: RouterBehaviour = {
  arp: { echoesProbeTarget: false, proxyDelay: 0 },
  neighbor: { queueLimit: 101, probesAtOnce: true, collectsAbove: 128 },
  reassembly: {
    onOverlap: "discard",
    keepsDontFragment: true,
    mergesEcn: true,
    memoryLimit: 4 * 1024 * 1024,
  },
  jiffies: { hz: 250, hasCoarseLevels: true },
  checksMtuBeforeForward: true,
  refragmentsToLargest: true,
  isLowestBroadcast: false,
  routesClassE: true,
  checksSourceKind: false,
  icmpGlobalLimit: { perSecond: 1000, burst: 50 },
};

/** A domU with Linux 6. */
export const HOST_6: HostBehaviour = {
  router: ROUTER_6,
  sockets: { identifiesFragmentable: true, countsConnected: true },
  echoesEcn: false,
};

/** A domU with Linux 2.6.18, as far as its sockets and its neighbor queue go. */
export const HOST_2_6_18: HostBehaviour = {
  router: { ...ROUTER_6, neighbor: { queueLimit: 3, probesAtOnce: false, collectsAbove: 0 } },
  sockets: { identifiesFragmentable: false, countsConnected: false },
  echoesEcn: true,
};
