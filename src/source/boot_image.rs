//! The boot image of a kernel: cpio archives one behind the other, the last one packed as a rule
//! (Documentation/driver-api/early-userspace/buffer-format.rst). Only names of modules and files of options are kept.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::SystemTime;

use super::inside::{FileKind, Inside, PathEnd, words};
use super::lz4::{self, Legacy};
use super::unpack::Unpacked;
use crate::request::loading::{self, IMAGE, NEWER};
use crate::tree::{Known, Node, Tree};

/// No boot image unpacks to more.
const MOST_BYTES: u64 = 1 << 30;

/// Files in one image.
const MOST_FILES: usize = 200_000;

/// A file of options is shorter than this.
const MOST_KEPT: u64 = 1 << 20;

/// The names of images of one kernel, and of those that have no kernel in their name (Arch, Alpine).
const NAMES: &[&str] =
    &["initrd.img-{}", "initramfs-{}.img", "initrd-{}", "initramfs-{}", "initramfs-linux.img", "initramfs-lts"];

/// Keeps what says something of pciback in the boot image of the running kernel, below [`IMAGE`] in the tree.
pub fn keep_boot_image(root: &Path, tree: &mut Tree) {
    let Ok(inside) = Inside::open(root) else { return };
    let Known::Is(release) = tree.read_text("proc/sys/kernel/osrelease") else { return };
    for name in NAMES {
        let path = format!("boot/{}", name.replace("{}", &release));
        let entry = match inside.walk(&path, true, &mut |_, _| {}) {
            PathEnd::Found(entry) if entry.kind == FileKind::File => entry,
            PathEnd::Closed(_, why) => {
                tree.insert(IMAGE, Node::Unreadable(format!("/{path}: {why}")));
                return;
            }
            PathEnd::Found(_) | PathEnd::Absent => continue,
        };
        if let Some(made) = entry.open().ok().and_then(|file| modified(&file)) {
            keep_newer(&inside, made, tree);
        }
        tree.insert(IMAGE, Node::Directory);
        let opened = entry.open().map_err(|why| why.to_string());
        let kept = opened.and_then(|file| archives(BufReader::new(file), tree));
        if let Err(why) = kept {
            tree.remove(IMAGE);
            tree.insert(IMAGE, Node::Unreadable(format!("/{path}: {why}")));
        }
        return;
    }
}

/// Keeps the paths of those files that say something of pciback, go into the image or say how it is made, and were written behind it.
fn keep_newer(inside: &Inside, made: SystemTime, tree: &mut Tree) {
    let about_pciback =
        |node: &Node| matches!(node, Node::File(text) if text.windows(7).any(|part| part == b"pciback"));
    let of_image = tree.nodes().filter(|(path, node)| loading::is_of_image(path) && about_pciback(node));
    let is_newer = |path: &&str| match inside.walk(path, true, &mut |_, _| {}) {
        PathEnd::Found(entry) if entry.kind == FileKind::File => {
            entry.open().ok().and_then(|file| modified(&file)).is_some_and(|written| written > made)
        }
        PathEnd::Found(_) | PathEnd::Absent | PathEnd::Closed(..) => false,
    };
    let newer: Vec<String> = of_image.map(|(path, _)| path).filter(is_newer).map(|path| format!("/{path}\n")).collect();
    if !newer.is_empty() {
        tree.insert(NEWER, Node::File(newer.concat().into_bytes()));
    }
}

fn modified(file: &File) -> Option<SystemTime> {
    file.metadata().and_then(|about| about.modified()).ok()
}

/// Reads archives until something packed follows, and then those in it.
fn archives(mut reader: impl BufRead, tree: &mut Tree) -> Result<(), String> {
    let mut budget = Budget { bytes: MOST_BYTES, files: MOST_FILES };
    if plain(&mut reader, tree, &mut budget)? {
        return Ok(());
    }
    let head = reader.fill_buf().map_err(|error| words(&error))?;
    let is_whole = if head.starts_with(&lz4::MAGIC) {
        plain(&mut BufReader::new(Legacy::new(reader)), tree, &mut budget)?
    } else {
        // What follows is a hint for logs.
        let packing = Unpacked::new(reader).map_err(|why| why.split(':').next().unwrap_or_default().to_owned())?;
        plain(&mut BufReader::new(packing), tree, &mut budget)?
    };
    if is_whole { Ok(()) } else { Err("is no cpio archive behind its packing".to_owned()) }
}

struct Budget {
    bytes: u64,
    files: usize,
}

/// Reads archives that are not packed; says whether that was all.
fn plain(reader: &mut impl BufRead, tree: &mut Tree, budget: &mut Budget) -> Result<bool, String> {
    loop {
        let head = reader.fill_buf().map_err(|error| words(&error))?;
        match head {
            [] => return Ok(true),
            // Archives are padded with zeros.
            [0, ..] => {
                let zeros = head.iter().take_while(|byte| **byte == 0).count();
                reader.consume(zeros);
                budget.take(zeros as u64)?;
            }
            [b'0', ..] => while member(reader, tree, budget)? {},
            _ => return Ok(false),
        }
    }
}

impl Budget {
    fn take(&mut self, bytes: u64) -> Result<(), String> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or("is longer than 1 GiB unpacked")?;
        Ok(())
    }
}

/// Bytes of a header of the "newc" form: a magic and 13 numbers of eight digits.
const HEADER: usize = 110;

/// Reads one member; says whether another one follows.
fn member(reader: &mut impl Read, tree: &mut Tree, budget: &mut Budget) -> Result<bool, String> {
    let mut header = [0; HEADER];
    read(reader, &mut header)?;
    if !header.starts_with(b"070701") && !header.starts_with(b"070702") {
        return Err("holds something that is no cpio archive of the form newc".to_owned());
    }
    let number = |index: usize| {
        let digits = header.get(6 + 8 * index..14 + 8 * index).and_then(|digits| std::str::from_utf8(digits).ok());
        digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or("has a damaged header")
    };
    let (size, name_size) = (number(6)?, number(11)?);
    if name_size > 4096 {
        return Err("has a name that is too long".to_owned());
    }
    let padded_name = name_size + padding(HEADER as u64 + name_size);
    let mut name = Vec::new();
    take(reader, padded_name, &mut name)?;
    budget.files = budget.files.checked_sub(1).ok_or("holds too many files")?;
    budget.take(size + HEADER as u64 + padded_name)?;
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    let name = String::from_utf8_lossy(name.get(..end).unwrap_or_default()).into_owned();
    let name = name.trim_start_matches("./").trim_start_matches('/');
    let padded = size + padding(size);
    if name == "TRAILER!!!" {
        return Ok(false);
    }
    match kept_as(name) {
        Some((path, true)) if size <= MOST_KEPT => {
            let mut text = Vec::new();
            take(reader, padded, &mut text)?;
            text.truncate(usize::try_from(size).unwrap_or_default());
            tree.insert(&path, Node::File(text));
        }
        Some((path, _)) => {
            tree.insert(&path, Node::File(Vec::new()));
            skip(reader, padded)?;
        }
        None => skip(reader, padded)?,
    }
    Ok(true)
}

/// Where a member is kept, and whether with its contents: a module by its name alone, a file of options whole.
fn kept_as(name: &str) -> Option<(String, bool)> {
    if let Some((path, _)) = name.split_once(".ko")
        && name.contains("lib/modules/")
    {
        let module = path.rsplit('/').next().unwrap_or_default().replace('-', "_");
        return Some((format!("{IMAGE}/modules/{module}.ko"), false));
    }
    let is_options = name.contains("/modprobe.d/") || name.starts_with("etc/modprobe.conf") || name == "conf/modules";
    (is_options && !name.contains("..")).then(|| (format!("{IMAGE}/{name}"), true))
}

const fn padding(length: u64) -> u64 {
    (4 - length % 4) % 4
}

fn read(reader: &mut impl Read, bytes: &mut [u8]) -> Result<(), String> {
    reader.read_exact(bytes).map_err(|error| words(&error))
}

fn take(reader: &mut impl Read, bytes: u64, into: &mut Vec<u8>) -> Result<(), String> {
    let taken = reader.by_ref().take(bytes).read_to_end(into).map_err(|error| words(&error))?;
    if taken as u64 == bytes { Ok(()) } else { Err("is cut".to_owned()) }
}

fn skip(reader: &mut impl Read, bytes: u64) -> Result<(), String> {
    let skipped = io::copy(&mut reader.by_ref().take(bytes), &mut io::sink()).map_err(|error| words(&error))?;
    if skipped == bytes { Ok(()) } else { Err("is cut".to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn cpio(files: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, text) in files.iter().chain(&[("TRAILER!!!", "")]) {
            let numbers = [1, 0o100_644, 0, 0, 1, 0, text.len(), 0, 0, 0, 0, name.len() + 1, 0];
            bytes.extend(b"070701");
            bytes.extend(numbers.iter().flat_map(|number| format!("{number:08x}").into_bytes()));
            bytes.extend(name.bytes().chain([0]));
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes.extend(text.bytes());
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }

    fn kept(image: &[u8]) -> Tree {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("boot")).unwrap();
        std::fs::write(root.path().join("boot/initrd.img-6.1.0"), image).unwrap();
        let mut tree = Tree::from_manifest("proc/sys/kernel/osrelease = 6.1.0\\n\n").unwrap();
        keep_boot_image(root.path(), &mut tree);
        tree
    }

    const FILES: &[(&str, &str)] = &[
        ("usr/lib/modules/6.1.0/kernel/drivers/xen/xen-pciback/xen-pciback.ko.xz", "code"),
        ("etc/modprobe.d/x.conf", "options xen-pciback hide=(00:1d.0)\n"),
        ("bin/sh", "code"),
    ];

    #[test]
    fn a_packed_archive_behind_a_plain_one_is_read() {
        let mut image = cpio(&[("kernel/x86/microcode/GenuineIntel.bin", "microcode")]);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&cpio(FILES)).unwrap();
        image.extend(packed.finish().unwrap());
        for image in [image, cpio(FILES)] {
            let tree = kept(&image);
            assert_eq!(tree.list(&format!("{IMAGE}/modules")), Known::Is(vec!["xen_pciback.ko"]));
            let options = tree.read_text(&format!("{IMAGE}/etc/modprobe.d/x.conf"));
            assert_eq!(options, Known::Is("options xen-pciback hide=(00:1d.0)".to_owned()));
            assert_eq!(tree.read(&format!("{IMAGE}/bin/sh")), Known::Absent);
        }
    }

    /// As `lz4 -l` does, with literals only.
    fn by_lz4(bytes: &[u8]) -> Vec<u8> {
        let mut packed = lz4::MAGIC.to_vec();
        for part in bytes.chunks(1024) {
            let rest = part.len() - 15;
            let mut block = vec![0xf0];
            block.extend(std::iter::repeat_n(255, rest / 255));
            block.push(u8::try_from(rest % 255).unwrap());
            block.extend(part);
            packed.extend(u32::try_from(block.len()).unwrap().to_le_bytes());
            packed.extend(block);
        }
        packed
    }

    #[test]
    fn images_packed_by_lz4_and_bzip2_are_read() {
        let mut images = vec![by_lz4(&cpio(FILES))];
        #[cfg(feature = "archives")]
        {
            let mut packed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            packed.write_all(&cpio(FILES)).unwrap();
            images.push(packed.finish().unwrap());
        }
        for image in images {
            let tree = kept(&image);
            assert_eq!(tree.list(&format!("{IMAGE}/modules")), Known::Is(vec!["xen_pciback.ko"]));
        }
    }

    #[test]
    fn files_about_pciback_that_are_newer_than_the_image_are_named() {
        let root = tempfile::tempdir().unwrap();
        let files = [
            ("boot/initrd.img-6.1.0", 2),
            ("etc/modprobe.d/old.conf", 1),
            ("etc/modprobe.d/new.conf", 3),
            ("etc/modprobe.d/other.conf", 3),
            ("etc/default/grub", 3),
        ];
        let mut tree = Tree::from_manifest("proc/sys/kernel/osrelease = 6.1.0\\n\n").unwrap();
        for (path, second) in files {
            let text = if path.contains("other") { "options igb x=1\n" } else { "softdep igb pre: xen-pciback\n" };
            std::fs::create_dir_all(root.path().join(path).parent().unwrap()).unwrap();
            std::fs::write(root.path().join(path), text).unwrap();
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
            File::options().write(true).open(root.path().join(path)).unwrap().set_modified(time).unwrap();
            tree.insert(path, Node::File(text.as_bytes().to_vec()));
        }
        keep_boot_image(root.path(), &mut tree);
        assert_eq!(tree.read_text(NEWER), Known::Is("/etc/modprobe.d/new.conf".to_owned()));
    }

    #[test]
    fn what_is_cut_or_no_image_is_unreadable() {
        let image = cpio(FILES);
        for image in [&image[..200], &image[..130], b"0707", b"something else", b"BZh9"] {
            assert!(kept(image).list(IMAGE).obstacle().is_some(), "{image:?}");
        }
    }
}
