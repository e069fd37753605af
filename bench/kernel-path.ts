/**
 * The same path through the kernel of this machine, for comparison: bench/kernel_path.py builds it
 * out of network namespaces where root and iptables are there.
 * @module
 */
import { spawnSync } from "node:child_process";
import { formatIpv4, formatMac } from "../src/wire/addr.ts";
import { VIF_MAC_NETBACK } from "../src/xen/profile.ts";
import { DOM0, FABRIC, guestOf, newHost, UPLINK } from "./host.ts";
import { inward, outward } from "./whole-dom0.ts";

/** Frames a second through the kernel. */
export interface KernelRates {
  /** Of a flow that is known both ways. */
  readonly established: number;
  /** Each frame opens a flow. */
  readonly fresh: number;
  /** Of {@link FRESH_FLOWS} flows that take turns. */
  readonly many: number;
}

/** Rates by who does what comes in. */
export interface KernelFigures {
  /** The processor that sends, as here one thread is domU and Dom0. */
  readonly same: KernelRates;
  /** Another one; none where there is only one. */
  readonly other?: KernelRates;
}

/** Flows that the kernel's table surely holds. */
export const FRESH_FLOWS = 50_000;
const EXTERNAL = formatIpv4(UPLINK.address);
const INTERNAL = formatIpv4(DOM0);
/** The ends of the link between the routers. */
const INNER = "02:00:00:00:00:0a";
const OUTER = "02:00:00:00:00:0b";

const hexOf = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");

/** Why the kernel cannot be measured here; `null` if it can. */
function obstacle(): string | null {
  if (process.getuid?.() !== 0) return "not root";
  for (const [tool, option] of [
    ["iptables-restore", "--version"],
    ["ip", "-V"],
    ["ethtool", "--version"],
    ["conntrack", "--version"],
    ["python3", "--version"],
  ] as const) {
    if (spawnSync(tool, [option]).error !== undefined) return `no ${tool}`;
  }
  return null;
}

/** Measure the kernel under the rules of a host of the bench. @returns why not, in words. */
export function measureKernel(): KernelFigures | string {
  const missing = obstacle();
  if (missing !== null) return missing;
  const { dom0 } = newHost();
  const guest = guestOf(0);
  const own = formatIpv4(guest.address);
  const fabric = formatIpv4(FABRIC.address);
  const frame = (index: number): string => hexOf(outward(guest, index, VIF_MAC_NETBACK));
  const world = {
    guestMac: formatMac(guest.mac),
    vifMac: formatMac(VIF_MAC_NETBACK),
    uplinkMac: formatMac(UPLINK.mac),
    innerMac: INNER,
    outerMac: OUTER,
    out: frame(0),
    back: hexOf(inward(guest, 0)),
    fresh: Array.from({ length: FRESH_FLOWS }, (_, index) => frame(index + 1)),
    dom0: {
      rules: dom0.firewall.rules.save(),
      ip: [
        `addr add ${INTERNAL}/32 dev vif3.0`,
        `addr add ${INTERNAL}/32 dev eth0`,
        `route add ${own} dev vif3.0 src ${INTERNAL}`,
        `route add ${EXTERNAL} dev eth0 src ${INTERNAL}`,
        `route add default via ${EXTERNAL} dev eth0`,
        `neigh add ${own} lladdr ${formatMac(guest.mac)} dev vif3.0 nud permanent`,
        `neigh add ${EXTERNAL} lladdr ${OUTER} dev eth0 nud permanent`,
      ],
    },
    gateway: {
      rules: dom0.gatewayFirewall.rules.save(),
      ip: [
        `addr add ${EXTERNAL}/32 dev gw0`,
        `addr add ${EXTERNAL}/20 dev peth0`,
        `route add ${INTERNAL} dev gw0 src ${EXTERNAL}`,
        `route add ${own} via ${INTERNAL} dev gw0`,
        `route add default via ${fabric} dev peth0`,
        `neigh add ${INTERNAL} lladdr ${INNER} dev gw0 nud permanent`,
        `neigh add ${fabric} lladdr ${formatMac(FABRIC.mac)} dev peth0 nud permanent`,
      ],
    },
  };
  const { stdout, status, stderr } = spawnSync("python3", ["bench/kernel_path.py"], {
    input: JSON.stringify(world),
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    timeout: 240_000,
  });
  if (status !== 0) throw new Error(`bench/kernel_path.py: ${stderr}`);
  return JSON.parse(stdout) as KernelFigures;
}

/** The better one of each rate; what could not be measured stays so. */
export function betterKernel(
  one: KernelFigures | string,
  other: KernelFigures | string,
): KernelFigures | string {
  if (typeof one === "string" || typeof other === "string") return one;
  const same = betterRates(one.same, other.same);
  if (one.other === undefined || other.other === undefined) return { same };
  return { same, other: betterRates(one.other, other.other) };
}

const betterRates = (one: KernelRates, other: KernelRates): KernelRates => ({
  established: Math.max(one.established, other.established),
  fresh: Math.max(one.fresh, other.fresh),
  many: Math.max(one.many, other.many),
});
