package main

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/types"
)

// machine is a VM. It embeds the simulator's by value (the simulator looks for its own type in the
// first field) and replaces the methods that change it: each edits the spec and reconciles.
type machine struct {
	simulator.VirtualMachine
	inventory *inventory
	spec      *vmSpec
	place     *place
	pending   *types.CustomizationSpec
	custom    customizationInfo
	busy      bool // a task of it is running
}

// customizationInfo is the guest's own report of its customization; the simulator's GuestInfo is too old for it.
type customizationInfo struct {
	status, started, ended, message string
}

// Lock makes the simulator hold the inventory's lock while it reads or calls a VM.
func (m *machine) Lock()   { m.inventory.mu.Lock() }
func (m *machine) Unlock() { m.inventory.mu.Unlock() }

var powerStates = map[string]types.VirtualMachinePowerState{
	"on":        types.VirtualMachinePowerStatePoweredOn,
	"off":       types.VirtualMachinePowerStatePoweredOff,
	"suspended": types.VirtualMachinePowerStateSuspended,
}

var toolsStates = map[string]types.VirtualMachineToolsStatus{
	"running":       types.VirtualMachineToolsStatusToolsOk,
	"not_running":   types.VirtualMachineToolsStatusToolsNotRunning,
	"not_installed": types.VirtualMachineToolsStatusToolsNotInstalled,
}

var machinePaths = []string{
	"name", "parent", "config.name", "config.uuid", "config.instanceUuid", "config.template", "config.annotation",
	"config.hardware.device", "config.managedBy", "config.extraConfig", "runtime.host", "runtime.powerState",
	"runtime.connectionState", "guest.net", "guest.ipStack", "guest.toolsRunningStatus", "guest.toolsStatus",
	"guest.hostName", "guest.ipAddress", "guest.guestState", "network", "resourcePool", "snapshot",
	"config.hardware.numCPU", "config.hardware.memoryMB", "guest.guestFamily", "summary.config.name",
	"summary.config.uuid", "summary.config.instanceUuid", "summary.config.template", "summary.runtime.host",
	"summary.runtime.powerState", "summary.runtime.connectionState", "summary.guest.ipAddress",
	"summary.guest.hostName", "summary.guest.toolsRunningStatus",
}

// ensureMachine makes or changes the VM of a spec. mu is held.
func (w *inventory) ensureMachine(spec *vmSpec) error {
	node := w.hosts[spec.Host]
	if node == nil {
		return fmt.Errorf("VM %q is on the unknown host %q", spec.ID, spec.Host)
	}
	m := w.machines[spec.ID]
	if m != nil && (m.place != node.place || m.spec.Folder != spec.Folder) {
		// Another datacenter or folder: vCenter makes a new object of it.
		w.removeMachine(m)
		m = nil
	}
	if m == nil {
		m = &machine{inventory: w, spec: spec, place: node.place}
		m.Self.Type = "VirtualMachine"
		simulator.Map.NewEntity(m)
		if w.want.isESXi() {
			w.nextHostVM++
			m.Self.Value = strconv.Itoa(w.nextHostVM)
		}
		m.Summary.Vm = &m.Self
		w.machines[spec.ID] = m
		w.machineRefs[m.Self] = spec.ID
		w.writeMachine(m, spec, node)
		w.attach(m, node)
		w.join(w.vmFolder(node.place, spec.Folder), m)
		return nil
	}
	before := m.VirtualMachine.VirtualMachine
	if *before.Runtime.Host != node.object.Self {
		w.detach(m)
		w.writeMachine(m, spec, node)
		w.attach(m, node)
	} else {
		w.writeMachine(m, spec, node)
	}
	after := m.VirtualMachine.VirtualMachine
	announce(m, &before, &after, machinePaths)
	m.Config = after.Config // announcing an unset part has made it anew
	return nil
}

func (w *inventory) attach(m *machine, node *hostNode) {
	host, pool := node.object, node.pool
	simulator.Map.WithLock(host, func() { host.Vm = append(host.Vm, m.Self) })
	simulator.Map.WithLock(pool, func() { pool.Vm = append(pool.Vm, m.Self) })
	simulator.Map.WithLock(node.place.datastore, func() {
		node.place.datastore.Vm = append(node.place.datastore.Vm, m.Self)
	})
}

func (w *inventory) detach(m *machine) {
	for _, node := range w.hosts {
		if node.object.Self != *m.Runtime.Host {
			continue
		}
		host, pool := node.object, node.pool
		simulator.Map.WithLock(host, func() { host.Vm = without(host.Vm, m.Self) })
		simulator.Map.WithLock(pool, func() { pool.Vm = without(pool.Vm, m.Self) })
	}
	simulator.Map.WithLock(m.place.datastore, func() { m.place.datastore.Vm = without(m.place.datastore.Vm, m.Self) })
}

func (w *inventory) removeMachine(m *machine) {
	w.detach(m)
	delete(w.machines, m.spec.ID)
	delete(w.machineRefs, m.Self)
	w.leave(m.place.folder(*m.Parent), m.Self)
}

// writeMachine sets every property from the spec. Whatever a reply may still be reading is replaced,
// never changed in place.
func (w *inventory) writeMachine(m *machine, spec *vmSpec, node *hostNode) {
	m.spec = spec
	m.Name = spec.Name
	m.Datastore = []types.ManagedObjectReference{node.place.datastore.Self}
	m.ResourcePool = &node.pool.Self
	if spec.Template {
		m.ResourcePool = nil
	}
	m.Runtime = types.VirtualMachineRuntimeInfo{
		Host: &node.object.Self, ConnectionState: types.VirtualMachineConnectionState(spec.Connection),
		PowerState: powerStates[spec.Power], FaultToleranceState: "notConfigured",
		MaxCpuUsage: 2294, MaxMemoryUsage: 2048, ConsolidationNeeded: types.NewBool(false),
	}
	if spec.Power == "on" {
		boot := time.Date(2024, 1, 10, 6, 30, 0, 0, time.UTC)
		m.Runtime.BootTime = &boot
	}
	devices, networks := w.devices(spec, node)
	m.Network = networks
	m.Guest = w.guest(spec)
	path := fmt.Sprintf("[%s] %s/%s.vmx", node.place.datastore.Name, spec.Name, spec.Name)
	m.Config = nil
	if !spec.Inaccessible {
		m.Config = configInfo(spec, path, devices)
	}
	m.Snapshot = snapshotInfo(m, spec.Snapshots)
	summary := m.Summary
	summary.Runtime = m.Runtime
	summary.OverallStatus = types.ManagedEntityStatusGreen
	summary.Config = types.VirtualMachineConfigSummary{
		Name: spec.Name, Template: spec.Template, VmPathName: path,
		MemorySizeMB: int32(spec.MemoryMB), NumCpu: spec.CPUs,
		NumEthernetCards: int32(len(spec.Adapters)), NumVirtualDisks: 1, Uuid: spec.UUID,
		InstanceUuid: spec.InstanceUUID, GuestId: spec.GuestID, GuestFullName: guestFullName(spec.GuestID),
	}
	summary.Guest = &types.VirtualMachineGuestSummary{
		GuestId: m.Guest.GuestId, GuestFullName: m.Guest.GuestFullName, ToolsStatus: m.Guest.ToolsStatus,
		ToolsRunningStatus: m.Guest.ToolsRunningStatus, HostName: m.Guest.HostName, IpAddress: m.Guest.IpAddress,
	}
	m.Summary = summary
}

func guestFullName(id string) string {
	if id == "otherGuest64" {
		return "Other (64-bit)"
	}
	return strings.TrimSuffix(id, "Guest")
}

// guestFamily is what Tools say of it.
func guestFamily(id string) string {
	if strings.HasPrefix(id, "win") {
		return "windowsGuest"
	}
	return "linuxGuest"
}

func snapshotInfo(m *machine, list []snapshot) *types.VirtualMachineSnapshotInfo {
	if len(list) == 0 {
		return nil
	}
	info := &types.VirtualMachineSnapshotInfo{}
	n := 0
	var tree func([]snapshot) []types.VirtualMachineSnapshotTree
	tree = func(list []snapshot) (trees []types.VirtualMachineSnapshotTree) {
		for _, s := range list {
			n++
			ref := types.ManagedObjectReference{Type: "VirtualMachineSnapshot", Value: fmt.Sprintf("snapshot-%s-%d", m.Self.Value, n)}
			info.CurrentSnapshot = &ref
			trees = append(trees, types.VirtualMachineSnapshotTree{
				Snapshot: ref, Vm: m.Self, Name: s.Name, Id: int32(n), State: types.VirtualMachinePowerStatePoweredOff,
				CreateTime: time.Date(2024, 1, 9, 6, 30, 0, 0, time.UTC), ChildSnapshotList: tree(s.Snapshots),
			})
		}
		return trees
	}
	info.RootSnapshotList = tree(list)
	return info
}

var allocation = types.DefaultResourceConfigSpec()

func configInfo(spec *vmSpec, path string, devices []types.BaseVirtualDevice) *types.VirtualMachineConfigInfo {
	created := time.Date(2023, 9, 4, 10, 0, 0, 0, time.UTC)
	config := &types.VirtualMachineConfigInfo{
		ChangeVersion: created.Format(time.RFC3339Nano), Modified: created, CreateDate: &created,
		Name: spec.Name, GuestFullName: guestFullName(spec.GuestID), GuestId: spec.GuestID, Version: "vmx-15",
		Uuid: spec.UUID, InstanceUuid: spec.InstanceUUID, Template: spec.Template, Annotation: spec.Annotation,
		Files: types.VirtualMachineFileInfo{VmPathName: path},
		Tools: &types.ToolsConfigInfo{},
		Hardware: types.VirtualHardware{
			NumCPU: spec.CPUs, NumCoresPerSocket: spec.CoresPerSocket, MemoryMB: int32(spec.MemoryMB), Device: devices,
		},
		Firmware: "efi", CpuAllocation: &allocation.CpuAllocation, MemoryAllocation: &allocation.MemoryAllocation,
		BootOptions: &types.VirtualMachineBootOptions{},
	}
	if spec.ManagedBy != "" {
		config.ManagedBy = &types.ManagedByInfo{ExtensionKey: spec.ManagedBy, Type: "agent"}
	}
	var keys []string
	for key := range spec.ExtraConfig {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		config.ExtraConfig = append(config.ExtraConfig, &types.OptionValue{Key: key, Value: spec.ExtraConfig[key]})
	}
	return config
}

// devices are the simulator's usual ones, a disk, and the adapters.
func (w *inventory) devices(spec *vmSpec, node *hostNode) ([]types.BaseVirtualDevice, []types.ManagedObjectReference) {
	list := append([]types.BaseVirtualDevice{}, esx.VirtualDevice...)
	list = append(list, diskController, disk(spec, node))
	var networks []types.ManagedObjectReference
	for i, a := range spec.Adapters {
		card := newEthernetCard(a.Type)
		nic := card.GetVirtualEthernetCard()
		connected := spec.Power == "on" && (a.Connected == nil || *a.Connected)
		unit, slot := int32(7+i), int32(160+32*i)
		nic.Key, nic.ControllerKey, nic.UnitNumber = a.Key, 100, &unit
		nic.AddressType, nic.MacAddress, nic.WakeOnLanEnabled = "assigned", a.MAC, types.NewBool(true)
		nic.SlotInfo = &types.VirtualDevicePciBusSlotInfo{PciSlotNumber: slot}
		nic.Connectable = &types.VirtualDeviceConnectInfo{
			StartConnected: a.Connected == nil || *a.Connected, AllowGuestControl: true, Connected: connected, Status: "ok",
		}
		info := &types.Description{Label: fmt.Sprintf("Network adapter %d", i+1)}
		nic.DeviceInfo = info
		switch n := a.Network; {
		case n.Opaque != "":
			o := node.opaque(n.Opaque)
			info.Summary = o.Type + ": " + o.ID
			nic.Backing = &types.VirtualEthernetCardOpaqueNetworkBackingInfo{
				OpaqueNetworkId: o.ID, OpaqueNetworkType: o.Type,
			}
			if entity := node.place.networks[n.Opaque]; entity != nil {
				networks = append(networks, entity.Reference())
			}
		case n.Switch != "":
			port := w.connect(node.dc, n, fmt.Sprintf("vm/%s/%d", spec.ID, a.Key))
			info.Summary = "DVSwitch: " + port.SwitchUuid
			nic.Backing = &types.VirtualEthernetCardDistributedVirtualPortBackingInfo{Port: *port}
			if port.PortgroupKey != "" {
				networks = append(networks,
					types.ManagedObjectReference{Type: "DistributedVirtualPortgroup", Value: port.PortgroupKey})
			}
		case n.PortGroup != "":
			info.Summary = n.PortGroup
			backing := &types.VirtualEthernetCardNetworkBackingInfo{}
			backing.DeviceName, backing.UseAutoDetect = n.PortGroup, types.NewBool(false)
			if entity := node.place.networks[n.PortGroup]; entity != nil {
				ref := entity.Reference()
				backing.Network = &ref
				networks = append(networks, ref)
			}
			nic.Backing = backing
		default:
			info.Summary = "none"
			nic.Connectable.Connected = false
		}
		list = append(list, card)
	}
	return list, networks
}

var diskController = &types.ParaVirtualSCSIController{VirtualSCSIController: types.VirtualSCSIController{
	VirtualController: types.VirtualController{
		VirtualDevice: types.VirtualDevice{
			Key: 1000, ControllerKey: 100, UnitNumber: types.NewInt32(3),
			DeviceInfo: &types.Description{Label: "SCSI controller 0", Summary: "VMware paravirtual SCSI"},
		},
		Device: []int32{2000},
	},
	SharedBus: types.VirtualSCSISharingNoSharing, ScsiCtlrUnitNumber: 7, HotAddRemove: types.NewBool(true),
}}

func disk(spec *vmSpec, node *hostNode) *types.VirtualDisk {
	store := node.place.datastore
	backing := &types.VirtualDiskFlatVer2BackingInfo{
		DiskMode: "persistent", ThinProvisioned: types.NewBool(true), Split: types.NewBool(false),
		WriteThrough: types.NewBool(false), Uuid: spec.UUID, DigestEnabled: types.NewBool(false),
	}
	backing.FileName = fmt.Sprintf("[%s] %s/%s.vmdk", store.Name, spec.Name, spec.Name)
	backing.Datastore = &store.Self
	return &types.VirtualDisk{
		VirtualDevice: types.VirtualDevice{
			Key: 2000, ControllerKey: 1000, UnitNumber: types.NewInt32(0), Backing: backing,
			DeviceInfo: &types.Description{Label: "Hard disk 1", Summary: "16,777,216 KB"},
		},
		CapacityInKB: 16 << 20, CapacityInBytes: 16 << 30,
	}
}

// ethernetCard is any of the adapter types.
type ethernetCard interface {
	types.BaseVirtualDevice
	types.BaseVirtualEthernetCard
}

func newEthernetCard(kind string) ethernetCard {
	switch kind {
	case "vmxnet3":
		return new(types.VirtualVmxnet3)
	case "vmxnet2":
		return new(types.VirtualVmxnet2)
	case "vmxnet3vrdma":
		return new(types.VirtualVmxnet3Vrdma)
	case "e1000":
		return new(types.VirtualE1000)
	case "e1000e":
		return new(types.VirtualE1000e)
	case "pcnet32":
		return new(types.VirtualPCNet32)
	case "sriov":
		return new(types.VirtualSriovEthernetCard)
	}
	return nil
}

// guest is what VMware Tools report, or reported last.
func (w *inventory) guest(spec *vmSpec) *types.GuestInfo {
	on := spec.Power == "on"
	g := &types.GuestInfo{
		ToolsStatus: toolsStates[spec.Tools], ToolsRunningStatus: "guestToolsNotRunning", ToolsVersion: "12352",
		ToolsVersionStatus2: "guestToolsUnmanaged",
		GuestState:          "notRunning", GuestOperationsReady: types.NewBool(false),
	}
	if spec.Tools == "not_installed" {
		g.ToolsVersion, g.ToolsVersionStatus2 = "0", "guestToolsNotInstalled"
	}
	if on {
		g.GuestState = "running"
	}
	if on && spec.Tools == "running" {
		g.ToolsRunningStatus = "guestToolsRunning"
		g.GuestId, g.GuestFamily, g.GuestFullName = spec.GuestID, guestFamily(spec.GuestID), guestFullName(spec.GuestID)
		g.HostName = spec.HostName
		if g.HostName == "" {
			g.HostName = spec.Name
		}
		g.GuestOperationsReady = types.NewBool(true)
	}
	for _, n := range spec.Guest {
		nic := types.GuestNicInfo{DeviceConfigId: -1, MacAddress: n.MAC, Connected: on}
		if n.Connected != nil {
			nic.Connected = *n.Connected
		}
		if n.Adapter >= 0 {
			a := spec.Adapters[n.Adapter]
			nic.DeviceConfigId = a.Key
			nic.Network = a.Network.PortGroup
			fill(&nic.MacAddress, a.MAC)
		}
		if !n.FlatOnly {
			nic.IpConfig = new(types.NetIpConfigInfo)
		}
		for _, address := range n.Addresses {
			ip, prefix := address.split()
			nic.IpAddress = append(nic.IpAddress, ip)
			if nic.IpConfig != nil {
				entry := types.NetIpConfigInfoIpAddress{
					IpAddress: ip, PrefixLength: prefix, Origin: address.Origin, State: address.State,
				}
				fill(&entry.State, "preferred")
				nic.IpConfig.IpAddress = append(nic.IpConfig.IpAddress, entry)
			}
			if g.IpAddress == "" && n.Adapter >= 0 && g.ToolsRunningStatus == "guestToolsRunning" {
				g.IpAddress = ip
			}
		}
		g.Net = append(g.Net, nic)
	}
	return g
}
