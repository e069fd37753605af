import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EmulatorError, OptionError, ParseError, RangeFault } from "../../src/base/errors.ts";

describe("errors of the caller", () => {
  it("carry a code, the value and a sentence, under their own name", () => {
    const error = new RangeFault("ttl", 256, "0 to 255");
    expect(error).toBeInstanceOf(EmulatorError);
    expect(error).toMatchObject({ name: "RangeFault", code: "ttl", value: 256 });
    expect(error.message).toBe("expected 0 to 255, got 256");
  });

  it("name the option that cannot be used", () => {
    const error = new OptionError("mtu", Number.NaN, "68 to 65535");
    expect(error).toMatchObject({ name: "OptionError", code: "option", option: "mtu" });
    expect(error.message).toBe("mtu: expected 68 to 65535, got NaN");
  });

  it("name the line that cannot be read, if the text has lines", () => {
    const error = new ParseError("rule", "-A", "expected a chain", 7);
    expect(error).toMatchObject({ name: "ParseError", code: "rule", value: "-A", line: 7 });
    expect(error.message).toBe("line 7: expected a chain");
    expect(new ParseError("mac", "x", "expected a MAC address")).toMatchObject({
      line: 0,
      message: "expected a MAC address",
    });
  });

  it.each([
    [`"eth0 x"`, "eth0 x"],
    ["nothing", undefined],
    ["null", null],
    ["Infinity", Number.POSITIVE_INFINITY],
    ["12", 12n],
    ["3 octets", new Uint8Array(3)],
    ["symbol", Symbol("a")],
    [`{"a":1}`, { a: 1 }],
    ["object", { a: 1n }],
  ])("show %s", (shown, value) => {
    expect(new OptionError("name", value, "a name").message).toMatch(`, got ${shown}`);
    expect(new RangeFault("name", value, "a name").message).toMatch(`, got ${shown}`);
  });

  it("can be made of any value", () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), (value) => {
        expect(new OptionError("a", value, "b").value).toBe(value);
        expect(new RangeFault("a", value, "b").value).toBe(value);
      }),
    );
  });
});
