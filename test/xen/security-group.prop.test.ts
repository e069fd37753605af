import fc from "fast-check";
import { expect, it } from "vitest";
import { parseIpv4, parsePrefix } from "../../src/wire/addr.ts";
import {
  canonical,
  formatPermission,
  type Permission,
  SecurityGroupError,
} from "../../src/xen/permission.ts";
import { SecurityGroups } from "../../src/xen/security-group.ts";
import type { Vif } from "../../src/xen/vif.ts";
import { GroupModel, type ModelMember } from "../model/security-groups.ts";
import { addressOf, GroupBench } from "./group-bench.ts";

const GROUPS = ["default", "web", "db servers whose name is too long for a chain"];
const DOMIDS = [1, 2, 3, 4];

const port = fc.constantFrom(0, 79, 80, 81, 65_535);
const range = fc.tuple(port, port).map((ends) => ({
  lower: Math.min(...ends),
  upper: Math.max(...ends),
}));
const source = fc
  .constantFrom(...["0.0.0.0/0", "10.0.0.0/8", "10.254.170.2/31", "10.254.170.3/32", "128.0.0.0/1"])
  .map(parsePrefix);
const icmp = fc.oneof(
  fc.constant({ type: -1, code: -1 }),
  fc.record({ type: fc.constantFrom(3, 8), code: fc.constantFrom(-1, 0, 1) }),
);
const permission: fc.Arbitrary<Permission> = fc.oneof(
  fc.record({ protocol: fc.constantFrom("tcp", "udp"), source }),
  fc.record({ protocol: fc.constantFrom("tcp", "udp"), source, ports: range }),
  fc.record({ protocol: fc.constant("icmp"), source, icmp }),
  fc.record({ group: fc.constantFrom(...GROUPS) }),
);
const group = fc.constantFrom(...GROUPS);
const domid = fc.constantFrom(...DOMIDS);

const packet = fc.record({
  source: fc.constantFrom(...DOMIDS.map(addressOf), parseIpv4("93.184.216.34")),
  protocol: fc.constantFrom(1, 6, 17, 47),
  port,
  type: fc.constantFrom(3, 8, 13),
  code: fc.constantFrom(0, 1),
});

const step = fc.oneof(
  fc.record({ kind: fc.constant("authorize"), group, permission }),
  fc.record({ kind: fc.constant("revoke"), group, permission }),
  fc.record({ kind: fc.constant("define"), group, permissions: fc.array(permission) }),
  fc.record({ kind: fc.constant("launch"), domid, groups: fc.uniqueArray(group) }),
  fc.record({ kind: fc.constant("destroy"), domid }),
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("send"), domid, packet }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** A host and its model, changed alike. */
class Twins {
  readonly bench = new GroupBench({ groups: new SecurityGroups({ permissions: 4 }) });
  readonly model = new GroupModel();
  readonly running = new Map<number, { readonly vif: Vif; readonly member: ModelMember }>();
  #id = 0;

  constructor() {
    for (const name of GROUPS) {
      if (name !== "default") this.bench.groups.create(name);
      this.model.permissions.set(name, name === "default" ? [{ group: name }] : []);
    }
  }

  do(next: Step): void {
    const { groups, dom0, now } = this.bench;
    switch (next.kind) {
      case "authorize": {
        const own = this.#of(next.group);
        const isRefused = own.length === 4 || own.some((one) => isSame(one, next.permission));
        const change = (): void => groups.authorize(next.group, next.permission);
        if (isRefused) expect(change).toThrow(SecurityGroupError);
        else {
          change();
          own.push(next.permission);
        }
        return;
      }
      case "revoke": {
        const own = this.#of(next.group);
        const at = own.findIndex((one) => isSame(one, next.permission));
        expect(groups.revoke(next.group, next.permission)).toBe(at >= 0);
        if (at >= 0) own.splice(at, 1);
        return;
      }
      case "define": {
        const { permissions } = next;
        const isTwice = permissions.some((one, at) =>
          permissions.slice(0, at).some((other) => isSame(one, other)),
        );
        const change = (): void => groups.define(next.group, permissions);
        if (isTwice || permissions.length > 4) expect(change).toThrow(SecurityGroupError);
        else {
          change();
          this.model.permissions.set(next.group, [...permissions]);
        }
        return;
      }
      case "launch": {
        if (this.running.has(next.domid)) return;
        const vif = this.bench.launch(next.domid, next.groups);
        const member = { address: addressOf(next.domid), groups: next.groups };
        this.model.members.add(member);
        this.running.set(next.domid, { vif, member });
        return;
      }
      case "destroy": {
        const gone = this.running.get(next.domid);
        if (gone === undefined) return;
        dom0.removeVif(gone.vif, now);
        this.model.members.delete(gone.member);
        this.running.delete(next.domid);
        return;
      }
      case "send":
        this.#send(next);
    }
  }

  /** A host to which the same domUs come, and that never saw a change. */
  fresh(): GroupBench {
    const bench = new GroupBench({ groups: this.bench.groups });
    for (const vif of this.bench.dom0.vifs) bench.launch(vif.domid, vif.securityGroups);
    return bench;
  }

  #send({ domid: to, packet: facts }: Extract<Step, { kind: "send" }>): void {
    const domU = this.running.get(to);
    if (domU === undefined || domU.member.address === facts.source) return;
    this.#id += 1;
    const { vif, member } = domU;
    const fresh = { sourcePort: 1000 + this.#id, id: this.#id, target: member.address };
    expect(this.bench.send(vif, { ...facts, ...fresh })).toBe(this.model.letsIn(member, facts));
  }

  #of(name: string): Permission[] {
    return this.model.permissions.get(name) ?? [];
  }
}

const isSame = (one: Permission, other: Permission): boolean =>
  formatPermission(canonical(one)) === formatPermission(canonical(other));

it("let in what a search of all lists lets in, whatever changed when", () => {
  const ends = { passed: 0, dropped: 0 };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const twins = new Twins();
      twins.do({ kind: "launch", domid: 1, groups: ["web", "default"] });
      for (const next of steps) twins.do(next);
      expect(twins.bench.rules).toBe(twins.fresh().rules);
      const { ends: counts } = twins.bench.pool;
      ends.dropped += counts.get("security-group/no-permission");
      ends.passed += counts.get("test/recorded");
    }),
    { numRuns: 150 },
  );
  expect(Math.min(ends.passed, ends.dropped)).toBeGreaterThan(50);
});
