import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Protocol } from "../../src/l3/ipv4.ts";
import { rewrite, rewriteWords, type Side } from "../../src/nat/rewrite.ts";
import { ipv4Of } from "../../src/wire/addr.ts";
import { IS_LITTLE_ENDIAN } from "../../src/wire/layout.ts";

const LENGTH = 40;

describe.runIf(IS_LITTLE_ENDIAN)("a first packet that takes a known way", () => {
  it("becomes by words what it becomes by fields, whatever its checksums", () => {
    const word = fc.oneof(
      fc.nat(0xffff_ffff),
      fc.constantFrom(0, 0xffff_ffff, 0xffff, 0xffff_0000),
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: LENGTH, maxLength: LENGTH }),
        fc.constantFrom(Protocol.Udp, Protocol.Tcp),
        fc.constantFrom<Side>("source", "destination"),
        word,
        fc.nat(0xffff),
        fc.boolean(),
        fc.option(fc.constantFrom(0, 0xffff), { nil: null }),
        (octets, protocol, side, address, port, sendsZeroAsFfff, sum) => {
          octets[0] = 0x45;
          octets[9] = protocol;
          const byWords = new Int32Array(LENGTH / 4);
          const bytes = new Uint8Array(byWords.buffer);
          bytes.set(octets);
          const view = new DataView(octets.buffer);
          if (sum !== null) {
            const at = 20 + (protocol === Protocol.Udp ? 6 : 16);
            view.setUint16(at, sum);
            bytes.set(octets);
          }
          rewrite(view, 0, LENGTH, side, ipv4Of(address), port, sendsZeroAsFfff);
          rewriteWords(byWords, 0, side, address | 0, port, sendsZeroAsFfff);
          expect([...bytes]).toEqual([...octets]);
        },
      ),
      { numRuns: 500 },
    );
  });
});
