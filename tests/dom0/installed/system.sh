# What the steps of an installed dom0 can say, besides guest/dom0.sh.

# udev and Xen's own services have done their work.
settled() {
    udevadm settle --timeout=3600
    systemctl start xen.service
}

# The drivers that udev loads have their devices.
drivers_first() {
    settled
    until owner e1000e 03.0 && owner nvme 05.0 && owner uhci_hcd 1d.0 1d.1 1d.2 && owner ehci-pci 1d.7; do sleep 1; done
}

# `paste PART NAME`: the block of the plan in the report `NAME`, pasted into a shell as a whole.
paste() {
    python3 -c 'import json, sys; print("\n".join(json.load(open(sys.argv[1]))["plan"][sys.argv[2]]))' "/out/$2.json" "$1" >"/out/$2.$1"
    # Without an IOMMU, `xl pci-assignable-add` gives the device to pciback, cannot quarantine it, and fails.
    bash <"/out/$2.$1" >"/out/$2.$1.log" 2>&1 || true
}

# `foretells NAME STATUS`: what the plan says of the next boot as things are. Of QEMU's USB controllers, which the kernel cannot reset,
# it is never better than a warning.
foretells() {
    rc=0
    pciback-audit plan --for boot >"/out/$1.txt" 2>&1 || rc=$?
    [ "$rc" = "$2" ]
}

# `fails UNIT STATUS`: a oneshot service ends with this status, and systemd says that it failed. (Of one that went well it forgets
# the status at once.)
fails() {
    refused systemctl start "$1"
    systemctl show --property=Result,ExecMainStatus "$1" >"/out/$1.show"
    grep -qx Result=exit-code "/out/$1.show"
    grep -qx "ExecMainStatus=$2" "/out/$1.show"
}

# `metric LINE`: the textfile has this line.
metric() { grep -qx "$1" /var/lib/prometheus/node-exporter/pciback-audit.prom; }
