/**
 * The demo's capture, kept as captures/demo/demo.pcapng with its digest beside it. A change of
 * behaviour changes both: play the demo into the file, read the digest's difference, and say why in
 * CHANGELOG.md.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { SILENT } from "../../src/base/log.ts";
import { DEMO_NAME, DEMO_SCENARIO } from "../../src/cli/demo-scenario.ts";
import { play } from "../../src/cli/scenario/play.ts";
import { readScenario } from "../../src/cli/scenario/read.ts";
import { digestOf } from "../../src/pcap/digest.ts";

const GOLDEN = "captures/demo/demo.pcapng";

async function playDemo(): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const { failed } = await play({
    plan: readScenario(DEMO_NAME, DEMO_SCENARIO),
    seed: null,
    until: null,
    capture: { sink: (chunk) => chunks.push(chunk.slice()), flush: () => Promise.resolve() },
    traceLimit: 0,
    log: SILENT,
    signal: new AbortController().signal,
    onEvent: () => {},
  });
  expect(failed).toBe(0);
  return Buffer.concat(chunks);
}

const tshark = (...args: string[]): string => {
  const { status, stdout } = spawnSync("tshark", ["-r", GOLDEN, ...args], { encoding: "utf8" });
  expect(status).toBe(0);
  return stdout;
};
const isThere = spawnSync("tshark", ["--version"]).status === 0;
const CHECKSUMS = ["ip", "udp", "tcp"].flatMap((one) => ["-o", `${one}.check_checksum:TRUE`]);

const skipped = isThere ? "" : " (skipped: no tshark)";

describe("the demo's capture", () => {
  it("is the golden one, octet for octet", async () => {
    const capture = await playDemo();
    const golden = readFileSync(GOLDEN);
    expect(digestOf(capture)).toBe(digestOf(golden));
    expect(capture.equals(golden)).toBe(true);
  });

  it.skipIf(!isThere)(
    `is sound to tshark: nothing malformed, every checksum good${skipped}`,
    () => {
      const bad = ["ip", "udp", "tcp", "icmp"].map((one) => `${one}.checksum.status == "Bad"`);
      expect(tshark(...CHECKSUMS, "-Y", ["_ws.malformed", ...bad].join(" || "))).toBe("");
      expect(tshark("-Y", "dhcp.type == 2").trim().split("\n").length).toBeGreaterThanOrEqual(4);
      expect(tshark("-Y", "arp").length).toBeGreaterThan(0);
      expect(tshark("-Y", "icmp.type == 11").length).toBeGreaterThan(0);
    },
  );

  it.skipIf(!isThere)(
    `shows tshark packet ids on every interface, and why frames were dropped${skipped}`,
    () => {
      const fields = ["frame.interface_name", "frame.packet_id", "frame.comment"].flatMap(
        (field) => ["-e", field],
      );
      const rows = tshark("-T", "fields", ...fields)
        .trimEnd()
        .split("\n")
        .map((row) => row.split("\t"));
      expect(rows.every(([, id]) => Number(id) > 0)).toBe(true);
      const places = new Map<string, Set<string>>();
      for (const [name = "", id = ""] of rows) {
        places.set(id, (places.get(id) ?? new Set()).add(name));
      }
      expect([...places.values()].some((names) => names.has("vif3.0") && names.has("peth0"))).toBe(
        true,
      );
      const comments = rows.map(([, , comment]) => comment).filter((comment) => comment !== "");
      expect(comments).toEqual(
        expect.arrayContaining([
          "dropped: anti-spoof/source-address",
          "dropped: anti-spoof/arp-sender-address",
          "dropped: anti-spoof/dhcp-server",
          "dropped: security-group/no-permission",
        ]),
      );
    },
  );
});
