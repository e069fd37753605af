/**
 * Xen's own event channels as a program: `event_channel.c`, `event_2l.c` and `event_fifo.c` of its
 * source, compiled against `shim.h`. The source is no part of this project: `apt-get source xen`
 * in `build/xen-source`, or `XEN_SOURCE=...` names the folder that has `xen/common`.
 * @module
 */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { missingHeaders } from "../../xen/xen-headers.ts";

const HERE = "test/oracle/events";
const DOWNLOADS = "build/xen-source";
const PARTS = ["event_channel.c", "event_2l.c", "event_fifo.c"];
/** Headers that the shim stands in for. */
const STAND_INS = [
  ...["init", "lib", "errno", "sched", "irq", "iocap", "compat", "guest_access", "hypercall"],
  ...["keyhandler", "paging", "mm", "domain_page", "smp", "softirq", "bitops", "nospec"],
].map((name) => `xen/${name}.h`);
const OTHERS = ["asm/current.h", "asm/guest_atomics.h", "asm/event.h", "asm/guest.h"];
const PUBLIC = ["xsm/xsm.h", "public/xen.h", "public/event_channel.h"];

function findSource(): string | null {
  const downloads = existsSync(DOWNLOADS) ? readdirSync(DOWNLOADS) : [];
  const places = downloads
    .filter((name) => name.startsWith("xen-4.17"))
    .map((name) => join(DOWNLOADS, name));
  const { XEN_SOURCE: named } = process.env;
  const all = named === undefined ? places : [named, ...places];
  return all.find((place) => existsSync(join(place, "xen/common/event_fifo.c"))) ?? null;
}

const source = findSource();
/** Why there is no oracle here; `null` if there is. */
export const missingXen: string | null =
  missingHeaders ??
  (source === null ? "no source of Xen 4.17: apt-get source xen, in build/xen-source" : null);

/** Compile it. @returns the program. @throws if it cannot be compiled. */
export function compileEvents(): string {
  if (source === null) throw new Error("no source of Xen");
  mkdirSync("build/xen", { recursive: true });
  const place = resolve(mkdtempSync("build/xen/events-"));
  for (const header of [...STAND_INS, ...OTHERS, ...PUBLIC]) {
    mkdirSync(dirname(join(place, header)), { recursive: true });
    writeFileSync(join(place, header), '#include "shim.h"\n');
  }
  const xen = join(source, "xen");
  copyFileSync(join(xen, "include/xen/event.h"), join(place, "xen/event.h"));
  const sched = readFileSync(join(xen, "include/xen/sched.h"), "utf8");
  const first = sched.indexOf("#ifndef CONFIG_COMPAT\n#define BITS_PER_EVTCHN_WORD");
  const end = "} __attribute__((aligned(64)));\n";
  const last = sched.indexOf(end, first);
  writeFileSync(join(place, "evtchn-struct.h"), sched.slice(first, last + end.length));
  const program = join(place, "program");
  const common = join(xen, "common");
  const { status, stderr } = spawnSync("cc", [
    ...["-O1", "-w", "-D__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__"],
    ...[place, HERE, common].map((folder) => `-I${folder}`),
    ...["-o", program, join(HERE, "driver.c"), ...PARTS.map((name) => join(common, name))],
  ]);
  if (status !== 0) throw new Error(String(stderr));
  return program;
}
