use super::*;

fn named(text: &str) -> Vec<String> {
    let guests = xl::read(text, "etc/xen/a.cfg");
    guests.iter().flat_map(|guest| &guest.devices).map(|wanted| wanted.pattern.to_string()).collect()
}

#[test]
fn every_form_of_a_device_is_read() {
    for (text, wanted) in [
        ("pci = [ '01:00.0' ]", vec!["(0000:01:00.0)"]),
        ("pci=['0000:01:00.0','0000:01:00.1@5']", vec!["(0000:01:00.0)", "(0000:01:00.1)"]),
        ("pci = [ \"01:00.0,permissive=1,msitranslate=0\" ]", vec!["(0000:01:00.0)"]),
        ("pci = [ 'bdf=0001:01:00.7,vslot=1f,seize=1' ]", vec!["(0001:01:00.7)"]),
        ("pci = [ 'permissive=1,bdf=0a:1f.3' ]", vec!["(0000:0a:1f.3)"]),
        ("pci = [ '01:00.*' ]", vec!["(0000:01:00.*)"]),
        ("pci = [ '01:00.*@6,seize=1' ]", vec!["(0000:01:00.*)"]),
        ("pci = [ 'name=nic' ]", vec![]),
        ("pci = [ '01:00.0-2' ]", vec!["(0000:01:00.0)", "(0000:01:00.1)", "(0000:01:00.2)"]),
        ("pci = [ '01:00.0,2,4=1@7,msitranslate=1' ]", vec!["(0000:01:00.0)", "(0000:01:00.2)", "(0000:01:00.4)"]),
        ("pci = [\n  '01:00.0', # one\n  # '02:00.0',\n  '03:00.0',\n]\n", vec!["(0000:01:00.0)", "(0000:03:00.0)"]),
        ("pci = ['01:00.0']; pci = ['02:00.0']", vec!["(0000:02:00.0)"]),
        ("pci = ['01:00.0']\npci += ['02:00.0']\n", vec!["(0000:01:00.0)", "(0000:02:00.0)"]),
        ("# pci = ['01:00.0']\nextra = \"pci=['01:00.0']\"\n", vec![]),
        ("'''\npci = ['01:00.0']\n'''\nif x:\n  pass\npci = ['02:00.0']", vec!["(0000:02:00.0)"]),
        ("vif = [ 'a', \npci = [", vec![]),
        ("pci = '01:00.0'", vec!["(0000:01:00.0)"]),
        ("pci = [ '1:0', '', 'x', '01:20.0', '01:00.9' ]", vec![]),
    ] {
        assert_eq!(named(text), wanted, "{text}");
    }
}

#[test]
fn a_guest_is_named_and_its_devices_have_lines() {
    let text = "import os\nname = \"web\"\nmemory = 512\npci_seize = 1\npci = [ '01:00.0',\n 'bdf=02:00.0,seize=0' ]\n";
    let guests = xl::read(text, "etc/xen/web.cfg");
    let guest = guests.first().unwrap();
    assert_eq!(guest.name, "web");
    let told: Vec<_> = guest.devices.iter().map(|wanted| (wanted.location.line, wanted.seized_at_start)).collect();
    assert_eq!(told, [(Some(5), true), (Some(6), false)]);
    for (text, name) in [("name = \"\"\"web\"\"\"", "web"), ("name = ''", "db"), ("name='x", "x"), ("", "db")] {
        assert_eq!(xl::read(text, "etc/xen/db.cfg")[0].name, name, "{text}");
    }
}

#[test]
fn libvirt_and_qubes_are_read() {
    let xml = "<domain type='xen'>\n<name>db</name>\n<!-- <hostdev type='pci'> -->\n<devices>\n\
        <hostdev mode='subsystem' type='pci' managed='yes'>\n<driver name='xen'/>\n<source>\n\
        <address domain='0x0000' bus='0x00' slot='0x1f' function='0x6'/>\n</source>\n\
        <address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>\n</hostdev>\n\
        <interface type='hostdev'><source><address type='pci' domain='0' bus='3' slot='16' function='1'/></source></interface>\n\
        <hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source></hostdev>\n</devices></domain>";
    let guests = libvirt::read(xml, "etc/libvirt/libxl/db.xml");
    let told: Vec<_> = guests
        .iter()
        .flat_map(|guest| guest.devices.iter().map(|w| (guest.name.as_str(), w.pattern.to_string(), w.seized_at_start)))
        .collect();
    let wanted = [("db", "(0000:00:1f.6)".to_owned(), true), ("db", "(0000:03:10.1)".to_owned(), false)];
    assert_eq!(told, wanted);

    let xml = "<qubes><domains><domain id=\"1\" class=\"AppVM\"><properties><property name=\"name\">sys-net</property>\
        <property name=\"autostart\">True</property></properties>\
        <devices class=\"pci\"><device backend-domain=\"dom0\" id=\"00_19.0\"><option name=\"x\">True</option></device></devices>\
        <devices class=\"usb\"><device backend-domain=\"sys-usb\" id=\"1-2\"/></devices></domain></domains></qubes>";
    let guests = qubes::read(xml, "var/lib/qubes/qubes.xml", &Tree::default());
    let guest = guests.first().unwrap();
    assert_eq!((guest.name.as_str(), guest.starts, guest.devices.len()), ("sys-net", true, 1));
}

#[test]
fn a_machine_is_read_folder_by_folder() {
    let tree = Tree::from_manifest(
        "etc/xen/web.cfg = name='web'\\npci=['01:00.0']\\n\n\
         etc/xen/web.cfg~ = name='web'\\npci=['02:00.0']\\n\n\
         etc/xen/auto/10-web -> ../web.cfg\n\
         etc/xen/xl.conf = autoballoon=0\\n\n\
         var/lib/xen/userdata-d.3.0d0c0d0c-0000-0000-0000-000000000000.xl = name='db'\\npci=['03:00.0']\\n\n\
         var/lib/xen/userdata-d.3.0d0c0d0c-0000-0000-0000-000000000000.libxl-json = {}\n",
    );
    let guests = read(&tree.unwrap());
    let told: Vec<_> = guests.found.iter().map(|guest| (guest.name.as_str(), guest.starts, guest.domid)).collect();
    assert_eq!(told, [("web", true, None), ("db", false, Some(3))]);
    assert_eq!(guests.obstacles, []);
}

fn devices(guests: &[Guest]) -> Vec<(String, Option<u32>, Vec<String>)> {
    let one = |guest: &Guest| {
        let devices = guest.devices.iter().map(|wanted| wanted.pattern.to_string()).collect();
        (guest.name.clone(), guest.domid, devices)
    };
    guests.iter().map(one).collect()
}

#[test]
fn xapi_s_machines_are_those_of_this_host() {
    let row = |name: &str, config: &str, rest: &str| {
        format!(
            "<row ref=\"OpaqueRef:{name}\" name__label=\"{name}\" other__config=\"{config}\" is__a__template=\"false\" {rest}/>\n"
        )
    };
    let config = "(('base_template_name'%.'Other%.install%.media')('pci'%.'0/0000:04:00.0,1/0000:04:00.1')('auto_poweron'%.'true'))";
    let vms = row("web%.&amp;%.db", config, "power__state=\"Running\" domid=\"7\" resident__on=\"OpaqueRef:h1\"")
        + &row("there", config, "power__state=\"Running\" domid=\"8\" resident__on=\"OpaqueRef:h2\"")
        + &row("moved", "(('pci' '0/0000:05:00.0'))", "power__state=\"Halted\" domid=\"-1\" affinity=\"OpaqueRef:h1\"")
        + &row("snapshot", config, "is__a__snapshot=\"true\"")
        + &row("plain", "()", "");
    let hosts = "<row ref=\"OpaqueRef:h1\" uuid=\"u1\"/><row ref=\"OpaqueRef:h2\" uuid=\"u2\"/>";
    let text = |hosts: &str| {
        format!("<database><table name=\"VM\">\n{vms}</table><table name=\"host\">{hosts}</table></database>")
    };
    let both = ["(0000:04:00.0)", "(0000:04:00.1)"].map(str::to_owned).to_vec();
    let web = ("web & db".to_owned(), Some(7), both.clone());
    let moved = ("moved".to_owned(), None, vec!["(0000:05:00.0)".to_owned()]);
    let guests = xapi::read(&text(hosts), "var/xapi/state.db", Some("u1"));
    assert_eq!(devices(&guests), [web.clone(), moved.clone()]);
    assert!(guests[0].starts && guests[0].devices.iter().all(|wanted| wanted.seized_at_start));
    assert_eq!(devices(&xapi::read(&text(hosts), "x", None)), []);
    let abridged = String::from_utf8(abridged(text(hosts).as_bytes())).unwrap();
    assert_eq!(xapi::read(&abridged, "var/xapi/state.db", Some("u1")), guests);
    assert!(!abridged.contains("plain") && !abridged.contains("snapshot"), "{abridged}");
    let alone = xapi::read(&text("<row ref=\"OpaqueRef:h1\" uuid=\"u1\"/>"), "x", None);
    assert_eq!(devices(&alone), [web, ("there".to_owned(), Some(8), both), moved]);
}

#[test]
fn qubes_paths_and_old_lists_are_followed() {
    let tree = Tree::from_manifest(
        "sys/bus/pci/devices/0000:00:1c.0 -> ../../../devices/pci0000:00/0000:00:1c.0\n\
         sys/bus/pci/devices/0000:03:00.0 -> ../../../devices/pci0000:00/0000:00:1c.0/0000:03:00.0\n",
    )
    .unwrap();
    let xml = "<qubes><domains><domain><properties><property name=\"name\">sys-net</property></properties><devices class=\"pci\">\
        <device backend-domain=\"dom0\" id=\"00_1c.0-00_00.0\" mode=\"required\" identity=\"*\"/>\
        <device backend-domain=\"dom0\" id=\"0000_05_00.1:0x8086:0x1533::p020000\"/></devices></domain></domains></qubes>";
    let expected = ["(0000:03:00.0)", "(0000:05:00.1)"].map(str::to_owned).to_vec();
    assert_eq!(devices(&qubes::read(xml, "x", &tree)), [("sys-net".to_owned(), None, expected)]);
    let old = "<QubesVmCollection><QubesNetVm name=\"netvm\" pcidevs=\"[&#39;04:00.0&#39;, '00:19.0']\" autostart=\"True\"/></QubesVmCollection>";
    let expected = ["(0000:04:00.0)", "(0000:00:19.0)"].map(str::to_owned).to_vec();
    assert_eq!(devices(&qubes::read(old, "x", &tree)), [("netvm".to_owned(), None, expected)]);
}

#[test]
fn a_running_guest_of_libvirt_has_its_number() {
    let xml = "<domstatus state='running'>\n<domain type='xen' id='7'><name>a&amp;b</name><devices><hostdev type='pci' managed='yes'>\
        <source><address bus='0x05' slot='0x00' function='0x0'/></source></hostdev></devices></domain></domstatus>";
    let guests = libvirt::read(xml, "run/libvirt/libxl/a.xml");
    assert_eq!(devices(&guests), [("a&b".to_owned(), Some(7), vec!["(0000:05:00.0)".to_owned()])]);
}

/// As libxl 4.17 wrote it of a guest with 0000:00:1d.0, and one more device.
const KEPT_BY_LIBXL: &str = r#"{
    "c_info": {
        "type": "pv",
        "name": "guest",
        "domid": 4294967295,
        "uuid": "5d085ab2-eb54-11f1-8a2f-f71371c3e36a",
        "run_hotplug_scripts": "True"
    },
    "b_info": {
        "avail_vcpus": [
            0
        ],
        "type.pv": {
            "e820_host": "True"
        },
        "arch_arm": {

        }
    },
    "pcidevs": [
        {
            "dev": 29,
            "vfunc_mask": 1,
            "rdm_policy": "strict"
        },
        {
            "func": 1,
            "dev": 2,
            "bus": 3,
            "domain": 1,
            "seize": true
        }
    ],
    "on_soft_reset": "soft_reset"
}
"#;

#[test]
fn what_libxl_keeps_of_a_guest_is_read() {
    let whole = format!("{KEPT_BY_LIBXL}\0");
    let guests = libxl::read(&whole, "var/lib/xen/userdata-d.1.u.libxl-json");
    let devices: Vec<String> = guests[0].devices.iter().map(|wanted| wanted.pattern.to_string()).collect();
    assert_eq!((guests[0].name.as_str(), devices.concat().as_str()), ("guest", "(0000:00:1d.0)(0001:03:02.1)"));
    // dom0's own, one without devices, and damaged ones
    for (text, count) in [
        (r#"{"c_info": {"type": "pv"}, "b_info": {}}"#, 0),
        (r#"{"c_info": {"name": "a"}, "pcidevs": []}"#, 0),
        (r#"{"pcidevs": [{"dev": 999}, {"bus": 256, "dev": 1}, {"dev": -1}, 7, null]}"#, 0),
        (KEPT_BY_LIBXL.split_at(400).0, 0),
        ("", 0),
    ] {
        let devices: usize = libxl::read(text, "x").iter().map(|guest| guest.devices.len()).sum();
        assert_eq!(devices, count, "{text}");
    }
}

#[test]
fn a_file_of_a_guest_that_does_not_run_counts_for_nothing() {
    const FILE: &str = r#"{"c_info": {"name": "NAME"}, "pcidevs": [{"bus": 3}]}"#;
    let kept = |domid: u32, name: &str| {
        format!("var/lib/xen/userdata-d.{domid}.{name}.libxl-json = {}\n", FILE.replace("NAME", name))
    };
    let names = |manifest: &str| -> Vec<String> {
        let tree = Tree::from_manifest(manifest).unwrap();
        read(&tree).found.into_iter().map(|guest| guest.name).collect()
    };
    let serving = "sys/bus/xen-backend/devices/pci-2-0 -> ../../../devices/pci-2-0\n";
    let two = format!("{}{}", kept(1, "old"), kept(2, "new"));
    assert_eq!(names(&format!("{serving}{two}")), ["new"]);
    // where dom0's side is not seen, all that is known is that they were started
    assert_eq!(names(&two), ["old", "new"]);
    assert_eq!(names(&format!("sys/bus/xen-backend/devices/\n{two}")), [""; 0]);
    // one of the two was left behind by an earlier boot
    assert_eq!(names(&format!("{serving}{}{}", kept(2, "old"), kept(2, "new"))), [""; 0]);
}
