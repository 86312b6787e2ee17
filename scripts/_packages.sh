#!/usr/bin/env bash
# Checks and installs the Debian packages that the other scripts need.
#
#   scripts/_packages.sh [--check|--install] SET...
#
# SET is python (the virtual environment), demo (what the demo calls), tools (what the tests call),
# vm (the guest), lab (its virtual machines), bare (the bare Debian), package (the .deb) or lintian (its
# check). Lists missing packages and the exact command. Then, without an option: asks on a terminal; without one, root installs them and
# anyone else gets exit status 4. --install answers yes, --check only looks.
set -euo pipefail

PATH=$PATH:/usr/sbin:/sbin
missing=()

have() { command -v "$1" >/dev/null; }
want() { have "$1" || missing+=("$2"); }

look_for_python() {
    want python3 python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
}

look_for_demo() {
    want ip iproute2
    want ping iputils-ping
    want sysctl procps
}

look_for_tools() {
    look_for_demo
    want tcpdump tcpdump
    want nft nftables
    want iptables-legacy iptables
    want modprobe kmod
    want dnsmasq dnsmasq-base
    look_for_keyring # for what is fetched and not installed
    want zsh zsh
    want fish fish
}

look_for_vm() {
    want qemu-system-x86_64 qemu-system-x86
    want depmod kmod
    want mke2fs e2fsprogs
    look_for_keyring
    # virtiofsd is optional, so --check does not report it.
    if [ "$mode" != --check ] && ! have_virtiofsd && virtiofsd_is_a_package; then
        missing+=(virtiofsd)
    fi
}

look_for_package() {
    want dpkg-deb dpkg
    want strip binutils
}

look_for_lintian() {
    want lintian lintian
    want py3compile python3-minimal
}

look_for_lab() {
    want mmdebstrap mmdebstrap
    want qemu-img qemu-utils
    want vagrant vagrant
    compgen -G '/usr/share/rubygems-integration/all/gems/vagrant-libvirt-*' >/dev/null ||
        missing+=(vagrant-libvirt)
    want virsh libvirt-clients
    [ -d /var/lib/libvirt ] || missing+=(libvirt-daemon-system)
    [ -e /usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so ] ||
        missing+=(libvirt-daemon-driver-qemu)
    want dnsmasq dnsmasq-base
    want ssh openssh-client
    want nsenter util-linux
}

look_for_bare() {
    want git git
    want mmdebstrap mmdebstrap
    want unshare util-linux
    want pivot_root util-linux
    look_for_keyring
}

look_for_keyring() {
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
}

# Up to Debian 12, virtiofsd is in qemu-system-common, a dependency of QEMU.
virtiofsd_is_a_package() {
    # shellcheck disable=SC1091
    (. /etc/os-release && [ "${ID-}" != debian ] || [ "${VERSION_ID-99}" -gt 12 ])
}

have_virtiofsd() {
    [ -x /usr/lib/qemu/virtiofsd ] || [ -x /usr/libexec/virtiofsd ] || have virtiofsd
}

have_lists() { [ -n "$(find /var/lib/apt/lists -name '*Packages*' -print -quit)" ]; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

may_install() {
    [ "$mode" = --install ] && return 0
    if [ -t 0 ] && [ -t 2 ]; then
        read -r -p "Install them now? [Y/n] " answer
        case $answer in '' | y | Y | yes) return 0 ;; *) return 1 ;; esac
    fi
    [ "$(id -u)" -eq 0 ]
}

install_packages() {
    have_lists || refresh_lists
    try_install || { refresh_lists && try_install; }
}

refresh_lists() {
    echo "apt-get update" >&2
    as_root apt-get -qq update
}

# Shows apt-get's output only if it fails.
try_install() {
    local said
    said=$(as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y \
        --no-install-recommends "${missing[@]}" </dev/null 2>&1) || { echo "$said" && false; }
}

mode=ask
case ${1-} in --check | --install)
    mode=$1
    shift
    ;;
esac

for set in "$@"; do "look_for_$set"; done
[ ${#missing[@]} -eq 0 ] && exit 0

mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
sudo=$([ "$(id -u)" -eq 0 ] || echo 'sudo ')
{
    echo "These Debian packages are needed and not installed: ${missing[*]}"
    echo "The command: ${sudo}apt-get install --no-install-recommends ${missing[*]}"
} >&2
if ! have apt-get; then
    echo "This machine has no apt-get: install their equivalents with its package manager." >&2
    exit 4
fi
if [ "$mode" = --check ] || ! may_install; then exit 4; fi
echo "Installing them." >&2
if ! install_packages >&2; then
    echo "apt-get could not install them; its output is above." >&2
    exit 4
fi
