/**
 * What several clients and guests do to a xenstore, step by step, and what they receive: played to
 * the real xenstored and to ours. Octets are strings of characters up to U+00FF, so that a script
 * is a readable line of JSON.
 * @module
 */

/** A client: a domid for a guest at its ring, {@link SOCKET} + n for a client of the socket. */
export type Who = number;

/** Client 0 of the socket. */
export const SOCKET = 0x1_0000;

/** Header and payload of a request (xs_wire.h, `struct xsd_sockmsg`). */
export interface Request {
  readonly type: number;
  readonly req: number;
  readonly tx: number;
  readonly payload: string;
}

export type Step =
  /** A client of the socket comes or goes; closing one that is not there does nothing. */
  | { readonly do: "connect" | "close"; readonly who: Who }
  /** The toolstack has made a domain, destroyed it, begun to; woken it from a suspend. */
  | { readonly do: "create" | "destroy" | "dying" | "resume"; readonly who: Who }
  /** A guest takes nothing from its ring, or all again. */
  | { readonly do: "freeze" | "thaw"; readonly who: Who }
  /** From `hush` on the store does not hear of what happens to domains; with `hear`, of all. */
  | { readonly do: "hush" | "hear"; readonly who: Who }
  /** The domain has shut itself down, for the `reason` of sched.h. */
  | { readonly do: "shutdown"; readonly who: Who; readonly reason: number }
  /** Show the indices of a guest's ring and what stands after them. */
  | { readonly do: "page"; readonly who: Who }
  /** Requests in one write. */
  | { readonly do: "ask"; readonly who: Who; readonly requests: readonly Request[] }
  /** Octets that need not be requests. */
  | { readonly do: "send"; readonly who: Who; readonly octets: string }
  /** A guest writes into its ring page, past its driver, and raises its event channel. */
  | { readonly do: "poke"; readonly who: Who; readonly at: number; readonly octets: string };

/** What each client received in one step; `closed` ends what a closed connection received. */
export type Received = ReadonlyMap<Who, string>;

/** Where a page of a ring has its indices, and where its last word ends (xs_wire.h of 4.17). */
export const PAGE_WORDS = [2048, 2076] as const;

const HEADER = 16;

/** Stands for the end of a connection: no octet has this code. */
export const CLOSED = "\u2205";

/** A xenstore that plays scripts, each to a pristine store. */
export interface Player {
  play(steps: readonly Step[]): Promise<readonly Received[]>;
}

/** xs_wire.h, `enum xsd_sockmsg_type`. */
export const MESSAGE_NAMES: readonly string[] = [
  "CONTROL",
  "DIRECTORY",
  "READ",
  "GET_PERMS",
  "WATCH",
  "UNWATCH",
  "TRANSACTION_START",
  "TRANSACTION_END",
  "INTRODUCE",
  "RELEASE",
  "GET_DOMAIN_PATH",
  "WRITE",
  "MKDIR",
  "RM",
  "SET_PERMS",
  "WATCH_EVENT",
  "ERROR",
  "IS_DOMAIN_INTRODUCED",
  "RESUME",
  "SET_TARGET",
  "RESTRICT",
  "RESET_WATCHES",
  "DIRECTORY_PART",
];

/** The number of a message by its name. */
export function typeOf(name: string): number {
  const type = MESSAGE_NAMES.indexOf(name);
  if (type < 0) throw new Error(`no message ${name}`);
  return type;
}

/** The octets of a string whose characters are octets. */
export const octetsOf = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** The string whose characters are `octets`. */
export const textOf = (octets: Uint8Array): string =>
  Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString("latin1");

/** A payload of words, each with the NUL that ends it. */
export const words = (...all: readonly string[]): string => all.map((word) => `${word}\0`).join("");

/** `requests` as they are written. */
export function encode(requests: readonly Request[]): string {
  return requests
    .map(({ type, req, tx, payload }) => {
      const header = Buffer.alloc(16);
      [type, req, tx, payload.length].forEach((word, index) => {
        header.writeUInt32LE(word, 4 * index);
      });
      return header.toString("latin1") + payload;
    })
    .join("");
}

/** `octets` cut into messages; what is left over comes last. */
export function messagesOf(octets: string): string[] {
  const messages: string[] = [];
  for (let at = 0; at < octets.length;) {
    const isWhole = octets.length - at >= HEADER && octets[at] !== CLOSED;
    const end = isWhole ? at + HEADER + wordAt(octets, at + 12) : octets.length;
    messages.push(octets.slice(at, end));
    at = end;
  }
  return messages;
}

function wordAt(octets: string, at: number): number {
  return Buffer.from(octets.slice(at, at + 4), "latin1").readUInt32LE();
}

/** The messages in `octets`, each a line for people. */
export function linesOf(octets: string): string[] {
  return messagesOf(octets).map((message) => {
    if (message.length < HEADER || message.startsWith(CLOSED)) return JSON.stringify(message);
    const [type = 0, req = 0, tx = 0] = [0, 4, 8].map((at) => wordAt(message, at));
    return describeRequest({ type, req, tx, payload: message.slice(HEADER) });
  });
}

/** A message in one line. */
function describeRequest({ type, req, tx, payload }: Request): string {
  const name = MESSAGE_NAMES[type] ?? `type ${type}`;
  const shown = payload.length > 200 ? `${payload.slice(0, 160)}... (${payload.length})` : payload;
  return `${name} req ${req} tx ${tx} ${JSON.stringify(shown)}`;
}

/** Who it is, as people name it. */
export const nameOf = (who: Who): string =>
  who >= SOCKET ? `socket ${who - SOCKET}` : `domain ${who}`;

/** A step in one line or a few. */
export function describeStep(step: Step): string {
  const name = nameOf(step.who);
  if (step.do === "ask") {
    return step.requests.map((one) => `${name}: ${describeRequest(one)}`).join("\n");
  }
  if (step.do === "send") return `${name}: ${JSON.stringify(step.octets)}`;
  if (step.do === "poke") return `${name}: at ${step.at} ${JSON.stringify(step.octets)}`;
  return step.do === "shutdown" ? `${name}: shutdown ${step.reason}` : `${name}: ${step.do}`;
}
