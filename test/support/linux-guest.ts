/**
 * A real Linux behind a vif: Debian's kernel and busybox in QEMU, from an image in memory. The
 * kernel is that of this computer, or one that is unpacked below `$DOM0_GUEST_KERNEL`.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

const QEMU = "qemu-system-x86_64";
const BUSYBOX = "/bin/busybox";
/**
 * What a network card needs; what the kernel has built in is not there. Which of them needs which
 * differs from kernel to kernel, so the machine tries those again that did not go in.
 */
const MODULES = [
  "drivers/virtio/virtio",
  "drivers/virtio/virtio_ring",
  "drivers/virtio/virtio_pci_modern_dev",
  "drivers/virtio/virtio_pci_legacy_dev",
  "drivers/virtio/virtio_pci",
  "net/core/failover",
  "drivers/net/net_failover",
  "drivers/net/virtio_net",
];

interface Kernel {
  readonly image: string;
  /** Files of the modules that are there. */
  readonly modules: readonly string[];
}

const isThere = (program: string): boolean => spawnSync(program, ["--help"]).error === undefined;

function findKernel(): Kernel | null {
  const top = process.env["DOM0_GUEST_KERNEL"] ?? "/";
  const boot = join(top, "boot");
  const names = existsSync(boot) ? readdirSync(boot) : [];
  for (const name of names
    .filter((one) => one.startsWith("vmlinuz-"))
    .toSorted()
    .toReversed()) {
    const folder = join(top, "lib/modules", name.replace("vmlinuz-", ""), "kernel");
    const modules = MODULES.map((module) => join(folder, `${module}.ko`)).filter((path) =>
      existsSync(path),
    );
    if (modules.at(-1)?.endsWith("virtio_net.ko") === true) {
      return { image: join(boot, name), modules };
    }
  }
  return null;
}

const kernel = findKernel();
const missing = [
  ...(isThere(QEMU) ? [] : ["qemu-system-x86_64"]),
  ...(existsSync(BUSYBOX) ? [] : [BUSYBOX]),
  ...(kernel === null ? ["a kernel with virtio_net in /boot or $DOM0_GUEST_KERNEL"] : []),
];

/** True where such machines can be had. */
export const hasLinuxGuest = missing.length === 0;
/** What the title of a test says where they cannot. */
export const skippedLinuxGuest = hasLinuxGuest ? "" : ` (skipped: no ${missing.join(", no ")})`;

const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for round in 1 2 3; do
  for module in /modules/*; do insmod $module 2>/dev/null && rm $module; done
done
ip link set lo up
ip link set eth0 up
sh /script 2>&1
sync
poweroff -f
`;

/** For udhcpc: takes the address and the way out, prints what came with them. */
const LEASE = `#!/bin/busybox sh
[ "$1" = bound ] || exit 0
ip addr add $ip/$mask dev eth0
ip route add default via $router
for name in ip mask router dns domain hostname serverid lease; do
  eval echo "lease $name \\$$name"
done
`;

/** How one is started. */
export interface LinuxGuestOptions {
  /** For its files. */
  readonly folder: string;
  readonly mac: string;
  /** The vif's socket. */
  readonly vif: string;
  /** Lines of busybox's shell; the machine goes off after the last. */
  readonly script: string;
}

/** A machine that runs. */
export class LinuxGuest {
  /** What came over its serial line, without carriage returns. */
  console = "";
  /** What QEMU itself says. */
  stderr = "";
  /** Resolves when QEMU has ended. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #monitor: string;

  constructor({ folder, mac, vif, script }: LinuxGuestOptions) {
    if (kernel === null) throw new Error("there is no kernel");
    const image = newImage(folder, kernel, script);
    this.#monitor = join(folder, "qmp.sock");
    const child = spawn(
      QEMU,
      [
        ...["-machine", "pc,accel=tcg", "-m", "128", "-display", "none", "-no-reboot"],
        ...["-serial", "stdio", "-monitor", "none", "-kernel", kernel.image, "-initrd", image],
        ...["-append", "console=ttyS0 quiet panic=-1"],
        ...["-netdev", `stream,id=n0,addr.type=unix,addr.path=${vif}`],
        ...["-device", `virtio-net-pci,netdev=n0,mac=${mac},romfile=`],
        ...["-qmp", `unix:${this.#monitor},server=on,wait=off`],
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#child = child;
    child.stdout.setEncoding("latin1").on("data", (text: string) => {
      this.console += text.replaceAll("\r", "");
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve) => child.on("close", () => resolve()));
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Connect to QEMU's monitor. @returns what it says from now on, which grows. */
  async qmp(): Promise<{ readonly text: string }> {
    const heard = { text: "" };
    const socket = connect(this.#monitor);
    socket.on("error", () => {});
    socket.setEncoding("utf8").on("data", (text: string) => (heard.text += text));
    socket.write('{"execute":"qmp_capabilities"}\n');
    await new Promise<void>((resolve) => {
      socket.on("data", () => {
        if (heard.text.includes('"return"')) resolve();
      });
    });
    return heard;
  }
}

/** A file system in memory: busybox, the modules and `script`. @returns its path. */
function newImage(folder: string, { modules }: Kernel, script: string): string {
  const root = join(folder, "root");
  for (const name of ["bin", "modules", "proc", "sys", "dev", "www"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  copyFileSync(BUSYBOX, join(root, "bin/busybox"));
  for (const [index, path] of modules.entries()) {
    copyFileSync(path, join(root, "modules", `${index}.ko`));
  }
  writeFileSync(join(root, "init"), INIT, { mode: 0o755 });
  writeFileSync(join(root, "lease"), LEASE, { mode: 0o755 });
  writeFileSync(join(root, "script"), script);
  const image = join(folder, "image.cpio");
  const line = `cd "$1" && find . | ${BUSYBOX} cpio -o -H newc`;
  const { status, stdout } = spawnSync("sh", ["-c", line, "sh", root], { maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error("the image cannot be made");
  writeFileSync(image, stdout);
  return image;
}
