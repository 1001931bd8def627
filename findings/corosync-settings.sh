#!/usr/bin/env bash
# What do some settings of corosync.conf mean to Corosync 3?
#
# Guess:  1. ringnumber is the old name of linknumber: a section "interface { ringnumber: 1 ... }" is about link 1.
#         2. a second section of one link is an error.
#         3. two_node is ignored, with a message, in a cluster of three nodes.
#         4. expected_votes_tracking is a lower bound: expected_votes stays as it is written.
#         5. allow_downscale begins with expected_votes as it is written.
# Seen:   1. ringnumber is not read; the section is about link 0, and its port becomes that of link 0.
#         2. the sections are merged, the last value counts.
#         3. two_node is in force without a message: flags "2Node WaitForAll", quorum 1.
#         4. and 5. the votes of the nodelist replace expected_votes, also a higher number.
# So:     a reader that is to predict a cluster must do the same (engine/corosync).
# Source: Debian 12, corosync 3.1.7-1+deb12u2. corosync.conf(5) names linknumber only; votequorum(5) does not name the
#         number of nodes for two_node, and says that expected_votes_tracking stores the highest number that was seen.
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

# Starts node 1 alone, and prints what it computed.
start() {
	cat > "$1.conf"
	LD_LIBRARY_PATH=$libs:$libs/kronosnet unshare --net --mount --ipc --uts --pid --fork --kill-child sh -c '
		ip link set lo up
		for link in 0 1; do ip address add 198.18.$link.1/24 dev lo; done
		for place in /var/lib /run /dev/shm; do mount -t tmpfs none $place; done
		mkdir -p /var/lib/corosync /run/corosync
		PATH=$2/usr/sbin:$PATH
		corosync -f -c "$1" & pid=$!
		for i in $(seq 60); do
			sleep 0.1
			corosync-quorumtool -s 2>/dev/null | grep -q "Ring ID" && break
		done
		corosync-quorumtool -s || true
		corosync-cmapctl
		kill -KILL $pid' sh "$PWD/$1.conf" "$PWD/root" > "$1.out" 2>&1 || true
}

# Writes a file: lines of totem, the number of nodes, lines of quorum.
conf() {
	printf 'totem {\n  version: 2\n  cluster_name: c\n%s\n}\nnodelist {\n' "$1"
	for i in $(seq "$2"); do
		printf '  node {\n    nodeid: %d\n    name: n%d\n    ring0_addr: 198.18.0.%d\n    ring1_addr: 198.18.1.%d\n  }\n' \
			"$i" "$i" "$i" "$i"
	done
	printf '}\nquorum {\n  provider: corosync_votequorum\n%s\n}\n' "$3"
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

conf $'  interface {\n    ringnumber: 1\n    mcastport: 5501\n  }' 2 '' | start ringnumber
expect ringnumber 'link number 0: .*port=5501' 'ringnumber: 1 sets the port of link 0'
expect ringnumber 'link number 1: .*port=5406' 'and link 1 keeps its default'

conf $'  interface {\n    linknumber: 0\n    mcastport: 5501\n    knet_ping_timeout: 900\n  }
  interface {\n    linknumber: 0\n    mcastport: 5502\n    knet_ping_interval: 300\n  }' 2 '' | start sections
expect sections 'link number 0: .*port=5502' 'the last section of a link wins'
expect sections 'interface.0.knet_ping_timeout .* = 900' 'and keeps what only the first one has'

conf '' 3 '  two_node: 1' | start two_node
expect two_node '^Flags: +2Node WaitForAll' 'two_node is in force with three nodes'
expect two_node '^Quorum: +1 ' 'with a quorum of 1'

conf '' 3 $'  expected_votes: 7\n  expected_votes_tracking: 1' | start tracking
expect tracking '^Expected votes: +3' 'expected_votes_tracking replaces expected_votes 7 by the three votes of the nodelist'

conf '' 3 $'  expected_votes: 7\n  allow_downscale: 1' | start downscale
expect downscale '^Expected votes: +3' 'allow_downscale does the same'

exit $failed
