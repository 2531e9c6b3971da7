//! The proof of a plan: the next boot with its files in place, judged as `plan` judges it.

use std::collections::BTreeSet;

use super::super::forecast::next_boot;
use super::super::statuses::{self, Judged};
use super::super::{Asked, Case, Context};
use super::lasting;
use super::safe::hindrance;
use crate::host::PCIBACK;
use crate::pci::Address;
use crate::report::{Promise, Status};
use crate::timeline::Wanted;
use crate::tree::{Known, Tree};

/// What the next boot comes to with these files; `None` where the machine does not show its devices.
pub(super) fn promise(context: &Context<'_>, devices: &[Judged<'_>], after: &Tree) -> Option<Promise> {
    after.list("sys/bus/pci/devices").is()?;
    let wanted: BTreeSet<Address> = context.demand.wanted.keys().copied().chain(lasting::corrected(context)).collect();
    let asked = Asked::Devices(wanted.into_iter().collect());
    let tree = next_boot(after, None, context.demand.grammar).tree;
    let case = Case { asked, tree: Some(tree), options: context.case.options.clone(), ..Case::default() };
    let then = super::super::context(&case, Wanted::Dom0);
    let mut promise = Promise::default();
    for judged in statuses::judge(&then, &mut Vec::new()) {
        if matches!(judged.status, Status::Bridge) {
            continue;
        }
        promise.wanted += 1;
        let now = devices.binary_search_by_key(&judged.address, |device| device.address).ok();
        match (&judged.status, now.and_then(|index| Some(&devices.get(index)?.status))) {
            (Status::Seized(_), Some(Status::Failed)) => {
                promise.others.push((judged.address, "its set-up failed, and may fail again".to_owned()));
            }
            (Status::Seized(_), _) => promise.seized += 1,
            _ => promise.others.push((judged.address, why(context, &then, judged.address))),
        }
    }
    Some(promise)
}

/// Why pciback would not have a device, or why that is not known.
fn why(context: &Context<'_>, then: &Context<'_>, address: Address) -> String {
    let find = |context: &Context<'_>| context.host.as_ref().and_then(|host| host.devices.is()?.get(&address).cloned());
    let left = find(context).filter(|device| device.driver.is().is_some_and(|driver| driver != PCIBACK));
    if let Some(why) = left.and_then(|device| hindrance(context, address, &device).why().map(str::to_owned)) {
        return format!("left to dom0: {why}");
    }
    match find(then).map(|device| device.driver) {
        None => "no such device".to_owned(),
        Some(Known::Is(driver)) => format!("{driver} comes first"),
        Some(Known::Absent) => "no driver takes it".to_owned(),
        Some(Known::Unreadable(obstacle)) => obstacle.why,
    }
}
