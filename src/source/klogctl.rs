//! The ring buffer by syslog(2), for where `/dev/kmsg` is not to be had: containers, `printk.devkmsg=off`, kernels before
//! 3.5.
//!
//! It is the lesser witness. The kernel formats the records anew for every call, as lines `<6>[    1.234567] text`
//! (kernel/printk/printk.c, `syslog_print_all`), without their numbers: what was overwritten is not seen to be missing.

use crate::timeline::Log;

/// Reads the ring buffer of the running kernel into `log`, which is number `index` and must be new: what a call gives is
/// always the whole.
#[cfg(not(feature = "klogctl"))]
pub(super) fn read(_index: usize, _log: &mut Log) -> Result<(), String> {
    Err("this build has no syslog(2) reader (feature klogctl)".to_owned())
}

#[cfg(feature = "klogctl")]
pub(super) use call::read;

#[cfg(feature = "klogctl")]
mod call {
    use rmesg::error::RMesgError;
    use rmesg::klogctl::{KLogType, safely_wrapped_klogctl};
    use rustix::io::Errno;

    use super::super::error::KmsgError;
    use super::Log;
    use crate::record::{Decoder, Gap, Input, Place};

    /// How much larger the lines may be than the ring that they are made from, at first: each has a prefix of some 20
    /// bytes that the ring holds as a few numbers, and each line of a message has its own.
    const LARGER: usize = 4;

    /// No ring needs more; the call itself takes no more than 2 GiB.
    const LARGEST: usize = 1 << 30;

    /// The least for a ring whose size is not believable.
    const SMALLEST: usize = 64 << 10;

    /// The kernel leaves out the oldest records that do not fit, whole and without a word. A buffer with less room left
    /// than one record takes is taken to be full (`PRINTK_MESSAGE_MAX` is 2 KiB; 1 KiB of text before 6.4).
    const ROOM: usize = 8 << 10;

    /// The two questions that are asked. None of them changes what the next reader sees.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Ask {
        /// How large the ring is, in bytes.
        Size,
        /// All that it holds.
        All,
    }

    /// Asks the kernel, or who plays it; the answer is in bytes.
    type Call<'a> = dyn FnMut(Ask, &mut [u8]) -> Result<usize, String> + 'a;

    /// Reads the ring buffer of the running kernel into `log`, which is number `index` and must be new: what a call gives
    /// is always the whole.
    pub(in super::super) fn read(index: usize, log: &mut Log) -> Result<(), String> {
        pour(index, &mut call, log)
    }

    fn call(ask: Ask, buffer: &mut [u8]) -> Result<usize, String> {
        let request = match ask {
            Ask::Size => KLogType::SyslogActionSizeBuffer,
            Ask::All => KLogType::SyslogActionReadAll,
        };
        safely_wrapped_klogctl(request, buffer).map_err(|error| {
            let is_refused = matches!(error, RMesgError::OperationNotPermitted(_));
            if is_refused { KmsgError::Os(Errno::PERM).to_string() } else { error.to_string() }
        })
    }

    fn pour(index: usize, call: &mut Call<'_>, log: &mut Log) -> Result<(), String> {
        let mut size = call(Ask::Size, &mut [])?.saturating_mul(LARGER).clamp(SMALLEST, LARGEST);
        let (buffer, length) = loop {
            let mut buffer = vec![0; size];
            let length = call(Ask::All, &mut buffer)?;
            if length + ROOM <= size || size == LARGEST {
                break (buffer, length);
            }
            size = size.saturating_mul(2).min(LARGEST);
        };
        if length + ROOM > size {
            log.take(Input::Gap(Gap { place: Place { log: index, ..Place::default() }, lost: None }));
        }
        let mut decoder = Decoder::for_syslog_call(index);
        decoder.feed(buffer.get(..length).unwrap_or(&buffer), &mut |input| log.take(input));
        decoder.finish(&mut |input| log.take(input));
        Ok(())
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::timeline::LogKind;

        fn log() -> Log {
            Log::new(0, "syslog(2)".to_owned(), LogKind::Ring)
        }

        /// Plays a ring of this size that formats to `text`, and says which buffers it was given.
        fn played(ring: usize, text: &str) -> (Log, Vec<usize>) {
            let (mut log, mut sizes) = (log(), Vec::new());
            let mut call = |ask, buffer: &mut [u8]| match ask {
                Ask::Size => Ok(ring),
                Ask::All => {
                    sizes.push(buffer.len());
                    // Like the kernel: the newest lines that fit, whole.
                    let mut fits = text.as_bytes();
                    while fits.len() > buffer.len() {
                        let end = fits.iter().position(|byte| *byte == b'\n').unwrap();
                        fits = &fits[end + 1..];
                    }
                    buffer[..fits.len()].copy_from_slice(fits);
                    Ok(fits.len())
                }
            };
            pour(0, &mut call, &mut log).unwrap();
            log.end();
            (log, sizes)
        }

        #[test]
        fn every_form_of_the_kernels_lines_is_read() {
            let (log, _) = played(
                1 << 17,
                "<5>[    0.000000] Linux version 6.1.0-56-amd64 (builder) #1 SMP\n\
                 <6>[    1.234567][    T1] pciback 0000:00:1d.0: xen_pciback: seizing device\n\
                 <6>[    1.234568][   C12] pciback 0000:00:1d.1: xen_pciback: seizing device\n\
                 <6>xen_pciback: backend is vpci\n\
                 <4>[    9.000001] pciback 0000:00:1d.0: Driver tried to write to a read-only configuration space field at offset 0x44, size 2. This may be harmless, but if you have problems with your device:\n\
                 <4>[    9.000001] 1) see permissive attribute in sysfs\n\
                 <4>[    9.000001] 2) report problems to the xen-devel mailing list along with details of your device obtained from lspci.\n\
                 <14>[    9.500000] pciback 0000:00:1d.2: xen_pciback: seizing device\n",
            );
            assert_eq!((log.records, log.unparsed.1, log.lost), (8, 0, 0));
            let [boot] = &log.boots[..] else { panic!("{:?}", log.boots) };
            assert!(boot.banner);
            assert_eq!(log.recognised, 4, "two seizing lines, `backend is`, and the blocked write");
            assert_eq!(boot.forged.pretended().count(), 1, "what user space wrote");
        }

        #[test]
        fn a_buffer_that_comes_back_full_is_asked_for_again() {
            let line = "<6>[    1.000000] x\n";
            let (log, sizes) = played(SMALLEST / LARGER, &line.repeat(10_000));
            assert_eq!(sizes, [64 << 10, 128 << 10, 256 << 10]);
            assert_eq!(log.records, 10_000);
        }

        #[test]
        fn a_size_nobody_can_believe_is_cut_to_what_can_be_asked() {
            assert_eq!(played(0, "").1, [SMALLEST]);
            let mut sizes = Vec::new();
            let mut call = |ask, buffer: &mut [u8]| {
                sizes.push(buffer.len());
                Ok(if ask == Ask::Size { usize::MAX } else { 0 })
            };
            pour(0, &mut call, &mut log()).unwrap();
            assert_eq!(sizes, [0, LARGEST]);
        }

        #[test]
        fn the_running_kernel_answers_or_says_what_is_missing() {
            let mut log = log();
            match read(0, &mut log) {
                Ok(()) => assert!(log.records > 0, "the ring is empty"),
                Err(why) => assert!(why.contains("CAP_SYSLOG"), "{why}"),
            }
        }
    }
}
