import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/base/errors.ts";
import { parseIpv4, parseMac } from "../../src/wire/addr.ts";
import {
  domainName,
  hostNameOf,
  instanceId,
  publicNameOf,
  serialOfDomain,
  serialOfInstance,
} from "../../src/zone/naming.ts";

describe("domain names and instance ids", () => {
  it("are one number: dom_32504936 is i-00b6bc68", () => {
    expect(instanceId(serialOfDomain("dom_32504936"))).toBe("i-00b6bc68");
    expect(domainName(serialOfInstance("i-00b6bc68"))).toBe("dom_32504936");
  });

  it("are a bijection", () => {
    fc.assert(
      fc.property(fc.nat({ max: 0xffff_ffff }), (serial) => {
        expect(serialOfInstance(instanceId(serial))).toBe(serial);
        expect(serialOfDomain(domainName(serial))).toBe(serial);
      }),
    );
  });

  it.each(["", "dom_", "dom_4294967296", "dom_1x", "i-00b6bc6", "i-00B6BC68"])(
    "refuse %j",
    (name) => {
      expect(() => serialOfDomain(name)).toThrow(ParseError);
      expect(() => serialOfInstance(name)).toThrow(ParseError);
    },
  );

  it("are told to the domU and to the world as observed", () => {
    expect(hostNameOf(parseMac("12:31:39:00:a5:11"))).toBe("domU-12-31-39-00-A5-11");
    expect(publicNameOf(parseIpv4("75.101.160.7"))).toBe(
      "ec2-75-101-160-7.compute-1.amazonaws.com",
    );
  });
});
