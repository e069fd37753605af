import { describe, expect, it } from "vitest";
import { formatIpv4, parseIpv4, parsePrefix } from "../../src/wire/addr.ts";
import { AddressPlan } from "../../src/zone/address-plan.ts";

describe("the address plan", () => {
  const planOf = (): AddressPlan =>
    new AddressPlan({
      private: parsePrefix("10.254.168.0/21"),
      public: parsePrefix("75.101.160.0/24"),
    });
  const host = parseIpv4("10.254.168.2");

  it("gives addresses of ended domUs again when there are no new ones beside the host", () => {
    const plan = planOf();
    const first = plan.nextGuest(host);
    plan.release(first);
    const seen = new Set([first]);
    for (let count = 1; count < 760; count += 1) seen.add(plan.nextGuest(host));
    expect(seen.size).toBe(760);
    expect(plan.nextGuest(host)).toBe(first);
    for (let count = 0; count < 760; count += 1) seen.add(plan.nextGuest(host));
    expect(seen.size).toBe(1520);
    expect(() => plan.nextGuest(host)).toThrow("a free address in the plan");
  });

  it("gives domUs addresses beside their host, wherever that is", () => {
    const plan = planOf();
    const elsewhere = parseIpv4("10.1.4.9");
    expect([elsewhere, host, elsewhere].map((one) => formatIpv4(plan.nextGuest(one)))).toEqual([
      "10.1.6.2",
      "10.254.170.2",
      "10.1.6.3",
    ]);
  });

  it("keeps addresses for those who will name them", () => {
    const plan = planOf();
    for (const one of ["10.254.168.2", "10.254.170.3", "75.101.160.7"]) plan.keep(parseIpv4(one));
    const drawn = [plan.nextHost(), plan.nextGuest(host), plan.nextGuest(host), plan.nextPublic()];
    expect(drawn.map(formatIpv4)).toEqual([
      "10.254.168.3",
      "10.254.170.2",
      "10.254.170.4",
      "75.101.160.8",
    ]);
    expect(plan.take(parseIpv4("10.254.170.3"))).toBe(true);
    expect(plan.take(parseIpv4("10.254.170.2"))).toBe(false);
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
