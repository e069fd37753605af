/** A real xenstored 4.17.7 answered these requests; so must this one, octet for octet. @module */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { XENSTORE_4_17 } from "../../../src/xen/xenstore/behaviour.ts";
import type { StoreHost } from "../../../src/xen/xenstore/domain-table.ts";
import { Operation } from "../../../src/xen/xenstore/message.ts";
import { XenStore } from "../../../src/xen/xenstore/store.ts";
import { BIG_DIRECTORY, VECTORS } from "./golden-vectors.ts";
import { type Message, sessionOf, WireClient } from "./wire.ts";

const recorded = readFileSync(
  new URL("../../golden/xenstore/xenstore-golden-1.txt", import.meta.url),
  "latin1",
)
  .trimEnd()
  .split("\n")
  .map((line) => {
    const arrow = line.indexOf("->", 52);
    return { label: line.slice(0, arrow).trim(), answer: line.slice(arrow + 3) };
  });

const NAMES: Readonly<Record<number, string>> = {
  [Operation.DIRECTORY_PART]: "DIRPART",
  [Operation.GET_DOMAIN_PATH]: "GDP",
  [Operation.IS_DOMAIN_INTRODUCED]: "IDI",
  [Operation.TRANSACTION_START]: "TS",
  [Operation.TRANSACTION_END]: "TE",
};

function nameOf(type: number): string {
  const known = Object.entries(Operation).find(([, value]) => value === type);
  return NAMES[type] ?? known?.[0] ?? String(type);
}

/** Octets as Python prints them. */
function python(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll("\0", "\\x00")
    .replaceAll("\n", "\\n")
    .replaceAll("\t", "\\t");
  return `b'${escaped}'`;
}

/** A message as the recording shows it; the long ones by their length and ends. */
function shown({ type, transactionId, text }: Message, line: string): string {
  const name = nameOf(type);
  if (type === Operation.WATCH_EVENT) return `('EVENT', 'ev', 0, ${python(text)})`;
  if (line.includes("('READ', 0, 4091)")) return `('READ', 0, ${text.length})`;
  if (line.startsWith("[('ERROR', 0, b")) return `('ERROR', 0, ${python(text)})`;
  const [first, tail] = /b'(.*)', b'(.*)'/.exec(line)?.slice(1) ?? [];
  if (first === undefined || tail === undefined) {
    return `('${name}', 0, ${transactionId}, ${python(text)})`;
  }
  const ends = [text.slice(0, 40), text.slice(-tail.replaceAll("\\x00", "0").length)];
  return `('${name}', ${text.length}, ${ends.map(python).join(", ")})`;
}

/** The recording's Xen knew domain 0 alone. */
const LONELY: StoreHost = {
  stateOf: (domid) => (domid === 0 ? "running" : "none"),
  introduce: () => null,
  release: () => {},
};

describe("the recorded requests on a Dom0 socket", () => {
  const store = new XenStore({ behaviour: XENSTORE_4_17, host: LONELY });
  const client = new WireClient(sessionOf(store));
  it("are those of the recording", () => {
    expect(VECTORS.map((vector) => vector.label)).toEqual(recorded.map((one) => one.label));
    expect(VECTORS).toHaveLength(107);
  });

  it.each(VECTORS.map((vector, i) => ({ ...vector, i })))(
    "$i: $label",
    ({ i, label, type, text, transactionId }) => {
      if (label === "DIRECTORY big") {
        for (const path of BIG_DIRECTORY) client.send(Operation.MKDIR, `${path}\0`);
      }
      const answer = recorded[i]?.answer ?? "";
      const messages = client.send(type, text, transactionId);
      if (label === "payload 4097") {
        expect([messages, client.connection.end]).toEqual([[], "store/payload-too-long"]);
      } else {
        expect(`[${messages.map((one) => shown(one, answer)).join(", ")}]`).toBe(answer);
      }
    },
  );
});
