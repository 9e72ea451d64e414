import Addressing
import Testing

@Suite struct VLANTests {
    @Test("a subnet's VLAN id is 1 to 4094")
    func range() {
        for id in -1...4097 { #expect((VLANID(id) != nil) == (1...4094).contains(id)) }
    }

    @Test("a tagged port group matches its own id alone, whatever is native")
    func tagged() {
        for id in 1...6 {
            for subnet in 1...6 {
                for native in 1...6 {
                    #expect(
                        PortGroupVLAN.tagged(VLANID(id)!).matches(VLANID(subnet)!, native: VLANID(native)!)
                            == (id == subnet))
                }
            }
        }
    }

    @Test("an untagged port group matches the native VLAN alone")
    func untagged() {
        for subnet in 1...6 {
            for native in 1...6 {
                #expect(
                    PortGroupVLAN.untagged.matches(VLANID(subnet)!, native: VLANID(native)!) == (subnet == native))
            }
        }
    }

    @Test("a trunk carries every id of its ranges and no other; an unmatchable port group none")
    func trunk() {
        let trunk = PortGroupVLAN.trunk([0...2, 10...12, 4000...5000])
        for id in 1...4094 {
            let vlan = VLANID(id)!
            #expect(trunk.matches(vlan, native: .one) == (id <= 2 || (10...12).contains(id) || id >= 4000))
            #expect(!PortGroupVLAN.unmatchable.matches(vlan, native: vlan))
            #expect(!PortGroupVLAN.trunk([]).matches(vlan, native: vlan))
            #expect(PortGroupVLAN.trunk([0...4094]).matches(vlan, native: .one))
        }
    }
}

@Suite struct MACAddressTests {
    @Test(
        "either separator and case is read, and written in lower case with colons",
        arguments: [
            "00:50:56:AB:cd:0f", "00-50-56-ab-CD-0F",
        ])
    func text(text: String) {
        #expect(MACAddress(text)?.description == "00:50:56:ab:cd:0f")
        #expect(MACAddress(text)?.bits == 0x0050_56AB_CD0F)
    }

    @Test(
        "malformed MAC addresses are refused",
        arguments: [
            "", "00:50:56:ab:cd", "00:50:56:ab:cd:0f:01", "0:50:56:ab:cd:0f", "000:50:56:ab:cd:0f", "00:50:56:ab:cd:0g",
            "005056abcd0f", "0050.56ab.cd0f", "00:50:56:ab:cd:", ":00:50:56:ab:cd:0f", " 00:50:56:ab:cd:0f",
        ])
    func malformed(text: String) {
        #expect(MACAddress(text) == nil)
    }

    @Test("only 48 bits count, and they order")
    func bits() {
        #expect(MACAddress(bits: 0xFFFF_0000_0000_0001) == MACAddress(bits: 1))
        #expect(MACAddress(bits: 1) < MACAddress(bits: 2))
        #expect(MACAddress(bits: 0xFFFF_FFFF_FFFF).description == "ff:ff:ff:ff:ff:ff")
    }
}
