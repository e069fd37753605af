import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { viewOf } from "../../../src/wire/field.ts";
import {
  ExtraType,
  extraInfoCodec,
  GSO_TCPV4,
  halves,
  highHalf,
  lowHalf,
  NETIF,
  NETIF_SLOTS,
  netifLayouts,
  NetifStatus,
  RX_SLOT,
  RxFlag,
  rxRequestCodec,
  rxResponseCodec,
  statusOf,
  TX_SLOT,
  TxFlag,
  txRequestCodec,
  txResponseCodec,
} from "../../../src/xen/io/netif.ts";

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");

describe("the messages of the network rings", () => {
  it("lie as xen/include/public/io/netif.h lays them, least significant octet first", () => {
    const flags = TxFlag.CsumBlank | TxFlag.DataValidated | TxFlag.MoreData;
    const request = { gref: 0x0102_0304, offset: 0x0102, flags, id: 0x2a, size: 1514 };
    expect(hex(txRequestCodec.encode(request))).toBe("04030201020107002a00ea05");
    expect(hex(txResponseCodec.encode({ id: 0x2a, status: NetifStatus.Error & 0xffff }))).toBe(
      "2a00ffff",
    );
    expect(hex(rxRequestCodec.encode({ id: 7, pad: 0, gref: 0x0102_0304 }))).toBe(
      "0700000004030201",
    );
    const rx = { id: 7, offset: 2, flags: RxFlag.CsumBlank | RxFlag.MoreData, status: 4094 };
    expect(hex(rxResponseCodec.encode(rx))).toBe("070002000600fe0f");
    const extra = { type: ExtraType.Gso, flags: 0, size: 1448, gsoType: GSO_TCPV4, pad: 0 };
    const features = new Uint8Array(2);
    expect(hex(extraInfoCodec.encode({ ...extra, features }))).toBe("0100a80501000000");
  });

  it("have sizes for 256 slots behind the header of a page", () => {
    const slots = (size: number): number => 2 ** Math.floor(Math.log2((4096 - 64) / size));
    expect([slots(TX_SLOT), slots(RX_SLOT)]).toEqual([NETIF_SLOTS, NETIF_SLOTS]);
    expect([TX_SLOT, RX_SLOT]).toEqual([12, 8]);
  });

  it("read through their fields and codecs what buffer-layout decodes", () => {
    const codecs = {
      txRequest: txRequestCodec,
      txResponse: txResponseCodec,
      rxRequest: rxRequestCodec,
      rxResponse: rxResponseCodec,
      extraInfo: extraInfoCodec,
    };
    for (const name of ["txRequest", "txResponse", "rxRequest", "rxResponse"] as const) {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 12, maxLength: 12 }), (bytes) => {
          const reference = netifLayouts[name].reference.decode(Buffer.from(bytes), 0);
          const view = viewOf(bytes);
          const fields = Object.entries(NETIF[name]).map(([key, field]) => [
            key,
            field.get(view, 0),
          ]);
          expect(Object.fromEntries(fields)).toEqual(reference);
          expect(codecs[name].decode(bytes)).toEqual(reference);
        }),
      );
    }
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (bytes) => {
        expect(extraInfoCodec.encode(extraInfoCodec.decode(bytes))).toEqual(bytes);
      }),
    );
  });

  it("are read by words as by fields", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 12, maxLength: 12 }), (bytes) => {
        const [first = 0, second = 0, third = 0] = new Int32Array(bytes.slice().buffer);
        const request = txRequestCodec.decode(bytes);
        expect(first >>> 0).toBe(request.gref);
        expect([lowHalf(second), highHalf(second)]).toEqual([request.offset, request.flags]);
        expect([lowHalf(third), highHalf(third)]).toEqual([request.id, request.size]);
        expect(halves(request.id, request.size)).toBe(third);
        const { status } = txResponseCodec.decode(bytes);
        expect(statusOf(first)).toBe((status << 16) >> 16);
      }),
    );
  });
});
