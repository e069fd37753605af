/** `dom0/testing`: generators and laws for property tests of your own; needs fast-check. @module */
export {
  arpFrame,
  arpMessage,
  echoFrame,
  type FrameShape,
  hostileFrame,
  ipv4,
  mac,
  stationMac,
  udpFrame,
} from "./arbitraries.ts";
export { buildFrame, type FrameWords } from "./build-frame.ts";
export { faultOf, leakOf, matchers } from "./laws.ts";
