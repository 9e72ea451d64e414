package main

import (
	"encoding/binary"
	"fmt"
	"net"
)

// generator makes hosts and VMs by pattern, for scale: one cluster, one distributed switch with a
// management port group and as many others as asked for, one subnet each, VMs spread over them.
type generator struct {
	Datacenter string `json:"datacenter,omitempty"`
	Prefix     string `json:"prefix,omitempty"`
	Hosts      int    `json:"hosts"`
	VMs        int    `json:"vms"`
	PortGroups int    `json:"port_groups,omitempty"`
	FirstVLAN  int    `json:"first_vlan,omitempty"`
	Network    string `json:"network,omitempty"`
	Prefix4    int    `json:"prefix_length,omitempty"`
	Management string `json:"management,omitempty"`
	Off        int    `json:"powered_off_every,omitempty"`
}

// expand adds the hosts, the switch and the VMs. The subnet of port group i is the i-th of
// `prefix_length` in `network`, VLAN first_vlan+i, gateway .1; VM k is on port group k mod
// port_groups with the address 10 + k / port_groups; the management VLAN is first_vlan - 1.
func (g generator) expand(s *scenario) error {
	fill(&g.Datacenter, "Datacenter")
	fill(&g.Prefix, "gen")
	fill(&g.Network, "10.64.0.0")
	fill(&g.Management, "10.63.0.0")
	number(&g.PortGroups, 20)
	number(&g.FirstVLAN, 101)
	number(&g.Prefix4, 22)
	base, management := ipv4(g.Network), ipv4(g.Management)
	step := uint32(1) << uint(32-g.Prefix4)
	if uint32(10+g.VMs/g.PortGroups) >= step-1 {
		return fmt.Errorf("generate: %d VMs on %d port groups do not fit into /%d", g.VMs, g.PortGroups, g.Prefix4)
	}
	if g.Hosts < 1 {
		return fmt.Errorf("generate: hosts must be 1 or more")
	}

	w := &switchSpec{Name: g.Prefix + "-dvs"}
	w.PortGroups = append(w.PortGroups, portGroup{Name: g.Prefix + "-management", VLAN: g.FirstVLAN - 1})
	for i := 0; i < g.PortGroups; i++ {
		w.PortGroups = append(w.PortGroups, portGroup{Name: fmt.Sprintf("%s-net-%d", g.Prefix, i), VLAN: g.FirstVLAN + i})
	}
	c := cluster{Name: g.Prefix + "-cluster"}
	for i := 0; i < g.Hosts; i++ {
		h := &hostSpec{
			Name:    fmt.Sprintf("%s-esx-%d.example.com", g.Prefix, i+1),
			Gateway: address(management + 1),
			Pnics:   []pnic{{Device: "vmnic0"}, {Device: "vmnic1"}},
			Vmkernel: []vmkernel{{
				Device: "vmk0", IP: address(management + 10 + uint32(i)), Mask: "255.255.252.0",
				Network:  attachment{Switch: w.Name, PortGroup: g.Prefix + "-management"},
				Services: []string{"management"},
			}},
		}
		c.Hosts = append(c.Hosts, h)
		w.Hosts = append(w.Hosts, switchMember{Host: h.Name, Pnics: []string{"vmnic0", "vmnic1"}})
	}
	for k := 0; k < g.VMs; k++ {
		group := k % g.PortGroups
		mac := generatedMAC(len(s.Generate), k)
		v := &vmSpec{
			Name: fmt.Sprintf("%s-%05d", g.Prefix, k),
			Host: c.Hosts[k%g.Hosts].Name,
			Adapters: []adapter{{
				MAC:     mac.String(),
				Network: attachment{Switch: w.Name, PortGroup: fmt.Sprintf("%s-net-%d", g.Prefix, group)},
			}},
			Guest: []guestNIC{{Adapter: 0, Addresses: []guestAddress{
				{Address: fmt.Sprintf("%s/%d", address(base+uint32(group)*step+10+uint32(k/g.PortGroups)), g.Prefix4)},
				{Address: linkLocal(mac) + "/64"},
			}}},
		}
		if g.Off > 0 && k%g.Off == g.Off-1 {
			v.Power = "off"
		}
		s.VMs = append(s.VMs, v)
	}

	for i := range s.Datacenters {
		if s.Datacenters[i].Name == g.Datacenter {
			s.Datacenters[i].Clusters = append(s.Datacenters[i].Clusters, c)
			s.Datacenters[i].Switches = append(s.Datacenters[i].Switches, w)
			return nil
		}
	}
	s.Datacenters = append(s.Datacenters,
		datacenter{Name: g.Datacenter, Clusters: []cluster{c}, Switches: []*switchSpec{w}})
	return nil
}

func generatedMAC(series, k int) net.HardwareAddr {
	return net.HardwareAddr{0x00, 0x50, 0x56, byte(0x80 + series + k>>16), byte(k >> 8), byte(k)}
}

// linkLocal is the address that a guest derives from its MAC (EUI-64).
func linkLocal(mac net.HardwareAddr) string {
	ip := net.IP{0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}
	return ip.String()
}

func ipv4(text string) uint32 {
	ip := net.ParseIP(text).To4()
	if ip == nil {
		return 0
	}
	return binary.BigEndian.Uint32(ip)
}

func address(n uint32) string {
	ip := make(net.IP, 4)
	binary.BigEndian.PutUint32(ip, n)
	return ip.String()
}

func number(field *int, value int) {
	if *field == 0 {
		*field = value
	}
}
