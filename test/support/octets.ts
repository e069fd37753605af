/** Comparing many octets at once. @module */
import { expect } from "vitest";

/** As `toEqual`, which takes seconds for a megabyte: tells the first octet that differs. */
export function expectOctets(found: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(found, expected) === 0) return;
  const at = found.findIndex((octet, index) => octet !== expected[index]);
  const show = (octets: Uint8Array): string =>
    Buffer.from(octets.slice(Math.max(0, at), at + 16)).toString("hex");
  expect(`${found.length} octets, at ${at}: ${show(found)}`).toBe(
    `${expected.length} octets, at ${at}: ${show(expected)}`,
  );
}
