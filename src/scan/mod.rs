//! Reads saved logs of any size: many files, hosts and boots.

#[cfg_attr(not(test), expect(dead_code, reason = "what calls it is still to come"))]
mod files;
#[cfg_attr(not(test), expect(dead_code, reason = "what calls it is still to come"))]
mod years;
