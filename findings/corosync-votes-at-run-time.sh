#!/usr/bin/env bash
# What becomes of votes that an operator changes while Corosync runs?
#
# Guess:  1. expected votes set with corosync-quorumtool -e hold until a node joins or the daemon starts again.
#         2. more votes for a node (-v) raise the expected votes with them, so one node of three stays without quorum.
# Seen:   1. corosync-cfgtool -R takes them back, also with an unchanged file, and reports only that it is done: a node
#            that -e 1 had made quorate is blocked again.
#         2. the expected votes stay at 3: a node that gives itself 3 votes is quorate alone. Reloading takes that back
#            as well.
# So:     a command that reloads must say what it undoes, and votes must not be changed without what is expected
#         (engine/quorum).
# Source: Debian 12, corosync 3.1.7-1+deb12u2. corosync-quorumtool(8) says of neither option how long it holds, and
#         corosync-cfgtool(8) does not mention votes that were set at run time.
# Needs:  root on Debian 12 (amd64 or arm64): the daemon runs in namespaces of its own.
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
	printf 'totem {\n  version: 2\n  cluster_name: c\n}\nnodelist {\n'
	for i in 1 2 3; do
		printf '  node {\n    nodeid: %d\n    name: n%d\n    ring0_addr: 198.18.0.%d\n  }\n' "$i" "$i" "$i"
	done
	printf '}\nquorum {\n  provider: corosync_votequorum\n}\n'
	printf 'system {\n  sched_rr: no\n}\nlogging {\n  to_stderr: yes\n  to_syslog: no\n}\n'
} > corosync.conf

cat > steps.sh <<'END'
ip link set lo up
ip address add 198.18.0.1/24 dev lo
for place in /var/lib /run /dev/shm; do mount -t tmpfs none $place; done
mkdir -p /var/lib/corosync /run/corosync
PATH=$1/files/usr/sbin:$PATH
corosync -f -c "$1/corosync.conf" > "$1/log" 2>&1 & pid=$!
for i in $(seq 60); do
	sleep 0.1
	corosync-quorumtool -s 2>/dev/null | grep -q "Ring ID" && break
done
votes() { # NAME: the exit status, and the lines about votes
	corosync-quorumtool -s > "$1/status" 2>/dev/null && code=0 || code=$?
	echo "$2: exit $code $(sed -n 's/  */ /g; /^Quorate:\|^Expected votes:\|^Total votes:/p' "$1/status" | tr '\n' ' ')"
}
votes "$1" alone
corosync-quorumtool -e 1 > /dev/null; votes "$1" expected
corosync-cfgtool -R > /dev/null; sleep 1; votes "$1" expected-reloaded
corosync-quorumtool -n 1 -v 3 > /dev/null; votes "$1" weighty
corosync-cfgtool -R > /dev/null; sleep 1; votes "$1" weighty-reloaded
kill -KILL $pid; sleep 0.5
votes "$1" gone
END
LD_LIBRARY_PATH=$libs:$libs/kronosnet timeout 60 unshare --net --mount --ipc --uts --pid --fork --kill-child \
	sh steps.sh "$PWD" > seen 2>errors || true

failed=0
expect() { # NAME LINE
	if grep -qxF "$1: $2" <(sed 's/ *$//' seen); then
		echo "seen: $1: $2"
	else
		echo "CHANGED: $1: $2, not in:"; cat seen errors log; failed=1
	fi
}
expect alone 'exit 2 Quorate: No Expected votes: 3 Total votes: 1'
expect expected 'exit 0 Quorate: Yes Expected votes: 1 Total votes: 1'
expect expected-reloaded 'exit 2 Quorate: No Expected votes: 3 Total votes: 1'
expect weighty 'exit 0 Quorate: Yes Expected votes: 3 Total votes: 3'
expect weighty-reloaded 'exit 2 Quorate: No Expected votes: 3 Total votes: 1'
expect gone 'exit 1'
exit $failed
