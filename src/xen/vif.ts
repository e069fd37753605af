/** A vif: Dom0's end of a domU's network interface, and what the toolstack knows of it. @module */
import { OptionError } from "../base/errors.ts";
import type { Ipv4Addr, Mac } from "../wire/addr.ts";
import { Device } from "../wire/device.ts";
import { bridgeOver } from "../l2/bridge.ts";
import type { FrameRules } from "../l2/bridge-hooks.ts";

/** The domain ids that Xen gives to guests: 1 to 32,751. */
const LAST_DOMID = 32_751;

/** What the domain's configuration says of one interface. */
export interface VifConfig {
  /** Xen's number of the domain on this host, 1 to 32,751. */
  readonly domid: number;
  /** Which of the domain's interfaces; 0. */
  readonly handle?: number;
  /**
   * The VM's name, as the backend's `domain` node has it: "dom_32504936". Letters, digits, hyphens
   * and underscores, up to 255.
   */
  readonly domain: string;
  /** The domU's own address. */
  readonly mac: Mac;
  /** The domU's private addresses; DHCP offers the first. */
  readonly addresses: readonly Ipv4Addr[];
  /** Mapped 1:1 to the first private address; `null` for none. */
  readonly publicAddress?: Ipv4Addr | null;
  /** Names of the groups whose permissions apply, fixed at launch; ["default"]. */
  readonly securityGroups?: readonly string[];
  /** What DHCP tells the domU to call itself: as `domain`, and dots; `null` for nothing. */
  readonly hostName?: string | null;
}

/** One vif of a running domain. */
export class Vif {
  readonly device: Device;
  /** What Dom0's stack sends and receives by: the vif, or the bridge that it is the one port of. */
  readonly stackDevice: Device;
  readonly domid: number;
  readonly handle: number;
  readonly domain: string;
  readonly mac: Mac;
  readonly addresses: readonly Ipv4Addr[];
  /** Changes with an elastic address; {@link Dom0.associate} moves the rules along. */
  publicAddress: Ipv4Addr | null;
  readonly securityGroups: readonly string[];
  readonly hostName: string | null;

  /**
   * @param backendMac the address of Dom0's end.
   * @param frameRules what judges its frames on a bridge of its own, which bears the vif's name as
   * well; `null` for no bridge.
   */
  constructor(config: VifConfig, backendMac: Mac, frameRules: FrameRules | null = null) {
    const { domid, handle = 0, addresses } = config;
    if (!Number.isInteger(domid) || domid < 1 || domid > LAST_DOMID) {
      throw new OptionError("domid", domid, `1 to ${LAST_DOMID}`);
    }
    if (addresses.length === 0) {
      throw new OptionError("addresses", addresses, "at least one address");
    }
    checkName("domain", config.domain, /^[\w-]{1,255}$/);
    if (config.hostName != null) checkName("hostName", config.hostName, /^[\w.-]{1,255}$/);
    this.domid = domid;
    this.handle = handle;
    this.domain = config.domain;
    this.mac = config.mac;
    this.addresses = addresses;
    this.publicAddress = config.publicAddress ?? null;
    this.securityGroups = [...new Set(config.securityGroups ?? ["default"])];
    this.hostName = config.hostName ?? null;
    this.device = new Device({
      name: `vif${domid}.${handle}`,
      mac: backendMac,
      description: `Dom0's end of ${config.domain}`,
    });
    this.stackDevice = frameRules === null ? this.device : bridgeOver(this.device, frameRules);
  }

  get name(): string {
    return this.device.name;
  }
}

/** Such names stand in dhcpd.conf as they are. */
function checkName(option: string, name: string, form: RegExp): void {
  if (!form.test(name)) throw new OptionError(option, name, `a name such as dom_32504936`);
}
