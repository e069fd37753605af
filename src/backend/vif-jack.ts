/** A zone's external vif as plugs see it: frames come in when the clock says so. @module */
import type { ExternalVif } from "../zone/external-vif.ts";
import type { Jack } from "./plug.ts";
import type { RealTime } from "./real-time.ts";

/** The jack of `vif`, which people call `nameOf()` at the time. */
export function vifJack(nameOf: () => string, vif: ExternalVif, realTime: RealTime): Jack {
  return {
    get name() {
      return nameOf();
    },
    transmit: (frame) => {
      let isTaken = false;
      realTime.enter(() => {
        isTaken = vif.transmit(frame);
      });
      return isTaken;
    },
    together: (work) => realTime.enter(work),
    onReceive: (receiver) => vif.onReceive(receiver),
  };
}
