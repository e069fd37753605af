import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import { TcpFlag } from "../../src/l4/tcp.ts";
import { parseIpv4, parsePrefix } from "../../src/wire/addr.ts";
import { formatPermission, type Permission, SecurityGroupError } from "../../src/xen/permission.ts";
import { LINUX } from "../../src/xen/profile.ts";
import { SecurityGroups } from "../../src/xen/security-group.ts";
import { EVERYWHERE, OUTSIDE } from "../support/hosts.ts";
import { addressOf, GroupBench } from "./group-bench.ts";

const { Icmp, Tcp, Udp } = Protocol;
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

describe("The groups of a domU", () => {
  it("are the default one unless it says otherwise, each once, of one account", () => {
    const bench = new GroupBench();
    bench.groups.create("web");
    bench.groups.create("other/web");
    expect(bench.launch(1).securityGroups).toEqual(["default"]);
    expect(bench.launch(2, ["web", "default", "web"]).securityGroups).toEqual(["web", "default"]);
    expect(() => bench.launch(3, ["web", "other/web"])).toThrow(OptionError);
    expect(() => bench.launch(3, ["nobody"])).toThrow(OptionError);
    expect(bench.groups.membersOf("web")).toEqual([addressOf(2)]);
  });

  it("let in their union, and silently nothing else", () => {
    const bench = new GroupBench();
    bench.groups.define("web", [HTTP]);
    bench.groups.define("ping", [PING]);
    const vif = bench.launch(1, ["web", "ping"]);
    const to = { source: OUTSIDE, target: addressOf(1) };
    expect(bench.send(vif, { ...to, protocol: Tcp, port: 80 })).toBe(true);
    expect(bench.send(vif, { ...to, protocol: Icmp })).toBe(true);
    expect(bench.send(vif, { ...to, protocol: Tcp, port: 81 })).toBe(false);
    expect(bench.send(vif, { ...to, protocol: 47 })).toBe(false);
    expect(bench.pool.ends.get("security-group/no-permission")).toBe(2);
    expect(bench.recorder.frames.get(bench.dom0.uplink)).toEqual([]);
  });

  it("let in tcp, udp and icmp from a group's members, while they run", () => {
    const bench = new GroupBench();
    bench.groups.define("front", []);
    bench.groups.define("back", [{ group: "front" }]);
    const back = bench.launch(1, ["back"]);
    const front = bench.launch(2, ["front"]);
    const passes = (protocol: number): boolean =>
      bench.send(back, { source: addressOf(2), target: addressOf(1), protocol, port: 9, id: 1 });
    expect([Tcp, Udp, Icmp, 47].map(passes)).toEqual([true, true, true, false]);
    expect(bench.send(back, { source: addressOf(3), target: addressOf(1), protocol: Tcp })).toBe(
      false,
    );
    bench.dom0.removeVif(front, bench.now);
    const fresh = { source: addressOf(2), target: addressOf(1), protocol: Udp, sourcePort: 5 };
    expect(bench.send(back, fresh)).toBe(false);
  });

  it("stand in one chain for each group, and one for each source, shared by all", () => {
    const bench = new GroupBench();
    bench.groups.define("front", [HTTP]);
    bench.groups.define("back", [{ group: "front" }, { ...PING, icmp: { type: 3, code: -1 } }]);
    bench.launch(1, ["back", "front"]);
    bench.launch(2, ["back"]);
    expect(bench.rules.split("\n")).toEqual([
      "*filter",
      ":INPUT ACCEPT [0:0]",
      ":FORWARD ACCEPT [0:0]",
      ":OUTPUT ACCEPT [0:0]",
      ...["in-vif1.0", "in-vif2.0", "of-front", "sg-back", "sg-front"].map(
        (name) => `:${name} - [0:0]`,
      ),
      "-A FORWARD -m state --state RELATED,ESTABLISHED -j ACCEPT",
      "-A FORWARD -o vif1.0 -j in-vif1.0",
      "-A FORWARD -o vif2.0 -j in-vif2.0",
      "-A in-vif1.0 -j sg-back",
      "-A in-vif1.0 -j sg-front",
      '-A in-vif1.0 -m comment --comment "security-group/no-permission" ' +
        '-m comment --comment "no permission of groups back, front" -j DROP',
      "-A in-vif2.0 -j sg-back",
      '-A in-vif2.0 -m comment --comment "security-group/no-permission" ' +
        '-m comment --comment "no permission of group back" -j DROP',
      "-A of-front -s 10.254.170.1/32 -j ACCEPT",
      '-A sg-back -p tcp -m comment --comment "back: tcp from group front" -j of-front',
      '-A sg-back -p udp -m comment --comment "back: udp from group front" -j of-front',
      '-A sg-back -p icmp -m comment --comment "back: icmp from group front" -j of-front',
      "-A sg-back -p icmp -m icmp --icmp-type 3 " +
        '-m comment --comment "back: icmp 3 from 0.0.0.0/0" -j ACCEPT',
      "-A sg-front -p tcp -m tcp --dport 80 " +
        '-m comment --comment "front: tcp 80 from 0.0.0.0/0" -j ACCEPT',
      "COMMIT",
      "",
    ]);
  });

  it("may have names that no chain can have", () => {
    const bench = new GroupBench();
    const name = `web servers of ${"x".repeat(200)}`;
    bench.groups.create(name);
    bench.groups.authorize("default", { group: name });
    bench.launch(1, [name, "default"]);
    expect(bench.chain("sg-default")).toContain(
      `-A sg-default -p udp -m comment --comment "default: udp from group ${name}" -j of-#2`,
    );
    expect(bench.chain("of-#2")).toEqual(["-A of-#2 -s 10.254.170.1/32 -j ACCEPT"]);
    expect(bench.chain("in-vif1.0").at(-1)).toContain(`"no permission of groups ${name}, default"`);
    bench.groups.create("y".repeat(100));
    bench.launch(2, ["default", name, "y".repeat(100)]);
    expect(bench.chain("in-vif2.0").at(-1)).toContain(
      `"no permission of groups default and 2 more"`,
    );
  });

  it("leave nothing behind when the last domU is gone", () => {
    const bench = new GroupBench();
    bench.groups.define("web", [HTTP, { group: "default" }]);
    const empty = bench.rules;
    const vifs = [bench.launch(1, ["web"]), bench.launch(2, ["web", "default"])];
    for (const vif of vifs) bench.dom0.removeVif(vif, 0);
    expect(bench.rules).toBe(empty);
  });
});

describe("A change of permissions", () => {
  const flow = { source: OUTSIDE, target: addressOf(1), protocol: Udp, port: 7 };
  const back = { source: addressOf(1), target: OUTSIDE, protocol: Udp, sourcePort: 7 };

  it("leaves connections that are known alone, and new ones meet it at once", () => {
    const bench = new GroupBench();
    bench.groups.authorize("default", ECHO);
    const vif = bench.launch(1);
    expect(bench.send(vif, flow)).toBe(true);
    expect(bench.answer(vif, { ...back, port: 40_000 })).toBe(true);
    bench.groups.revoke("default", ECHO);
    expect(bench.send(vif, flow)).toBe(true);
    expect(bench.send(vif, { ...flow, sourcePort: 40_001 })).toBe(false);
    bench.now += 181_000_000;
    bench.dom0.expire(bench.now);
    expect(bench.send(vif, flow)).toBe(false);
  });

  it("ends a flow that nobody answered yet", () => {
    const bench = new GroupBench();
    bench.groups.authorize("default", ECHO);
    const vif = bench.launch(1);
    expect(bench.send(vif, flow)).toBe(true);
    bench.groups.revoke("default", ECHO);
    expect(bench.send(vif, flow)).toBe(false);
  });

  it.each([
    ["stops a running ping at once, as 2.6.18 forgets answered requests", undefined, false],
    ["lets a running ping go on with a current kernel", LINUX, true],
  ])("%s", (_, profile, goesOn) => {
    const bench = new GroupBench(profile === undefined ? {} : { profile });
    bench.groups.authorize("default", PING);
    const vif = bench.launch(1);
    const request = { source: OUTSIDE, target: addressOf(1), protocol: Icmp, type: 8, id: 77 };
    expect(bench.send(vif, request)).toBe(true);
    const reply = { source: addressOf(1), target: OUTSIDE, protocol: Icmp, type: 0, id: 77 };
    expect(bench.answer(vif, reply)).toBe(true);
    bench.groups.revoke("default", PING);
    expect(bench.send(vif, request)).toBe(goesOn);
  });

  it("does not end a TCP connection, even while nobody permits it", () => {
    const bench = new GroupBench();
    bench.groups.authorize("default", HTTP);
    const vif = bench.launch(1);
    const { Syn, Ack } = TcpFlag;
    const segment = { source: OUTSIDE, target: addressOf(1), protocol: Tcp, port: 80 };
    const answer = { source: addressOf(1), target: OUTSIDE, protocol: Tcp, sourcePort: 80 };
    expect(bench.send(vif, { ...segment, flags: Syn })).toBe(true);
    bench.answer(vif, { ...answer, port: 40_000, flags: Syn | Ack });
    bench.groups.define("default", []);
    expect(bench.send(vif, { ...segment, flags: Ack })).toBe(true);
    expect(bench.send(vif, { ...segment, sourcePort: 40_001, flags: Syn })).toBe(false);
  });

  it("is not needed for answers to what a domU asks", () => {
    const bench = new GroupBench();
    bench.groups.define("default", []);
    const vif = bench.launch(1);
    expect(bench.answer(vif, { ...back, port: 53 })).toBe(true);
    expect(bench.send(vif, { ...flow, sourcePort: 53 })).toBe(true);
  });

  it("keeps the counters of rules that stay", () => {
    const bench = new GroupBench();
    bench.groups.define("default", [HTTP, PING]);
    const vif = bench.launch(1);
    bench.send(vif, { source: OUTSIDE, target: addressOf(1), protocol: Icmp });
    bench.groups.define("default", [PING, ECHO]);
    const [ping, echo] = bench.dom0.firewall.rules.table("filter").list("sg-default");
    expect([ping?.packets, echo?.packets]).toEqual([1, 0]);
  });
});

describe("The explanation of a packet", () => {
  const words = (bench: GroupBench, deed: () => boolean): string[] => {
    const told: string[] = [];
    bench.pool.observe(
      {
        received: () => {},
        transmitted: () => {},
        ended: () => {},
        step: (_, place, what) => void told.push(`${place}: ${what}`),
      },
      true,
    );
    deed();
    bench.pool.observe(null);
    return told.filter((line) => line.startsWith("FORWARD: table filter"));
  };
  const setup = () => {
    const bench = new GroupBench();
    bench.groups.define("front", []);
    bench.groups.define("web", [HTTP, { group: "front" }]);
    const vif = bench.launch(1, ["web", "default"]);
    bench.launch(2, ["front"]);
    return { bench, vif };
  };

  it("names the group and the permission that let it in", () => {
    const { bench, vif } = setup();
    const http = { source: OUTSIDE, target: addressOf(1), protocol: Tcp, port: 80 };
    expect(words(bench, () => bench.send(vif, http))).toEqual([
      "FORWARD: table filter, chain sg-web, rule 1: -A sg-web -p tcp -m tcp --dport 80 " +
        '-m comment --comment "web: tcp 80 from 0.0.0.0/0" -j ACCEPT',
    ]);
    const member = { source: addressOf(2), target: addressOf(1), protocol: Udp, port: 9 };
    expect(words(bench, () => bench.send(vif, member))).toEqual([
      "FORWARD: table filter, chain of-front, rule 1: -A of-front -s 10.254.170.2/32 -j ACCEPT, " +
        'by "web: udp from group front"',
    ]);
  });

  it("names the groups of which none has a permission", () => {
    const { bench, vif } = setup();
    const ssh = { source: OUTSIDE, target: addressOf(1), protocol: Tcp, port: 22 };
    expect(words(bench, () => bench.send(vif, ssh))).toEqual([
      "FORWARD: table filter, chain in-vif1.0, rule 3: -A in-vif1.0 " +
        '-m comment --comment "security-group/no-permission" ' +
        '-m comment --comment "no permission of groups web, default" -j DROP',
    ]);
  });

  it("says that a known connection needs none", () => {
    const { bench, vif } = setup();
    const asked = { source: addressOf(1), target: OUTSIDE, protocol: Udp, sourcePort: 7, port: 53 };
    bench.answer(vif, asked);
    const answer = {
      source: OUTSIDE,
      target: addressOf(1),
      protocol: Udp,
      sourcePort: 53,
      port: 7,
    };
    expect(words(bench, () => bench.send(vif, answer))).toEqual([
      "FORWARD: table filter, chain FORWARD, rule 1: " +
        "-A FORWARD -m state --state RELATED,ESTABLISHED -j ACCEPT",
    ]);
  });
});
