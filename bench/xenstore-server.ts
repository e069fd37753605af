/** Our store on a unix socket, whose path is the argument, as `dom0 serve` opens it. @module */
import { RealTime } from "../src/backend/real-time.ts";
import { openXenstoreSocket } from "../src/backend/xenstore-socket.ts";
import { SILENT } from "../src/base/log.ts";
import { Scheduler } from "../src/sim/scheduler.ts";
import { XENSTORE_4_17 } from "../src/xen/xenstore/behaviour.ts";
import { XenStore } from "../src/xen/xenstore/store.ts";

const [, , path = ""] = process.argv;
const store = new XenStore({ behaviour: XENSTORE_4_17 });
const realTime = new RealTime({
  scheduler: new Scheduler(),
  onError: (error) => {
    throw error;
  },
});
realTime.start();
await openXenstoreSocket({ path, connect: () => store.connect(), realTime, log: SILENT });
process.stdout.write("ready\n");
process.stdin.on("end", () => process.exit()).resume();
