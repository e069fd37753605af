#!/bin/sh
# How rules.v4 was made: the commands that Docker Engine 20 to 27 runs for two bridge networks and
# two published ports when it is started with --userland-proxy=false, so that the kernel alone
# leads packets back to the network that they came from. The last one is an administrator's own.
# The bridges' addresses are 172.17.0.1/16 and 172.18.0.1/16.
#
#   unshare --net sh make-rules.sh
set -e
own=br-7f3c2a1b9d4e
iptables -t nat -N DOCKER
iptables -N DOCKER
iptables -N DOCKER-ISOLATION-STAGE-1
iptables -N DOCKER-ISOLATION-STAGE-2
iptables -N DOCKER-USER
iptables -P FORWARD DROP
iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables -t nat -A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER
for network in "docker0 172.17.0.0/16" "$own 172.18.0.0/16"; do
  set -- $network
  iptables -t nat -I POSTROUTING -o $1 -m addrtype --src-type LOCAL -j MASQUERADE
  iptables -t nat -I POSTROUTING -s $2 ! -o $1 -j MASQUERADE
  iptables -I FORWARD -i $1 -o $1 -j ACCEPT
  iptables -I FORWARD -i $1 ! -o $1 -j ACCEPT
  iptables -I FORWARD -o $1 -j DOCKER
  iptables -I FORWARD -o $1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
  iptables -A DOCKER-ISOLATION-STAGE-1 -i $1 ! -o $1 -j DOCKER-ISOLATION-STAGE-2
  iptables -A DOCKER-ISOLATION-STAGE-2 -o $1 -j DROP
done
iptables -A DOCKER-ISOLATION-STAGE-1 -j RETURN
iptables -A DOCKER-ISOLATION-STAGE-2 -j RETURN
iptables -I FORWARD -j DOCKER-ISOLATION-STAGE-1
iptables -A DOCKER-USER -j RETURN
iptables -I FORWARD -j DOCKER-USER
for port in "docker0 172.17.0.2 8080 80" "$own 172.18.0.2 9000 9000"; do
  set -- $port
  iptables -t nat -A DOCKER -p tcp --dport $3 -j DNAT --to-destination $2:$4
  iptables -A DOCKER ! -i $1 -o $1 -p tcp -d $2 --dport $4 -j ACCEPT
  iptables -t nat -A POSTROUTING -p tcp -s $2 -d $2 --dport $4 -j MASQUERADE
done
iptables -I DOCKER-USER -i eth0 -s 198.51.100.0/24 -j DROP
iptables-save > rules.v4
