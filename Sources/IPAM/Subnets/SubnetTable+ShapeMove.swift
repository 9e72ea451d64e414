internal import Addressing
package import Postgres

extension SubnetTable {
    /// Puts a subnet, with all that is in it, on another wire, where it takes the place of the unconfirmed subnets that it
    /// overlaps. What adapters hold in it stays held until their accounts' syncs say otherwise.
    ///
    /// The caller holds the topology lock and places the adapters of the prefix, and of those it took the place of, again.
    ///
    /// - Throws: ``NetworkError`` with code `overlap`, which names the other subnet.
    package static func move(_ subnet: SubnetRef, to wire: Wire, in connection: Connection) throws {
        try lock([subnet.id], in: connection)
        if let other = try overlapping(subnet.cidr, subnet.vlan, wire: wire.id, in: connection) {
            throw NetworkError(
                .overlap,
                "subnet \(subnet.title) cannot be moved: it would overlap \(other.title) on VLAN \(subnet.vlan) of wire "
                    + wire.name)
        }
        try absorbUnconfirmed(subnet.cidr, subnet.vlan, wire: wire.id, but: subnet.id, in: connection)
        try connection.execute(
            "UPDATE subnet SET wire_id = $2::bigint, confirmed = true WHERE id = $1::bigint", subnet.id, wire.id)
        try connection.execute(
            "UPDATE wire SET touched = true WHERE id = ANY ($1::bigint[]) AND NOT touched", [subnet.wire, wire.id])
    }
}
