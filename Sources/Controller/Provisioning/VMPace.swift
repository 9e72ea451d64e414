/// How patient jobs on VMs are, beside how long their steps may take.
package struct VMPace: Sendable {
    /// Between looks at a server that was busy or away: at first, and at most.
    package var first = Duration.milliseconds(250)
    package var longest = Duration.seconds(5)
    /// How long a configured guest's other address is looked at before it counts as its last word; ten times as long where
    /// nobody tells whether it is configured.
    package var otherAddress = Duration.seconds(30)
    /// How long a call whose answer was lost may take to become a VM, before it is certain that there is none.
    package var settle = Duration.seconds(15)

    package init() {}
}
