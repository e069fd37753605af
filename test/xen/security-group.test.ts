import { describe, expect, it } from "vitest";
import { parseIpv4, parsePrefix } from "../../src/wire/addr.ts";
import { formatPermission, type Permission, SecurityGroupError } from "../../src/xen/permission.ts";
import { SecurityGroups } from "../../src/xen/security-group.ts";
import { EVERYWHERE, OUTSIDE } from "../support/hosts.ts";
import { addressOf } from "./group-bench.ts";

const HTTP: Permission = { protocol: "tcp", source: EVERYWHERE, ports: { lower: 80, upper: 80 } };
const PING: Permission = { protocol: "icmp", source: EVERYWHERE, icmp: { type: 8, code: 0 } };
const ECHO: Permission = { protocol: "udp", source: EVERYWHERE, ports: { lower: 7, upper: 7 } };

/** What a change is refused with: our code and the API's. */
function refusal(change: () => void): string {
  try {
    change();
  } catch (error) {
    if (error instanceof SecurityGroupError) return `${error.code} ${error.apiCode}`;
    throw error;
  }
  return "";
}

describe("Security groups", () => {
  it("begin with a group that lets its own members in, for each account", () => {
    const groups = new SecurityGroups();
    expect(groups.names).toEqual(["default"]);
    expect(groups.permissionsOf("default").map(formatPermission)).toEqual([
      "all from group default",
    ]);
    groups.create("495219933132/web");
    expect(groups.names).toEqual(["default", "495219933132/default", "495219933132/web"]);
    expect(groups.permissionsOf("495219933132/default")).toEqual([
      { group: "495219933132/default" },
    ]);
    expect(groups.permissionsOf("495219933132/web")).toEqual([]);
  });

  it("take a permission once, and give it up for the same words alone", () => {
    const groups = new SecurityGroups();
    groups.create("web");
    groups.authorize("web", HTTP);
    expect(refusal(() => groups.authorize("web", { ...HTTP }))).toBe(
      "permission-exists InvalidPermission.Duplicate",
    );
    const wider: Permission = { ...HTTP, ports: { lower: 80, upper: 81 } };
    expect(groups.revoke("web", wider)).toBe(false);
    expect(groups.revoke("web", HTTP)).toBe(true);
    expect(groups.permissionsOf("web")).toEqual([]);
  });

  it.each<[string, Permission, Permission]>([
    [
      "bits below the prefix",
      { protocol: "udp", source: { address: parseIpv4("10.1.2.3"), length: 8 } },
      { protocol: "udp", source: parsePrefix("10.0.0.0/8") },
    ],
    [
      "ports -1",
      { ...HTTP, ports: { lower: -1, upper: -1 } },
      { protocol: "tcp", source: EVERYWHERE, ports: { lower: 0, upper: 65_535 } },
    ],
    [
      "type and code -1",
      { ...PING, icmp: { type: -1, code: -1 } },
      { protocol: "icmp", source: EVERYWHERE },
    ],
  ])("know two ways to say the same: %s", (_, one, other) => {
    const groups = new SecurityGroups();
    groups.authorize("default", one);
    expect(refusal(() => groups.authorize("default", other))).toMatch(/^permission-exists /);
    expect(groups.revoke("default", other)).toBe(true);
  });

  it.each<[string, Permission]>([
    ["ports that go backwards", { ...HTTP, ports: { lower: 81, upper: 80 } }],
    ["a port beyond 65,535", { ...HTTP, ports: { lower: 80, upper: 65_536 } }],
    ["half a wildcard", { ...HTTP, ports: { lower: -1, upper: 80 } }],
    ["ports of icmp", { ...PING, ports: { lower: 7, upper: 7 } }],
    ["a type of tcp", { ...HTTP, icmp: { type: 8, code: 0 } }],
    ["the type that is every type to iptables", { ...PING, icmp: { type: 255, code: -1 } }],
    ["a code of every type", { ...PING, icmp: { type: -1, code: 0 } }],
    ["a code beyond 255", { ...PING, icmp: { type: 3, code: 256 } }],
    ["a prefix of 33 bits", { ...HTTP, source: { address: OUTSIDE, length: 33 } }],
  ])("do not take %s", (_, permission) => {
    const groups = new SecurityGroups();
    expect(refusal(() => groups.authorize("default", permission))).toBe(
      "permission-malformed InvalidPermission.Malformed",
    );
    expect(refusal(() => groups.define("new", [HTTP, permission]))).toMatch(/^permission-malf/);
    expect(groups.names).toEqual(["default"]);
  });

  it("have limits for each account and each group", () => {
    const groups = new SecurityGroups({ groups: 2, permissions: 2 });
    groups.create("web");
    expect(refusal(() => groups.create("db"))).toBe("group-limit SecurityGroupLimitExceeded");
    groups.create("other/db");
    groups.define("web", [HTTP, PING]);
    expect(refusal(() => groups.authorize("web", ECHO))).toBe(
      "permission-limit RulesPerSecurityGroupLimitExceeded",
    );
    expect(refusal(() => groups.define("web", [HTTP, PING, ECHO]))).toMatch(/^permission-limit/);
    expect(groups.permissionsOf("web")).toHaveLength(2);
    expect(new SecurityGroups().names).toHaveLength(1);
  });

  it("allow a hundred groups of a hundred permissions, as the guides of 2007 and 2008 say", () => {
    const groups = new SecurityGroups();
    for (let made = 1; made < 100; made += 1) groups.create(`group-${made}`);
    expect(refusal(() => groups.create("one-more"))).toMatch(/^group-limit/);
    const ports = Array.from({ length: 101 }, (_, port): Permission => ({
      ...HTTP,
      ports: { lower: port, upper: port },
    }));
    groups.define("default", ports.slice(1));
    expect(refusal(() => groups.define("default", ports))).toMatch(/^permission-limit/);
  });

  it("stay while they are in use, and the default one always", () => {
    const groups = new SecurityGroups();
    groups.create("web");
    groups.create("db");
    expect(refusal(() => groups.create("db"))).toBe("group-exists InvalidGroup.Duplicate");
    groups.authorize("web", { group: "web" });
    groups.authorize("db", { group: "web" });
    expect(refusal(() => groups.delete("web"))).toBe("group-in-use InvalidGroup.InUse");
    groups.revoke("db", { group: "web" });
    groups.join(["web"], addressOf(1));
    expect(refusal(() => groups.delete("web"))).toBe("group-in-use InvalidGroup.InUse");
    groups.leave(["web"], addressOf(1));
    groups.delete("web");
    expect(groups.names).toEqual(["default", "db"]);
    expect(refusal(() => groups.delete("web"))).toBe("group-unknown InvalidGroup.NotFound");
    expect(refusal(() => groups.delete("default"))).toBe("group-reserved InvalidGroup.Reserved");
  });

  it("name no group that is not there", () => {
    const groups = new SecurityGroups();
    expect(refusal(() => groups.authorize("default", { group: "web" }))).toBe(
      "group-unknown InvalidGroup.NotFound",
    );
    expect(refusal(() => groups.define("web", [{ group: "db" }]))).toMatch(/^group-unknown/);
    groups.define("web", [{ group: "web" }]);
    expect(groups.permissionsOf("web")).toEqual([{ group: "web" }]);
  });

  it.each(["", " web", "a/b/c", "web;", "x".repeat(256), "web\n"])("are not called %j", (name) => {
    expect(refusal(() => new SecurityGroups().create(name))).toBe(
      "group-name InvalidParameterValue",
    );
  });

  it("count a member that moves between hosts until both ends are gone", () => {
    const groups = new SecurityGroups();
    groups.join(["default"], addressOf(1));
    groups.join(["default"], addressOf(1));
    groups.leave(["default"], addressOf(1));
    expect(groups.membersOf("default")).toEqual([addressOf(1)]);
    groups.leave(["default"], addressOf(1));
    groups.leave(["default"], addressOf(1));
    expect(groups.membersOf("default")).toEqual([]);
  });
});
