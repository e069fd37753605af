import { describe, expect, it } from "vitest";
import { formatRule } from "../../src/filter/rule.ts";
import { parseRule } from "../../src/filter/rule-text.ts";

describe("A rule in words", () => {
  it.each([
    ["-i vif3.0 ! -s 10.254.170.223 -j DROP", "! -s 10.254.170.223/32 -i vif3.0 -j DROP"],
    ["-j ACCEPT --dst 10/8 --proto 6", "-d 10.0.0.0/8 -p tcp -j ACCEPT"],
    ["-p tcp --destination-p 80", "-p tcp -m tcp --dport 80"],
    ["-p tcp --dport=80 -j own", "-p tcp -m tcp --dport 80 -j own"],
    ["-p udp -m multiport --dport 53,67:68", "-p udp -m multiport --dports 53,67:68"],
    [
      "-p tcp -m comment --comment x --syn",
      "-p tcp -m comment --comment x -m tcp --tcp-flags FIN,SYN,RST,ACK SYN",
    ],
    ["-p tcp -m tcp --dport 1 -m tcp --dport 2", "-p tcp -m tcp --dport 1 -m tcp --dport 2"],
    ["-p tcp --tcp-flags ALL NONE", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE"],
    ["-i + -o + -d 0/0 -p all", ""],
    ["! -f -g own", "! -f -g own"],
    ["-m limit", "-m limit --limit 3/hour"],
    ["-m limit --limit 61/m --limit-burst 7", "-m limit --limit 61/min --limit-burst 7"],
    ["-m mac --mac-source 0:1:2:3:4:A", "-m mac --mac-source 00:01:02:03:04:0a"],
    ["-j DNAT --to 10.0.0.1", "-j DNAT --to-destination 10.0.0.1"],
    ["-j MARK --and-mark 0xff", "-j MARK --set-xmark 0x0/0xffffff00"],
    ["-j REJECT --reject-with net", "-j REJECT --reject-with icmp-net-unreachable"],
    [`-j LOG --log-prefix ${"x".repeat(40)}`, `-j LOG --log-prefix ${"x".repeat(29)}`],
    ["-p icmp --icmp-type frag", "-p icmp -m icmp --icmp-type 3/4"],
  ])("reads as iptables reads it: %s", (text, printed) => {
    expect(formatRule(parseRule(text))).toBe(printed);
  });

  it.each([
    ["-s 1.1.1.1 -s 2.2.2.2", "--source", "a rule: --source is given twice"],
    ["-p tcp --dport", "--dport", "nothing follows --dport"],
    ["--dport 80", "--dport", "the option --dport is not known or not supported here"],
    ["-p sctp --dport 80", "--dport", "not known or not supported"],
    ["-m recent --set", "recent", 'the match "recent" is not supported'],
    ["-m conntrack --ctstate SNAT", "SNAT", "the state SNAT is not supported"],
    ["-m conntrack --ctorigsrc 1.1.1.1", "--ctorigsrc", "not known or not supported"],
    ["-m state --state NEW,", "", "a state is one of"],
    ["-j QUEUE", "QUEUE", "the target QUEUE is not supported"],
    ["-j ACCEPT -g own", "-g", "a rule has one target"],
    ["! -j ACCEPT", "--jump", "--jump cannot be inverted"],
    ["! -m state --state NEW", "-m", "-m cannot be inverted"],
    ["! ! -s 1.1.1.1", "!", "one ! inverts"],
    ["-s 1.1.1.1 !", "!", "nothing follows !"],
    ["-s ! 1.1.1.1", "1.1.1.1", "is no option of a rule"],
    ["! -p all", "all", "no protocol is outside of all protocols"],
    ["! -i +", "+", "no device is outside of all devices"],
    ["-p tcp ! --sport 0:65535", "0:65535", "no port is outside of all ports"],
    ["-p tcp --sport 010", "010", "ports are decimal"],
    ["-p tcp --dport http", "http", "ports are decimal"],
    ["-p tcp --syn --tcp-flags SYN SYN", "--tcp-flags", "exclude each other"],
    ["-p tcp --tcp-flags NONE SYN", "SYN", "flags are asked for that are not looked at"],
    ["-p tcp --tcp-flags SYN,XYZ SYN", "SYN,XYZ", 'there is no flag "XYZ"'],
    ["-p tcp -m multiport --dports 5:5", "5:5", "needs two ends"],
    [
      "-p tcp -m multiport --dports 1:2,3:4,5:6,7:8,9:10,11:12,13:14,15:16",
      "1:2,3:4,5:6,7:8,9:10,11:12,13:14,15:16",
      "more than 15 ports",
    ],
    ["-p icmp --icmp-type echo", "echo", "may be echo-reply, echo-request"],
    ["-m ttl ! --ttl-lt 5", "--ttl-lt", "ttl: --ttl-lt cannot be inverted"],
    ["-m ttl --ttl-lt 5 --ttl-gt 3", "--ttl-gt", "exclude each other"],
    ["-m ttl", "ttl", "ttl needs one of --ttl-eq, --ttl-lt, --ttl-gt"],
    ["-m limit --limit 10001/s", "10001/s", "is too fast"],
    ["-m limit --limit 1/week", "1/week", "no rate such as 3/min"],
    ["-m statistic --mode nth --every 3", "statistic", "statistic needs --packet"],
    [
      "-m statistic --mode random --every 3 --probability 1",
      "--every",
      "the mode random knows no --every",
    ],
    ["-m comment", "comment", "comment needs --comment"],
    ["-j SNAT --to-source 1.1.1.1:80", "80", "ports need -p"],
    ["-p tcp -j DNAT --to-destination 1.1.1.1:1-2/3", "1-2/3", "shifted ports are not supported"],
    ["-j DNAT --to-destination 1.1.1.9-1.1.1.1", "1.1.1.9-1.1.1.1", "falls"],
    ["-j NETMAP --to 10.0.0.0/255.0.255.0", "10.0.0.0/255.0.255.0", "NETMAP needs a prefix"],
    ["-j LOG --log-level warn", "warn", "a level is 0 to 7"],
    ["-j LOG --log=x", "--log", "may be"],
    ["-p tcp --syn=x", "--syn=x", 'takes no "="'],
    ["-ptcp", "-ptcp", "is no option of a rule"],
    ["ACCEPT", "ACCEPT", "is no option of a rule"],
    ["-s 1.1.1.1,2.2.2.2", "-s 1.1.1.1,2.2.2.2", "expected one rule"],
    ["-c 1 2", "-c", "a rule has no counters of its own"],
  ])("is refused with the word that is wrong: %s", (text, word, message) => {
    expect(() => parseRule(text)).toThrow(message);
    expect(() => parseRule(text)).toThrow(expect.objectContaining({ value: word }));
  });
});
