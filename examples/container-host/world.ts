/** A host of containers on two networks, with the rules of its container engine. @module */
import { readFileSync } from "node:fs";
import type { World } from "dom0";

/** The MAC addresses of the host's interfaces. */
export const HOST_MAC = "02:42:ac:00:00:01";

/** eth0 leads outside; a bridge of containers is an interface with all of them on its link. */
export const CONTAINER_HOST: World = {
  interfaces: {
    eth0: {
      mac: HOST_MAC,
      addresses: ["192.0.2.10/24 brd +"],
      neighbors: { "192.0.2.1": "02:00:00:00:00:99" },
    },
    docker0: {
      mac: HOST_MAC,
      addresses: ["172.17.0.1/16 brd +"],
      neighbors: { "172.17.0.2": "02:42:ac:11:00:02", "172.17.0.3": "02:42:ac:11:00:03" },
    },
    "br-7f3c2a1b9d4e": {
      mac: HOST_MAC,
      addresses: ["172.18.0.1/16 brd +"],
      neighbors: { "172.18.0.2": "02:42:ac:12:00:02" },
    },
  },
  routes: ["default via 192.0.2.1"],
  iptables: readFileSync(new URL("rules.v4", import.meta.url), "utf8"),
};
