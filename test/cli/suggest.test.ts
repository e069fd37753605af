import { describe, expect, it } from "vitest";
import { hint, nearest } from "../../src/cli/suggest.ts";

const ACTIONS = ["ping", "traceroute", "udp", "send", "securityGroup"];

describe("the nearest word", () => {
  it.each([
    ["pingg", "ping"],
    ["pnig", "ping"],
    ["Ping", "ping"],
    ["tracroute", "traceroute"],
    ["securitygroups", "securityGroup"],
    ["upd", "udp"],
  ])("of %s is %s", (word, expected) => {
    expect(nearest(word, ACTIONS)).toBe(expected);
  });

  it.each(["http", "", "x", "interface"])("of %j is none of them", (word) => {
    expect(nearest(word, ACTIONS)).toBeNull();
  });

  it("is the first of equally near ones", () => {
    expect(nearest("loss", ["lost", "boss"])).toBe("lost");
    expect(nearest("loss", ["boss", "lost"])).toBe("boss");
  });
});

describe("a hint", () => {
  it("asks for the near word, and lists the words where none is near", () => {
    expect(hint("pin", ACTIONS)).toBe('did you mean "ping"?');
    expect(hint("dns", ["ping", "send"])).toBe("expected one of ping, send");
    expect(hint("dns", [])).toBe("none is known here");
  });
});
