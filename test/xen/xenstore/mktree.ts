/** The tree of golden/xenstore/mktree.sh: the same writes in order, without a shell. @module */
import type { StoreClient } from "../../../src/xen/xenstore/client.ts";

const BACK = "/local/domain/0/backend";
const FRONT = "/local/domain/171";
const UUID = "3c3b0d2e-5e5c-4c57-9d3f-0a7b1c2d3e4f";
const VM = `/vm/${UUID}`;

interface Disk {
  readonly type: "file" | "phy";
  readonly params: string;
  readonly physicalDevice: string;
  readonly dev: string;
  readonly sectors: string;
}

const DISKS: ReadonlyMap<string, Disk> = new Map([
  [
    "2049",
    {
      type: "file",
      params: "/mnt/instance_image_store_3/262768",
      physicalDevice: "7:d",
      dev: "sda1",
      sectors: "20971520",
    },
  ],
  [
    "2050",
    {
      type: "phy",
      params: "/dev/mapper/cow-VolGroupDomU-instance_ephemeral_store_3",
      physicalDevice: "fd:9",
      dev: "sda2",
      sectors: "312705024",
    },
  ],
  [
    "2051",
    {
      type: "phy",
      params: "/dev/VolGroupDomU/instance_swap_store_3",
      physicalDevice: "fd:5",
      dev: "sda3",
      sectors: "1835008",
    },
  ],
  [
    "2128",
    {
      type: "phy",
      params: "/dev/gnbd89",
      physicalDevice: "fb:59",
      dev: "sdf",
      sectors: "20971520",
    },
  ],
]);

/** Make an EC2 instance's part of the store, as Dom0. */
export function makeTree(dom0: StoreClient): void {
  dom0.write(FRONT, "");
  dom0.setPermissions(FRONT, ["n171"]);
  dom0.writeAll(FRONT, {
    vm: VM,
    name: "dom_32504936",
    domid: "171",
    "memory/target": "1740800",
    "console/limit": "1048576",
    "console/port": "2",
    "console/ring-ref": "12345",
    "store/port": "1",
    "store/ring-ref": "12344",
    "cpu/0/availability": "online",
  });
  for (const [number, disk] of DISKS) makeDisk(dom0, number, disk);
  makeVif(dom0);
  dom0.write(VM, "");
  dom0.write(`${VM}/uuid`, UUID);
  dom0.setPermissions(`${VM}/uuid`, ["r171"]);
  dom0.write(`${VM}/name`, "dom_32504936");
}

function makeDisk(dom0: StoreClient, number: string, disk: Disk): void {
  const back = `${BACK}/vbd/171/${number}`;
  const front = `${FRONT}/device/vbd/${number}`;
  dom0.write(back, "");
  dom0.setPermissions(back, ["n0", "r171"]);
  dom0.write(front, "");
  dom0.setPermissions(front, ["n171", "r0"]);
  dom0.writeAll(front, {
    "backend-id": "0",
    "virtual-device": number,
    "device-type": "disk",
    state: "1",
    backend: back,
  });
  dom0.writeAll(back, {
    domain: "dom_32504936",
    frontend: front,
    dev: disk.dev,
    state: "1",
    params: disk.params,
    mode: "w",
    online: "1",
    "frontend-id": "171",
    type: disk.type,
  });
  dom0.write(`${back}/state`, "2");
  if (disk.type === "file") dom0.write(`${back}/node`, "/dev/loop13");
  dom0.write(`${back}/physical-device`, disk.physicalDevice);
  dom0.write(`${back}/hotplug-status`, "connected");
  dom0.writeAll(front, { "ring-ref": "8", "event-channel": "6", state: "3" });
  dom0.writeAll(back, { sectors: disk.sectors, info: "0", "sector-size": "512", state: "4" });
  dom0.write(`${front}/state`, "4");
}

function makeVif(dom0: StoreClient): void {
  const back = `${BACK}/vif/171/0`;
  const front = `${FRONT}/device/vif/0`;
  dom0.write(back, "");
  dom0.setPermissions(back, ["n0", "r171"]);
  dom0.write(front, "");
  dom0.setPermissions(front, ["n171", "r0"]);
  dom0.writeAll(front, {
    "backend-id": "0",
    mac: "12:31:39:00:A1:B2",
    handle: "0",
    state: "1",
    backend: back,
  });
  dom0.writeAll(back, {
    domain: "dom_32504936",
    handle: "0",
    script: "/etc/xen/scripts/ec2-vif-route-dhcpd",
    state: "1",
    frontend: front,
    mac: "12:31:39:00:A1:B2",
    online: "1",
    "frontend-id": "171",
    type: "netfront",
    "hotplug-status": "connected",
    "feature-sg": "1",
    "feature-gso-tcpv4": "1",
    "feature-rx-copy": "1",
    "feature-rx-flip": "0",
  });
  dom0.write(`${back}/state`, "2");
  dom0.writeAll(front, {
    "tx-ring-ref": "768",
    "rx-ring-ref": "769",
    "event-channel": "9",
    "request-rx-copy": "1",
    "feature-rx-notify": "1",
    "feature-sg": "1",
    "feature-gso-tcpv4": "1",
    state: "4",
  });
  dom0.write(`${back}/state`, "4");
}
