import { describe, expect, it } from "vitest";
import { checkGre, GRE, GRE_LENGTH, greCodec, hasCall, PPTP_GRE_LENGTH } from "../../src/l4/gre.ts";
import { viewOf } from "../../src/wire/field.ts";

const call = { flagsVersion: 0x3001, protocol: 0x880b, payloadLength: 4, callId: 0x1234 };

describe("the header of GRE", () => {
  it("lies as RFC 2637 section 4.1 draws it", () => {
    const octets = greCodec.encode(call);
    expect(Buffer.from(octets).toString("hex")).toBe("3001880b00041234");
    expect(greCodec.decode(octets)).toEqual(call);
    expect(GRE.callId.get(viewOf(octets), 0)).toBe(0x1234);
    expect([GRE_LENGTH, PPTP_GRE_LENGTH]).toEqual([4, 8]);
  });

  it("has a call in version 1 alone, if it is whole", () => {
    const view = viewOf(greCodec.encode(call));
    expect(hasCall(view, 0, 8)).toBe(true);
    expect(hasCall(view, 0, 7)).toBe(false);
    expect(hasCall(viewOf(greCodec.encode({ ...call, flagsVersion: 0x3000 })), 0, 8)).toBe(false);
  });

  it("carries PPP in version 1, and anything in version 0", () => {
    const other = { ...call, protocol: 0x0800 };
    const judge = (header: typeof call, end: number): string | null =>
      checkGre(viewOf(greCodec.encode(header)), 0, end);
    expect(judge(call, 8)).toBeNull();
    expect(judge(other, 8)).toBe("gre/protocol");
    expect(judge(other, 4)).toBeNull();
    expect(judge({ ...other, flagsVersion: 0 }, 8)).toBeNull();
    for (let end = 0; end <= 8; end += 1) expect(() => judge(other, end)).not.toThrow();
  });
});
