#!/usr/bin/env bash
# What does the library of Corosync's process groups answer?
#
# Guess:  1. sending to a group that the handle has not joined, or has left, is an error.
#         2. cpg_max_atomic_msgsize_get is the size of the largest message.
#         3. cpg_flow_control_state_get says "enabled" as long as cpg_mcast_joined says "try again".
#         4. after cpg_leave and its notification, the process can join the group again.
# Seen:   1. it is CS_OK, and no process gets the message.
#         2. larger messages are taken as well, and arrive whole: 2 MiB here.
#         3. it says "disabled" all the time.
#         4. with this handle and with a new one that is CS_ERR_EXIST, until cpg_finalize ends the handle that left.
# So:     an answer must say when a message is not ordered (engine/cpg answers Busy), one limit must hold for every
#         message, and a bench beside Corosync must count what is delivered, not what is sent.
# Source: Debian 12, corosync 3.1.7-1+deb12u2. cpg_mcast_joined(3): "returns the CS_OK value if successful, otherwise an
#         error is returned". cpg_join(3): once for each handle, and CS_ERR_INVALID_PARAM "if the handle is already
#         joined to a group". No page names a largest size. cpg.h: "flow control is enabled - new messages should not be
#         sent".
# Needs:  root on Debian 12 (amd64 or arm64) with python3: the daemon runs in namespaces of its own.
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
	printf '  node {\n    nodeid: 1\n    name: n1\n    ring0_addr: 198.18.0.1\n  }\n}\n'
	printf 'system {\n  sched_rr: no\n}\nlogging {\n  to_stderr: yes\n  to_syslog: no\n}\n'
} > corosync.conf

cat > client.py <<'END'
import ctypes, time

lib = ctypes.CDLL("libcpg.so.4")
NAMES = {1: "CS_OK", 6: "CS_ERR_TRY_AGAIN", 14: "CS_ERR_EXIST"}
AGREED, DISPATCH_ALL = 2, 2
anything, number, size = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_size_t
OnMessage = ctypes.CFUNCTYPE(None, ctypes.c_uint64, anything, number, number, anything, size)
OnMembers = ctypes.CFUNCTYPE(None, ctypes.c_uint64, anything, anything, size, anything, size, anything, size)


class Name(ctypes.Structure):
    _fields_ = [("length", number), ("value", ctypes.c_char * 128)]


class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("length", size)]


class Callbacks(ctypes.Structure):
    _fields_ = [("message", OnMessage), ("members", OnMembers)]


lengths, views = [], []
callbacks = Callbacks(OnMessage(lambda h, group, node, pid, text, length: lengths.append(length)),
                      OnMembers(lambda h, group, m, members, l, left, j, joined: views.append((members, left, joined))))


def handle():
    h = ctypes.c_uint64()
    assert lib.cpg_initialize(ctypes.byref(h), ctypes.byref(callbacks)) == 1
    return h


def group(call, h):
    code = call(h, ctypes.byref(Name(5, b"group")))
    return NAMES.get(code, code)


def send(h, text):
    code = lib.cpg_mcast_joined(h, AGREED, ctypes.byref(Part(text, len(text))), 1)
    return NAMES.get(code, code)


def dispatch(h, enough, seconds=20):
    end = time.time() + seconds
    while time.time() < end and not enough():
        lib.cpg_dispatch(h, DISPATCH_ALL)
        time.sleep(0.01)


listener, stranger = handle(), handle()
group(lib.cpg_join, listener)
print("before joining:", send(stranger, b"early"))
send(listener, b"mark")
dispatch(listener, lambda: lengths)
print("the listener got lengths", lengths)

largest = number()
lib.cpg_max_atomic_msgsize_get(listener, ctypes.byref(largest))
lengths.clear()
print("largest", largest.value, "sending 2 MiB:", send(listener, b"x" * (2 << 20)))
dispatch(listener, lambda: lengths)
print("of 2 MiB arrived", lengths)

lengths.clear()
answers, states = [], set()
for i in range(2000):
    answers.append(send(listener, b"x" * 60000))
    state = ctypes.c_int(-1)
    lib.cpg_flow_control_state_get(listener, ctypes.byref(state))
    states.add((answers[-1], state.value))
print("flood:", sorted(states))
dispatch(listener, lambda: len(lengths) == answers.count("CS_OK"))
print("what was taken arrived" if len(lengths) == answers.count("CS_OK") else "some are missing")

views.clear()
print("leaving:", group(lib.cpg_leave, listener))
dispatch(listener, lambda: views)
print("members, left, joined:", views)
print("after leaving:", send(listener, b"late"))
another = handle()
print("joining again:", group(lib.cpg_join, listener), group(lib.cpg_join, another))
lib.cpg_finalize(listener)
time.sleep(1)
print("the other handle then:", group(lib.cpg_join, another))
END

cat > steps.sh <<'END'
ip link set lo up; ip address add 198.18.0.1/24 dev lo
for place in /var/lib /run /dev/shm; do mount -t tmpfs none $place; done
mkdir -p /var/lib/corosync /run/corosync
files/usr/sbin/corosync -f -c "$PWD/corosync.conf" > log 2>&1 & pid=$!
for i in $(seq 100); do grep -q "ready to provide service" log && break; sleep 0.1; done
python3 client.py
kill -KILL $pid
END
LD_LIBRARY_PATH=$libs:$libs/kronosnet timeout -k 5 120 unshare --net --mount --ipc --uts --pid --fork \
	--kill-child sh steps.sh > seen 2>errors || true

failed=0
expect() { # LINE WHAT
	if grep -qxF "$1" seen; then
		echo "seen: $2"
	else
		echo "CHANGED: $2 ($1 not in:)"; cat seen errors; failed=1
	fi
}
expect 'before joining: CS_OK' 'sending without having joined: CS_OK'
expect 'the listener got lengths [4]' 'and the member of the group gets nothing but its own message'
expect 'largest 1047552 sending 2 MiB: CS_OK' 'the largest size is said to be 1047552, and 2 MiB are taken'
expect 'of 2 MiB arrived [2097152]' 'and arrive as one message'
expect "flood: [('CS_ERR_TRY_AGAIN', 0), ('CS_OK', 0)]" 'flow control is "disabled" also when sending is refused'
expect 'what was taken arrived' 'what was taken arrives'
expect 'leaving: CS_OK' 'leaving: CS_OK'
expect 'members, left, joined: [(0, 1, 0)]' 'with its notification'
expect 'after leaving: CS_OK' 'sending after that: CS_OK'
expect 'joining again: CS_ERR_EXIST CS_ERR_EXIST' 'joining again with this or another handle: CS_ERR_EXIST'
expect 'the other handle then: CS_OK' 'after cpg_finalize of the first: CS_OK'
exit $failed
