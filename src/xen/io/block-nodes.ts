/**
 * The xenstore nodes by which the two ends of a virtual disk find each other
 * (Linux: `connect_ring` of blkback, `connect` of blkfront).
 * @module
 */
import type { BlockRing } from "./blkback.ts";
import { BLOCK_ABI_32, BLOCK_ABI_64, BlockInfo } from "./blkif.ts";
import type { BlockBehaviour } from "./block-behaviour.ts";

/** Reads a node of one directory; `null` where there is none. */
export type NodeReader = (key: string) => string | null;

/** What a front end writes before it says that it is initialised, in its order. */
export function frontendNodes({
  ringRef,
  port,
  abi,
}: BlockRing): readonly (readonly [key: string, value: string])[] {
  return [
    ["ring-ref", String(ringRef)],
    ["event-channel", String(port)],
    ["protocol", abi.name],
  ];
}

/**
 * What a front end wrote. A directory that nobody tidied up, or that lies, is told in words:
 * nothing of it has been used then.
 */
export function readFrontend(read: NodeReader, { nativeAbi }: BlockBehaviour): BlockRing | string {
  const ringRef = scanUnsigned(read("ring-ref"));
  const port = scanUnsigned(read("event-channel"));
  if (ringRef === null || port === null) return "reading ring-ref and event-channel";
  const name = /\S{1,63}/.exec(read("protocol") ?? "")?.[0] ?? nativeAbi.name;
  const abi = [BLOCK_ABI_64, BLOCK_ABI_32].find((one) => one.name === name);
  return abi === undefined ? `unknown fe protocol ${name}` : { ringRef, port, abi };
}

/** What a front end learns of its disk. */
export interface DiskNodes {
  readonly sectors: number;
  readonly sectorOctets: number;
  readonly isReadonly: boolean;
  readonly hasBarrier: boolean;
  readonly hasFlush: boolean;
}

/** What a back end wrote of the disk; `null` if something that it must say is missing. */
export function readBackend(read: NodeReader): DiskNodes | null {
  const [sectors, info, sectorOctets] = ["sectors", "info", "sector-size"].map((key) => {
    const digits = /^\s*(\d+)/.exec(read(key) ?? "")?.[1];
    return digits === undefined ? null : Number(digits);
  });
  if (typeof sectors !== "number" || typeof info !== "number") return null;
  if (typeof sectorOctets !== "number") return null;
  const isOne = (key: string): boolean => (scanUnsigned(read(key)) ?? 0) !== 0;
  return {
    sectors,
    sectorOctets,
    isReadonly: (info & BlockInfo.readonly) !== 0,
    hasBarrier: isOne("feature-barrier"),
    hasFlush: isOne("feature-flush-cache"),
  };
}

/** As `sscanf` with `%u`: leading blanks, a sign, digits, then anything; modulo 2^32. */
function scanUnsigned(text: string | null): number | null {
  const [, sign = "", digits] = /^\s*([+-]?)(\d+)/.exec(text ?? "") ?? [];
  if (digits === undefined) return null;
  const value = Number(BigInt.asUintN(32, BigInt(digits.slice(0, 40))));
  return sign === "-" ? -value >>> 0 : value;
}
