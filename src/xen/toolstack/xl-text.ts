/**
 * What `xm list` of Xen 3.1 and `xl list` of Xen 4.17 print, and their network-list and block-list:
 * column for column (xm/main.py; xl_list.c, xl_nic.c, xl_block.c).
 * @module
 */
/** Which tool: xm of Xen 3.1, or xl of 4.17. */
export type ListStyle = "xm" | "xl";

/** A line of `list`. */
export interface DomainLine {
  readonly name: string;
  readonly domid: number;
  readonly memoryKib: number;
  readonly vcpus: number;
  readonly isRunning: boolean;
  readonly isBlocked: boolean;
  readonly isPaused: boolean;
  readonly isShutdown: boolean;
  readonly isCrashed: boolean;
  readonly isDying: boolean;
  /** Microseconds of processor time. */
  readonly cpuTime: number;
}

/** A line of `network-list`; what the guest has not written yet is `null`. */
export interface NetworkLine {
  readonly devid: number;
  readonly backendId: number;
  /** As the store has it. */
  readonly mac: string;
  readonly state: number;
  readonly eventChannel: number | null;
  readonly txRingRef: number | null;
  readonly rxRingRef: number | null;
  readonly backendPath: string;
}

/** A line of `block-list`; what the guest has not written yet is `null`. */
export interface BlockLine {
  readonly devid: number;
  readonly backendId: number;
  readonly domid: number;
  readonly state: number;
  readonly eventChannel: number | null;
  readonly ringRef: number | null;
  readonly backendPath: string;
}

/** The text of `xm list` or `xl list`, Dom0 and all, with its heading. */
export function domainListText(style: ListStyle, lines: readonly DomainLine[]): string {
  const head =
    style === "xm"
      ? `${left("Name", 40)} ${right("ID", 3)} ${right("Mem", 5)} ${right("VCPUs", 5)} ${right(
          "State",
          10,
        )} ${right("Time(s)", 9)}`
      : "Name                                        ID   Mem VCPUs\tState\tTime(s)";
  return text(head, lines.map(style === "xm" ? xmDomain : xlDomain));
}

/** The text of `network-list` for one domain; xm prints no heading without a line. */
export function networkListText(style: ListStyle, lines: readonly NetworkLine[]): string {
  if (style === "xm") {
    const head = "Idx BE     MAC Addr.     handle state evt-ch tx-/rx-ring-ref BE-path";
    return lines.length === 0 ? "" : text(head, lines.map(xmNetwork));
  }
  const head = `${["Idx", "BE", left("Mac Addr.", 17), "handle", "state", "evt-ch"].join(
    " ",
  )}   tx-/rx-ring-ref ${left("BE-path", 30)}`;
  return text(head, lines.map(xlNetwork));
}

/** The text of `block-list` for one domain; xm prints no heading without a line. */
export function blockListText(style: ListStyle, lines: readonly BlockLine[]): string {
  if (style === "xm") {
    const head = "Vdev  BE handle state evt-ch ring-ref BE-path";
    return lines.length === 0 ? "" : text(head, lines.map(xmBlock));
  }
  const head = `Vdev  BE  handle state evt-ch ring-ref ${left("BE-path", 30)}`;
  return text(head, lines.map(xlBlock));
}

const text = (head: string, lines: readonly string[]): string => `${[head, ...lines].join("\n")}\n`;
const left = (value: string | number, width: number): string => String(value).padEnd(width);
const right = (value: string | number, width: number): string => String(value).padStart(width);
const orNone = (value: number | null): number => value ?? -1;

function flags(line: DomainLine): string {
  const { isRunning, isBlocked, isPaused, isShutdown, isCrashed, isDying } = line;
  const on = [isRunning, isBlocked, isPaused, isShutdown, isCrashed, isDying];
  return on.map((isOn, at) => (isOn ? "rbpscd"[at] : "-")).join("");
}

/** Seconds with one decimal, as C and Python print them. */
const seconds = ({ cpuTime }: DomainLine): string => (cpuTime / 1_000_000).toFixed(1);

const mebibytes = ({ memoryKib }: DomainLine): number => Math.floor(memoryKib / 1024);

const xmDomain = (line: DomainLine): string =>
  [
    left(line.name, 40),
    right(line.domid, 3),
    right(mebibytes(line), 5),
    right(line.vcpus, 5),
    right(flags(line), 10),
    right(seconds(line), 8),
  ].join(" ");

const xlDomain = (line: DomainLine): string =>
  [
    left(line.name, 40),
    right(line.domid, 5),
    right(mebibytes(line), 5),
    right(line.vcpus, 5),
    `    ${flags(line)} `,
    right(seconds(line), 8),
  ].join(" ");

const xmNetwork = (line: NetworkLine): string =>
  [
    `${left(line.devid, 3)} ${left(line.backendId, 3)}${left(line.mac, 17)}    `,
    `${left(line.devid, 3)}   ${left(line.state, 3)}    ${left(orNone(line.eventChannel), 3)}   `,
    `${left(orNone(line.txRingRef), 5)}/${left(orNone(line.rxRingRef), 5)}   `,
    `${left(line.backendPath, 30)}  `,
  ].join("");

const xlNetwork = (line: NetworkLine): string =>
  [
    `${left(line.devid, 3)} ${left(line.backendId, 2)} ${line.mac}`,
    `${right(line.devid, 6)} ${right(line.state, 5)} ${right(orNone(line.eventChannel), 6)} `,
    `${right(orNone(line.txRingRef), 5)}/${left(orNone(line.rxRingRef), 11)} `,
    left(line.backendPath, 30),
  ].join("");

/** xend keeps no handle of a disk, so xm prints 0. */
const xmBlock = (line: BlockLine): string =>
  [
    `${left(line.devid, 3)}    ${left(line.backendId, 3)}  ${left(0, 3)}   `,
    `${left(line.state, 3)}    ${left(orNone(line.eventChannel), 3)}    `,
    `${left(orNone(line.ringRef), 5)} ${left(line.backendPath, 30)}  `,
  ].join("");

/** xl prints the domid in the column of the handle. */
const xlBlock = (line: BlockLine): string =>
  [
    left(line.devid, 5),
    left(line.backendId, 3),
    left(line.domid, 6),
    left(line.state, 5),
    left(orNone(line.eventChannel), 6),
    left(orNone(line.ringRef), 8),
    left(line.backendPath, 30),
  ].join(" ");
