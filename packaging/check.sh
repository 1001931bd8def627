#!/bin/sh
# Builds the Debian package, installs it on this machine, looks at what it installed, and removes it. It skips
# by name where that is not possible.
set -eu
cd "$(dirname "$0")/.."

skip() {
	echo "skipped: the Debian package ($1)"
	exit 0
}
fail() {
	echo "check.sh: $1" >&2
	exit 1
}
[ "$(uname)" = Linux ] || skip "not Linux"
command -v dpkg-deb >/dev/null || skip "no dpkg"
[ "$(id -u)" = 0 ] || skip "not root"
if dpkg -s holdfast >/dev/null 2>&1; then
	skip "holdfast is installed here; this would replace it"
fi

work=$(mktemp -d)
clean() {
	dpkg --purge holdfast >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap clean EXIT
package=$(sh packaging/deb.sh "" "$work")
again=$(sh packaging/deb.sh "" "$work/again")
cmp "$package" "$again" || fail "two builds of the same sources differ"
dpkg-deb --info "$package"
dpkg -i "$package"

for program in holdfastd ha-manager holdfast; do
	"$program" --version 2>&1 | grep -q "^$program" || fail "$program --version prints no version"
done
status=0
holdfastd /nonexistent/machine.json 2>"$work/said" || status=$?
[ "$status" = 254 ] || fail "a missing machine file ended with $status, not with 254: the unit would restart it"
status=0
ha-manager --api /nonexistent/api.sock status 2>"$work/said" || status=$?
[ "$status" = 255 ] || fail "ha-manager without a node ended with $status, not with 255"

for page in holdfastd ha-manager ha-manager-status ha-manager-rules-add; do
	path=/usr/share/man/man8/$page.8.gz
	dpkg -L holdfast | grep -qx "$path" || fail "the package lacks $path"
	if [ -e "$path" ] && command -v man >/dev/null; then # images for containers drop manual pages
		[ "$(man -w 8 "$page")" = "$path" ] || fail "man does not find $page"
	fi
done
unit=/usr/lib/systemd/system/holdfastd.service
[ -e "$unit" ] || fail "$unit is not there"
if command -v systemd-analyze >/dev/null; then
	systemd-analyze verify "$unit" || fail "systemd does not accept $unit"
else
	echo "skipped: systemd-analyze verify (no systemd)"
fi
bash -n /usr/share/bash-completion/completions/ha-manager || fail "bash does not read the completion"
[ "$(stat -c %a /var/lib/holdfast)" = 700 ] || fail "other users can read /var/lib/holdfast"

dpkg -r holdfast
for path in /usr/sbin/holdfastd /usr/sbin/ha-manager /usr/bin/holdfast "$unit"; do
	[ ! -e "$path" ] || fail "$path is still there after the removal"
done
echo "the Debian package can be installed and removed"
