/** The wire's layouts and numbers beside Xen's own header and the C library. @module */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ERRNOS } from "../../../src/xen/xenstore/errno.ts";
import {
  HEADER_LENGTH,
  MESSAGE,
  MESSAGE_LAYOUT,
  messageCodec,
  Operation,
} from "../../../src/xen/xenstore/message.ts";
import { parseDecimal } from "../../../src/xen/xenstore/octets.ts";
import { formatPermission, parsePermission } from "../../../src/xen/xenstore/permission.ts";
import { RING, RING_SIZE } from "../../../src/xen/xenstore/ring-transport.ts";
import { viewOf } from "../../../src/wire/field.ts";
import { compileWithXen, linesOf, missingHeaders } from "../xen-headers.ts";

const OURS: Readonly<Record<string, number>> = {
  type: MESSAGE.type.offset,
  req_id: MESSAGE.requestId.offset,
  tx_id: MESSAGE.transactionId.offset,
  len: MESSAGE.length.offset,
  xsd_sockmsg: HEADER_LENGTH,
  req: RING.requests.offset,
  rsp: RING.responses.offset,
  req_cons: RING.requestConsumer.offset,
  req_prod: RING.requestProducer.offset,
  rsp_cons: RING.responseConsumer.offset,
  rsp_prod: RING.responseProducer.offset,
  server_features: RING.serverFeatures.offset,
  connection: RING.connection.offset,
  error: RING.error.offset,
  ring: RING_SIZE,
  payload: 4096,
  ...Operation,
  ...Object.fromEntries(ERRNOS.map((errno, i) => [errno, i])),
};

describe.skipIf(missingHeaders !== null)(
  `the wire beside Xen's header (${missingHeaders ?? "here"})`,
  () => {
    const program = missingHeaders === null ? compileWithXen("test/xen/xenstore/wire.c") : "";

    it("has its layouts, operations and errors", () => {
      const said = linesOf(program).map((line) => line.split(" "));
      expect(Object.fromEntries(said.map(([name, value]) => [name, Number(value)]))).toEqual(OURS);
    });

    it("reads numbers as the C library does", () => {
      const piece = fc.constantFrom("-", "+", "0", "0x", "0X", "7", "8", "9", "f", " ", "\t", "1");
      const long = fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String);
      const text = fc.oneof(
        fc.array(piece, { maxLength: 6 }).map((all) => all.join("")),
        long,
      );
      const texts = fc.sample(text, { numRuns: 3000, seed: 7 });
      const said = linesOf(program, `${texts.join("\n")}\n`).slice(-texts.length);
      const ours = texts.map((one) => {
        const entry = parsePermission(`r${one}`);
        return `${parseDecimal(one)} ${entry === null ? "-" : entry.domid}`;
      });
      expect(ours).toEqual(said);
    });
  },
);

describe("the header of a message", () => {
  const any = fc.uint8Array({ minLength: 36, maxLength: 36 });
  it("is read by its fields and by the codec as by the layout", () => {
    fc.assert(
      fc.property(any, fc.nat(20), (bytes, at) => {
        const expected = MESSAGE_LAYOUT.reference.decode(Buffer.from(bytes), at);
        const fields = Object.entries(MESSAGE).map(([name, field]) => [
          name,
          field.get(viewOf(bytes), at),
        ]);
        expect(Object.fromEntries(fields)).toEqual(expected);
        expect(messageCodec.decode(bytes, at)).toEqual(expected);
        expect(messageCodec.encode(messageCodec.decode(bytes, at))).toEqual(
          bytes.slice(at, at + HEADER_LENGTH),
        );
      }),
    );
  });

  it("begins what xenstore-ls sends", () => {
    const header = { type: Operation.DIRECTORY, requestId: 0, transactionId: 0, length: 2 };
    const hex = Buffer.from(messageCodec.encode(header)).toString("hex");
    expect(hex).toBe("01000000000000000000000002000000");
  });
});

describe("an entry of permissions", () => {
  it("is printed as it was set, the domain as a signed number", () => {
    const domid = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(fc.constantFrom("n", "r", "w", "b"), domid, (letter, number) => {
        const entry = parsePermission(`${letter}${number}`);
        expect(entry === null ? null : formatPermission(entry)).toBe(`${letter}${number | 0}`);
      }),
    );
  });

  it.each(["", "r", "x0", "r0x", "r0g", "R0", "r1 ", "r09"])("%j is refused", (text) => {
    expect(parsePermission(text)).toBeNull();
  });
});
