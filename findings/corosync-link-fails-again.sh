#!/usr/bin/env bash
# When does a second link save the membership?
#
# Guess:  1. always: a link is down knet_ping_timeout (half of the token time-out) after its last answer, then the
#            other link takes over.
#         2. a link that returns must prove itself before passive mode uses it again.
#         3. corosync-cfgtool -s -b exits with 1 while a link is disconnected.
#         4. a link that never failed has a down_count of 0.
# Seen:   1. only if the last failure is some time ago. A link that fails again within a few seconds is given several
#            times as long, which is longer than the token time-out: the token is lost, and there is a new membership
#            although the second link worked all the time.
#         2. it is used as soon as it is up, so a preferred link that comes and goes does that again and again.
#         3. it exits with 0.
#         4. it is 1.
# So:     a link that failed a moment ago must be given less time, not more, or must wait until it is used again
#         (issues about links); a monitor must read the states, not the exit status.
# Source: Debian 12, corosync 3.1.7-1+deb12u2 and libknet 1.25-1. corosync.conf(5) says of knet_ping_timeout "If no ping
#         is received within this time, the knet link is declared dead"; corosync-cfgtool(8) promises the status 1.
# Needs:  root on Debian 12 (amd64 or arm64): two daemons run for two minutes in namespaces of their own.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
version=3.1.7-1+deb12u2
packages="corosync=$version libcfg7=$version libcmap4=$version libcorosync-common4=$version libcpg4=$version
	libquorum5=$version libvotequorum8=$version libknet1=1.25-1 libnozzle1=1.25-1 libqb100=2.0.6-2
	libstatgrab10 libnl-3-200 libnl-route-3-200"
apt-get download -qq $packages
for p in *.deb; do dpkg-deb -x "$p" files; done
libs=$(dirname "$(find "$PWD/files" -name 'libqb.so.100' -print -quit)")

{
	printf 'totem {\n  version: 2\n  cluster_name: c\n  token: 2000\n}\nnodelist {\n'
	for i in 1 2; do
		printf '  node {\n    nodeid: %d\n    name: n%d\n    ring0_addr: 198.18.0.%d\n    ring1_addr: 198.18.1.%d\n  }\n' \
			"$i" "$i" "$i" "$i"
	done
	printf '}\nquorum {\n  provider: corosync_votequorum\n}\n'
	printf 'system {\n  sched_rr: no\n}\nlogging {\n  to_stderr: yes\n  to_syslog: no\n}\n'
} > corosync.conf

cat > node.sh <<'END_OF_NODE'
for place in /var/lib /run /dev/shm; do mount -t tmpfs none $place; done
mkdir -p /var/lib/corosync /run/corosync
until [ -e "$1/wired" ]; do sleep 0.1; done
exec corosync -f -c "$1/corosync.conf" > "$1/log$2" 2>&1
END_OF_NODE

cat > steps.sh <<'END_OF_STEPS'
export PATH=$1/files/usr/sbin:$PATH
unshare --net --mount --ipc --uts sh "$1/node.sh" "$1" 1 & one=$!
unshare --net --mount --ipc --uts sh "$1/node.sh" "$1" 2 & two=$!
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
touch "$1/wired"
on1() { nsenter -t $one -n -m -i -u "$@" 2>/dev/null; }
value() { on1 corosync-cmapctl -m stats -g stats.knet.node2."$1" | sed 's/.* = //'; }
ring() { on1 corosync-quorumtool -s | sed -n 's/^Ring ID: *//p'; }
await() { # KEY VALUE: waits up to a minute, prints the milliseconds
	begin=$(date +%s%3N)
	for try in $(seq 600); do [ "$(value "$1")" != "$2" ] || break; sleep 0.1; done
	echo $(($(date +%s%3N) - begin))
}
for try in $(seq 100); do on1 corosync-quorumtool -s | grep -q '^Nodes: *2' && break; sleep 0.2; done
sleep 20 # until the links are as trusted as they will be
echo "down-count $(value link1.down_count)"
before=$(ring); downs=$(value link1.down_count)
ip link set port2-0 nomaster; first=$(await link0.connected 0); sleep 4
[ "$(ring)" = "$before" ] && echo "first: same ring" || echo "first: new ring"
on1 corosync-cfgtool -s -b > "$1/brief" && code=0 || code=$?
echo "brief exit $code status $(sed -n 's/.*status.*= *//p' "$1/brief" | tr '\n' ' ')"
ip link set port2-0 master bridge0; await link0.connected 1 > /dev/null; sleep 20
before=$(ring)
ip link set port2-0 nomaster; await link0.connected 0 > /dev/null
[ "$(ring)" = "$before" ] && echo "later: same ring" || echo "later: new ring"
ip link set port2-0 master bridge0; await link0.connected 1 > /dev/null
echo "best link: $(grep -o 'host: 2 (passive) best link: .' "$1/log1" | tail -1)"
ip link set port2-0 nomaster; again=$(await link0.connected 0); sleep 4
[ "$(ring)" = "$before" ] && echo "again: same ring" || echo "again: new ring"
[ $again -gt $((2 * first)) ] && echo "again: takes longer"
[ "$(value link1.down_count)" = "$downs" ] && echo "link 1 stayed up"
echo "times: $first ms, $again ms"
kill -KILL $one $two
END_OF_STEPS
LD_LIBRARY_PATH=$libs:$libs/kronosnet timeout -k 5 240 unshare --net --mount --pid --fork --kill-child \
	--mount-proc sh steps.sh "$PWD" > seen 2>errors || true

failed=0
expect() { # LINE WHAT
	if grep -qxF "$1" <(sed 's/ *$//' seen); then
		echo "seen: $2"
	else
		echo "CHANGED: $2 ($1 not in:)"; cat seen errors; grep KNET log1 | tail -20; failed=1
	fi
}
expect 'down-count 1' 'a link that never failed has a down_count of 1'
expect 'first: same ring' 'the first failure of link 0 causes no new membership'
expect 'later: same ring' 'nor does one 20 s after it came up'
expect 'brief exit 0 status n1 n3' 'cfgtool -s -b exits with 0 while link 0 is disconnected'
expect 'best link: host: 2 (passive) best link: 0' 'the returned link is used at once'
expect 'again: new ring' 'a failure right after the link came up does'
expect 'again: takes longer' "more than twice as long passes until it is down ($(sed -n 's/^times: //p' seen))"
expect 'link 1 stayed up' 'although link 1 was up all the time'
exit $failed
