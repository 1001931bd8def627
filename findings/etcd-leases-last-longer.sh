#!/usr/bin/env bash
# How long does a lease of etcd last, and what does that mean for who waits for a dead holder's lock?
#
# Guess:  1. a lease that is asked for with a TTL of 1 s ends one second after its last renewal.
#         2. a lease of 20 s of which 12 s have passed has 8 s left, whoever leads the cluster.
# Seen:   1. the server grants at least one and a half election time-outs, in whole seconds: TTL(2s) by default, TTL(8s)
#            with --election-timeout=5000. Only the answer tells; the command succeeds.
#         2. a new leader gives every lease its whole TTL again: 12 s before its end and after the death of the leader it
#            has almost 20 s left.
# So:     a lock that hangs on a lease can outlive its holder by a TTL for each change of the leader. The deadline of a
#         scenario about locks on etcd is computed from the granted TTL and the number of leaders, not from what was asked.
# Source: Debian 12, etcd-server and etcd-client 3.4.23-4+b4. The option --experimental-enable-lease-checkpoint, off by
#         default, is documented as keeping the remaining time.
# Needs:  apt-get of Debian 12; installs nothing outside of a temporary folder. Servers listen on the loopback only.
set -euo pipefail
dir=$(mktemp -d); cd "$dir"
pids=()
trap 'kill -KILL "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
version=3.4.23-4+b4
apt-get -qq -o APT::Sandbox::User=root download "etcd-server=$version" "etcd-client=$version" > /dev/null
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
export PATH=$PWD/unpacked/usr/bin:$PATH ETCDCTL_API=3
client=23791 peer=23891 # the first ports of three

# url PORT
url() { echo "http://127.0.0.1:$1"; }

# start NAME NUMBER CLUSTER OPTION... starts a server.
start() {
	local name=$1 number=$2 cluster=$3; shift 3
	etcd --name "$name" --data-dir "$name" --initial-cluster "$cluster" \
		--listen-client-urls "$(url $((client + number)))" --advertise-client-urls "$(url $((client + number)))" \
		--listen-peer-urls "$(url $((peer + number)))" --initial-advertise-peer-urls "$(url $((peer + number)))" \
		"$@" > "$name.log" 2>&1 &
	pids+=($!)
	disown
}

# ask NUMBER ARGUMENT... asks a server, for at most half a minute.
ask() {
	local number=$1 answer; shift
	for _ in $(seq 30); do
		if answer=$(etcdctl --endpoints "$(url $((client + number)))" "$@" 2> asked.log); then
			echo "$answer"
			return
		fi
		sleep 1
	done
	cat asked.log >&2
	return 1
}

check() { # WHAT SEEN PATTERN
	printf '%s: %s\n' "$1" "$2"
	[[ $2 =~ $3 ]] || { echo "changed: it matched $3"; exit 1; }
}

start default 0 "default=$(url $peer)"
check "asked for 1 s, election time-out 1 s" "$(ask 0 lease grant 1 | grep -o 'TTL(.*)')" '^TTL\(2s\)$'
check "asked for 3 s" "$(ask 0 lease grant 3 | grep -o 'TTL(.*)')" '^TTL\(3s\)$'
kill -KILL "${pids[@]}"; pids=()
start slow 0 "slow=$(url $peer)" --election-timeout 5000
check "asked for 1 s, election time-out 5 s" "$(ask 0 lease grant 1 | grep -o 'TTL(.*)')" '^TTL\(8s\)$'
kill -KILL "${pids[@]}"; pids=()

cluster="a=$(url $peer),b=$(url $((peer + 1))),c=$(url $((peer + 2)))"
for number in 0 1 2; do start "$(cut -c $((number + 1)) <<< abc)" $number "$cluster"; done
lease=$(ask 0 lease grant 20 | awk '{print $2}')
sleep 12
# remaining NUMBER prints the seconds that the lease has left.
remaining() { ask "$1" lease timetolive "$lease" | sed 's/.*remaining(\(.*\)s)/\1/'; }
check "left after 12 s, the leader lives" "$(remaining 0)" '^[5-8]$'
for number in 0 1 2; do
	ask $number endpoint status | grep -q ', true' && leader=$number
done
kill -KILL "${pids[$leader]}"
check "left after the death of the leader" "$(remaining $(((leader + 1) % 3)))" '^1[6-9]$|^20$'
