/**
 * `-j CONNMARK`: the mark of the packet's connection (Linux `connmark_tg_shift` of
 * net/netfilter/xt_connmark.c).
 * @module
 */
import type { Packet } from "../../wire/packet.ts";
import type { Connections } from "../../l3/connections.ts";
import { refuse, RuleError } from "../errors.ts";
import { MARK_CHANGES, type MarkChangeName, printMarkChange, readMarkChange } from "../marks.ts";
import { option, type Options, printOption } from "../options.ts";
import { type Action, newExtension, type TargetKind } from "../target.ts";
import { hex, MAX_UINT, parseNumber } from "../values.ts";

const SHIFTS = ["left-shift-mark", "right-shift-mark"] as const;
const MASKS = ["nfmask", "ctmask", "mask"] as const;
const MODES = [...MARK_CHANGES, "save-mark", "restore-mark"] as const;

/** What is done to the two marks; a shift goes to the left if it is positive. */
interface Change {
  readonly mode: "set" | "save" | "restore";
  readonly value: number;
  readonly packetMask: number;
  readonly connectionMask: number;
  readonly shift: number;
}

class ConnectionMarkAction implements Action {
  readonly #connections: Connections;
  readonly #change: Change;

  constructor(connections: Connections, change: Change) {
    this.#connections = connections;
    this.#change = change;
  }

  /** A packet of no connection goes on as it is. */
  apply(packet: Packet): null {
    const { mode, value, packetMask, connectionMask, shift } = this.#change;
    const before = this.#connections.markOf(packet);
    if (before < 0) return null;
    if (mode === "set") {
      const mark = moved((before & ~connectionMask) ^ value, shift);
      this.#connections.setMark(packet, mark);
    } else if (mode === "save") {
      const mark = (before & ~connectionMask) ^ moved(packet.mark & packetMask, shift);
      this.#connections.setMark(packet, mark >>> 0);
    } else {
      const mark = (packet.mark & ~packetMask) ^ moved(before & connectionMask, shift);
      packet.mark = mark >>> 0;
    }
    return null;
  }
}

const moved = (mark: number, shift: number): number =>
  shift >= 0 ? (mark << shift) >>> 0 : mark >>> -shift;

/** Set it, save the packet's mark in it, restore the packet's from it. */
export const CONNMARK: TargetKind = {
  name: "CONNMARK",
  options: [
    ...MARK_CHANGES.map((name) => option(name)),
    option("save-mark", { operands: 0 }),
    option("restore-mark", { operands: 0 }),
    ...SHIFTS.map((name) => option(name)),
    ...MASKS.map((name) => option(name)),
  ],
  parse(given) {
    const change = readChange(given);
    return newExtension({
      name: "CONNMARK",
      text: printChange(change),
      usesConntrack: true,
      bind({ connections }) {
        if (connections === null) {
          throw new RuleError("rule-service", "CONNMARK", "nobody here knows connections");
        }
        return { kind: "action", action: new ConnectionMarkAction(connections, change) };
      },
    });
  },
};

function readChange(given: Options): Change {
  const [name, { word }] = given.only(MODES);
  const shift = readShift(given);
  if (name === "save-mark" || name === "restore-mark") {
    if (given.has("mask") && (given.has("nfmask") || given.has("ctmask"))) {
      refuse("--mask", "CONNMARK: --mask stands for both --nfmask and --ctmask");
    }
    const both = readMask(given, "mask", MAX_UINT);
    return {
      mode: name === "save-mark" ? "save" : "restore",
      value: 0,
      packetMask: readMask(given, "nfmask", both),
      connectionMask: readMask(given, "ctmask", both),
      shift,
    };
  }
  const extra = MASKS.find((one) => given.has(one));
  if (extra !== undefined) refuse(`--${extra}`, `CONNMARK: --${name} has its mask after a slash`);
  return setTo(name, word, shift);
}

function setTo(name: MarkChangeName, word: string, shift: number): Change {
  const { value, mask } = readMarkChange(name, word);
  return { mode: "set", value, packetMask: MAX_UINT, connectionMask: mask, shift };
}

function readMask(given: Options, name: (typeof MASKS)[number], otherwise: number): number {
  const found = given.find(name);
  return found === null ? otherwise : parseNumber(found.word, 0, MAX_UINT, `--${name}`);
}

function readShift(given: Options): number {
  if (!SHIFTS.some((name) => given.has(name))) return 0;
  const [name, { word }] = given.only(SHIFTS);
  const bits = parseNumber(word, 0, 31, `--${name}`);
  return name === "left-shift-mark" ? bits : -bits;
}

function printChange({ mode, value, packetMask, connectionMask, shift }: Change): string {
  const what =
    mode === "set"
      ? printMarkChange({ value, mask: connectionMask })
      : ` --${mode}-mark --nfmask ${hex(packetMask)} --ctmask ${hex(connectionMask)}`;
  if (shift === 0) return what;
  return what + printOption(shift > 0 ? "left-shift-mark" : "right-shift-mark", Math.abs(shift));
}
