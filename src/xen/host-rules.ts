import type { Machine } from "../base/machine.ts";
import type { Vif } from "./vif.ts";
import type { Dom0Options, Dom0 } from "./dom0.ts";
import { Conntrack } from "../nat/conntrack.ts";
import { Nat } from "../nat/nat.ts";
import { Bindings } from "../nat/bindings.ts";
import { Defragmenter } from "../l3/defragment.ts";
export class HostRules { readonly machines: Machine[] = []; readonly b: Bindings; constructor(d: Dom0, o: Dom0Options) { const c = new Conntrack({ behaviour: o.profile.flows.conntrack, jiffies: d.gateway.jiffies }); this.b = new Bindings({ device: d.uplink }); this.machines.push(new Defragmenter(d.gateway, o.profile.router.reassembly)); c.attach(d.gateway.hooks); new Nat({ conntrack: c, behaviour: o.profile.flows.nat, rules: this.b, chance: o.chance }).attach(d.gateway.hooks); } static isNeeded(o: Dom0Options): boolean { return (o.hasNat ?? true) || (o.hasAntiSpoof ?? true) || (o.hasSecurityGroups ?? true); }
 guardVif(_v: Vif): string[] { return []; } openVif(_v: Vif): string[] { return []; } bindPublic(v: Vif): string[] { if (v.publicAddress !== null) this.b.add({ privateAddress: v.addresses[0] ?? 0 as never, publicAddress: v.publicAddress }); return []; } unguardVif(_v: Vif): string[] { return []; } closeVif(_v: Vif): string[] { return []; } unbindPublic(_v: Vif): string[] { return []; } }
