#!/usr/bin/env bash
# What does corosync-cfgtool -R change in a running cluster, and what does it report?
#
# Guess:  1. the ping timers of the links follow the token time-out.
#         2. link_mode is applied, or the reload says that it cannot be changed at run time, as it does for netmtu.
#         3. so is mcastport.
#         4. the exit status tells when a node does not take its file, and then no node does.
#         5. a daemon can start with a file that a reload has taken.
# Seen:   1. they follow the token time-out of the reload before: after 4000 ms, a token of 1000 ms comes
#            with a ping time-out of 2000 ms, and reloading the same file once more changes it to 500 ms.
#         2. corosync-cmapctl shows the new mode, and all traffic stays on one link until the daemons start again.
#         3. the log says that the link is configured with the new port, and the socket stays at the old one.
#         4. it tells of the file of the node that was asked. With a bad file on the other node it says "Done" and exits
#            with 0; with a bad file of its own it exits with 7, and the other node has taken its file. The nodes run
#            with different token time-outs from then on.
#         5. a file without addresses of link 0 is taken, and the cluster goes on with link 1; a daemon refuses to start
#            with it.
# So:     a reload must be decided before anyone applies it, derive everything from the new file, and refuse a file that
#         no node could start with (issues about links).
# Source: Debian 12, corosync 3.1.7-1+deb12u2 and libknet 1.25-1. corosync-cfgtool(8) on -R: "Tell all instances of
#         corosync in this cluster to reload corosync.conf". corosync.conf(5) says that every node needs a ring0_addr,
#         and nothing about 1 to 3.
# Needs:  root on Debian 12 (amd64 or arm64): two daemons run for a minute in namespaces of their own.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
version=3.1.7-1+deb12u2
packages="corosync=$version libcfg7=$version libcmap4=$version libcorosync-common4=$version libcpg4=$version
	libquorum5=$version libvotequorum8=$version libknet1=1.25-1 libnozzle1=1.25-1 libqb100=2.0.6-2
	libstatgrab10 libnl-3-200 libnl-route-3-200"
apt-get download -qq $packages
for p in *.deb; do dpkg-deb -x "$p" files; done
libs=$(dirname "$(find "$PWD/files" -name 'libqb.so.100' -print -quit)")

# Writes a file for both nodes: lines of totem.
conf() {
	printf 'totem {\n  version: 2\n  cluster_name: c\n%s\n}\nnodelist {\n' "$1"
	for i in 1 2; do
		printf '  node {\n    nodeid: %d\n    name: n%d\n    ring0_addr: 198.18.0.%d\n    ring1_addr: 198.18.1.%d\n  }\n' \
			"$i" "$i" "$i" "$i"
	done
	printf '}\nquorum {\n  provider: corosync_votequorum\n}\n'
	printf 'system {\n  sched_rr: no\n}\nlogging {\n  to_stderr: yes\n  to_syslog: no\n}\n'
}
conf '  token: 1000' > start.conf
conf '  token: 4000' > longer.conf
conf $'  token: 4000\n  link_mode: rr\n  netmtu: 1300' > rr.conf
conf $'  token: 4000\n  interface {\n    linknumber: 1\n    mcastport: 5999\n  }' > port.conf
conf '  token: 1500' > shorter.conf
conf '  token: 1700' > other.conf
conf '  token: 5' > refused.conf
sed /ring0/d start.conf > link1.conf

cat > node.sh <<'END_OF_NODE'
for place in /var/lib /run /dev/shm; do mount -t tmpfs none $place; done
mkdir -p /var/lib/corosync /run/corosync
until [ -e "$1/wired" ]; do sleep 0.1; done
corosync -f -c "$1/node$2.conf" > "$1/log$2" 2>&1 & echo $! > "$1/pid$2"
wait $! || true
corosync -f -c "$1/node$2.conf" > "$1/log-again$2" 2>&1
END_OF_NODE

cat > steps.sh <<'END_OF_STEPS'
cd "$1"; cp start.conf node1.conf; cp start.conf node2.conf
export PATH=$1/files/usr/sbin:$PATH
unshare --net --mount --ipc --uts sh node.sh "$1" 1 & one=$!
unshare --net --mount --ipc --uts sh node.sh "$1" 2 & two=$!
sleep 1
for link in 0 1; do
	ip link add bridge$link type bridge; ip link set bridge$link up
	for i in 1 2; do
		pid=$one; [ $i = 1 ] || pid=$two
		ip link add port$i-$link type veth peer name link$link netns $pid
		ip link set port$i-$link master bridge$link up
		nsenter -t $pid -n sh -c "ip link set lo up; ip link set link$link up
			ip address add 198.18.$link.$i/24 dev link$link"
	done
done
touch wired
on() { pid=$one; [ $1 = 1 ] || pid=$two; shift; nsenter -t $pid -n -m -i -u "$@" 2>/dev/null; }
files() { cp "$1" node1.conf; cp "$2" node2.conf; }
reload() { on 1 corosync-cfgtool -R > answer && code=0 || code=$?; sleep 2; }
value() { on "$1" corosync-cmapctl -g "$2" | sed 's/.* = //'; }
tokens() { echo "token $(value 1 runtime.config.totem.token) $(value 2 runtime.config.totem.token)"; }
pings() { echo "ping time-out $(value 1 runtime.config.totem.interface.1.knet_ping_timeout)"; }
sent() { on 1 corosync-cmapctl -m stats -g stats.knet.node2.link1.tx_data_packets | sed 's/.* = //'; }
await() { for try in $(seq 100); do on 1 corosync-quorumtool -s | grep -q '^Nodes: *2' && break; sleep 0.2; done; }
await; sleep 2
echo "start: $(tokens), $(pings)"
files longer.conf longer.conf; reload; echo "longer: exit $code, $(tokens), $(pings)"
reload; echo "the same: exit $code, $(tokens), $(pings)"
files start.conf start.conf; reload; echo "back: exit $code, $(tokens), $(pings)"
reload; echo "the same again: exit $code, $(tokens), $(pings)"
files rr.conf rr.conf; reload
echo "mode: exit $code, $(value 1 totem.link_mode), $(sent) packets on link 1"
grep -q "link_mode.*cannot be changed" log1 || echo "mode: no word in the log"
grep -q "totem.netmtu.*cannot be changed" log1 && echo "mode: a word about netmtu"
files port.conf port.conf; reload
echo "port: exit $code, $(grep -o 'Configured link number 1.*' log1 | tail -1)"
on 1 cat /proc/net/udp | grep -q ':151E ' && echo "port: a socket at 5406"
on 1 cat /proc/net/udp | grep -q ':176F ' || echo "port: none at 5999"
files shorter.conf refused.conf; reload; echo "other refuses: exit $code, $(tail -1 answer), $(tokens)"
files refused.conf other.conf; reload; echo "own refuses: exit $code, $(tokens)"
files link1.conf link1.conf; reload; echo "link 0 removed: exit $code, $(on 1 corosync-quorumtool -s | grep ^Nodes:)"
on 1 corosync -t -c "$1/node1.conf" > test && code=0 || code=$?; echo "a start with it: exit $code"
files rr.conf rr.conf; kill -KILL $(cat pid1 pid2); sleep 1; await; sleep 2
[ "$(sent)" -gt 0 ] && echo "after a start: packets on link 1"
kill -KILL $one $two
END_OF_STEPS
LD_LIBRARY_PATH=$libs:$libs/kronosnet timeout -k 5 240 unshare --net --mount --pid --fork --kill-child \
	--mount-proc sh steps.sh "$PWD" > seen 2>errors || true

failed=0
expect() { # LINE WHAT
	if grep -qxF "$1" <(sed 's/ *$//' seen); then
		echo "seen: $2"
	else
		echo "CHANGED: $2 ($1 not in:)"; cat seen errors; tail -20 log1; failed=1
	fi
}
expect 'start: token 1000 1000, ping time-out 500' 'a token of 1000 ms: ping time-out 500 ms'
expect 'longer: exit 0, token 4000 4000, ping time-out 500' 'a reload to 4000 ms leaves the ping time-out'
expect 'the same: exit 0, token 4000 4000, ping time-out 2000' 'and a reload of the same file changes it'
expect 'back: exit 0, token 1000 1000, ping time-out 2000' 'back to 1000 ms: the ping time-out is twice the token'
expect 'the same again: exit 0, token 1000 1000, ping time-out 500' 'until the same file is reloaded'
expect 'mode: exit 0, rr, 0 packets on link 1' 'link_mode rr is shown, and link 1 is not used'
expect 'mode: no word in the log' 'without a word in the log'
expect 'mode: a word about netmtu' 'in which netmtu is named as one that cannot be changed'
expect 'after a start: packets on link 1' 'link 1 is used once the daemons started again'
expect 'port: exit 0, Configured link number 1: local addr: 198.18.1.1, port=5999' 'port 5999 is said to be configured'
expect 'port: a socket at 5406' 'and the socket is at 5406'
expect 'port: none at 5999' 'and none at 5999'
expect 'other refuses: exit 0, Done, token 1500 4000' 'the other node refuses: exit 0, "Done", two token time-outs'
expect 'own refuses: exit 7, token 1500 1700' 'the own file is refused: exit 7, and the other node has taken its file'
expect 'link 0 removed: exit 0, Nodes:            2' 'a file without link 0 is taken, and both nodes stay'
expect 'a start with it: exit 8' 'a daemon refuses to start with it'
exit $failed
