/** What an EC2 guest of 2010 sees in the store, beside a tree made by hand from what is known. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { StoreSession } from "../../../src/xen/xenstore/session.ts";
import { XEND_3_1 } from "../../../src/xen/toolstack/toolstack-profile.ts";
import { dump, EBS, EC2_DISKS, EC2_NIC, World } from "./host-world.ts";

const UUID = "3c3b0d2e-5e5c-4c57-9d3f-0a7b1c2d3e4f";

/** The seed document's domain, its EBS volume attached while it ran. */
function ec2World(): { world: World; guest: StoreSession } {
  const world = new World(XEND_3_1);
  const { host } = world;
  const { domid } = host.create(
    {
      name: "dom_32504936",
      uuid: UUID,
      domid: 171,
      memoryKib: 1_740_800,
      disks: EC2_DISKS,
      nics: [EC2_NIC],
      guest: world.guest,
    },
    0,
  );
  host.attach(domid, EBS, 1_000_000);
  const guest = host.store.sessionOf(domid);
  if (guest === null) throw new Error("the domain is introduced");
  return { world, guest };
}

/** `xenstore-ls PATH` as a guest sees it, as paths below `path`; or the error. */
function list(guest: StoreSession, path: string): string[] | string {
  const names = guest.list(path);
  if (typeof names === "string") return names;
  return names.flatMap((name) => {
    const value = guest.read(`${path}/${name}`);
    const below = list(guest, `${path}/${name}`);
    const text = typeof value === "string" ? value : new TextDecoder("latin1").decode(value);
    const own = `${name} = "${text}"`;
    return [own, ...(typeof below === "string" ? [] : below.map((line) => `${name}/${line}`))];
  });
}

/** What the recorded `xenstore-ls` printed, by its argument, as the lines of {@link list}. */
const golden = new Map(
  readFileSync(join(import.meta.dirname, "../../golden/xenstore/xenstore-golden-guest.txt"), "utf8")
    .split("guest$ ")
    .flatMap((part): [string, string[]][] => {
      const [command = "", ...lines] = part.split("\n");
      const [, path] = /^xenstore-ls (\/\S+)$/.exec(command) ?? [];
      if (path === undefined || !lines.includes("[exit 0]")) return [];
      const stack: string[] = [];
      const named = lines
        .filter((line) => / = "/.test(line))
        .map((line) => {
          const [, blanks = "", name = "", rest = ""] = /^( *)(\S+)( = .*)$/.exec(line) ?? [];
          stack.splice(blanks.length, stack.length, name);
          return `${stack.join("/")}${rest}`;
        });
      return [[path, named]];
    }),
);

/** Grant references, event channels and frames are the domain's own choice. */
const normal = (line: string): string =>
  line.replace(/((?:ring-ref|event-channel|port) = )"\d+"/, '$1"#"');

describe("the store of an EC2 guest", () => {
  const { world, guest } = ec2World();

  it.each([...golden.keys()].filter((path) => path.includes("backend")))(
    "has in %s what the recorded one has, in its order",
    (path) => {
      const expected = golden.get(path) ?? [];
      const order = (lines: string[] | string): string[] => [lines].flat().map(normal);
      if (path.includes("vif")) {
        // There, the script's word comes before netback's features; ours has them as they come.
        const late = 'hotplug-status = "connected"';
        expect(order(list(guest, path))).toEqual([
          ...expected.filter((line) => line !== late),
          late,
        ]);
      } else {
        expect(order(list(guest, path))).toEqual(expected);
      }
    },
  );

  it("has in its home all that the recorded one has, and what xend 3.1 wrote besides", () => {
    const path = "/local/domain/171";
    const ours = [list(guest, path)].flat().map(normal);
    const expected = (golden.get(path) ?? []).map(normal);
    expect(ours.filter((line) => !expected.includes(line))).toEqual([
      'device-misc = ""',
      'device-misc/vif = ""',
      'device-misc/vif/nextDeviceID = "1"',
      'device/vbd/2049/protocol = "x86_32-abi"',
      'device/vbd/2050/protocol = "x86_32-abi"',
      'device/vbd/2051/protocol = "x86_32-abi"',
      'device/vbd/2128/protocol = "x86_32-abi"',
      'console/tty = "/dev/pts/0"',
      'control = ""',
      'control/platform-feature-multiprocessor-suspend = "1"',
    ]);
    expect(expected.filter((line) => !ours.includes(line))).toEqual([]);
    for (const device of ["vif/0", "vbd/2049", "vbd/2050", "vbd/2051", "vbd/2128"]) {
      const ofDevice = (lines: string[]): string[] =>
        lines.filter((line) => line.startsWith(`device/${device}/`) && !line.includes("protocol"));
      expect(ofDevice(ours)).toEqual(ofDevice(expected));
      expect(ofDevice(ours).length).toBeGreaterThan(6);
    }
  });

  it("lets the guest see its own home and back ends, and nothing else", () => {
    for (const path of [
      "/",
      "/local/domain",
      "/local/domain/0",
      "/local/domain/0/backend/vbd/171",
      "/vm",
      `/vm/${UUID}`,
      "/tool",
    ]) {
      expect(guest.list(path), path).toBe("EACCES");
    }
    expect(guest.read(`/vm/${UUID}/name`)).toBe("EACCES");
    expect(guest.read("/local/domain/172/name")).toBe("EACCES");
    const text = (value: unknown): string =>
      value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value);
    expect(text(guest.read(`/vm/${UUID}/uuid`))).toBe(UUID);
    expect(text(guest.read("name"))).toBe("dom_32504936");
    expect(text(guest.read("domid"))).toBe("171");
    expect(guest.write("data/x", new Uint8Array([0x31]))).toBeNull();
    expect(guest.write("/local/domain/0/backend/vif/171/0/mac", new Uint8Array(1))).toBe("EACCES");
    expect(guest.write(`/vm/${UUID}/uuid`, new Uint8Array(1))).toBeNull();
    expect(guest.rm("/local/domain/0/backend/vbd/171/2049")).toBe("EACCES");
    expect(dump(world.host)).toContain('/local/domain/171/data/x = "1"   (n171)');
  });

  it("has the seed document's own strings at their places", () => {
    const lines = dump(world.host);
    const has = (device: string, text: string): void => {
      expect(lines).toContain(`/local/domain/0/backend/${device}/${text}   (n0,r171)`);
    };
    has("vbd/171/2049", 'node = "/dev/loop13"');
    has("vbd/171/2049", 'params = "/mnt/instance_image_store_3/262768"');
    has("vbd/171/2051", 'params = "/dev/VolGroupDomU/instance_swap_store_3"');
    has("vbd/171/2050", 'params = "/dev/mapper/cow-VolGroupDomU-instance_ephemeral_store_3"');
    has("vbd/171/2128", 'params = "/dev/gnbd89"');
    has("vif/171/0", 'script = "/etc/xen/scripts/ec2-vif-route-dhcpd"');
    has("vif/171/0", 'domain = "dom_32504936"');
  });
});
