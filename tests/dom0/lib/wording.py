"""Every wording that pciback, and others in its name, are known to use.

A kernel record about pciback that is none of these is a failure of the scenario, with the record printed:
that is how a new kernel's change of wording is met here first, and not as silence on a user's machine.
"""

import re

BDF = r"[0-9a-f]{4,5}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"
PREFIX = rf"(?:pciback|pci|xen-pciback|xen_pciback) {BDF}: (?:xen[-_]pciback: )?"
MODULE = r"(?:xen[-_]pciback|pciback): "

# about one device
DEVICE = [
    r"seizing device",
    r"error -?\d+ initializing device",
    r"can't export pci devices that don't have a normal \(0\) or bridge \(1\) header type!",
    r"MSI-X (?:preparation|release) failed \(-?\d+\)",
    r"Could not store PCI conf saved state!",
    r"Fail to get gsi info!",
    r"Could not reload PCI state",
    rf"\*{{6}} removing device {BDF} while still in-use(?: by domain \d+)?! \*{{6}}",
    r"\*{6} driver domain may still access this device's i/o resources!",
    r"\*{6} shutdown driver domain before binding device",
    r"\*{6} to other drivers or domains",
    r"enabling permissive mode configuration space accesses!",
    r"permissive mode is potentially unsafe!",
    r"(?:(?:xen-)?pciback )?device is not (?:found/assigned|connected or owned by HVM, kill it)",
    r"guest with no AER driver should have been killed",
    r"failed to get pcifront device",
    r"pcifront aer process not responding!",
    r"error -?\d+ when (?:start|end) xenbus transaction",
    rf"vpci: (?:{BDF}: )?assign to virtual slot \d+(?: func \d+)?",
    r"registering for \d+",
    r"Stealing ownership from dom\d+\.",
    r"Driver tried to write to a read-only configuration space field at offset 0x[0-9a-f]+, size \d+\..*",
    r"driver data not found",
    r"cannot enable memory-write-invalidate \(-?\d+\)",
    r"Unsupported header type \d+!",
    r"error enabling MSI(?:-X)? for guest \d+: err -?\d+!?",
    r"[\w:\[\].-]+ IRQ line is not shared with other domains\. Turning ISR off",
    # the driver core and the PCI core, while the device is pciback's
    r"probe with driver pciback failed with error -?\d+",
    r"enabling device \([0-9a-f]{4} -> [0-9a-f]{4}\)",
    r"can't enable device: BAR \d+ \[.*\] not (?:assigned|claimed)",
    r"BAR \d+ \[.*\]: not (?:assigned|claimed); can't enable device",
    r"Error enabling bridge \(-?\d+\), continuing",
    r"(?:not )?ready \d+ms after .*",
    r"timed out waiting for pending transaction; performing .* reset anyway",
    r"(?:[Rr]efused to|Unable to|can't) change power state .*",
    r"unlocked secondary bus reset via: .*",
    r"resetting|reset done",
    r"Failed to add - passthrough or MSI/MSI-X might fail!",
    r"PCI INT [A-D](?:: no GSI| -> GSI \d+ .*)",
    r"Xen PCI mapped GSI\d+ to IRQ\d+",
    r"Invalid PCI ROM (?:header|data) signature: expecting .*",
    r"vgaarb: (?:changed VGA decodes|VGA decodes changed): .*",
    # dev_dbg and pr_debug, only where dynamic debugging is on
    r"probing\.\.\.|deferring initialization|initializing(?:\.\.\.| config| virtual configuration space)?|enabling device|save state of device",
    r"rese(?:t)?ting \(FLR, D3, etc\) the device|reset device|added config field at offset .*|Found capability .*",
    r"pcistub_device_(?:alloc|release)|pcistub_init_devices_late|removing",
    r"free-ing (?:dynamically allocated )?virtual configuration space fields",
    r"found device to remove.*|unregistering for \d+|exporting dom .*|removing dom .*",
]

# about the module, or a domain
OTHER = [
    rf"{MODULE}backend is (?:vpci|passthrough)",
    rf"{MODULE}(?:wants to seize {BDF}|removed {BDF} from seize list|pcistub_init_devices_late)",
    rf"{MODULE}Error parsing pci_devs_to_hide at \".*",
    r"pciback: probe of \S+ failed with error -?\d+",
    rf"{MODULE}unknown parameter '.*' ignored",
    rf"{MODULE}parameters '.*' after `--' ignored",
    rf"{MODULE}`.*' (?:invalid|too large) for parameter `.*'",
    # a record that repeats a long parameter is cut at the record limit, and loses its end
    rf"{MODULE}(?:`|unknown parameter ').{{900,}}",
    r"xen-pciback pci-\d+-\d+: \d+ .*",
    # PCI core's prefix is the driver's name, but these two are no words of pciback's
    r"xen: registering gsi .*|Already setup the GSI :\d+",
]

KNOWN = re.compile("|".join([f"{PREFIX}(?:{'|'.join(DEVICE)})", *OTHER]), re.S)
ESCAPE = re.compile(r"\\x([0-9a-f]{2})")


def kernel_messages(kmsg):
    """The messages of the records that the kernel itself wrote: facility 0, so a number below 8."""
    for line in kmsg.decode("utf-8", "replace").split("\n"):
        head, semicolon, text = line.partition(";")
        number = head.split(",")[0]
        if semicolon and number.isdigit() and int(number) < 8:
            yield ESCAPE.sub(lambda hit: chr(int(hit.group(1), 16)), text)


def unrecognised(kmsg):
    """Records about pciback that no known wording matches."""
    for text in kernel_messages(kmsg):
        if re.search("pciback", text, re.I) and not routine(text) and not KNOWN.fullmatch(text):
            yield text


def routine(text):
    """The command line holds the module's name without being a word of it."""
    return re.match(r"(?:Kernel c|C)ommand line: |Unknown kernel command line parameters ", text) is not None
