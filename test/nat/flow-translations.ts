/** Translations that the kernel and we are asked for in the same words. @module */
import { Hook } from "../../src/l3/hooks.ts";
import { IPV4, Protocol } from "../../src/l3/ipv4.ts";
import { Bindings } from "../../src/nat/bindings.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";
import type { Packet } from "../../src/wire/packet.ts";
import type { Translation } from "./flow-world.ts";
import { range, rulesOf } from "./stand.ts";

const HOSTS = [1, 2, 3];

function bindings(): Bindings {
  const pairs = new Bindings();
  for (const host of HOSTS) {
    const privateAddress = parseIpv4(`10.0.0.${host}`);
    pairs.add({ privateAddress, publicAddress: parseIpv4(`192.0.2.10${host}`) });
  }
  return pairs;
}

const isInner = ({ pool, network }: Packet): boolean =>
  IPV4.src.get(pool.view, network) >>> 8 === 0x0a0000;
const isOf = ({ pool, network }: Packet, protocol: number): boolean =>
  IPV4.protocol.get(pool.view, network) === protocol;

/** No rule at all: null bindings. */
const PLAIN: Translation = { name: "none", iptables: [], rules: rulesOf(() => null) };

/** Each inner host has a public address: 10.0.0.n is 192.0.2.10n. */
export const BOUND: Translation = {
  name: "1:1",
  iptables: HOSTS.flatMap((host) => [
    `-A PREROUTING -d 192.0.2.10${host} -j DNAT --to-destination 10.0.0.${host}`,
    `-A POSTROUTING -s 10.0.0.${host} -j SNAT --to-source 192.0.2.10${host}`,
  ]),
  rules: bindings(),
};

const spread = (isPersistent: boolean): Translation => ({
  name: isPersistent ? "many persistent addresses" : "many addresses",
  iptables: [
    "-A POSTROUTING -s 10.0.0.0/24 -j SNAT --to-source 192.0.2.100-192.0.2.112".concat(
      isPersistent ? " --persistent" : "",
    ),
  ],
  rules: rulesOf((hook, packet) => {
    if (hook !== Hook.Postrouting || !isInner(packet)) return null;
    return range({ to: "192.0.2.100", upTo: "192.0.2.112", isPersistent });
  }),
});

const onePort: Translation = {
  name: "one port",
  iptables: ["-A POSTROUTING -s 10.0.0.0/24 -p udp -j SNAT --to-source 192.0.2.100:7"],
  rules: rulesOf((hook, packet) => {
    if (hook !== Hook.Postrouting || !isInner(packet) || !isOf(packet, Protocol.Udp)) return null;
    return range({ to: "192.0.2.100", ports: [7, 7] });
  }),
};

/** Two ports for all TCP of the inner hosts. */
export const TWO_PORTS: Translation = {
  name: "two ports",
  iptables: ["-A POSTROUTING -s 10.0.0.0/24 -p tcp -j SNAT --to-source 192.0.2.101:2000-2001"],
  rules: rulesOf((hook, packet) => {
    if (hook !== Hook.Postrouting || !isInner(packet) || !isOf(packet, Protocol.Tcp)) return null;
    return range({ to: "192.0.2.101", ports: [2000, 2001] });
  }),
};

const forwarded: Translation = {
  name: "a forwarded port",
  iptables: ["-A PREROUTING -p udp -d 192.0.2.101 -j DNAT --to-destination 10.0.0.1:9"],
  rules: rulesOf((hook, packet) => {
    const dst = IPV4.dst.get(packet.pool.view, packet.network);
    const isPublic = dst === parseIpv4("192.0.2.101") && isOf(packet, Protocol.Udp);
    if (hook !== Hook.Prerouting || !isPublic) return null;
    return range({ side: "destination", to: "10.0.0.1", ports: [9, 9] });
  }),
};

export const TRANSLATIONS: readonly Translation[] = [
  PLAIN,
  BOUND,
  spread(false),
  spread(true),
  onePort,
  TWO_PORTS,
  forwarded,
];
