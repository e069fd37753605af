/**
 * The scenario of `dom0 demo`, inside the program so that it needs no file: the text of
 * examples/seed-host.yaml, which a test compares.
 * @module
 */

/** Its name in messages. */
export const DEMO_NAME = "demo";

/** A scenario file's text. */
export const DEMO_SCENARIO = `# yaml-language-server: $schema=../schema/scenario.json
#
# The host of an article of February 2010, "On Amazon EC2's Underlying Architecture": what
# \`dom0 demo\` plays. Run it with \`dom0 run examples/seed-host.yaml\`.
title: An EC2-Classic host of February 2010
seed: 7
profile: ec2-2010

hosts:
  - name: host-a
    privateAddress: 10.254.168.2
    externalAddress: 216.182.232.10/20
    domains:
      - name: dom_32504936
        domid: 3
        mac: 12:31:39:00:A5:11
        privateAddress: 10.254.170.223/23
        publicAddress: 75.101.160.7
        securityGroups: [web]
        volumes: [{ device: sdf, path: /dev/gnbd89, gib: 10 }]
      - name: dom_32504938
        domid: 4
        privateAddress: 10.254.170.222/23
        publicAddress: 75.101.160.8
        securityGroups: [web]
      - name: dom_32504940 # An attacker rented this one: it sends whatever frames it likes.
        domid: 5
        mac: 12:31:39:00:A5:0D
        privateAddress: 10.254.170.221/23
        publicAddress: null
        guest: external

securityGroups:
  web:
    - { protocol: icmp, source: 0.0.0.0/0 }
    - { protocol: udp, ports: 7, source: 0.0.0.0/0 }
    - { protocol: tcp, ports: 80, source: 0.0.0.0/0 }

internet:
  - { name: www.example.com, address: 93.184.216.34 }

steps:
  - at: 12s
    says: Two domUs of one host, by their private addresses
    ping: { from: dom_32504938, to: dom_32504936, count: 3 }
    expect: { replies: 3 }

  - at: 18s
    says: Out to the internet, as 75.101.160.7 by 1:1 NAT
    ping: { from: dom_32504936, to: www.example.com, count: 3 }
    expect: { replies: 3 }

  - at: 24s
    says: The way out shows Dom0 twice, by its private and its external address
    traceroute: { from: dom_32504936, to: www.example.com }
    expect: { hops: [10.254.168.2, 216.182.232.10] }

  - at: 30s
    says: In from the internet, to the public address
    ping: { from: www.example.com, to: dom_32504936, count: 2 }
    expect: { replies: 2 }

  - at: 34s
    udp: { from: www.example.com, to: dom_32504936, port: 7, payload: hello }
    expect: { replies: 1 }

  - at: 37s
    says: A port that no security group opens
    udp: { from: www.example.com, to: dom_32504936, port: 9, payload: anybody there? }
    expect: { received: 0, dropped: security-group/no-permission }

  - at: 40s
    says: "A spoofer: an echo request under the address of its neighbor"
    send:
      from: dom_32504940
      frame: >-
        efffffffffff 12313900a50d 0800 4500002a 00010000 40010f19 0afeaadf
        0afeaade 0800ea06 53500001 6e6f7420 6d792061 64647265 7373
    expect: { received: 0, dropped: anti-spoof/source-address }

  - at: 42s
    says: "ARP poisoning: the neighbor's address is at my MAC address"
    send:
      from: dom_32504940
      frame: >-
        efffffffffff 12313900a50d 0806 00010800 06040002 12313900 a50d0afe
        aadfefff ffffffff 0afea802
    expect: { received: 0, dropped: anti-spoof/arp-sender-address }

  - at: 44s
    says: "A rogue DHCP server: an OFFER of 192.168.66.10 to everyone"
    send:
      from: dom_32504940
      frame: >-
        ffffffffffff 12313900a50d 0800 45100148 00000000 1011f3ba 0afeaadd
        ffffffff 00430044 01344b79 02010600 524f4755 00000000 00000000 c0a8420a
        c0a84201 00000000 12313900 a5110000 00000000 00000000 00000000 00000000
        00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
        00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
        00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
        00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
        00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
        00000000 00000000 00000000 00000000 00000000 00000000 63825363 35010236
        04c0a842 01330400 000e1001 04ffffff 000304c0 a84201ff 00000000 00000000
        00000000 00000000 00000000 00000000 00000000 00000000
    expect: { received: 0, dropped: anti-spoof/dhcp-server }

  - at: 46s
    says: The neighbors never noticed
    ping: { from: dom_32504936, to: dom_32504938, count: 2 }
    expect: { replies: 2 }
`;
