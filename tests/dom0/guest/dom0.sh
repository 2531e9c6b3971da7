# What a scenario's steps can say, besides plain shell.

# Debian's busybox runs its own applets ahead of PATH, and its modprobe differs from the real one.
modprobe() { /sbin/modprobe "$@"; }

# 1d.0 -> 0000:00:1d.0, 02:01.0 -> 0000:02:01.0
long() { case $1 in *:*:*) echo "$1" ;; *:*) echo "0000:$1" ;; *) echo "0000:00:$1" ;; esac; }

driver_of() {
    if [ -e "/sys/bus/pci/devices/$(long "$1")/driver" ]; then
        basename "$(readlink "/sys/bus/pci/devices/$(long "$1")/driver")"
    else
        echo none
    fi
}

# The truth a scenario rests on, taken from the kernel before our binary is asked: `owner uhci_hcd 1d.0 1d.1`
owner() {
    wanted=$1; shift
    for device; do
        found=$(driver_of "$device")
        [ "$found" = "$wanted" ] || { echo "dom0: $device has driver $found, not $wanted"; return 1; }
    done
}

unbind() { echo "$(long "$1")" >"/sys/bus/pci/devices/$(long "$1")/driver/unbind"; }
bind() { echo "$(long "$2")" >"/sys/bus/pci/drivers/$1/bind"; }

# Most scenarios leave USB functions of the slot without a driver, and the modules of their drivers are at hand: true each time, and not
# what is tried.
ignore='--ignore usb-companion'

# `audit NAME ARGUMENT...`: one judgement, held against the part `--- NAME` of the scenario.
audit() {
    name=$1; shift
    rc=0
    timeout 60 pciback-audit check --format json $ignore "$@" >"/out/$name.json" 2>"/out/$name.stderr" || rc=$?
    echo "$rc" >"/out/$name.exit"
}

# `refused COMMAND...`: the command must fail, as modprobe does for a list that the kernel does not take.
refused() { if "$@"; then echo "dom0: was expected to fail: $*"; return 1; fi; }

# The three witnesses as they are now. Done at the end of every scenario; one that changes the state after its
# judgement calls it earlier, and the first call wins.
capture() {
    [ ! -e /out/kmsg.raw ] || return 0
    snapshot kmsg >/out/kmsg.raw
    # (uptime first: it says when the tree was taken)
    # shellcheck disable=SC2046
    snapshot tree $(cat /lib/manifest-paths) >/out/root.txt
    busybox dmesg >/out/dmesg.txt
    busybox dmesg -r >/out/dmesg-r.txt
    [ -e /scenario/forms ] || return 0
    /bin/dmesg >/out/dmesg-ul.txt
    /bin/dmesg -T >/out/dmesg-ul-T.txt
    /bin/dmesg -r >/out/dmesg-ul-r.txt
    /bin/dmesg -x >/out/dmesg-ul-x.txt
    /bin/dmesg -t >/out/dmesg-ul-t.txt
    /bin/dmesg -J >/out/dmesg-ul.json
    /bin/dmesg --time-format=iso >/out/dmesg-ul-iso.txt
}
