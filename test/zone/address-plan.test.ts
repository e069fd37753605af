import { describe, expect, it } from "vitest";
import { formatIpv4, parsePrefix } from "../../src/wire/addr.ts";
import { AddressPlan } from "../../src/zone/address-plan.ts";

describe("the address plan", () => {
  const planOf = (): AddressPlan =>
    new AddressPlan(parsePrefix("10.254.168.0/21"), parsePrefix("75.101.160.0/24"));

  it("gives addresses of ended domUs again when there are no new ones", () => {
    const plan = planOf();
    const first = plan.nextGuest();
    plan.release(first);
    const seen = new Set([first]);
    for (let count = 1; count < 1520; count += 1) seen.add(plan.nextGuest());
    expect(seen.size).toBe(1520);
    expect(plan.nextGuest()).toBe(first);
    expect(() => plan.nextGuest()).toThrow("a free address in the plan");
  });

  it("does so with public addresses", () => {
    const plan = planOf();
    const all = Array.from({ length: 249 }, () => plan.nextPublic());
    expect(all.slice(0, 2).map(formatIpv4)).toEqual(["75.101.160.7", "75.101.160.8"]);
    expect(() => plan.nextPublic()).toThrow("a free address in the plan");
    for (const address of all.slice(100, 102)) plan.release(address);
    expect([plan.nextPublic(), plan.nextPublic()]).toEqual(all.slice(100, 102));
  });
});
