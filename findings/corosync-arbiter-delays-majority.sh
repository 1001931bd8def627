#!/usr/bin/env bash
# Does a cluster that has a majority without its arbiter wait for it?
#
# Guess:  1. no: three of four nodes with one vote each have three of five votes. With an arbiter that does not answer
#            they complete a membership change as soon as with one that does.
#         2. a device daemon that hangs on one node costs at most quorum.device.timeout (10 s).
# Seen:   1. they wait 3 to 8 s longer, until the device daemon has given up its connection. Meanwhile the new
#            membership is formed, and its synchronization does not end.
#         2. all nodes wait 30 s (quorum.device.sync_timeout) for the daemon of one.
# So:     what an arbiter can change must be known before a membership change waits for it: with a majority that
#         stands without it, nothing may wait (issues about the arbiter).
# Source: Debian 12, corosync 3.1.7-1+deb12u2, corosync-qdevice and corosync-qnetd 3.0.3-1. corosync-qdevice(8)
#         describes sync_timeout as how often the daemon polls, and not as how long the nodes wait for it.
# Needs:  root on Debian 12 (amd64 or arm64): four nodes and an arbiter run for two minutes in namespaces of their own.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
version=3.1.7-1+deb12u2
packages="corosync=$version libcfg7=$version libcmap4=$version libcorosync-common4=$version libcpg4=$version
	libquorum5=$version libvotequorum8=$version libknet1=1.25-1 libnozzle1=1.25-1 libqb100=2.0.6-2
	corosync-qdevice=3.0.3-1 corosync-qnetd=3.0.3-1 libnss3 libnspr4
	libstatgrab10 libnl-3-200 libnl-route-3-200"
apt-get download -qq $packages
for p in *.deb; do dpkg-deb -x "$p" files; done
libs=$(dirname "$(find "$PWD/files" -name 'libqb.so.100' -print -quit)")

{
	printf 'totem {\n  version: 2\n  cluster_name: c\n  token: 1000\n}\nnodelist {\n'
	for i in 1 2 3 4; do
		printf '  node {\n    nodeid: %d\n    name: n%d\n    ring0_addr: 198.18.0.%d\n  }\n' "$i" "$i" "$i"
	done
	printf '}\nquorum {\n  provider: corosync_votequorum\n  device {\n    model: net\n    votes: 1\n'
	printf '    net {\n      host: 198.18.0.9\n      algorithm: ffsplit\n      tls: off\n    }\n  }\n}\n'
	printf 'system {\n  sched_rr: no\n}\nlogging {\n  to_stderr: yes\n  to_syslog: no\n  timestamp: hires\n}\n'
} > corosync.conf

cat > node.sh <<'END_OF_NODE'
mkdir -p /etc/corosync
for place in /var/lib /run /dev/shm /etc/corosync; do mount -t tmpfs none $place; done
mkdir -p /var/lib/corosync /run/corosync /run/corosync-qdevice
cp "$1/corosync.conf" /etc/corosync/
until [ -e "$1/wired" ]; do sleep 0.1; done
corosync -f > "$1/log$2" 2>&1 &
sleep 2
exec corosync-qdevice -f > "$1/device$2" 2>&1
END_OF_NODE

cat > steps.sh <<'END_OF_STEPS'
export PATH=$1/files/usr/sbin:$1/files/usr/bin:$PATH
for i in 1 2 3 4; do
	unshare --net --mount --ipc --uts sh "$1/node.sh" "$1" $i & eval "n$i=\$!"
done
unshare --net --mount --ipc --uts sh -c "mount -t tmpfs none /run; mkdir -p /run/corosync-qnetd
	until [ -e '$1/wired' ]; do sleep 0.1; done
	exec corosync-qnetd -f -s off -4 > '$1/arbiter' 2>&1" & arbiter=$!
sleep 1
ip link set lo up
ip link add bridge0 type bridge; ip link set bridge0 up
wire() { # PID NUMBER
	ip link add port$2 type veth peer name link0 netns $1
	ip link set port$2 master bridge0 up
	nsenter -t $1 -n sh -c "ip link set lo up; ip link set link0 up; ip address add 198.18.0.$2/24 dev link0"
}
wire $n1 1; wire $n2 2; wire $n3 3; wire $n4 4; wire $arbiter 9
touch "$1/wired"
on1() { nsenter -t $n1 -n -m -i -u "$@" 2>/dev/null; }
members() { # COUNT: waits for a membership that is complete
	for try in $(seq 600); do
		tail -n 1 "$1/log1" | grep -q 'Completed service' &&
			on1 corosync-quorumtool -s | grep -q "^Nodes: *$2\$" && return
		sleep 0.1
	done
}
time_of() { # TEXT: when node 1 logged it after the cut, in milliseconds
	date -d "$(sed -n "/$1/{s/ notice.*//;p;q}" "$dir/new")" +%s%3N
}
cut() { # NAME: takes node 4 away, and prints how long node 1 needs from the new membership to its completion
	lines=$(wc -l < "$dir/log1")
	ip link set port4 nomaster
	for try in $(seq 500); do
		sleep 0.1
		tail -n +$((lines + 1)) "$dir/log1" > "$dir/new"
		grep -q 'Completed service' "$dir/new" && break
	done
	quorum=$(on1 corosync-quorumtool -s | sed -n 's/  */ /g; s/^Quorate: //p; s/^Total votes: //p' | tr '\n' ' ')
	echo "$1 $(($(time_of 'Completed service') - $(time_of 'A new membership'))) $quorum"
}
heal() { ip link set port4 master bridge0; members "$dir" 4; sleep 3; }
dir=$1
members "$dir" 4; sleep 5
cut answering; heal
cut answering; heal # again: a busy machine delays single answers
kill -STOP $arbiter; cut silent; kill -CONT $arbiter; heal; sleep 12
kill -STOP $n1; cut hanging
kill -KILL $n1 $n2 $n3 $n4 $arbiter
END_OF_STEPS
LD_LIBRARY_PATH=$libs:$libs/kronosnet timeout -k 5 240 unshare --net --mount --pid --fork --kill-child \
	--mount-proc sh steps.sh "$PWD" > seen 2>errors || true

failed=0
expect() { # NAME LEAST MOST VOTES WHAT
	read -r ms quorate votes < <(sed -n "s/^$1 //p" seen | sort -n) || true
	if [ "${ms:-0}" -ge "$2" ] && [ "${ms:-0}" -le "$3" ] && [ "$quorate $votes" = "Yes $4" ]; then
		echo "seen: $5: $ms ms"
	else
		echo "CHANGED: $5: not $2 to $3 ms, quorate with $4 votes, in:"; cat seen errors; failed=1
	fi
}
expect answering 0 2500 4 'with an arbiter that answers, a membership is complete soon'
expect silent 3000 12000 3 'with a silent one it takes seconds, although the nodes have a majority'
expect hanging 28000 33000 3 'with a device daemon that hangs on one node it takes half a minute'
exit $failed
