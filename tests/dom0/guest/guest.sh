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
    for _ in $(seq 240); do
        grep -q 'guest: ready' "$console" && break
        sleep 1
    done
    cp "$console" /out/guest.log
    grep 'guest: ready' "$console"
}
