/**
 * Real Linux guests behind our vifs: Debian's kernel and busybox in QEMU lease, ping, trace and
 * fetch files from each other through two emulated hosts, by TCP stacks that nobody here wrote.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { hasLinuxGuest, LinuxGuest, skippedLinuxGuest } from "../support/linux-guest.ts";
import { Serving } from "./serving.ts";

const MAC = "12:31:39:00:a5:0d";
const folder = mkdtempSync(join(tmpdir(), "dom0-linux-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SCENARIO = `
hosts:
  - name: host-a
    privateAddress: 10.254.168.2
    externalAddress: 216.182.232.10/20
    domains:
      - name: dom_2
        domid: 2
        privateAddress: 10.254.170.222/23
        publicAddress: null
        securityGroups: [open]
      - name: dom_4
        domid: 4
        mac: 12:31:39:00:A5:0D
        privateAddress: 10.254.170.221/23
        publicAddress: 75.101.160.7
        securityGroups: [open]
        guest: external
  - name: host-b
    privateAddress: 10.254.172.2
    externalAddress: 216.182.232.11/20
    domains:
      - name: dom_8
        domid: 8
        mac: 12:31:39:00:A9:0D
        privateAddress: 10.254.174.221/23
        publicAddress: 75.101.160.8
        securityGroups: [open]
        guest: external
securityGroups:
  open:
    - { protocol: icmp, source: 0.0.0.0/0 }
    - { protocol: tcp, ports: 80, source: 0.0.0.0/0 }
internet: [{ name: www.example.com, address: 93.184.216.34 }]
steps:
  - { at: 2s, ping: { from: dom_2, to: dom_4, count: 110 } }
`;

/** A megabyte of lines. */
const OCTETS = 1_048_576;
const WORD = "the quick brown domU jumps over the lazy Dom0";
const SUM = createHash("sha256")
  .update(`${WORD}\n`.repeat(Math.ceil(OCTETS / (WORD.length + 1))).slice(0, OCTETS))
  .digest("hex");

const LEASE = "udhcpc -i eth0 -n -q -f -t 10 -s /lease || exit";

/** Serves a file and says who fetched them, until the machine is killed. */
const SERVER = `
${LEASE}
yes "${WORD}" | head -c ${OCTETS} > /www/file
httpd -v -f -h /www &
until wget -q -O /dev/null http://127.0.0.1/file; do sleep 1; done
ping -c 2 -W 5 10.254.168.2
echo serving
sleep 300
`;

const CLIENT = `
${LEASE}
ping -c 2 -W 5 10.254.168.2
ping -c 2 -W 5 10.254.170.222
ping -c 2 -W 5 93.184.216.34
traceroute -n -q 1 -w 5 93.184.216.34
until timeout 8 wget -q -O /private http://10.254.174.221/file; do sleep 1; done
wget -q -O /public http://75.101.160.8/file
sha256sum /private /public
nc -w 3 10.254.174.221 81 < /dev/null; echo "port 81: $?"
ping -c 1 -W 5 -s 3000 10.254.174.221
ip neigh
echo done
sleep 300
`;

/** Fields of the packets of a capture that match, each in its interface; checksums are checked. */
function tshark(capture: string, filter: string, ...fields: readonly string[]): string[] {
  const checks = ["ip", "tcp", "udp"].flatMap((name) => ["-o", `${name}.check_checksum:TRUE`]);
  // A segment is in the capture once an interface that it crosses: no stream can be put together.
  const apart = ["-o", "tcp.desegment_tcp_streams:FALSE"];
  const columns = ["frame.interface_name", ...fields].flatMap((field) => ["-e", field]);
  const words = ["-r", capture, "-Y", filter, "-T", "fields", ...columns, ...checks, ...apart];
  const { status, stdout } = spawnSync("tshark", words, { encoding: "utf8", maxBuffer: 2 ** 26 });
  expect(status).toBe(0);
  return stdout.split("\n").filter((line) => line !== "");
}

const hasTshark = spawnSync("tshark", ["--version"]).error === undefined;
const canRun = hasLinuxGuest && hasTshark;
const skipped = hasTshark ? skippedLinuxGuest : `${skippedLinuxGuest} (skipped: no tshark)`;

function newGuest(serving: Serving, vif: string, mac: string, script: string): LinuxGuest {
  const own = mkdtempSync(join(folder, "guest-"));
  const guest = new LinuxGuest({ folder: own, vif: serving.vif(vif), mac, script });
  onTestFinished(() => guest.kill());
  return guest;
}

/** Wait until a guest has said so, which takes an emulated processor its time. */
const said = async (guest: LinuxGuest, line: RegExp): Promise<void> =>
  expect.poll(() => guest.console, { timeout: 150_000, interval: 250 }).toMatch(line);

/** What a guest was told of its network. */
const leaseText = (address: string, router: string, hostName: string): string =>
  [
    `lease ip ${address}`,
    "lease mask 23",
    `lease router ${router}`,
    "lease dns 172.16.0.23",
    "lease domain compute-1.internal",
    `lease hostname ${hostName}`,
    "lease serverid 169.254.1.0",
    "lease lease 86400",
  ].join("\n");

describe.skipIf(!canRun)(`a real Linux on a vif${skipped}`, { timeout: 200_000 }, () => {
  it("leases, pings, traces, and fetches files from another one on another host", async () => {
    const file = join(folder, "scenario.yaml");
    writeFileSync(file, SCENARIO);
    const capture = join(folder, "capture.pcapng");
    const words = ["--state", join(folder, "state"), "--pcapng", capture];
    const serving = await Serving.start(file, ...words);
    const server = newGuest(serving, "host-b/vif8.0", "12:31:39:00:a9:0d", SERVER);
    const client = newGuest(serving, "host-a/vif4.0", "12:31:39:00:a5:0d", CLIENT);
    await said(client, /^done$/m);
    const { status, stdout, stderr } = await serving.stop();
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const { console: text } = client;
    const mac = "domU-12-31-39-00";
    expect(text).toContain(leaseText("10.254.170.221", "10.254.170.1", `${mac}-A5-0D`));
    expect(server.console).toContain(leaseText("10.254.174.221", "10.254.174.1", `${mac}-A9-0D`));
    // Dom0, a domU beside it, the internet, and in pieces the other guest: whole, with these TTLs.
    expect(
      [...text.matchAll(/from (\S+): seq=0 ttl=(\d+)/g)].map(([, a, b]) => `${a} ${b}`),
    ).toEqual(["10.254.168.2 64", "10.254.170.222 63", "93.184.216.34 61", "10.254.174.221 59"]);
    expect(text.match(/^\d packets transmitted.*$/gm)).toEqual([
      ...Array.from(
        { length: 3 },
        () => "2 packets transmitted, 2 packets received, 0% packet loss",
      ),
      "1 packets transmitted, 1 packets received, 0% packet loss",
    ]);
    expect([...text.matchAll(/^ \d  (\S+)  /gm)].map(([, hop]) => hop)).toEqual([
      "10.254.168.2",
      "216.182.232.10",
      "216.182.232.1",
      "93.184.216.34",
    ]);
    expect(text).toContain(`${SUM}  /private\n${SUM}  /public\n`);
    expect(text).toContain("port 81: 1\n");
    const neighbors = [...text.matchAll(/^(\S+) dev eth0 lladdr (\S+)/gm)].map(([, , at]) => at);
    expect(new Set(neighbors)).toEqual(new Set(["ef:ff:ff:ff:ff:ff"]));
    // What the other kernel saw: the private address between hosts, 1:1 NAT by the public name.
    expect(server.console).toMatch(/^\[::ffff:10\.254\.170\.221\]:\d+: response:200$/m);
    expect(server.console).toMatch(/^\[::ffff:75\.101\.160\.7\]:\d+: response:200$/m);

    const drops = stdout.split("\n").flatMap((line) => {
      const event = JSON.parse(line === "" ? "{}" : line) as Record<string, unknown>;
      return event["event"] === "drop" && event["fate"] === "dropped" ? [event["reason"]] : [];
    });
    expect(new Set(drops)).toEqual(new Set(["security-group/no-permission"]));
    const bad = ["ip", "tcp", "udp"].map((name) => `${name}.checksum.status == 0`);
    expect(tshark(capture, [...bad, "_ws.malformed"].join(" || "), "_ws.col.Info")).toEqual([]);
    const vif = 'frame.interface_name == "host-a/vif4.0"';
    // The guest's own kernel answered a simulated domU.
    const answers = `${vif} && icmp.type == 0 && ip.dst == 10.254.170.222`;
    expect(tshark(capture, answers, "eth.src", "ip.ttl")).toContain(
      "host-a/vif4.0\t12:31:39:00:a5:0d\t64",
    );
    const syn = "tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.dstport == 80";
    const ways = tshark(capture, `${syn} && ip.dst == 75.101.160.8`, "ip.src", "ip.ttl");
    expect(new Set(ways)).toContain("host-a/vif4.0\t10.254.170.221\t64");
    expect(new Set(ways)).toContain("peth0\t75.101.160.7\t62");
  });

  it("is killed while it sends; the next finds all as it was, and hears of the end", async () => {
    const words = ["--state", join(folder, "again"), "--log-level", "info"];
    const serving = await Serving.start(...words);
    const flood = `${LEASE}\nping -q -i 0.001 -s 1400 10.254.168.2 &\necho flooding\nsleep 300\n`;
    const first = newGuest(serving, "vif5.0", MAC, flood);
    await said(first, /^flooding$/m);
    first.kill();
    await first.ended;
    const second = newGuest(
      serving,
      "vif5.0",
      MAC,
      `${LEASE}\nping -c 2 -W 5 10.254.168.2\necho done\nsleep 300\n`,
    );
    await said(second, /^done$/m);
    const lease = leaseText("10.254.170.221", "10.254.170.1", "domU-12-31-39-00-A5-0D");
    for (const guest of [first, second]) expect(guest.console).toContain(lease);
    expect(second.console).toContain("2 packets transmitted, 2 packets received, 0% packet loss");
    const qmp = await second.qmp();
    const { status, stderr } = await serving.stop();
    expect(status).toBe(0);
    // QEMU goes on without its cable: a monitor is told, nobody else.
    await expect.poll(() => qmp.text).toContain("NETDEV_STREAM_DISCONNECTED");
    expect([first.stderr, second.stderr]).toEqual(["", ""]);
    const told = stderr
      .split("\n")
      .flatMap((line) => /"msg":"(a .*peer .*)"/.exec(line)?.[1] ?? []);
    expect(told).toEqual(["a peer connected", "a peer left", "a peer connected", "a peer left"]);
  });
});
