#!/bin/sh
# How rules.v4 was made: ufw 0.36.2 of Debian 12, in a network namespace of its own.
#
#   unshare --net sh make-rules.sh
set -e
ip link set lo up
ufw --force reset
ufw default deny incoming
ufw default allow outgoing
ufw default deny routed
ufw deny from 198.51.100.0/24
ufw limit 22/tcp
ufw allow 80/tcp
ufw allow from 10.1.0.0/24 to any port 53 proto udp
ufw reject 113/tcp
ufw route allow in on eth1 out on eth0 from 10.1.0.0/24
ufw logging low
ufw --force enable
iptables-save > rules.v4
