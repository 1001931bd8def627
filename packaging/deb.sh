#!/bin/sh
# Builds the Debian package of the programs: packaging/deb.sh [VERSION [FOLDER]]. It prints the path of the
# package. The same sources and the same Go give the same bytes.
set -eu
umask 022
cd "$(dirname "$0")/.."

GO=${GO:-go}
commit=$(git log -1 --format=%h 2>/dev/null || echo unknown)
version=${1:-}
version=${version#v}
if [ -z "$version" ]; then
	version=$(git describe --tags --match 'v[0-9]*' 2>/dev/null | sed 's/^v//; s/-/+/; s/-/./g')
fi
version=${version:-0~dev+$commit}
out=${2:-bin}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1767225600)}
export SOURCE_DATE_EPOCH
case $("$GO" env GOARCH) in
386) arch=i386 ;;
arm) arch=armhf ;;
ppc64le) arch=ppc64el ;;
*) arch=$("$GO" env GOARCH) ;;
esac
command -v dpkg-deb >/dev/null || {
	echo "deb.sh: dpkg-deb is missing: run this on Debian, or install dpkg" >&2
	exit 1
}

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$out" "$root/DEBIAN" "$root/usr/sbin" "$root/usr/bin" "$root/usr/lib/systemd/system" \
	"$root/usr/share/man/man8" "$root/usr/share/doc/holdfast" "$root/usr/share/bash-completion/completions" \
	"$root/usr/share/zsh/vendor-completions" "$root/var/lib"
mkdir -m 0700 "$root/var/lib/holdfast"

CGO_ENABLED=0 GOOS=linux "$GO" build -trimpath -ldflags='-s -w' -o "$root/usr/sbin/" ./cmd/holdfastd ./cmd/ha-manager
CGO_ENABLED=0 GOOS=linux "$GO" build -trimpath -ldflags='-s -w' -o "$root/usr/bin/" ./cmd/holdfast
install -m 0644 packaging/holdfastd.service "$root/usr/lib/systemd/system/"
for page in packaging/man/*.8; do
	gzip -9n <"$page" >"$root/usr/share/man/man8/$(basename "$page").gz"
done
install -m 0644 docs/operate.md docs/api.md "$root/usr/share/doc/holdfast/"
install -m 0644 LICENSE "$root/usr/share/doc/holdfast/copyright"
gzip -9n <CHANGELOG.md >"$root/usr/share/doc/holdfast/changelog.gz"
# By a program for the machine that builds, which need not be the one that the package is for.
GOOS='' GOARCH='' "$GO" run ./cmd/ha-manager completion bash >"$root/usr/share/bash-completion/completions/ha-manager"
GOOS='' GOARCH='' "$GO" run ./cmd/ha-manager completion zsh >"$root/usr/share/zsh/vendor-completions/_ha-manager"

for script in postinst prerm postrm; do
	install -m 0755 "packaging/debian/$script" "$root/DEBIAN/"
done
cat >"$root/DEBIAN/control" <<END
Package: holdfast
Version: $version
Section: admin
Priority: optional
Architecture: $arch
Maintainer: The Holdfast authors <holdfast@example.org>
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Recommends: fence-agents
Suggests: bash-completion
Conflicts: pve-ha-manager
Description: cluster engine with high availability, and the harness that tests it
 holdfastd is a node of a cluster: membership, votes, a replicated store, and
 an HA manager with watchdogs and fence devices. ha-manager configures the
 services that the cluster manages. holdfast tests the engine and other
 distributed systems in a simulator and on real nodes.
END
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
package="$out/holdfast_${version}_$arch.deb"
dpkg-deb -Zgzip --root-owner-group --build "$root" "$package" >/dev/null
echo "$package"
