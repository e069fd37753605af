/** Identifiers of virtual machines. @module */
import type { Chance } from "../../base/prng.ts";

/** A random uuid, RFC 4122 section 4.4. */
export function drawUuid(chance: Chance): string {
  const digits = Array.from({ length: 32 }, () => chance.below(16).toString(16));
  digits[12] = "4";
  digits[16] = (8 + chance.below(4)).toString(16);
  return digits.join("").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
