# What the steps of a scenario with a guest can say besides dom0.sh; read by `. /lib/guest.sh`.
export PATH=$PATH:/usr/lib/xen-4.17/bin:/usr/bin

# The daemons a toolstack needs. dom0's own entries come from xen-init-dom0, as in a distribution's start script.
toolstack() {
    # xenconsoled gives each guest a pty
    mkdir -p /dev/pts && mount -t devpts devpts /dev/pts
    modprobe xen-evtchn && modprobe xen-gntdev && modprobe xen-gntalloc && modprobe xen-privcmd
    mkdir -p /run/xen /run/xenstored /run/lock /var/run/xen /var/run/xenstored /var/lib/xen /var/lib/xenstored \
        /var/log/xen/console /var/lock /tmp
    xenstored --pid-file /run/xenstored.pid
    for _ in $(seq 100); do xenstore-read / >/dev/null 2>&1 && break; sleep 0.1; done
    xen-init-dom0
    xenconsoled --log=guest --log-dir=/var/log/xen/console
}

console=/var/log/xen/console/guest-guest.log

# `start_guest 1d.0 ...`: creates the guest with these devices, and waits until it has one and says so.
start_guest() {
    cp /guest/config /tmp/config
    echo "pci = [ $(for device; do printf "'%s'," "$(long "$device")"; done) ]" >>/tmp/config
    xl -v create /tmp/config
    await "$console" 0 400 'guest: ready'
    sed '/^guest: report/,$d' "$console" >/out/guest.log
}

# `audit_inside NAME`: what our binary says inside the guest, which prints it on its console, held against the part `--- NAME`.
audit_inside() {
    await "$console" 0 60 'guest: exit '
    tr -d '\r' <"$console" | sed -n '/^guest: report$/,$p' >/run/inside
    sed -n 's/^guest: exit //p' /run/inside >"/out/$1.exit"
    sed '/^guest: /d' /run/inside >"/out/$1.json"
    : >"/out/$1.stderr"
}

# `audit_console NAME`: what it says in dom0 of the guest's log.
audit_console() {
    rc=0
    pciback-audit guest --format json /out/guest.log >"/out/$1.json" 2>"/out/$1.stderr" || rc=$?
    echo "$rc" >"/out/$1.exit"
}

# `inject_fault 1d.0`: lets a UHCI controller run on a list of frames in memory that its guest does not have, for a moment: the upper half of
# its frame list base address (register 8) becomes 0x0010, and its command (register 0) is to run (UHCI 1.1, section 2.1).
inject_fault() {
    ports=$(($(sed -n 5p "/sys/bus/pci/devices/$(long "$1")/resource" | cut -d' ' -f1)))
    port() { printf "$2" | dd of=/dev/port bs=1 seek=$((ports + $1)) conv=notrunc 2>/dev/null; }
    port 10 '\020'
    port 0 '\101'
    sleep 1
    port 0 '\100'
}
