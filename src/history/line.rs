//! The kernel's command line, in one record or in several.

use std::sync::Arc;

use super::observation::Observation;
use crate::event::{Event, Fact, WRAPPED};

/// The longest command line that is put together: no architecture takes a longer one (`COMMAND_LINE_SIZE`).
const LONGEST: usize = 1 << 14;

/// Keeps the command line. From 6.19 on a long one is wrapped: each record but the last ends with ` \`, and each begins anew
/// with `Kernel command line: ` (init/main.c, `print_kernel_cmdline`).
pub(super) fn take(known: &mut Option<Arc<Fact>>, heard: &Observation<'_>, text: &[u8]) {
    let Some(first) = known else {
        *known = Some(heard.fact());
        return;
    };
    let Event::CommandLine { text: begun } = &first.event else { return };
    if let Some(begun) = begun.strip_suffix(WRAPPED)
        && begun.len() < LONGEST
    {
        let text = [begun, b" ", text].concat();
        *first = Arc::new(Fact { event: Event::CommandLine { text }, ..Fact::clone(&heard.fact()) });
    }
}
