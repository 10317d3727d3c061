# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# To source from bash: packages of any Debian, unpacked and never installed.  apt is used with
# sources, lists and a state of its own: the system's stay as they are, root's rights are not
# needed, and what is installed here does not count.
#
#	debian_begin DIR trixie		DIR is a new one for lists, and for what is downloaded
#	debian apt-cache show gcc
#	debian_unpack ROOT gcc make	and what they depend on
#
# DEBIAN_MIRROR=URL has debian/ and debian-security/ below it.

# debian_begin DIR SUITE [ARCHITECTURE]
debian_begin()
{
	local s
	debian_dir=$1 debian_arch=${3:-amd64}
	mkdir -p "$1"/{lists,archives}/partial
	: >"$1/status"
	for s in "debian $2" "debian $2-backports" "debian-security $2-security"; do
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
			"${DEBIAN_MIRROR:-http://deb.debian.org}/$s main"
	done >"$1/sources"
	debian apt-get update
}

# debian TOOL ARG...
debian()
{
	"$1" -qq -o Dir::Etc::SourceList="$debian_dir/sources" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State="$debian_dir" -o Dir::State::Status="$debian_dir/status" \
		-o Dir::Cache="$debian_dir" -o APT::Architecture="$debian_arch" \
		-o APT::Architectures="$debian_arch" -o APT::Sandbox::User=root \
		-o APT::Install-Recommends=false "${@:2}"
}

# debian_unpack ROOT [--alone] PACKAGE...: --alone leaves out what they depend on
debian_unpack()
{
	local root=$1 deb
	shift
	rm -f "$debian_dir"/archives/*.deb
	if [ "$1" = --alone ]; then
		(cd "$debian_dir/archives" && debian apt-get download "${@:2}") >&2 || return
	else
		debian apt-get -y --download-only install "$@" >&2 || return
	fi
	mkdir -p "$root"
	# base-files first: it says that /lib is /usr/lib
	for deb in "$debian_dir"/archives/base-files_*.deb "$debian_dir"/archives/*.deb; do
		[ ! -f "$deb" ] || dpkg -x "$deb" "$root" || return
	done
}
