package main

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// provisioning says how clones behave; the control server changes it.
type provisioning struct {
	// TaskMilliseconds keeps tasks in the state running for so long.
	TaskMilliseconds int `json:"task_ms"`
	// BootMilliseconds is how long a guest takes from power-on to running Tools.
	BootMilliseconds int `json:"boot_ms"`
	// Customization: "apply", or "ignore" as a guest without the packages for it does.
	Customization string `json:"customization"`
	// Tools tells whether Tools come up at all.
	Tools bool `json:"tools"`
	// Address is what the guest reports instead of the address it was given.
	Address string `json:"address"`
	// Fault makes the next clone (and only that) end with this fault: "InsufficientResourcesFault",
	// "NoDiskSpace", "NoPermission", "CustomizationFault"...
	Fault string `json:"fault"`
}

func defaultProvisioning() provisioning {
	return provisioning{BootMilliseconds: 200, Customization: "apply", Tools: true}
}

type taskBody func(*simulator.Task) (types.AnyType, types.BaseMethodFault)

// run makes a task of body. With task_ms it is running for a while first; else it is over at once.
// mu is held by the caller, and while body runs.
func (w *inventory) run(m *machine, name string, body taskBody) types.ManagedObjectReference {
	task := simulator.CreateTask(m, name, body)
	delay := time.Duration(w.provision.TaskMilliseconds) * time.Millisecond
	if delay == 0 {
		return task.Run()
	}
	simulator.Map.Update(task, []types.PropertyChange{
		{Name: "info.state", Val: types.TaskInfoStateRunning}, {Name: "info.progress", Val: int32(10)},
	})
	time.AfterFunc(delay, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		task.Run()
	})
	return task.Self
}

// change edits a VM's spec and reconciles that VM. mu is held.
func (w *inventory) change(m *machine, edit func(*vmSpec)) types.BaseMethodFault {
	spec := m.spec.clone()
	edit(spec)
	w.want.completeVM(spec)
	for i, v := range w.want.VMs {
		if v.ID == spec.ID {
			w.want.VMs[i] = spec
		}
	}
	if err := w.ensureMachine(spec); err != nil {
		return &types.InvalidArgument{InvalidProperty: err.Error()}
	}
	return nil
}

// forget takes a VM out of the scenario and the inventory. mu is held.
func (w *inventory) forget(m *machine) {
	for i, v := range w.want.VMs {
		if v.ID == m.spec.ID {
			w.want.VMs = append(append([]*vmSpec{}, w.want.VMs[:i]...), w.want.VMs[i+1:]...)
			break
		}
	}
	w.removeMachine(m)
}

func (m *machine) CloneVMTask(ctx *simulator.Context, req *types.CloneVM_Task) soap.HasFault {
	w := m.inventory
	body := &methods.CloneVM_TaskBody{}
	if w.want.isESXi() {
		body.Fault_ = simulator.Fault("The operation is not supported on the object.", &types.NotSupported{})
		return body
	}
	body.Res = &types.CloneVM_TaskResponse{Returnval: w.run(m, "cloneVm",
		func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
			clone, fault := w.cloneMachine(m, req)
			if fault != nil {
				return nil, fault
			}
			return clone.Self, nil
		})}
	return body
}

func (w *inventory) cloneMachine(m *machine, req *types.CloneVM_Task) (*machine, types.BaseMethodFault) {
	if name := w.provision.Fault; name != "" {
		w.provision.Fault = ""
		return nil, faultNamed(name, m.Self)
	}
	folder, ok := simulator.Map.Get(req.Folder).(*simulator.Folder)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: req.Folder}
	}
	for _, ref := range folder.ChildEntity {
		if id, ok := w.machineRefs[ref]; ok && w.machines[id].Name == req.Name {
			return nil, &types.DuplicateName{Name: req.Name, Object: ref}
		}
	}
	location := req.Spec.Location
	if location.Pool == nil && m.spec.Template {
		return nil, &types.InvalidArgument{InvalidProperty: "spec.location.pool"}
	}
	host, fault := w.chooseHost(m, location)
	if fault != nil {
		return nil, fault
	}

	spec := m.spec.clone()
	spec.ID, spec.Name, spec.Host, spec.Folder = w.freeID(req.Name), req.Name, host.spec.Name, w.folderPath(host.place, folder)
	spec.UUID, spec.InstanceUUID, spec.NoInstanceUUID = uuid.New().String(), uuid.New().String(), false
	spec.Template, spec.Power, spec.Tools, spec.Guest, spec.HostName = req.Spec.Template, "off", "not_running", nil, ""
	for i := range spec.Adapters {
		spec.Adapters[i].MAC = newMAC()
	}
	changes := location.DeviceChange
	if config := req.Spec.Config; config != nil {
		if fault := w.reconfigure(spec, host, config); fault != nil {
			return nil, fault
		}
	}
	if fault := w.changeDevices(spec, host, changes); fault != nil {
		return nil, fault
	}
	if c := req.Spec.Customization; c != nil && len(c.NicSettingMap) != len(spec.Adapters) {
		return nil, &types.NicSettingMismatch{
			NumberOfNicsInSpec: int32(len(c.NicSettingMap)), NumberOfNicsInVM: int32(len(spec.Adapters)),
		}
	}
	for _, other := range w.machines {
		if other.spec.InstanceUUID != "" && strings.EqualFold(other.spec.InstanceUUID, spec.InstanceUUID) {
			spec.InstanceUUID = uuid.New().String() // vCenter keeps them unique
		}
	}
	w.want.VMs = append(w.want.VMs, spec)
	w.want.completeVM(spec)
	if err := w.ensureMachine(spec); err != nil {
		return nil, &types.InvalidArgument{InvalidProperty: err.Error()}
	}
	clone := w.machines[spec.ID]
	clone.pending = req.Spec.Customization
	if req.Spec.PowerOn && !req.Spec.Template {
		if fault := w.powerOn(clone); fault != nil {
			return nil, fault
		}
	}
	return clone, nil
}

func (w *inventory) freeID(name string) string {
	id := name
	for n := 2; w.machines[id] != nil; n++ {
		id = fmt.Sprintf("%s (%d)", name, n)
	}
	return id
}

func (w *inventory) folderPath(p *place, folder *simulator.Folder) string {
	for path, f := range p.folders {
		if f == folder {
			return strings.TrimPrefix(path, "/")
		}
	}
	return ""
}

// chooseHost takes the host that was asked for, or else one of the pool's, as DRS does.
func (w *inventory) chooseHost(m *machine, location types.VirtualMachineRelocateSpec) (*hostNode, types.BaseMethodFault) {
	var names []string
	w.want.eachHost(func(_ *datacenter, h *hostSpec) { names = append(names, h.Name) })
	for _, name := range names {
		node := w.hosts[name]
		if location.Host != nil && node.object.Self != *location.Host {
			continue
		}
		if location.Pool != nil && node.pool.Self != *location.Pool {
			continue
		}
		if location.Host == nil && location.Pool == nil && node.object.Self != *m.Runtime.Host {
			continue
		}
		if node.spec.ConnectionState != "connected" || node.spec.Maintenance {
			if location.Host != nil {
				return nil, &types.InvalidState{}
			}
			continue
		}
		return node, nil
	}
	return nil, &types.NoCompatibleHost{}
}

func newMAC() string {
	id := uuid.New()
	return net.HardwareAddr{0x00, 0x50, 0x56, 0x80 | id[0]&0x3f, id[1], id[2]}.String()
}

func (m *machine) ReconfigVMTask(ctx *simulator.Context, req *types.ReconfigVM_Task) soap.HasFault {
	w := m.inventory
	return &methods.ReconfigVM_TaskBody{Res: &types.ReconfigVM_TaskResponse{Returnval: w.run(m, "reconfigVm",
		func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
			var fault types.BaseMethodFault
			spec := m.spec.clone()
			if fault = w.reconfigure(spec, w.hosts[spec.Host], &req.Spec); fault == nil {
				fault = w.change(m, func(s *vmSpec) { *s = *spec })
			}
			return nil, fault
		})}}
}

func (w *inventory) reconfigure(spec *vmSpec, host *hostNode, config *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	set := func(field *string, value string) {
		if value != "" {
			*field = value
		}
	}
	set(&spec.Name, config.Name)
	set(&spec.UUID, config.Uuid)
	set(&spec.InstanceUUID, config.InstanceUuid)
	set(&spec.Annotation, config.Annotation)
	for _, option := range config.ExtraConfig {
		o := option.GetOptionValue()
		if spec.ExtraConfig == nil {
			spec.ExtraConfig = map[string]string{}
		}
		if text := fmt.Sprint(o.Value); text == "" {
			delete(spec.ExtraConfig, o.Key)
		} else {
			spec.ExtraConfig[o.Key] = text
		}
	}
	return w.changeDevices(spec, host, config.DeviceChange)
}

// changeDevices applies the changes of network adapters; others are accepted and have no effect.
func (w *inventory) changeDevices(spec *vmSpec, host *hostNode, changes []types.BaseVirtualDeviceConfigSpec) types.BaseMethodFault {
	for i, c := range changes {
		change := c.GetVirtualDeviceConfigSpec()
		card, ok := change.Device.(types.BaseVirtualEthernetCard)
		if !ok {
			continue
		}
		nic := card.GetVirtualEthernetCard()
		bad := types.InvalidDeviceSpec{DeviceIndex: int32(i)}
		bad.Property = fmt.Sprintf("deviceChange[%d].device.backing", i)
		at := -1
		for j, a := range spec.Adapters {
			if a.Key == nic.Key {
				at = j
			}
		}
		if change.Operation != types.VirtualDeviceConfigSpecOperationAdd && at < 0 {
			return &bad
		}
		switch change.Operation {
		case types.VirtualDeviceConfigSpecOperationRemove:
			spec.Adapters = append(append([]adapter{}, spec.Adapters[:at]...), spec.Adapters[at+1:]...)
		case types.VirtualDeviceConfigSpecOperationAdd:
			key := int32(4000)
			for _, a := range spec.Adapters {
				if a.Key >= key {
					key = a.Key + 1
				}
			}
			spec.Adapters = append(spec.Adapters, adapter{Key: key, MAC: newMAC(), Type: cardType(card)})
			at = len(spec.Adapters) - 1
			fallthrough
		default:
			network, ok := w.attachmentOf(nic.Backing, host)
			if !ok {
				return &types.InvalidDeviceBacking{InvalidDeviceSpec: bad}
			}
			spec.Adapters[at].Network = network
			if nic.MacAddress != "" {
				spec.Adapters[at].MAC = nic.MacAddress
			}
			if nic.Connectable != nil {
				spec.Adapters[at].Connected = &nic.Connectable.StartConnected
			}
		}
	}
	return nil
}

func cardType(card types.BaseVirtualEthernetCard) string {
	switch card.(type) {
	case *types.VirtualE1000:
		return "e1000"
	case *types.VirtualE1000e:
		return "e1000e"
	case *types.VirtualPCNet32:
		return "pcnet32"
	}
	return "vmxnet3"
}

func (w *inventory) attachmentOf(backing types.BaseVirtualDeviceBackingInfo, host *hostNode) (attachment, bool) {
	switch b := backing.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		for _, name := range usablePortGroups(host.spec) {
			if name == b.DeviceName {
				return attachment{PortGroup: name}, true
			}
		}
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		for _, spec := range host.dc.Switches {
			node := w.switches[host.dc.Name+"/"+spec.Name]
			if node.object.Uuid != b.Port.SwitchUuid || spec.member(host.spec.Name) == nil {
				continue
			}
			for name, group := range node.groups {
				if group.Key == b.Port.PortgroupKey {
					return attachment{Switch: spec.Name, PortGroup: name}, true
				}
			}
		}
	case *types.VirtualEthernetCardOpaqueNetworkBackingInfo:
		for _, o := range host.dc.OpaqueNetworks {
			if o.ID == b.OpaqueNetworkId {
				return attachment{Opaque: o.Name}, true
			}
		}
	}
	return attachment{}, false
}

func (m *machine) PowerOnVMTask(ctx *simulator.Context, req *types.PowerOnVM_Task) soap.HasFault {
	w := m.inventory
	if m.spec.Template {
		return &methods.PowerOnVM_TaskBody{Fault_: simulator.Fault("The operation is not allowed in the current state.", &types.InvalidState{})}
	}
	return &methods.PowerOnVM_TaskBody{Res: &types.PowerOnVM_TaskResponse{Returnval: w.run(m, "powerOn",
		func(*simulator.Task) (types.AnyType, types.BaseMethodFault) { return nil, w.powerOn(m) })}}
}

func (w *inventory) powerOn(m *machine) types.BaseMethodFault {
	if m.spec.Power == "on" {
		return &types.InvalidPowerState{RequestedState: powerStates["on"], ExistingState: powerStates["on"]}
	}
	if fault := w.change(m, func(s *vmSpec) { s.Power, s.Tools = "on", "not_running" }); fault != nil {
		return fault
	}
	behave, id := w.provision, m.spec.ID
	if behave.Tools {
		time.AfterFunc(time.Duration(behave.BootMilliseconds)*time.Millisecond, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if m := w.machines[id]; m != nil && m.spec.Power == "on" {
				w.boot(m, behave)
			}
		})
	}
	return nil
}

// boot is the guest coming up: Tools run, and the customization, if any, has been applied.
func (w *inventory) boot(m *machine, behave provisioning) {
	custom := m.pending
	m.pending = nil
	w.change(m, func(s *vmSpec) {
		s.Tools = "running"
		if custom == nil && len(s.Guest) != 0 {
			return // it has an address from before
		}
		s.Guest = nil
		for i, a := range s.Adapters {
			nic := guestNIC{Adapter: i}
			if custom != nil && behave.Customization == "apply" {
				nic.Addresses = given(custom.NicSettingMap[i].Adapter)
				if behave.Address != "" && i == 0 {
					nic.Addresses = []guestAddress{{Address: behave.Address}}
				}
			}
			if mac, err := net.ParseMAC(a.MAC); err == nil {
				nic.Addresses = append(nic.Addresses, guestAddress{Address: linkLocal(mac) + "/64"})
			}
			s.Guest = append(s.Guest, nic)
		}
		if custom == nil || behave.Customization != "apply" {
			return
		}
		if prep, ok := custom.Identity.(*types.CustomizationLinuxPrep); ok {
			if name, ok := prep.HostName.(*types.CustomizationFixedName); ok {
				s.HostName = name.Name
			}
		}
	})
}

func given(settings types.CustomizationIPSettings) []guestAddress {
	var list []guestAddress
	if fixed, ok := settings.Ip.(*types.CustomizationFixedIp); ok {
		list = append(list, guestAddress{Address: fmt.Sprintf("%s/%d", fixed.IpAddress, maskLength(settings.SubnetMask))})
	}
	if v6 := settings.IpV6Spec; v6 != nil {
		for _, ip := range v6.Ip {
			if fixed, ok := ip.(*types.CustomizationFixedIpV6); ok {
				list = append(list, guestAddress{Address: fmt.Sprintf("%s/%d", fixed.IpAddress, fixed.SubnetMask)})
			}
		}
	}
	return list
}

func (m *machine) PowerOffVMTask(ctx *simulator.Context, req *types.PowerOffVM_Task) soap.HasFault {
	w := m.inventory
	return &methods.PowerOffVM_TaskBody{Res: &types.PowerOffVM_TaskResponse{Returnval: w.run(m, "powerOff",
		func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
			if m.spec.Power == "off" {
				return nil, &types.InvalidPowerState{RequestedState: powerStates["off"], ExistingState: powerStates["off"]}
			}
			return nil, w.change(m, func(s *vmSpec) { s.Power, s.Tools = "off", "not_running" })
		})}}
}

func (m *machine) ShutdownGuest(ctx *simulator.Context, req *types.ShutdownGuest) soap.HasFault {
	if m.spec.Power != "on" {
		return &methods.ShutdownGuestBody{Fault_: simulator.Fault("", &types.InvalidPowerState{
			RequestedState: powerStates["on"], ExistingState: powerStates[m.spec.Power]})}
	}
	m.inventory.change(m, func(s *vmSpec) { s.Power, s.Tools = "off", "not_running" })
	return &methods.ShutdownGuestBody{Res: new(types.ShutdownGuestResponse)}
}

func (m *machine) DestroyTask(ctx *simulator.Context, req *types.Destroy_Task) soap.HasFault {
	w := m.inventory
	return &methods.Destroy_TaskBody{Res: &types.Destroy_TaskResponse{Returnval: w.run(m, "destroy",
		func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
			if m.spec.Power != "off" {
				return nil, &types.InvalidPowerState{RequestedState: powerStates["off"], ExistingState: powerStates[m.spec.Power]}
			}
			w.forget(m)
			return nil, nil
		})}}
}

func (m *machine) UnregisterVM(ctx *simulator.Context, req *types.UnregisterVM) soap.HasFault {
	if m.spec.Power == "on" {
		return &methods.UnregisterVMBody{Fault_: simulator.Fault("", &types.InvalidPowerState{
			RequestedState: powerStates["off"], ExistingState: powerStates["on"]})}
	}
	m.inventory.forget(m)
	return &methods.UnregisterVMBody{Res: new(types.UnregisterVMResponse)}
}

func (m *machine) MarkAsTemplate(req *types.MarkAsTemplate) soap.HasFault {
	if m.spec.Power != "off" {
		return &methods.MarkAsTemplateBody{Fault_: simulator.Fault("", &types.InvalidPowerState{
			RequestedState: powerStates["off"], ExistingState: powerStates[m.spec.Power]})}
	}
	m.inventory.change(m, func(s *vmSpec) { s.Template = true })
	return &methods.MarkAsTemplateBody{Res: new(types.MarkAsTemplateResponse)}
}

func (m *machine) CustomizeVMTask(req *types.CustomizeVM_Task) soap.HasFault {
	w := m.inventory
	return &methods.CustomizeVM_TaskBody{Res: &types.CustomizeVM_TaskResponse{Returnval: w.run(m, "customizeVm",
		func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
			if m.spec.Power == "on" {
				return nil, &types.InvalidPowerState{RequestedState: powerStates["off"], ExistingState: powerStates["on"]}
			}
			if len(req.Spec.NicSettingMap) != len(m.spec.Adapters) {
				return nil, &types.NicSettingMismatch{
					NumberOfNicsInSpec: int32(len(req.Spec.NicSettingMap)), NumberOfNicsInVM: int32(len(m.spec.Adapters)),
				}
			}
			m.pending = &req.Spec
			return nil, nil
		})}}
}

// searchIndex finds by UUID also while some VM has no config, over which vcsim's falls.
type searchIndex struct {
	simulator.SearchIndex
	inventory *inventory
}

func newSearchIndex(w *inventory) *searchIndex {
	s := &searchIndex{inventory: w}
	s.Self = types.ManagedObjectReference{Type: "SearchIndex", Value: "SearchIndex"}
	if w.want.isESXi() {
		s.Self.Value = "ha-searchindex"
	}
	return s
}

func (s *searchIndex) FindByUuid(req *types.FindByUuid) soap.HasFault {
	w := s.inventory
	w.mu.Lock()
	defer w.mu.Unlock()
	body := &methods.FindByUuidBody{Res: new(types.FindByUuidResponse)}
	if !req.VmSearch {
		for _, node := range w.hosts {
			if strings.EqualFold(node.spec.UUID, req.Uuid) {
				ref := node.object.Self
				body.Res.Returnval = &ref
			}
		}
		return body
	}
	for _, m := range w.machines {
		id := m.spec.UUID
		if req.InstanceUuid != nil && *req.InstanceUuid {
			id = m.spec.InstanceUUID
		}
		if id != "" && strings.EqualFold(id, req.Uuid) && !m.spec.Inaccessible {
			ref := m.Self
			body.Res.Returnval = &ref
		}
	}
	return body
}

func faultNamed(name string, on types.ManagedObjectReference) types.BaseMethodFault {
	switch name {
	case "InsufficientResourcesFault":
		return &types.InsufficientResourcesFault{}
	case "NoDiskSpace":
		return &types.NoDiskSpace{Datastore: "datastore"}
	case "NoPermission":
		return &types.NoPermission{Object: on, PrivilegeId: "VirtualMachine.Provisioning.DeployTemplate"}
	case "TaskInProgress":
		return &types.TaskInProgress{Task: on}
	case "CustomizationFault":
		return &types.CustomizationFault{}
	case "InvalidState":
		return &types.InvalidState{}
	}
	return &types.InvalidArgument{InvalidProperty: name}
}
