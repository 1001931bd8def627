#!/usr/bin/env bash
# What is a node of corosync.conf that has no address?
#
# Guess:  1. a node section without ring0_addr ends the daemon with a message, as a wrong address does.
#         2. if it is passed over, its vote is not expected: the daemon can never reach it.
#         3. the check "corosync -t" reports it.
# Seen:   1. only the first section must have an address. Others are passed over without a word.
#         2. their votes are expected: with two addresses and four nodes the quorum is 3, and two can be reached.
#         3. it exits with 0.
# So:     a reader that is to protect an operator must refuse such a file (engine/corosync does, and says that
#         Corosync accepts it): a line that is lost in editing costs the quorum at the next start.
# Source: Debian 12, corosync 3.1.7-1+deb12u2. corosync.conf(5) calls ringX_addr a setting of each node.
# Needs:  root on Debian 12 (amd64 or arm64): the daemon runs in namespaces of its own.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
version=3.1.7-1+deb12u2
packages="corosync=$version libcfg7=$version libcmap4=$version libcorosync-common4=$version libcpg4=$version
	libquorum5=$version libvotequorum8=$version libknet1=1.25-1 libnozzle1=1.25-1 libqb100=2.0.6-2
	libstatgrab10 libnl-3-200 libnl-route-3-200"
apt-get download -qq $packages
for p in *.deb; do dpkg-deb -x "$p" root; done
libs=$(dirname "$(find "$PWD/root" -name 'libqb.so.100' -print -quit)")

# Checks a file, starts node 1 alone with it, and prints what it computed.
start() {
	cat > "$1.conf"
	LD_LIBRARY_PATH=$libs:$libs/kronosnet unshare --net --mount --ipc --uts --pid --fork --kill-child sh -c '
		ip link set lo up
		ip address add 198.18.0.1/24 dev lo
		for place in /var/lib /run /dev/shm; do mount -t tmpfs none $place; done
		mkdir -p /var/lib/corosync /run/corosync
		PATH=$2/usr/sbin:$PATH
		corosync -t -c "$1"; echo "check: $?"
		corosync -f -c "$1" & pid=$!
		for i in $(seq 60); do
			sleep 0.1
			corosync-quorumtool -s 2>/dev/null | grep -q "Ring ID" && break
		done
		corosync-quorumtool -s || true
		corosync-cmapctl || true
		kill -KILL $pid' sh "$PWD/$1.conf" "$PWD/root" > "$1.out" 2>&1 || true
}

# Writes a file of four nodes, of which those that are named have an address.
conf() {
	printf 'totem {\n  version: 2\n  cluster_name: c\n}\nnodelist {\n'
	for i in 1 2 3 4; do
		printf '  node {\n    nodeid: %d\n    name: n%d\n' "$i" "$i"
		case " $* " in *" $i "*) printf '    ring0_addr: 198.18.0.%d\n' "$i" ;; esac
		printf '  }\n'
	done
	printf '}\nquorum {\n  provider: corosync_votequorum\n}\n'
	printf 'system {\n  sched_rr: no\n}\nlogging {\n  to_stderr: yes\n  to_syslog: no\n}\n'
}

failed=0
expect() { # FILE PATTERN WHAT
	if grep -Eq "$2" "$1.out"; then
		echo "seen: $3"
	else
		echo "CHANGED: $3 ($2 not in:)"; cat "$1.out"; failed=1
	fi
}

conf 1 2 | start two
expect two '^check: 0' 'the check accepts two nodes without an address'
expect two '^Expected votes: +4' 'the daemon expects the votes of all four'
expect two '^Quorum: +3' 'and needs three, of which it can reach two'
conf 2 3 4 | start first
expect first '^check: [1-9]' 'the first node must have one'

exit $failed
