import { describe, expect, it } from "vitest";
import { parseMac } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { Hook, type HookContext, Hooks, Verdict } from "../../src/l3/hooks.ts";
import { newPacket } from "./packets.ts";

const mac = parseMac("02:00:00:00:00:01");
const IN = new Device({ name: "in", mac });
const OUT = new Device({ name: "out", mac });

describe("a hook", () => {
  it("tells each function where the packet is, and forgets what the last one said", () => {
    const pool = new PacketPool({ slots: 4, largeSlots: 0 });
    const hooks = new Hooks();
    const seen: Partial<HookContext>[] = [];
    const onHook = (_packet: unknown, context: HookContext): Verdict => {
      seen.push({ ...context });
      context.reason = "test/left-over";
      context.detail = "left over";
      return Verdict.Accept;
    };
    hooks.register(Hook.Forward, 0, { name: "first", onHook });
    hooks.register(Hook.Forward, 1, { name: "second", onHook });
    const packet = newPacket(pool, new Uint8Array(4));
    expect(hooks.pass(Hook.Forward, packet, IN, OUT, 3)).toBe(packet);
    const expected = {
      hook: Hook.Forward,
      packet,
      input: IN,
      output: OUT,
      now: 3,
      reason: "filter/dropped",
      detail: "",
    };
    expect(seen).toEqual([expected, expected]);
  });

  it("ends a dropped packet for the reason given, with the detail as a step of its way", () => {
    const pool = new PacketPool({ slots: 4, largeSlots: 0 });
    const steps: string[] = [];
    const observer = {
      received: () => {},
      transmitted: () => {},
      ended: () => {},
      step: (_packet: unknown, place: string, what: string) => steps.push(`${place}: ${what}`),
    };
    pool.observe(observer, true);
    const hooks = new Hooks();
    const drop = (detail: string) => ({
      name: "drop",
      onHook: (_packet: unknown, context: HookContext): Verdict => {
        context.reason = "filter/spoofed";
        context.detail = detail;
        return Verdict.Drop;
      },
    });
    hooks.register(Hook.Prerouting, 0, drop("rule 3"));
    hooks.register(Hook.Input, 0, drop(""));
    const pass = (hook: Hook) => hooks.pass(hook, newPacket(pool, new Uint8Array(4)), IN, null, 0);
    expect(pass(Hook.Prerouting)).toBeNull();
    expect(pass(Hook.Input)).toBeNull();
    expect(steps).toEqual(["PREROUTING: rule 3"]);
    expect(pool.ends.entries()).toEqual([["filter/spoofed", 2]]);
  });
});
