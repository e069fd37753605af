import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const hasPython = spawnSync("python3", ["-V"]).status === 0;
const skipped = hasPython ? "" : " (skipped: no python3)";

/** Sends one frame by a socket that fails so often with that error; what came of it, and how. */
function transmit(failures: number, error: string): string {
  const script = `
import errno, sys
sys.path.insert(0, ${JSON.stringify(FOLDER)})
import namespaces
namespaces.FIRST_PAUSE = 1e-6
class Sender:
    tries = 0
    def sendto(self, octets, address):
        self.tries += 1
        if self.tries <= ${failures}:
            raise OSError(errno.${error}, "refused")
sender = Sender()
try:
    began = namespaces.transmit(sender, b"", "far1")
    print(sender.tries, began <= namespaces.now())
except (OSError, RuntimeError) as error:
    print(sender.tries, error)
`;
  return spawnSync("python3", ["-c", script], { encoding: "utf8" }).stdout.trim();
}

describe.skipIf(!hasPython)(`The oracle's helper${skipped}`, () => {
  it("tries a frame again for which the kernel has no room, up to eight times", () => {
    expect(transmit(0, "ENOBUFS")).toBe("1 True");
    expect(transmit(7, "ENOBUFS")).toBe("8 True");
    const full = "8 far1: the processor's queue of received frames stays full";
    expect(transmit(8, "ENOBUFS")).toBe(full);
  });

  it("tries nothing again that is refused for another reason", () => {
    expect(transmit(1, "EMSGSIZE")).toBe("1 [Errno 90] refused");
  });
});
