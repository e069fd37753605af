/** Translations that the kernel and we are asked for, in the words of iptables. @module */
import { Protocol } from "../../src/l3/ipv4.ts";
import type { Translation } from "./flow-world.ts";

const HOSTS = [1, 2, 3];
const INNER = "-A POSTROUTING -s 10.0.0.0/24";

/** No rule at all: null bindings. */
const PLAIN: Translation = { name: "none", nat: [] };

/** Each inner host has a public address: 10.0.0.n is 192.0.2.10n. */
export const BOUND: Translation = {
  name: "1:1",
  nat: HOSTS.flatMap((host) => [
    `-A PREROUTING -d 192.0.2.10${host} -j DNAT --to-destination 10.0.0.${host}`,
    `-A POSTROUTING -s 10.0.0.${host} -j SNAT --to-source 192.0.2.10${host}`,
  ]),
};

/** Two ports for all TCP of the inner hosts. */
export const TWO_PORTS: Translation = {
  name: "two ports",
  nat: [`${INNER} -p tcp -j SNAT --to-source 192.0.2.101:2000-2001`],
  drawn: { port: "srcPort", first: 2000, last: 2001 },
};

export const TRANSLATIONS: readonly Translation[] = [
  PLAIN,
  BOUND,
  {
    name: "many addresses",
    nat: [`${INNER} -j SNAT --to-source 192.0.2.100-192.0.2.112`],
  },
  {
    name: "many persistent addresses",
    nat: [`${INNER} -j SNAT --to-source 192.0.2.100-192.0.2.112 --persistent`],
  },
  { name: "one port", nat: [`${INNER} -p udp -j SNAT --to-source 192.0.2.100:7`] },
  TWO_PORTS,
  {
    name: "a forwarded port",
    nat: ["-A PREROUTING -p udp -d 192.0.2.101 -j DNAT --to-destination 10.0.0.1:9"],
  },
  { name: "masquerade", nat: [`${INNER} -o out0 -j MASQUERADE`] },
  {
    name: "masquerade at random",
    nat: [`${INNER} -o out0 -j MASQUERADE --random`],
  },
  {
    name: "three ports fully at random",
    nat: [`${INNER} -p udp -j SNAT --to-source 192.0.2.100:7000-7002 --random-fully`],
    drawn: { port: "srcPort", first: 7000, last: 7002 },
  },
  {
    name: "two ids",
    nat: [`${INNER} -p icmp -j SNAT --to-source 192.0.2.100:5-6`],
    drawn: { port: "srcPort", first: 5, last: 6 },
  },
  {
    name: "many targets",
    nat: ["-A PREROUTING -d 192.0.2.101 -j DNAT --to-destination 10.0.0.1-10.0.0.3"],
  },
  {
    name: "target ports",
    nat: ["-A PREROUTING -p udp -d 192.0.2.101 -j DNAT --to-destination 10.0.0.2:4000-4001"],
  },
  {
    name: "target ports at random",
    nat: [
      "-A PREROUTING -p tcp -d 192.0.2.101 -j DNAT --to-destination 10.0.0.2:4000-4001 --random",
    ],
    drawn: { port: "dstPort", first: 4000, last: 4001 },
  },
  {
    name: "netmap",
    nat: [
      "-A PREROUTING -d 192.0.2.100/30 -j NETMAP --to 10.0.0.0/30",
      "-A POSTROUTING -s 10.0.0.0/30 -j NETMAP --to 192.0.2.100/30",
    ],
  },
  {
    name: "redirect",
    nat: ["-A PREROUTING -p udp --dport 53 -j REDIRECT --to-ports 5300-5301"],
  },
  {
    name: "input",
    nat: [
      "-A PREROUTING -p tcp --dport 53 -j REDIRECT",
      "-A INPUT -p tcp -j SNAT --to-source 192.0.2.115:99",
    ],
  },
  {
    name: "hairpin",
    nat: [
      "-A PREROUTING -d 192.0.2.101 -j DNAT --to-destination 10.0.0.1",
      "-A POSTROUTING -s 10.0.0.0/24 -d 10.0.0.0/24 -j SNAT --to-source 10.0.0.254",
      `${INNER} -o out0 -j MASQUERADE`,
    ],
  },
  { ...BOUND, name: "1:1, UDP untracked", untracked: Protocol.Udp },
  { ...BOUND, name: "1:1, counted", countsTraffic: true },
];
