/** `npm run bench`: prints the table of the README, with the machine's name beside it. @module */
import { readFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { checkIpv4, decrementTtl, IPV4 } from "../src/l3/ipv4.ts";
import { readCapture } from "../src/pcap/capture-reader.ts";
import { viewOf } from "../src/wire/field.ts";
import { ceiling } from "./ceiling.ts";
import { domainFigures } from "./domains.ts";
import { betterFigures, type Case, measure, table } from "./harness.ts";
import {
  betterKernel,
  FRESH_FLOWS,
  type KernelFigures,
  type KernelRates,
  measureKernel,
} from "./kernel-path.ts";
import { measureRings } from "./rings.ts";
import { measureXenstore, xenstoreTable } from "./xenstore.ts";
import { arpAnswer, dhcpExchange, FlowsHost, freshFlows } from "./whole-dom0.ts";

/** Check an IPv4 header and lower its TTL in place, the checksum mended. */
function headerEdit(): Case {
  const bytes = new Uint8Array(64);
  const view = viewOf(bytes);
  bytes.set([0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17, 0, 0, 10, 254, 170, 223, 93, 184, 216, 34]);
  IPV4.checksum.set(view, 0, 0x9e1d);
  let sum = 0;
  for (let at = 0; at < 20; at += 2) sum += at === 10 ? 0 : view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  IPV4.checksum.set(view, 0, ~sum & 0xffff);
  const original = bytes.slice();
  return {
    name: "header check and edit: IPv4, TTL",
    run: (count) => {
      for (let done = 0; done < count; done += 1) {
        if (checkIpv4(view, 0, 50) !== null) throw new Error("the header is sound");
        if (IPV4.ttl.get(view, 0) > 1) decrementTtl(view, 0);
        else bytes.set(original);
      }
    },
  };
}

/** The DISCOVER and the REQUEST of a real dhclient. */
function recordedDhcp(): [Uint8Array, Uint8Array] {
  const file = new Uint8Array(readFileSync("captures/linux-kernel/domu-3.pcap"));
  const [discover, , request] = readCapture(file).records;
  if (discover === undefined || request === undefined) throw new Error("the capture has both");
  return [discover.octets, request.octets];
}

/** Places of the cases that the kernel is measured beside. */
const ESTABLISHED = 3;
const MANY = 5;
const FRESH = 6;
/** So many that what is kept of each lies in no near cache. */
const MANY_FLOWS = 2 ** 17;

const large = new FlowsHost({ vifs: 1000, rules: 1000, flows: 100_000 });
const cases = [
  ceiling(),
  ceiling(MANY_FLOWS),
  headerEdit(),
  new FlowsHost({ vifs: 1, rules: 1, flows: 1 }).all(),
  large.one(),
  large.all(),
  freshFlows(),
  arpAnswer(),
  dhcpExchange(recordedDhcp()),
];
// In turn, each twice: a machine that is shared may be another one a minute later.
const [first, firstKernel] = [measure(cases), measureKernel()];
const figures = betterFigures(first, measure(cases));
const kernel = betterKernel(firstKernel, measureKernel());
const [{ model } = { model: "unknown processor" }] = cpus();
process.stdout.write(`${model}, Node ${process.version}\n\n${table(figures)}\n`);
process.stdout.write(`\n${measureRings()}\n`);

process.stdout.write(`\n${domainFigures()}`);

/** Frames a second beside the kernel's; each ratio follows the kernel's figure. */
function kernelTable({ same, other }: KernelFigures): string {
  const rows: readonly (readonly [string, number, keyof KernelRates])[] = [
    ["established flow", ESTABLISHED, "established"],
    ["new flows", FRESH, "fresh"],
    [`flows that take turns, ${FRESH_FLOWS} there`, MANY, "many"],
  ];
  const lines = rows.map(([what, place, key]) => {
    const ours = 1e9 / (figures[place]?.nanoseconds ?? Infinity);
    const theirs = [same[key], ...(other === undefined ? [] : [other[key]])];
    const cells = theirs.flatMap((rate) => [Math.round(rate), (ours / rate).toFixed(1)]);
    return `| ${[what, Math.round(ours), ...cells].join(" | ")} |`;
  });
  const others = other === undefined ? [] : ["sent by another", "ratio"];
  const head = ["frames a second", "here, one thread", "kernel, one processor", "ratio", ...others];
  return [`| ${head.join(" | ")} |`, `|${" --- |".repeat(head.length)}`, ...lines, ""].join("\n");
}

process.stdout.write(
  typeof kernel === "string"
    ? `\nThe kernel's own path was not measured: ${kernel}.\n`
    : `\nBeside the kernel (${release()}):\n\n${kernelTable(kernel)}`,
);

process.stdout.write(`\n${xenstoreTable(await measureXenstore())}`);
