/**
 * TCP options as plain objects, for tests and logs: the friendly form of what tcp-options.ts walks.
 * RFC 9293 section 3.2, RFC 7323 section 2.2, RFC 2018 section 2.
 * @module
 */
import { RangeFault } from "../base/errors.ts";
import { codecOf, viewOf } from "../wire/field.ts";
import { TCP_MAX_LENGTH, TCP_MIN_LENGTH, tcpHeaderLengthOf } from "./tcp.ts";
import {
  isSoundTcpOption,
  sackBlockAt,
  sackBlocksOf,
  TCP_OPTION,
  TCP_OPTION_LENGTH as LENGTH,
  TcpOptionKind,
  tcpOptionLayouts,
  type TcpSackBlock,
} from "./tcp-options.ts";

/** Octets that options can fill. */
export const TCP_MAX_OPTIONS_LENGTH: number = TCP_MAX_LENGTH - TCP_MIN_LENGTH;

/** One option as a plain object. */
export type TcpOption =
  | { readonly name: "no-operation" }
  | { readonly name: "mss"; readonly mss: number }
  | { readonly name: "window-scale"; readonly shift: number }
  | { readonly name: "sack-permitted" }
  | { readonly name: "sack"; readonly blocks: readonly TcpSackBlock[] }
  | { readonly name: "timestamps"; readonly value: number; readonly echo: number }
  /** Any other kind, or a length that is not the kind's. `data` lies after kind and length. */
  | { readonly name: "unknown"; readonly kind: number; readonly data: Uint8Array };

const optionCodec = codecOf(tcpOptionLayouts.option);
const mssCodec = codecOf(tcpOptionLayouts.mss);
const windowScaleCodec = codecOf(tcpOptionLayouts.windowScale);
const timestampsCodec = codecOf(tcpOptionLayouts.timestamps);
const sackBlockCodec = codecOf(tcpOptionLayouts.sackBlock);

/**
 * The options of the checked header at `at` in their order, up to the end of the list or to where
 * they are unsound. Copies. Cold path: tests, logs.
 */
export function decodeTcpOptions(bytes: Uint8Array, at = 0): TcpOption[] {
  const view = viewOf(bytes);
  const end = at + tcpHeaderLengthOf(view, at);
  const options: TcpOption[] = [];
  let here = at + TCP_MIN_LENGTH;
  while (here < end) {
    if (view.getUint8(here) === TcpOptionKind.NoOperation) {
      options.push({ name: "no-operation" });
      here += 1;
    } else if (isSoundTcpOption(view, here, end)) {
      const length = TCP_OPTION.length.get(view, here);
      options.push(decodeOne(bytes.subarray(here, here + length)));
      here += length;
    } else {
      break;
    }
  }
  return options;
}

function decodeOne(option: Uint8Array): TcpOption {
  const { kind, length } = optionCodec.decode(option);
  if (kind === TcpOptionKind.Mss && length === LENGTH.mss) {
    return { name: "mss", mss: mssCodec.decode(option).mss };
  }
  if (kind === TcpOptionKind.WindowScale && length === LENGTH.windowScale) {
    return { name: "window-scale", shift: windowScaleCodec.decode(option).shift };
  }
  if (kind === TcpOptionKind.SackPermitted && length === LENGTH.sackPermitted) {
    return { name: "sack-permitted" };
  }
  if (kind === TcpOptionKind.Timestamps && length === LENGTH.timestamps) {
    const { value, echo } = timestampsCodec.decode(option);
    return { name: "timestamps", value, echo };
  }
  const count = kind === TcpOptionKind.Sack ? sackBlocksOf(viewOf(option), 0) : 0;
  if (count === 0) return { name: "unknown", kind, data: option.slice(optionCodec.length) };
  const blocks = Array.from({ length: count }, (_, index) =>
    sackBlockCodec.decode(option, sackBlockAt(0, index)),
  );
  return { name: "sack", blocks };
}

/**
 * Options as the octets behind a header, ended and filled up with zeros to a multiple of four.
 * @throws {RangeFault} if a value does not fit its field, or all together {@link
 * TCP_MAX_OPTIONS_LENGTH}.
 */
export function encodeTcpOptions(options: readonly TcpOption[]): Uint8Array {
  const octets = options.flatMap((option) => [...encodeOne(option)]);
  if (octets.length > TCP_MAX_OPTIONS_LENGTH) {
    throw new RangeFault("tcp-options", octets.length, `at most ${TCP_MAX_OPTIONS_LENGTH} octets`);
  }
  const bytes = new Uint8Array(Math.ceil(octets.length / 4) * 4);
  bytes.set(octets);
  return bytes;
}

function encodeOne(option: TcpOption): Uint8Array {
  const { name } = option;
  if (name === "no-operation") return Uint8Array.of(TcpOptionKind.NoOperation);
  if (name === "mss") {
    return mssCodec.encode({ ...headOf(TcpOptionKind.Mss, mssCodec), mss: option.mss });
  }
  if (name === "window-scale") {
    const head = headOf(TcpOptionKind.WindowScale, windowScaleCodec);
    return windowScaleCodec.encode({ ...head, shift: option.shift });
  }
  if (name === "sack-permitted") return withHead(TcpOptionKind.SackPermitted, new Uint8Array());
  if (name === "sack") {
    const blocks = option.blocks.flatMap((block) => [...sackBlockCodec.encode(block)]);
    return withHead(TcpOptionKind.Sack, Uint8Array.from(blocks));
  }
  if (name === "timestamps") {
    const { value, echo } = option;
    const head = headOf(TcpOptionKind.Timestamps, timestampsCodec);
    return timestampsCodec.encode({ ...head, value, echo });
  }
  return withHead(option.kind, option.data);
}

function headOf(kind: number, { length }: { length: number }): { kind: number; length: number } {
  return { kind, length };
}

function withHead(kind: number, data: Uint8Array): Uint8Array {
  const head = optionCodec.encode({ kind, length: optionCodec.length + data.length });
  const bytes = new Uint8Array(head.length + data.length);
  bytes.set(head);
  bytes.set(data, head.length);
  return bytes;
}
