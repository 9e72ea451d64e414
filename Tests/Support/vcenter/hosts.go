package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

var hostPaths = []string{
	"name", "runtime.connectionState", "runtime.inMaintenanceMode", "summary.hardware.uuid", "hardware.systemInfo.uuid",
	"summary.managementServerIp", "config.product.version", "config.network.vnic", "config.network.consoleVnic",
	"config.network.ipRouteConfig", "config.network.netStackInstance", "config.network.pnic", "config.network.vswitch",
	"config.network.portgroup", "config.network.proxySwitch", "config.network.opaqueSwitch",
	"config.network.opaqueNetwork", "config.network.dnsConfig", "config.virtualNicManagerInfo.netConfig", "network",
}

// applyHost writes a host's spec into its object.
func (w *inventory) applyHost(node *hostNode) {
	h, spec := node.object, node.spec
	simulator.Map.WithLock(h, func() {
		before := h.HostSystem
		h.Name = spec.Name
		h.Summary.Config.Name = spec.Name
		h.Runtime.ConnectionState = types.HostSystemConnectionState(spec.ConnectionState)
		h.Runtime.InMaintenanceMode = spec.Maintenance
		runtime := h.Runtime
		h.Summary.Runtime = &runtime
		hardware := *h.Summary.Hardware
		hardware.Uuid = spec.UUID
		h.Summary.Hardware = &hardware
		info := *h.Hardware
		info.SystemInfo.Uuid = spec.UUID
		h.Hardware = &info
		h.Summary.ManagementServerIp = spec.ManagementServerIP
		h.Network = w.hostNetworks(node)
		if h.Config != nil {
			node.network.config = h.Config
		}
		if spec.NoConfig {
			h.Config = nil
		} else {
			config := *node.network.config
			config.Product.Version = spec.Version
			config.Product.ApiVersion = apiVersion(spec.Version)
			config.Product.FullName = "VMware ESXi " + spec.Version
			config.Network = w.hostNetworkInfo(node)
			config.VirtualNicManagerInfo = &types.HostVirtualNicManagerInfo{
				NetConfig: netConfig(spec, config.Network.Vnic),
			}
			h.Config = &config
			node.network.NetworkInfo = config.Network
		}
		node.network.hints = hints(spec)
		after := h.HostSystem
		announce(h, &before, &after, hostPaths)
		if spec.NoConfig {
			h.Config = nil // announcing an unset part of it has made it anew
		}
	})
}

func vnicKey(device string) string    { return "key-vim.host.VirtualNic-" + device }
func pnicKey(device string) string    { return "key-vim.host.PhysicalNic-" + device }
func portGroupKey(name string) string { return "key-vim.host.PortGroup-" + name }
func vswitchKey(name string) string   { return "key-vim.host.VirtualSwitch-" + name }
func mapped(in []string, f func(string) string) []string {
	var out []string
	for _, s := range in {
		out = append(out, f(s))
	}
	return out
}

func (w *inventory) hostNetworkInfo(node *hostNode) *types.HostNetworkInfo {
	spec := node.spec
	info := &types.HostNetworkInfo{
		Vnic:              w.vnics(node),
		ConsoleVnic:       []types.HostVirtualNic{},
		Pnic:              pnics(spec),
		IpV6Enabled:       types.NewBool(true),
		AtBootIpV6Enabled: types.NewBool(true),
		IpRouteConfig:     &types.HostIpRouteConfig{DefaultGateway: spec.Gateway, IpV6DefaultGateway: spec.Gateway6},
		DnsConfig: &types.HostDnsConfig{
			HostName: strings.SplitN(spec.Name, ".", 2)[0], DomainName: domainOf(spec.Name),
		},
		NetStackInstance: netStacks(spec),
	}
	for _, s := range spec.Switches {
		info.Vswitch = append(info.Vswitch, vswitch(s))
		for _, p := range s.PortGroups {
			info.Portgroup = append(info.Portgroup, hostPortGroup(p.Name, p.VLAN, s.Name))
		}
	}
	for _, p := range spec.OrphanPortGroups {
		info.Portgroup = append(info.Portgroup, hostPortGroup(p.Name, p.VLAN, p.Switch))
	}
	for _, s := range node.dc.Switches {
		if proxy := w.proxySwitch(node, s); proxy != nil {
			info.ProxySwitch = append(info.ProxySwitch, *proxy)
		}
	}
	for _, n := range node.dc.OpaqueNetworks {
		info.OpaqueNetwork = append(info.OpaqueNetwork, types.HostOpaqueNetworkInfo{
			OpaqueNetworkId: n.ID, OpaqueNetworkName: n.Name, OpaqueNetworkType: n.Type,
		})
	}
	if len(node.dc.OpaqueNetworks) != 0 {
		info.OpaqueSwitch = []types.HostOpaqueSwitch{{
			Key: "nsxSwitch", Name: "nsxHostSwitch", Status: "up", Pnic: nil,
		}}
	}
	return info
}

func domainOf(name string) string {
	if i := strings.IndexByte(name, '.'); i >= 0 {
		return name[i+1:]
	}
	return ""
}

func pnics(spec *hostSpec) []types.PhysicalNic {
	var list []types.PhysicalNic
	for i, p := range spec.Pnics {
		nic := types.PhysicalNic{
			Key: pnicKey(p.Device), Device: p.Device, Mac: p.MAC, Driver: "nmlx5_core",
			Pci: fmt.Sprintf("0000:%02x:00.0", 3+i), WakeOnLanSupported: true,
			Spec: types.PhysicalNicSpec{Ip: &types.HostIpConfig{}},
		}
		if *p.LinkSpeed > 0 {
			nic.LinkSpeed = &types.PhysicalNicLinkInfo{SpeedMb: int32(*p.LinkSpeed), Duplex: true}
			nic.Spec.LinkSpeed = nic.LinkSpeed
		}
		list = append(list, nic)
	}
	return list
}

func vswitch(s standardSwitch) types.HostVirtualSwitch {
	v := types.HostVirtualSwitch{
		Name: s.Name, Key: vswitchKey(s.Name), NumPorts: 2560, NumPortsAvailable: 2548, Mtu: 1500,
		Pnic: mapped(s.Pnics, pnicKey),
		Spec: types.HostVirtualSwitchSpec{NumPorts: 128, Mtu: 1500},
	}
	if s.MTU != 0 {
		v.Mtu, v.Spec.Mtu = int32(s.MTU), int32(s.MTU)
	}
	for _, p := range s.PortGroups {
		v.Portgroup = append(v.Portgroup, portGroupKey(p.Name))
	}
	if len(s.Pnics) != 0 {
		v.Spec.Bridge = &types.HostVirtualSwitchBondBridge{
			NicDevice: s.Pnics,
			LinkDiscoveryProtocolConfig: &types.LinkDiscoveryProtocolConfig{
				Protocol: "cdp", Operation: "listen",
			},
		}
	}
	return v
}

func hostPortGroup(name string, vlan int, on string) types.HostPortGroup {
	return types.HostPortGroup{
		Key: portGroupKey(name), Vswitch: vswitchKey(on),
		Spec: types.HostPortGroupSpec{Name: name, VlanId: int32(vlan), VswitchName: on},
	}
}

func (w *inventory) vnics(node *hostNode) []types.HostVirtualNic {
	var list []types.HostVirtualNic
	for _, v := range node.spec.Vmkernel {
		ip := &types.HostIpConfig{Dhcp: v.DHCP, IpAddress: v.IP}
		if v.IP != "" {
			ip.SubnetMask = v.Mask
		}
		if len(v.IPv6) != 0 {
			ip.IpV6Config = &types.HostIpConfigIpV6AddressConfiguration{
				AutoConfigurationEnabled: types.NewBool(false), DhcpV6Enabled: types.NewBool(false),
			}
		}
		for _, text := range v.IPv6 {
			a, prefix := guestAddress{Address: text}.split()
			origin := "manual"
			if strings.HasPrefix(strings.ToLower(a), "fe80:") {
				origin = "other"
			}
			ip.IpV6Config.IpV6Address = append(ip.IpV6Config.IpV6Address, types.HostIpConfigIpV6Address{
				IpAddress: a, PrefixLength: prefix, Origin: origin, DadState: "preferred",
			})
		}
		nic := types.HostVirtualNic{
			Device: v.Device, Key: vnicKey(v.Device),
			Spec: types.HostVirtualNicSpec{
				Ip: ip, Mac: v.MAC, Mtu: 1500, TsoEnabled: types.NewBool(true), NetStackInstanceKey: v.NetStack,
			},
		}
		switch n := v.Network; {
		case n.Opaque != "":
			o := node.opaque(n.Opaque)
			nic.Spec.OpaqueNetwork = &types.HostVirtualNicOpaqueNetworkSpec{
				OpaqueNetworkId: o.ID, OpaqueNetworkType: o.Type,
			}
		case n.Switch != "":
			nic.Spec.DistributedVirtualPort = w.connect(node.dc, n, "vmk/"+node.spec.Name+"/"+v.Device)
		default:
			nic.Portgroup, nic.Spec.Portgroup = n.PortGroup, n.PortGroup
			nic.Port = portGroupKey(n.PortGroup) + "-port"
		}
		list = append(list, nic)
	}
	return list
}

func (node *hostNode) opaque(name string) opaqueNetwork {
	for _, o := range node.dc.OpaqueNetworks {
		if o.Name == name {
			return o
		}
	}
	return opaqueNetwork{Name: name, ID: name, Type: "nsx.LogicalSwitch"}
}

var nicTypes = []string{
	"management", "vmotion", "faultToleranceLogging", "vSphereReplication", "vSphereReplicationNFC",
	"vSphereProvisioning", "vsan",
}

func netConfig(spec *hostSpec, vnics []types.HostVirtualNic) []types.VirtualNicManagerNetConfig {
	var list []types.VirtualNicManagerNetConfig
	for _, kind := range nicTypes {
		c := types.VirtualNicManagerNetConfig{NicType: kind, MultiSelectAllowed: true}
		for i, nic := range vnics {
			candidate := nic
			candidate.Key = kind + "." + nic.Key
			c.CandidateVnic = append(c.CandidateVnic, candidate)
			for _, service := range spec.Vmkernel[i].Services {
				if service == kind {
					c.SelectedVnic = append(c.SelectedVnic, candidate.Key)
				}
			}
		}
		list = append(list, c)
	}
	return list
}

func netStacks(spec *hostSpec) []types.HostNetStackInstance {
	stack := func(key, gateway, gateway6 string) types.HostNetStackInstance {
		return types.HostNetStackInstance{
			Key: key, Name: key, IpV6Enabled: types.NewBool(true), RequestedMaxNumberOfConnections: 11000,
			CongestionControlAlgorithm: "newreno",
			IpRouteConfig:              &types.HostIpRouteConfig{DefaultGateway: gateway, IpV6DefaultGateway: gateway6},
		}
	}
	list := []types.HostNetStackInstance{stack("defaultTcpipStack", spec.Gateway, spec.Gateway6)}
	for _, s := range spec.NetStacks {
		list = append(list, stack(s.Key, s.Gateway, s.Gateway6))
	}
	return list
}

// hostNetworks is what HostSystem.network lists: port groups that VMs can use, not VMkernel ones.
func (w *inventory) hostNetworks(node *hostNode) []types.ManagedObjectReference {
	var refs []types.ManagedObjectReference
	for _, name := range usablePortGroups(node.spec) {
		if n := node.place.networks[name]; n != nil {
			refs = append(refs, n.Reference())
		}
	}
	for _, n := range node.dc.OpaqueNetworks {
		refs = append(refs, node.place.networks[n.Name].Reference())
	}
	for _, s := range node.dc.Switches {
		if s.member(node.spec.Name) != nil {
			refs = append(refs, w.switches[node.dc.Name+"/"+s.Name].object.Portgroup...)
		}
	}
	return refs
}

func usablePortGroups(spec *hostSpec) []string {
	taken := map[string]bool{}
	for _, v := range spec.Vmkernel {
		if v.Network.Switch == "" {
			taken[v.Network.PortGroup] = true
		}
	}
	var names []string
	add := func(name string) {
		if !taken[name] {
			taken[name] = true
			names = append(names, name)
		}
	}
	for _, s := range spec.Switches {
		for _, p := range s.PortGroups {
			add(p.Name)
		}
	}
	for _, p := range spec.OrphanPortGroups {
		add(p.Name)
	}
	return names
}

// ensureNetworks keeps one Network per port group name and datacenter, as vCenter does, with the
// hosts that have it.
func (w *inventory) ensureNetworks(p *place, dc *datacenter) {
	var names []string
	hosts := map[string][]types.ManagedObjectReference{}
	opaque := map[string]*opaqueNetwork{}
	for i, n := range dc.OpaqueNetworks {
		names = append(names, n.Name)
		opaque[n.Name] = &dc.OpaqueNetworks[i]
	}
	w.want.eachHost(func(in *datacenter, h *hostSpec) {
		if in.Name != dc.Name {
			return
		}
		ref := w.hosts[h.Name].object.Self
		for _, n := range dc.OpaqueNetworks {
			hosts[n.Name] = append(hosts[n.Name], ref)
		}
		for _, name := range usablePortGroups(h) {
			if hosts[name] == nil {
				names = append(names, name)
			}
			hosts[name] = append(hosts[name], ref)
		}
	})
	folder := p.folder(p.object.NetworkFolder)
	for name, n := range p.networks {
		if hosts[name] == nil {
			w.leave(folder, n.Reference())
			p.object.Network = without(p.object.Network, n.Reference())
			delete(p.networks, name)
		}
	}
	for _, name := range names {
		if p.networks[name] == nil {
			p.networks[name] = w.addNetwork(p, folder, name, opaque[name])
		}
		if n, ok := p.networks[name].(*mo.Network); ok {
			simulator.Map.WithLock(n, func() {
				before := *n
				n.Host = hosts[name]
				after := *n
				announce(n, &before, &after, []string{"host"})
			})
		}
	}
}

func (w *inventory) addNetwork(p *place, folder *simulator.Folder, name string, opaque *opaqueNetwork) mo.Entity {
	var entity mo.Entity
	if opaque != nil {
		n := new(mo.OpaqueNetwork)
		n.Network.Name = name
		n.Entity().Name = name
		n.Self.Type = "OpaqueNetwork"
		simulator.Map.NewEntity(n)
		n.Summary = &types.OpaqueNetworkSummary{
			NetworkSummary:    types.NetworkSummary{Network: &n.Self, Name: name, Accessible: true},
			OpaqueNetworkId:   opaque.ID,
			OpaqueNetworkType: opaque.Type,
		}
		entity = n
	} else {
		n := new(mo.Network)
		n.Name = name
		n.Entity().Name = name
		n.Self.Type = "Network"
		simulator.Map.NewEntity(n)
		if w.want.isESXi() {
			n.Self.Value = "HaNetwork-" + name
		}
		n.Summary = &types.NetworkSummary{Network: &n.Self, Name: name, Accessible: true}
		entity = n
	}
	w.join(folder, entity)
	p.object.Network = append(p.object.Network, entity.Reference())
	return entity
}

// networkSystem is a host's HostNetworkSystem that answers the scenario's hints.
type networkSystem struct {
	simulator.HostNetworkSystem
	hints  []types.PhysicalNicHintInfo
	config *types.HostConfigInfo // what `config` returns to when a host is connected again
}

func newNetworkSystem(node *hostNode) *networkSystem {
	n := &networkSystem{config: node.object.Config}
	n.Self = *node.object.ConfigManager.NetworkSystem
	n.Host = &node.object.HostSystem
	return n
}

func (n *networkSystem) QueryNetworkHint(req *types.QueryNetworkHint) soap.HasFault {
	if n.Host.Runtime.ConnectionState != types.HostSystemConnectionStateConnected {
		return &methods.QueryNetworkHintBody{Fault_: simulator.Fault("The host is not connected.", &types.HostNotConnected{})}
	}
	var list []types.PhysicalNicHintInfo
	for _, h := range n.hints {
		asked := len(req.Device) == 0
		for _, device := range req.Device {
			asked = asked || device == h.Device
		}
		if asked {
			list = append(list, h)
		}
	}
	return &methods.QueryNetworkHintBody{Res: &types.QueryNetworkHintResponse{Returnval: list}}
}

func hints(spec *hostSpec) []types.PhysicalNicHintInfo {
	var list []types.PhysicalNicHintInfo
	for _, p := range spec.Pnics {
		info := types.PhysicalNicHintInfo{Device: p.Device}
		if p.Hint != nil {
			for _, s := range p.Hint.Subnets {
				info.Subnet = append(info.Subnet, types.PhysicalNicIpHint{
					PhysicalNicHint: types.PhysicalNicHint{VlanId: int32(s.VLAN)}, IpSubnet: s.Range,
				})
			}
			if c := p.Hint.CDP; c != nil {
				info.ConnectedSwitchPort = &types.PhysicalNicCdpInfo{
					CdpVersion: 2, DevId: c.Device, PortId: c.Port, SystemName: c.Device, Vlan: int32(c.VLAN),
				}
			}
			if l := p.Hint.LLDP; l != nil {
				info.LldpInfo = &types.LinkLayerDiscoveryProtocolInfo{
					ChassisId: l.Chassis, PortId: l.Port, TimeToLive: 120,
				}
				if l.System != "" {
					info.LldpInfo.Parameter = []types.KeyAnyValue{{Key: "System Name", Value: l.System}}
				}
			}
		}
		list = append(list, info)
	}
	return list
}

// maskLength is the prefix length of a dotted mask, as a guest reports it.
func maskLength(mask string) int {
	ip := net.ParseIP(mask).To4()
	if ip == nil {
		n, _ := strconv.Atoi(mask)
		return n
	}
	ones, _ := net.IPMask(ip).Size()
	return ones
}
