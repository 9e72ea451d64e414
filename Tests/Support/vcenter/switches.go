package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// distributedSwitch has the type name of a real one: VmwareDistributedVirtualSwitch, which vcsim's
// own has not.
type distributedSwitch struct {
	mo.VmwareDistributedVirtualSwitch
}

type switchNode struct {
	object *distributedSwitch
	groups map[string]*simulator.DistributedVirtualPortgroup
	ports  map[string]string // who is connected -> port key
}

func (s *switchSpec) member(host string) *switchMember {
	for i := range s.Hosts {
		if s.Hosts[i].Host == host {
			return &s.Hosts[i]
		}
	}
	return nil
}

func (w *inventory) ensureSwitch(p *place, dc *datacenter, spec *switchSpec) {
	key := dc.Name + "/" + spec.Name
	node := w.switches[key]
	if node == nil {
		node = &switchNode{
			object: &distributedSwitch{},
			groups: map[string]*simulator.DistributedVirtualPortgroup{}, ports: map[string]string{},
		}
		node.object.Name = spec.Name
		node.object.Self.Type = "VmwareDistributedVirtualSwitch"
		simulator.Map.NewEntity(node.object)
		w.switches[key] = node
		w.join(p.folder(p.object.NetworkFolder), node.object)
	}
	var members []types.ManagedObjectReference
	for _, m := range spec.Hosts {
		members = append(members, w.hosts[m.Host].object.Self)
	}
	w.ensurePortGroups(p, node, spec, members)

	object := node.object
	simulator.Map.WithLock(object, func() {
		before := object.DistributedVirtualSwitch
		product := types.DistributedVirtualSwitchProductSpec{
			Name: "DVS", Vendor: "VMware, Inc.", Version: "6.6.0", Build: "21560480", ForwardingClass: "etherswitch",
		}
		object.Name = spec.Name
		object.Uuid = spec.UUID
		config := &types.VMwareDVSConfigInfo{DVSConfigInfo: types.DVSConfigInfo{
			Uuid: spec.UUID, Name: spec.Name, NumPorts: 256, MaxPorts: 1 << 30, ConfigVersion: "1",
			UplinkPortPolicy:  &types.DVSNameArrayUplinkPortPolicy{UplinkPortName: spec.uplinkNames()},
			DefaultPortConfig: portSetting(portGroup{}),
			ProductInfo:       product,
			CreateTime:        time.Date(2023, 3, 1, 8, 0, 0, 0, time.UTC),
		}, MaxMtu: 1500}
		if spec.MTU != 0 {
			config.MaxMtu = int32(spec.MTU)
		}
		config.LinkDiscoveryProtocolConfig = &types.LinkDiscoveryProtocolConfig{
			Protocol: spec.Discovery, Operation: "listen",
		}
		for _, v := range spec.PrivateVLANs {
			kind := v.Type
			if kind == "" {
				kind = "isolated"
				if v.Primary == v.Secondary {
					kind = "promiscuous"
				}
			}
			config.PvlanConfig = append(config.PvlanConfig, types.VMwareDVSPvlanMapEntry{
				PrimaryVlanId: int32(v.Primary), SecondaryVlanId: int32(v.Secondary), PvlanType: kind,
			})
		}
		var groups []types.ManagedObjectReference
		var names []string
		for _, g := range spec.PortGroups {
			group := node.groups[g.Name]
			groups, names = append(groups, group.Self), append(names, g.Name)
			if g.Uplink {
				config.UplinkPortgroup = append(config.UplinkPortgroup, group.Self)
			}
		}
		for i, m := range spec.Hosts {
			ref := members[i]
			config.Host = append(config.Host, types.DistributedVirtualSwitchHostMember{
				Config: types.DistributedVirtualSwitchHostMemberConfigInfo{
					Host: &ref, MaxProxySwitchPorts: 2048, Backing: node.backing(spec, m),
				},
				ProductInfo: &product, Status: "up",
			})
		}
		object.Config = config
		object.Portgroup = groups
		object.Summary = types.DVSSummary{
			Name: spec.Name, Uuid: spec.UUID, NumPorts: 256, ProductInfo: &product, HostMember: members,
			PortgroupName: names, NumHosts: int32(len(members)),
		}
		after := object.DistributedVirtualSwitch
		announce(object, &before, &after, []string{
			"name", "uuid", "config", "config.pvlanConfig", "config.host", "config.uplinkPortgroup",
			"summary.hostMember", "portgroup",
		})
	})
}

func (s *switchSpec) uplinkNames() []string {
	most := 1
	for _, m := range s.Hosts {
		if len(m.Pnics) > most {
			most = len(m.Pnics)
		}
	}
	var names []string
	for i := 1; i <= most; i++ {
		names = append(names, "Uplink "+strconv.Itoa(i))
	}
	return names
}

// backing tells which physical adapters of a member carry the switch.
func (node *switchNode) backing(spec *switchSpec, m switchMember) types.BaseDistributedVirtualSwitchHostMemberBacking {
	backing := &types.DistributedVirtualSwitchHostMemberPnicBacking{}
	for _, g := range spec.PortGroups {
		if !g.Uplink {
			continue
		}
		for _, device := range m.Pnics {
			backing.PnicSpec = append(backing.PnicSpec, types.DistributedVirtualSwitchHostMemberPnicSpec{
				PnicDevice:         device,
				UplinkPortKey:      node.port("uplink/" + m.Host + "/" + device),
				UplinkPortgroupKey: node.groups[g.Name].Key,
			})
		}
		break
	}
	return backing
}

func (w *inventory) proxySwitch(host *hostNode, spec *switchSpec) *types.HostProxySwitch {
	m := spec.member(host.spec.Name)
	if m == nil {
		return nil
	}
	node := w.switches[host.dc.Name+"/"+spec.Name]
	proxy := &types.HostProxySwitch{
		DvsUuid: spec.UUID, DvsName: spec.Name, Key: "key-vim.host.ProxySwitch-" + spec.Name,
		NumPorts: 2560, ConfigNumPorts: 512, NumPortsAvailable: 2540, Mtu: 1500,
		Pnic: mapped(m.Pnics, pnicKey),
		Spec: types.HostProxySwitchSpec{Backing: node.backing(spec, *m)},
	}
	for i, device := range m.Pnics {
		proxy.UplinkPort = append(proxy.UplinkPort, types.KeyValue{
			Key: node.port("uplink/" + m.Host + "/" + device), Value: "Uplink " + strconv.Itoa(i+1),
		})
	}
	return proxy
}

func (w *inventory) ensurePortGroups(p *place, node *switchNode, spec *switchSpec, members []types.ManagedObjectReference) {
	folder := p.folder(p.object.NetworkFolder)
	wanted := map[string]bool{}
	for _, g := range spec.PortGroups {
		wanted[g.Name] = true
	}
	for name, group := range node.groups {
		if !wanted[name] {
			w.leave(folder, group.Self)
			p.object.Network = without(p.object.Network, group.Self)
			delete(node.groups, name)
		}
	}
	for _, g := range spec.PortGroups {
		group := node.groups[g.Name]
		if group == nil {
			group = &simulator.DistributedVirtualPortgroup{}
			group.Name = g.Name
			group.Entity().Name = g.Name
			group.Self.Type = "DistributedVirtualPortgroup"
			simulator.Map.NewEntity(group)
			group.Key = group.Self.Value
			group.Summary = &types.NetworkSummary{Network: &group.Self, Name: g.Name, Accessible: true}
			node.groups[g.Name] = group
			w.join(folder, group)
			p.object.Network = append(p.object.Network, group.Self)
		}
		spec := g
		simulator.Map.WithLock(group, func() { node.applyPortGroup(group, spec, members) })
	}
}

func (node *switchNode) applyPortGroup(
	group *simulator.DistributedVirtualPortgroup, spec portGroup, members []types.ManagedObjectReference,
) {
	before := group.DistributedVirtualPortgroup
	group.Host = members
	group.Tag = nil
	config := types.DVPortgroupConfigInfo{
		Key: group.Key, Name: spec.Name, NumPorts: 8, Type: "earlyBinding", AutoExpand: types.NewBool(true),
		ConfigVersion: "1", DistributedVirtualSwitch: &node.object.Self, Uplink: types.NewBool(spec.Uplink),
		BackingType: "standard", DefaultPortConfig: portSetting(spec),
		Policy: &types.VMwareDVSPortgroupPolicy{DVPortgroupPolicy: types.DVPortgroupPolicy{
			BlockOverrideAllowed: true, PortConfigResetAtDisconnect: true,
		}},
	}
	if spec.Uplink {
		group.Tag = []types.Tag{{Key: "SYSTEM/DVS.UPLINKPG"}}
	}
	if spec.NSX != nil {
		config.BackingType = "nsx"
		config.LogicalSwitchUuid = spec.NSX.LogicalSwitch
		config.SegmentId = spec.NSX.Segment
	}
	group.Config = config
	after := group.DistributedVirtualPortgroup
	announce(group, &before, &after, []string{
		"host", "tag", "config.defaultPortConfig", "config.uplink", "config.backingType", "config.logicalSwitchUuid",
		"config.segmentId",
	})
}

func portSetting(g portGroup) *types.VMwareDVSPortSetting {
	setting := &types.VMwareDVSPortSetting{
		UplinkTeamingPolicy: &types.VmwareUplinkPortTeamingPolicy{
			Policy:         &types.StringPolicy{Value: "loadbalance_srcid"},
			ReversePolicy:  &types.BoolPolicy{Value: types.NewBool(true)},
			NotifySwitches: &types.BoolPolicy{Value: types.NewBool(true)},
			RollingOrder:   &types.BoolPolicy{Value: types.NewBool(false)},
		},
	}
	ranges, _ := trunkRanges(g.Trunk)
	switch {
	case len(ranges) != 0:
		trunk := &types.VmwareDistributedVirtualSwitchTrunkVlanSpec{}
		for _, r := range ranges {
			trunk.VlanId = append(trunk.VlanId, types.NumericRange{Start: r.first, End: r.last})
		}
		setting.Vlan = trunk
	case g.PrivateVLAN != 0:
		setting.Vlan = &types.VmwareDistributedVirtualSwitchPvlanSpec{PvlanId: int32(g.PrivateVLAN)}
	default:
		setting.Vlan = &types.VmwareDistributedVirtualSwitchVlanIdSpec{VlanId: int32(g.VLAN)}
	}
	return setting
}

// port gives whoever asks a port key of its own, unique on the switch as in reality.
func (node *switchNode) port(who string) string {
	if node.ports[who] == "" {
		node.ports[who] = strconv.Itoa(len(node.ports))
	}
	return node.ports[who]
}

// connect resolves an attachment to a distributed port; a port group that does not exist gives a
// connection without one, which real inventories have too.
func (w *inventory) connect(dc *datacenter, a attachment, who string) *types.DistributedVirtualSwitchPortConnection {
	node := w.switches[dc.Name+"/"+a.Switch]
	if node == nil {
		return &types.DistributedVirtualSwitchPortConnection{SwitchUuid: spaced(strings.Repeat("0", 32))}
	}
	c := &types.DistributedVirtualSwitchPortConnection{SwitchUuid: node.object.Uuid, PortKey: node.port(who)}
	if group := node.groups[a.PortGroup]; group != nil {
		c.PortgroupKey = group.Key
	}
	return c
}
