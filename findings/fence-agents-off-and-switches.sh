#!/usr/bin/env bash
# What does a fence agent of the common library do with "off" for a plug that is off, and with a switch that is 0?
#
# Guess:  "off" sends the command in any case, so a status of off after it is an effect of the command; a switch that
#         is 0 is off.
# Seen:   the agent asks for the status first. If that is off, it prints "Success: Already OFF", ends with 0 and sends
#         nothing. A switch counts as given whatever its value is: help=0 prints the help, and status is not asked.
# So:     an agent's success at "off", and an off after it, may both rest on a status that is old. Holdfast asks for the
#         status before it says off, and believes an off that was there before only after two more looks. It leaves out
#         switches that are off (engine/fence).
# Source: fence-agents 4.12.1-1 (Debian 12), with python3-pexpect, python3-ptyprocess and python3-pycurl of Debian 12.
#         Needs apt-get of Debian 12 and python3; installs nothing outside of a temporary folder.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
apt-get -qq -o APT::Sandbox::User=root download fence-agents=4.12.1-1 python3-pexpect python3-ptyprocess python3-pycurl > /dev/null
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
export PYTHONPATH=$dir/unpacked/usr/share/fence:$dir/unpacked/usr/lib/python3/dist-packages PYTHONWARNINGS=ignore

# fence_dummy keeps the status of its plug in a file, so what it sends is what it writes there.
call() {
	local out code=0
	out=$(printf '%s\n' "status_file=$dir/plug" "$@" | python3 unpacked/usr/sbin/fence_dummy 2> /dev/null) || code=$?
	echo "${out%%$'\n'*}"
	echo "exit code $code"
}
{
	printf on > plug && call action=off && cat plug && echo
	touch -d @1 plug && call action=off && echo "written at $(stat -c %Y plug)"
	call action=status help=0
} | tee seen
diff - seen <<'EOF'
Success: Powered OFF
exit code 0
off
Success: Already OFF
exit code 0
written at 1
Usage:
exit code 0
EOF
echo "as described"
