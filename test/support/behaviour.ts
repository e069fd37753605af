/** Named behaviours of two kernels, as the profiles have them. @module */
import type { HostBehaviour } from "../../src/guest/host.ts";
import type { RouterBehaviour } from "../../src/l3/behaviour.ts";
import { EC2_2010, LINUX, type Profile } from "../../src/xen/profile.ts";

/** A router of a current kernel that answers proxied ARP at once. */
export const ROUTER_6: RouterBehaviour = {
  ...LINUX.router,
  arp: { ...LINUX.router.arp, proxyDelay: 0 },
};

function hostOf({ router, sockets, echoesEcnInResets }: Profile): HostBehaviour {
  return { router, sockets, echoesEcn: echoesEcnInResets };
}

/** A domU with a current kernel. */
export const HOST_6: HostBehaviour = hostOf(LINUX);
/** A domU with Linux 2.6.18. */
export const HOST_2_6_18: HostBehaviour = hostOf(EC2_2010);
