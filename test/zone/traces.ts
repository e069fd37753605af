/** What a host has of domains, wherever it keeps it. */
import { PortState } from "../../src/xen/hypervisor/event-port.ts";
import type { Firewall } from "../../src/xen/firewall.ts";
import type { ZoneHost } from "../../src/zone/zone-host.ts";

/** Every node of a host's store as Dom0 sees it: `path = "value"`. */
export function nodesOf({ xenstore }: ZoneHost): string[] {
  const session = xenstore.connect();
  if (session === null) throw new Error("the store takes a client");
  const walk = (at: string): string[] => {
    const names = session.list(at === "" ? "/" : at);
    if (typeof names === "string") throw new Error(`${at}: ${names}`);
    return names.flatMap((name) => {
      const value = session.read(`${at}/${name}`);
      if (typeof value === "string") throw new Error(`${at}/${name}: ${value}`);
      const text = new TextDecoder("latin1").decode(value);
      return [`${at}/${name} = "${text}"`, ...walk(`${at}/${name}`)];
    });
  };
  const nodes = walk("");
  session.close();
  return nodes;
}

/** What a host has of domains, wherever it keeps it. */
export function traces(host: ZoneHost): Record<string, unknown> {
  const { dom0, xen, hypervisor } = host;
  return {
    nodes: nodesOf(host),
    vifs: [...dom0.vifs].map(({ name }) => name),
    interfaces: [...dom0.router.addressing.interfaces.keys()].map(({ name }) => name),
    routes: [...dom0.router.addressing.fib.main].map(({ prefix }) => prefix),
    dhcpd: dom0.dhcpd?.conf,
    backends: [...xen.backends].map(({ node }) => node),
    mappings: hypervisor.dom0.table.mappings,
    loops: xen.devices.loops,
    freeKib: xen.table.memory.freeKib,
    domains: xen.table.size,
    ports: portsOf(host),
    dyingGrants: hypervisor.grants.dying.size,
    rules: [dom0.firewall, dom0.gatewayFirewall].map((one) => textOf(one)),
    gatewayRoutes: [...dom0.gateway.addressing.fib.main].map(({ prefix }) => prefix),
  };
}

/** Ports of Dom0 that are open. */
export function portsOf({ hypervisor }: ZoneHost): number {
  let open = 0;
  for (let port = 1; port < 1024; port += 1) {
    const status = hypervisor.events.status(0, port);
    if (typeof status !== "number" && status.state !== PortState.closed) open += 1;
  }
  return open;
}

/** The rules without their counters. */
const textOf = ({ rules }: Firewall): string => rules.save().replaceAll(/\[\d+:\d+\]/g, "");
