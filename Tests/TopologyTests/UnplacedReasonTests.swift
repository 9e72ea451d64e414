import Addressing
import Testing

@testable import Topology

/// The sentences and commands of DESIGN.md 3.4, all in one place.
@Suite struct UnplacedReasonTests {
    private func details(_ address: String = "10.0.4.9", _ change: (inout UnplacedDetails) -> Void = { _ in })
        -> UnplacedDetails
    {
        var details = UnplacedDetails(
            address: IPAddress(address)!, account: "vc-a", portGroup: "VM Network", portGroupVLAN: .tag(10),
            switch: "vSwitch0", switchCall: "vSwitch0", host: "esx-1", wire: "campus")
        change(&details)
        return details
    }

    @Test("the codes are those of the design, in its order")
    func codes() {
        #expect(
            UnplacedReason.allCases.map(\.rawValue) == [
                "unmapped", "no_link", "ambiguous", "held_by_other", "vlan_mismatch", "other_wire", "no_subnet",
            ])
    }

    @Test("no subnet: the exact sentences, and the creation of one")
    func noSubnet() {
        let reason = UnplacedReason.noSubnet
        #expect(
            reason.message(details())
                == "This IP address belongs to no IP subnet. Add an IP subnet that contains it and sync the account again."
        )
        #expect(UnplacedReason.noSubnetMessageInChinese == "该IP地址无归属IP子网!请添加包含该IP地址的IP子网并重新同步云账号")
        let offered = details {
            $0.creation = .init(name: "campus:10.0.4.0/22:7", cidr: CIDR("10.0.4.0/22")!, vlan: VLANID(7)!)
        }
        #expect(
            reason.fix(offered) == """
                wireloom subnet create campus:10.0.4.0/22:7 --wire campus --cidr 10.0.4.0/22 --vlan 7
                wireloom sync vc-a
                """)
        #expect(
            reason.fix(details()) == "wireloom explain ip 10.0.4.9",
            "a trunk may carry no VLAN that a subnet could have")
    }

    @Test("no link: the candidates, and a command for each")
    func noLink() {
        let tied = details { $0.candidates = ["lab", "campus"] }
        #expect(
            UnplacedReason.noLink.message(tied)
                == "The switch vSwitch0 of host esx-1, on which 10.0.4.9 was seen, is linked to no wire, because the "
                + "evidence for campus and lab is equal.")
        #expect(
            UnplacedReason.noLink.fix(tied) == """
                wireloom wire link vSwitch0 campus --host esx-1 --account vc-a
                wireloom wire link vSwitch0 lab --host esx-1 --account vc-a
                """)
        #expect(UnplacedReason.noLink.fix(details()) == "wireloom sync vc-a")
        #expect(UnplacedReason.noLink.message(details()).hasSuffix("is linked to no wire."))
    }

    @Test("unmapped: what the adapter is on")
    func unmapped() {
        #expect(
            UnplacedReason.unmapped.message(details { $0.portGroup = nil })
                == "The adapter that reports 10.0.4.9 is on no port group, so its VLAN is not known.")
        #expect(
            UnplacedReason.unmapped.message(details())
                == "The adapter that reports 10.0.4.9 is on port group VM Network, which has no VLAN that could be "
                + "matched to a subnet's.")
        #expect(UnplacedReason.unmapped.fix(details()) == "wireloom explain ip 10.0.4.9")
    }

    @Test("ambiguous: the subnets that the trunk reaches")
    func ambiguous() {
        let two = details {
            $0.subnets = [
                .init(name: "b", wire: "campus", vlan: VLANID(20)!),
                .init(name: "a", wire: "campus", vlan: VLANID(10)!),
            ]
        }
        #expect(
            UnplacedReason.ambiguous.message(two)
                == "The trunk port group VM Network carries several subnets that contain 10.0.4.9: a (VLAN 10) and b "
                + "(VLAN 20); leave one of their VLANs out of the trunk, or keep only one of these subnets on its wire."
        )
        #expect(UnplacedReason.ambiguous.fix(two) == "wireloom explain ip 10.0.4.9")
    }

    @Test("held by another: who")
    func heldByOther() {
        let held = details { $0.holder = "VM web-1 (vc-b)" }
        #expect(UnplacedReason.heldByOther.message(held) == "The address 10.0.4.9 is held by VM web-1 (vc-b).")
        #expect(UnplacedReason.heldByOther.fix(held) == "wireloom ip find 10.0.4.9")
    }

    @Test("wrong VLAN: the subnet's for a tagged port group, the link's native one for an untagged")
    func vlanMismatch() {
        let tagged = details { $0.subnets = [.init(name: "prod", wire: "campus", vlan: VLANID(20)!)] }
        #expect(
            UnplacedReason.vlanMismatch.message(tagged)
                == "A subnet of the right wire contains 10.0.4.9, but in another VLAN: prod (VLAN 20), while port group "
                + "VM Network has VLAN 10.")
        #expect(UnplacedReason.vlanMismatch.fix(tagged) == "wireloom subnet update prod --vlan 10")
        var untagged = tagged
        untagged.portGroupVLAN = .untagged
        #expect(
            UnplacedReason.vlanMismatch.fix(untagged)
                == "wireloom wire link vSwitch0 campus --host esx-1 --account vc-a --native-vlan 20")
        var trunk = tagged
        trunk.portGroupVLAN = .trunk([1...9])
        #expect(UnplacedReason.vlanMismatch.fix(trunk) == "wireloom explain ip 10.0.4.9")
    }

    @Test("a change that would cost others their places is not offered, and the message says what is more likely")
    func costly() {
        let tagged = details { $0.subnets = [.init(name: "prod", wire: "campus", vlan: VLANID(20)!, placed: 3)] }
        #expect(UnplacedReason.vlanMismatch.fix(tagged) == "wireloom explain ip 10.0.4.9")
        #expect(
            UnplacedReason.vlanMismatch.message(tagged).hasSuffix(
                ", while port group VM Network has VLAN 10. Others are placed in it, so rather the adapter is on the wrong "
                    + "port group: connect it to one of VLAN 20, or give it another address."))
        var two = tagged
        two.subnets.append(.init(name: "rest", wire: "campus", vlan: VLANID(30)!))
        #expect(UnplacedReason.vlanMismatch.fix(two) == "wireloom subnet update rest --vlan 10")
        var untagged = tagged
        untagged.portGroupVLAN = .untagged
        untagged.others.ofLink = 1
        #expect(UnplacedReason.vlanMismatch.fix(untagged) == "wireloom explain ip 10.0.4.9")
        let elsewhere = details {
            $0.subnets = [.init(name: "net", wire: "lab", vlan: VLANID(10)!)]
            $0.others.ofLink = 1
        }
        #expect(UnplacedReason.otherWire.fix(elsewhere) == "wireloom explain ip 10.0.4.9")
        #expect(
            UnplacedReason.otherWire.message(elsewhere).hasSuffix(
                "but the switch vSwitch0 of host esx-1 is on wire campus, where 1 other address has its place by the same "
                    + "link. Rather the adapter is on the wrong network, or has the wrong address."))
    }

    @Test(
        "of a distributed switch that others depend on, the adapter's host is offered alone, where none of them is on it"
    )
    func pin() {
        var there = details {
            $0.subnets = [.init(name: "net", wire: "lab", vlan: VLANID(10)!)]
            $0.switch = "dvs"
            $0.switchCall = "dvs-7"
            $0.host = nil
            $0.pinHost = "esx-1"
        }
        #expect(UnplacedReason.otherWire.fix(there) == "wireloom wire link dvs-7 lab --account vc-a")
        there.others.ofLink = 2
        #expect(UnplacedReason.otherWire.fix(there) == "wireloom wire link dvs-7 lab --host esx-1 --account vc-a")
        there.others.onHost = 1
        #expect(UnplacedReason.otherWire.fix(there) == "wireloom explain ip 10.0.4.9")
    }

    @Test("another wire: at most three are named, each with its command")
    func otherWire() {
        let four = details { details in
            details.subnets = (1...4).map { .init(name: "net-\($0)", wire: "wire-\($0)", vlan: VLANID(10)!) }
        }
        #expect(
            UnplacedReason.otherWire.message(four)
                == "The address 10.0.4.9 is in subnet net-1 of wire wire-1, subnet net-2 of wire wire-2, subnet net-3 of "
                + "wire wire-3 and 1 more, but the switch vSwitch0 of host esx-1 is on wire campus.")
        #expect(
            UnplacedReason.otherWire.fix(four) == """
                wireloom wire link vSwitch0 wire-1 --host esx-1 --account vc-a
                wireloom wire link vSwitch0 wire-2 --host esx-1 --account vc-a
                wireloom wire link vSwitch0 wire-3 --host esx-1 --account vc-a
                """)
        var otherVLAN = four
        otherVLAN.portGroupVLAN = .tagged(VLANID(11)!)
        #expect(UnplacedReason.otherWire.fix(otherVLAN) == "wireloom explain ip 10.0.4.9")
        var untagged = four
        untagged.portGroupVLAN = .untagged
        #expect(
            UnplacedReason.otherWire.fix(untagged).hasPrefix(
                "wireloom wire link vSwitch0 wire-1 --host esx-1 --account vc-a --native-vlan 10\n"))
    }

    @Test(
        "words that a shell would take apart are quoted",
        arguments: [
            ("campus", "campus"), ("lab 2", "'lab 2'"), ("vc1/esx-1/vSwitch0", "vc1/esx-1/vSwitch0"), ("", "''"),
            ("it's", "'it'\\''s'"), ("$HOME", "'$HOME'"), ("生产", "'生产'"), ("a;b", "'a;b'"),
        ])
    func quoting(word: String, quoted: String) {
        #expect(WireloomCommand.quote(word) == quoted)
    }
}
