/** Security groups as lists that are searched from end to end. @module */
import type { Permission } from "../../src/xen/permission.ts";
import type { Ipv4Addr } from "../../src/wire/addr.ts";

/** What a permission can ask of a packet. */
export interface PacketFacts {
  readonly source: Ipv4Addr;
  /** IP's number. */
  readonly protocol: number;
  /** Of tcp and udp. */
  readonly port: number;
  /** Of icmp. */
  readonly type: number;
  readonly code: number;
}

/** A running domU. */
export interface ModelMember {
  readonly address: Ipv4Addr;
  readonly groups: readonly string[];
}

const NUMBERS = { icmp: 1, tcp: 6, udp: 17 } as const;

/** The naive reference of `SecurityGroups` and the rules that come of them. */
export class GroupModel {
  readonly permissions = new Map<string, Permission[]>();
  readonly members = new Set<ModelMember>();

  /** True if a packet that belongs to no connection may come in. */
  letsIn(to: ModelMember, packet: PacketFacts): boolean {
    return to.groups.some((group) =>
      (this.permissions.get(group) ?? []).some((permission) => this.#matches(permission, packet)),
    );
  }

  #matches(permission: Permission, packet: PacketFacts): boolean {
    if ("group" in permission) {
      const isKnown = Object.values(NUMBERS).some((number) => number === packet.protocol);
      const from = [...this.members].filter(({ address }) => address === packet.source);
      return isKnown && from.some(({ groups }) => groups.includes(permission.group));
    }
    const { protocol, source, ports, icmp } = permission;
    if (NUMBERS[protocol] !== packet.protocol) return false;
    const [own, asked] = [packet.source, source.address].map((one) => bitsOf(one, source.length));
    if (own !== asked) return false;
    if (protocol !== "icmp") {
      const isAny = ports === undefined || ports.lower === -1;
      return isAny || (ports.lower <= packet.port && packet.port <= ports.upper);
    }
    if (icmp === undefined || icmp.type === -1) return true;
    return icmp.type === packet.type && (icmp.code === -1 || icmp.code === packet.code);
  }
}

const bitsOf = (address: Ipv4Addr, length: number): string =>
  address.toString(2).padStart(32, "0").slice(0, length);
