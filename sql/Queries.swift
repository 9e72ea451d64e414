/// The statements that are worth a file of their own, by the names of their files.
///
/// `staging` is a script; every other one is a single statement that a test prepares against a fresh schema.
package enum Queries {
    package static let staging = SQLFiles.text(PackageResources.staging_sql)

    package static let allocateDown = SQLFiles.text(PackageResources.allocate_down_sql)
    package static let allocateOne = SQLFiles.text(PackageResources.allocate_one_sql)
    package static let allocateRandom = SQLFiles.text(PackageResources.allocate_random_sql)
    package static let allocateThese = SQLFiles.text(PackageResources.allocate_these_sql)
    package static let allocateUp = SQLFiles.text(PackageResources.allocate_up_sql)
    package static let anyMissedTwice = SQLFiles.text(PackageResources.any_missed_twice_sql)
    package static let attach = SQLFiles.text(PackageResources.attach_sql)
    package static let breaker = SQLFiles.text(PackageResources.breaker_sql)
    package static let decideHolders = SQLFiles.text(PackageResources.decide_holders_sql)
    package static let detachNIC = SQLFiles.text(PackageResources.detach_nic_sql)
    package static let dropAddresses = SQLFiles.text(PackageResources.drop_addresses_sql)
    package static let dropPassedOn = SQLFiles.text(PackageResources.drop_passed_on_sql)
    package static let endAllocations = SQLFiles.text(PackageResources.end_allocations_sql)
    package static let endQuarantines = SQLFiles.text(PackageResources.end_quarantines_sql)
    package static let extendPool = SQLFiles.text(PackageResources.extend_pool_sql)
    package static let findContested = SQLFiles.text(PackageResources.find_contested_sql)
    package static let keepNewer = SQLFiles.text(PackageResources.keep_newer_sql)
    package static let lockDue = SQLFiles.text(PackageResources.lock_due_sql)
    package static let lockFree = SQLFiles.text(PackageResources.lock_free_sql)
    package static let mergeHost = SQLFiles.text(PackageResources.merge_host_sql)
    package static let mergeNIC = SQLFiles.text(PackageResources.merge_nic_sql)
    package static let mergeNICAddress = SQLFiles.text(PackageResources.merge_nic_address_sql)
    package static let mergePNIC = SQLFiles.text(PackageResources.merge_pnic_sql)
    package static let mergePortgroup = SQLFiles.text(PackageResources.merge_portgroup_sql)
    package static let mergeSwitch = SQLFiles.text(PackageResources.merge_switch_sql)
    package static let mergeSwitchHost = SQLFiles.text(PackageResources.merge_switch_host_sql)
    package static let mergeVM = SQLFiles.text(PackageResources.merge_vm_sql)
    package static let missHost = SQLFiles.text(PackageResources.miss_host_sql)
    package static let missNIC = SQLFiles.text(PackageResources.miss_nic_sql)
    package static let missNICAddress = SQLFiles.text(PackageResources.miss_nic_address_sql)
    package static let missVM = SQLFiles.text(PackageResources.miss_vm_sql)
    package static let prunePNIC = SQLFiles.text(PackageResources.prune_pnic_sql)
    package static let prunePortgroup = SQLFiles.text(PackageResources.prune_portgroup_sql)
    package static let pruneSwitch = SQLFiles.text(PackageResources.prune_switch_sql)
    package static let pruneSwitchHost = SQLFiles.text(PackageResources.prune_switch_host_sql)
    package static let qualify = SQLFiles.text(PackageResources.qualify_sql)
    package static let releaseAllocation = SQLFiles.text(PackageResources.release_allocation_sql)
    package static let releaseMissed = SQLFiles.text(PackageResources.release_missed_sql)
    package static let releaseMoved = SQLFiles.text(PackageResources.release_moved_sql)
    package static let releaseVanished = SQLFiles.text(PackageResources.release_vanished_sql)
    package static let releaseVMHolds = SQLFiles.text(PackageResources.release_vm_holds_sql)
    package static let relinkVM = SQLFiles.text(PackageResources.relink_vm_sql)
    package static let removeVanishedHost = SQLFiles.text(PackageResources.remove_vanished_host_sql)
    package static let removeVanishedNIC = SQLFiles.text(PackageResources.remove_vanished_nic_sql)
    package static let removeVanishedVM = SQLFiles.text(PackageResources.remove_vanished_vm_sql)
    package static let settledVMs = SQLFiles.text(PackageResources.settled_vms_sql)
    package static let subnetsToLock = SQLFiles.text(PackageResources.subnets_to_lock_sql)
    package static let touchAccount = SQLFiles.text(PackageResources.touch_account_sql)
    package static let touchPrefix = SQLFiles.text(PackageResources.touch_prefix_sql)
    package static let touchSwitch = SQLFiles.text(PackageResources.touch_switch_sql)
    package static let touchTold = SQLFiles.text(PackageResources.touch_told_sql)
    package static let touchWires = SQLFiles.text(PackageResources.touch_wires_sql)
    package static let unholdReleased = SQLFiles.text(PackageResources.unhold_released_sql)
    package static let wireImages = SQLFiles.text(PackageResources.wire_images_sql)
    package static let writeSyncIPs = SQLFiles.text(PackageResources.write_sync_ips_sql)

    /// Every single statement, for the test that prepares them.
    package static let all: [(name: String, text: String)] = [
        ("allocate_down", allocateDown),
        ("allocate_one", allocateOne),
        ("allocate_random", allocateRandom),
        ("allocate_these", allocateThese),
        ("allocate_up", allocateUp),
        ("any_missed_twice", anyMissedTwice),
        ("attach", attach),
        ("breaker", breaker),
        ("decide_holders", decideHolders),
        ("detach_nic", detachNIC),
        ("drop_addresses", dropAddresses),
        ("drop_passed_on", dropPassedOn),
        ("end_allocations", endAllocations),
        ("end_quarantines", endQuarantines),
        ("extend_pool", extendPool),
        ("find_contested", findContested),
        ("keep_newer", keepNewer),
        ("lock_due", lockDue),
        ("lock_free", lockFree),
        ("merge_host", mergeHost),
        ("merge_nic", mergeNIC),
        ("merge_nic_address", mergeNICAddress),
        ("merge_pnic", mergePNIC),
        ("merge_portgroup", mergePortgroup),
        ("merge_switch", mergeSwitch),
        ("merge_switch_host", mergeSwitchHost),
        ("merge_vm", mergeVM),
        ("miss_host", missHost),
        ("miss_nic", missNIC),
        ("miss_nic_address", missNICAddress),
        ("miss_vm", missVM),
        ("prune_pnic", prunePNIC),
        ("prune_portgroup", prunePortgroup),
        ("prune_switch", pruneSwitch),
        ("prune_switch_host", pruneSwitchHost),
        ("qualify", qualify),
        ("release_allocation", releaseAllocation),
        ("release_missed", releaseMissed),
        ("release_moved", releaseMoved),
        ("release_vanished", releaseVanished),
        ("release_vm_holds", releaseVMHolds),
        ("relink_vm", relinkVM),
        ("remove_vanished_host", removeVanishedHost),
        ("remove_vanished_nic", removeVanishedNIC),
        ("remove_vanished_vm", removeVanishedVM),
        ("settled_vms", settledVMs),
        ("subnets_to_lock", subnetsToLock),
        ("touch_account", touchAccount),
        ("touch_prefix", touchPrefix),
        ("touch_switch", touchSwitch),
        ("touch_told", touchTold),
        ("touch_wires", touchWires),
        ("unhold_released", unholdReleased),
        ("wire_images", wireImages),
        ("write_sync_ips", writeSyncIPs),
    ]
}
