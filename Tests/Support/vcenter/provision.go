package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"reflect"
	"regexp"
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
	// Customization: "apply"; "ignore" as a guest without the packages for it does; "fail": the guest says that it
	// failed, and keeps no address.
	Customization string `json:"customization"`
	// Tools tells whether Tools come up at all.
	Tools bool `json:"tools"`
	// Address is what the guest reports instead of the address it was given.
	Address string `json:"address"`
	// AddressState is the state of the addresses that the guest was given: "tentative", "duplicate".
	AddressState string `json:"address_state"`
	// Connected tells whether adapters are connected once the VM runs.
	Connected bool `json:"connected"`
	// Shutdown: "obey", or "ignore" as a guest that hangs does.
	Shutdown string `json:"shutdown"`
	// Fault makes the next clone (and only that) end with this fault: "InsufficientResourcesFault",
	// "NoDiskSpace", "NoPermission", "CustomizationFault"...
	Fault string `json:"fault"`
	// Faults make the next task of a method (and only that) end with a fault: {"PowerOnVM_Task": "NoCompatibleHost"}.
	Faults map[string]string `json:"faults"`
}

func defaultProvisioning() provisioning {
	return provisioning{BootMilliseconds: 200, Customization: "apply", Tools: true, Connected: true, Shutdown: "obey"}
}

func (p *provisioning) check() error {
	switch p.Customization {
	case "apply", "ignore", "fail":
	default:
		return fmt.Errorf("customization is %q: write apply, ignore or fail", p.Customization)
	}
	if p.Shutdown != "obey" && p.Shutdown != "ignore" {
		return fmt.Errorf("shutdown is %q: write obey or ignore", p.Shutdown)
	}
	for method := range p.Faults {
		known := false
		for _, name := range taskMethods {
			known = known || name == method
		}
		if !known {
			return fmt.Errorf("no task of %q can fail: write CloneVM_Task or another method", method)
		}
	}
	return nil
}

func copiedTexts(m map[string]string) map[string]string {
	c := map[string]string{}
	for k, v := range m {
		c[k] = v
	}
	return c
}

// task can be canceled, which the simulator's cannot. It embeds by value, as machine does.
type task struct {
	simulator.Task
	inventory *inventory
	fault     types.BaseMethodFault // with what it ends, whatever its body would have done
}

func (t *task) CancelTask(req *types.CancelTask) soap.HasFault {
	w := t.inventory
	w.mu.Lock()
	defer w.mu.Unlock()
	body := new(methods.CancelTaskBody)
	now, ok := w.running[t.Self]
	if !ok {
		body.Fault_ = simulator.Fault("The operation is not allowed in the current state.", &types.InvalidState{})
		return body
	}
	t.fault = new(types.RequestCanceled)
	close(now)
	delete(w.running, t.Self)
	body.Res = new(types.CancelTaskResponse)
	return body
}

type taskBody func(*simulator.Task) (types.AnyType, types.BaseMethodFault)

// methods by the names that vCenter has in descriptionId.
var taskMethods = map[string]string{
	"clone": "CloneVM_Task", "reconfigure": "ReconfigVM_Task", "powerOn": "PowerOnVM_Task",
	"powerOff": "PowerOffVM_Task", "destroy": "Destroy_Task", "customize": "CustomizeVM_Task",
}

// run makes a task of body. With task_ms it is running for a while first, with progress; else it is over at once.
// Only a clone leaves its VM to other tasks meanwhile. mu is held by the caller, and while body runs.
func (w *inventory) run(m *machine, name string, body taskBody) types.ManagedObjectReference {
	task := &task{
		Task: *simulator.CreateTask(m, name, body), inventory: w, fault: w.injected(m, taskMethods[name]),
	}
	simulator.Map.Put(task)
	w.tasks = append(w.tasks, task.Self)
	recent := append(append([]types.ManagedObjectReference{}, m.RecentTask...), task.Self)
	simulator.Map.Update(m, []types.PropertyChange{{Name: "recentTask", Val: recent}})
	exclusive := name != "clone"
	if exclusive && m.busy {
		task.fault = &types.TaskInProgress{Task: task.Self}
		w.end(task)
		return task.Self
	}
	delay := time.Duration(w.provision.TaskMilliseconds) * time.Millisecond
	if delay == 0 {
		w.end(task)
		return task.Self
	}
	now := make(chan struct{})
	w.running[task.Self] = now
	m.busy = m.busy || exclusive
	step := func(percent int) {
		simulator.Map.Update(task, []types.PropertyChange{
			{Name: "info.state", Val: types.TaskInfoStateRunning}, {Name: "info.progress", Val: int32(percent)},
		})
	}
	step(0)
	go func() {
		for percent := 10; percent < 100; percent += 10 {
			select {
			case <-now:
				percent = 100
			case <-time.After(delay / 10):
				w.mu.Lock()
				step(percent)
				w.mu.Unlock()
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.running, task.Self)
		if exclusive {
			m.busy = false
		}
		w.end(task)
	}()
	return task.Self
}

// end runs a task's body, and tells its end as vCenter does: with a sentence. mu is held.
func (w *inventory) end(task *task) {
	var result types.AnyType
	fault := task.fault
	if fault == nil {
		result, fault = task.Execute(&task.Task)
	}
	changes := []types.PropertyChange{{Name: "info.completeTime", Val: time.Now()}}
	if fault != nil {
		changes = append(changes, types.PropertyChange{Name: "info.error", Val: types.LocalizedMethodFault{
			Fault: fault, LocalizedMessage: sentence(fault),
		}}, types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateError})
	} else {
		if result != nil {
			changes = append(changes, types.PropertyChange{Name: "info.result", Val: result})
		}
		changes = append(changes, types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateSuccess})
	}
	simulator.Map.Update(task, changes)
}

// finishTasks lets the tasks that are running end at once.
func (w *inventory) finishTasks() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ref, now := range w.running {
		close(now)
		delete(w.running, ref)
	}
	return len(w.tasks)
}

// forgetTasks makes every task unknown, as vCenter does some minutes after its end. What runs goes on.
func (w *inventory) forgetTasks() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ref := range w.tasks {
		simulator.Map.Remove(ref)
	}
	w.tasks = nil
	for _, m := range w.machines {
		if len(m.RecentTask) != 0 {
			simulator.Map.Update(m, []types.PropertyChange{{Name: "recentTask", Val: []types.ManagedObjectReference{}}})
		}
	}
}

// injected is the fault that this task shall end with, used up; nil for none.
func (w *inventory) injected(m *machine, method string) types.BaseMethodFault {
	name := w.provision.Faults[method]
	if name != "" {
		delete(w.provision.Faults, method)
	} else if method == "CloneVM_Task" {
		name, w.provision.Fault = w.provision.Fault, ""
	}
	if name == "" {
		return nil
	}
	return faultNamed(name, m.Self)
}

// sentence is what vCenter says of a fault.
func sentence(fault types.BaseMethodFault) string {
	switch f := fault.(type) {
	case *types.DuplicateName:
		return fmt.Sprintf("The name '%s' already exists.", f.Name)
	case *types.InsufficientResourcesFault:
		return "The operation cannot be allowed at the moment because the cluster does not have sufficient resources."
	case *types.NoDiskSpace:
		return fmt.Sprintf("Insufficient disk space on datastore '%s'.", f.Datastore)
	case *types.NoPermission:
		return "Permission to perform this operation was denied."
	case *types.InvalidPowerState:
		return fmt.Sprintf("The attempted operation cannot be performed in the current state (%s).", f.ExistingState)
	case *types.InvalidState:
		return "The operation is not allowed in the current state."
	case *types.InvalidDeviceBacking:
		return fmt.Sprintf("Invalid configuration for device '%d'.", f.DeviceIndex)
	case *types.InvalidDeviceSpec:
		return fmt.Sprintf("Invalid configuration for device '%d'.", f.DeviceIndex)
	case *types.InvalidArgument:
		return fmt.Sprintf("A specified parameter was not correct: %s", f.InvalidProperty)
	case *types.NicSettingMismatch:
		return "The number of network adapter settings in the customization specification does not match the number of " +
			"network adapters present in the virtual machine."
	case *types.UncustomizableGuest:
		return "Customization of the guest operating system '" + f.UncustomizableGuestOS + "' is not supported in this configuration."
	case *types.NoCompatibleHost:
		return "No host is compatible with the virtual machine."
	case *types.TaskInProgress:
		return "Another task is already in progress."
	case *types.RequestCanceled:
		return "The task was canceled by a user."
	}
	return "A general system error occurred."
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
	body.Res = &types.CloneVM_TaskResponse{Returnval: w.run(m, "clone",
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
	if location.DiskMoveType == "createNewChildDiskBacking" && !m.hasSnapshot(req.Spec.Snapshot) {
		return nil, &types.InvalidArgument{InvalidProperty: "spec.snapshot"}
	}
	if d := location.Datastore; d != nil && *d != m.place.datastore.Self && !w.knowsDatastore(*d) {
		return nil, &types.InvalidDatastore{Datastore: d}
	}
	host, fault := w.chooseHost(m, location)
	if fault != nil {
		return nil, fault
	}

	spec := m.spec.clone()
	spec.ID, spec.Name, spec.Host, spec.Folder = w.freeID(req.Name), req.Name, host.spec.Name, w.folderPath(host.place, folder)
	spec.UUID, spec.InstanceUUID, spec.NoInstanceUUID = uuid.New().String(), uuid.New().String(), false
	spec.Template, spec.Power, spec.Guest, spec.HostName, spec.Snapshots = req.Spec.Template, "off", nil, "", nil
	if spec.Tools != "not_installed" {
		spec.Tools = "not_running"
	}
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
	if fault := checkCustomization(req.Spec.Customization, spec); fault != nil {
		return nil, fault
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
	clone.customize(req.Spec.Customization)
	if req.Spec.PowerOn && !req.Spec.Template {
		if fault := w.powerOn(clone); fault != nil {
			return nil, fault
		}
	}
	return clone, nil
}

func (m *machine) hasSnapshot(ref *types.ManagedObjectReference) bool {
	if ref == nil || m.Snapshot == nil {
		return false
	}
	var find func([]types.VirtualMachineSnapshotTree) bool
	find = func(trees []types.VirtualMachineSnapshotTree) bool {
		for _, t := range trees {
			if t.Snapshot == *ref || find(t.ChildSnapshotList) {
				return true
			}
		}
		return false
	}
	return find(m.Snapshot.RootSnapshotList)
}

func (w *inventory) knowsDatastore(ref types.ManagedObjectReference) bool {
	for _, p := range w.datacenters {
		if p.datastore.Self == ref {
			return true
		}
	}
	return false
}

var (
	linuxName   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	windowsName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,13}[A-Za-z0-9])?$`)
)

// checkCustomization refuses what vCenter refuses before it clones.
func checkCustomization(c *types.CustomizationSpec, spec *vmSpec) types.BaseMethodFault {
	if c == nil {
		return nil
	}
	if len(c.NicSettingMap) != len(spec.Adapters) {
		return &types.NicSettingMismatch{
			NumberOfNicsInSpec: int32(len(c.NicSettingMap)), NumberOfNicsInVM: int32(len(spec.Adapters)),
		}
	}
	windows := guestFamily(spec.GuestID) == "windowsGuest"
	var name types.BaseCustomizationName
	switch id := c.Identity.(type) {
	case *types.CustomizationLinuxPrep:
		if name = id.HostName; windows {
			return &types.UncustomizableGuest{UncustomizableGuestOS: spec.GuestID}
		}
		if id.Domain == "" {
			return &types.InvalidArgument{InvalidProperty: "spec.identity.domain"}
		}
	case *types.CustomizationSysprep:
		if name = id.UserData.ComputerName; !windows {
			return &types.UncustomizableGuest{UncustomizableGuestOS: spec.GuestID}
		}
	}
	if spec.Tools == "not_installed" {
		return &types.UncustomizableGuest{UncustomizableGuestOS: spec.GuestID}
	}
	pattern := linuxName
	if windows {
		pattern = windowsName
	}
	if fixed, ok := name.(*types.CustomizationFixedName); ok && !pattern.MatchString(fixed.Name) {
		return &types.InvalidArgument{InvalidProperty: "spec.identity.hostName"}
	}
	for i, n := range c.NicSettingMap {
		fixed, ok := n.Adapter.Ip.(*types.CustomizationFixedIp)
		if ok && (net.ParseIP(fixed.IpAddress) == nil || net.ParseIP(n.Adapter.SubnetMask) == nil) {
			return &types.InvalidArgument{InvalidProperty: fmt.Sprintf("spec.nicSettingMap[%d].adapter.ip", i)}
		}
	}
	return nil
}

// customize keeps what the guest does at its next start.
func (m *machine) customize(c *types.CustomizationSpec) {
	m.pending = c
	if m.custom = (customizationInfo{}); c != nil {
		m.custom.status = "TOOLSDEPLOYPKG_PENDING"
	}
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
	return &methods.ReconfigVM_TaskBody{Res: &types.ReconfigVM_TaskResponse{Returnval: w.run(m, "reconfigure",
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
	if config.NumCPUs != 0 {
		spec.CPUs = config.NumCPUs
	}
	if config.MemoryMB != 0 {
		spec.MemoryMB = config.MemoryMB
	}
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
			if nic.Backing != nil {
				network, ok := w.attachmentOf(nic.Backing, host)
				if !ok {
					return &types.InvalidDeviceBacking{InvalidDeviceSpec: bad}
				}
				spec.Adapters[at].Network = network
			}
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
	behave, id := w.provision, m.spec.ID
	if fault := w.change(m, func(s *vmSpec) {
		s.Power = "on"
		if s.Tools != "not_installed" {
			s.Tools = "not_running"
		}
		if !behave.Connected {
			for i := range s.Adapters {
				s.Adapters[i].Connected = new(bool)
			}
		}
	}); fault != nil {
		return fault
	}
	if behave.Tools && m.spec.Tools != "not_installed" {
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
	network := cloudInit(m.spec.ExtraConfig)
	if custom != nil {
		now := time.Now().UTC().Format("2006-01-02T15:04:05Z")
		switch behave.Customization {
		case "apply":
			m.custom = customizationInfo{status: "TOOLSDEPLOYPKG_SUCCEEDED", started: now, ended: now}
		case "fail":
			m.custom = customizationInfo{
				status: "TOOLSDEPLOYPKG_FAILED", started: now, ended: now, message: "the customization script ended with 1",
			}
		}
	}
	w.change(m, func(s *vmSpec) {
		s.Tools = "running"
		if custom == nil && network == nil && len(s.Guest) != 0 {
			return // it has an address from before
		}
		s.Guest = nil
		for i, a := range s.Adapters {
			nic := guestNIC{Adapter: i}
			if custom != nil && behave.Customization == "apply" {
				nic.Addresses = given(custom.NicSettingMap[i].Adapter)
			} else if behave.Customization == "apply" {
				nic.Addresses = network[strings.ToLower(a.MAC)]
			}
			if behave.Address != "" && i == 0 && len(nic.Addresses) != 0 {
				nic.Addresses = []guestAddress{{Address: behave.Address}}
			}
			for j := range nic.Addresses {
				nic.Addresses[j].State = behave.AddressState
			}
			if a.Connected != nil && !*a.Connected {
				nic.Connected = new(bool)
			}
			if mac, err := net.ParseMAC(a.MAC); err == nil {
				nic.Addresses = append(nic.Addresses, guestAddress{Address: linkLocal(mac) + "/64"})
			}
			s.Guest = append(s.Guest, nic)
		}
		if custom == nil || behave.Customization != "apply" {
			return
		}
		switch id := custom.Identity.(type) {
		case *types.CustomizationLinuxPrep:
			if name, ok := id.HostName.(*types.CustomizationFixedName); ok {
				s.HostName = name.Name
			}
		case *types.CustomizationSysprep:
			if name, ok := id.UserData.ComputerName.(*types.CustomizationFixedName); ok {
				s.HostName = name.Name
			}
		}
	})
}

// cloudInit reads the addresses by MAC that guestinfo gives a guest with cloud-init; nil without any.
func cloudInit(extra map[string]string) map[string][]guestAddress {
	data := []byte(extra["guestinfo.metadata"])
	if extra["guestinfo.metadata.encoding"] == "base64" {
		data, _ = base64.StdEncoding.DecodeString(extra["guestinfo.metadata"])
	}
	var metadata struct {
		Network struct {
			Version   int `json:"version"`
			Ethernets map[string]struct {
				Match     struct{ MACAddress string }
				Addresses []string
			} `json:"ethernets"`
		} `json:"network"`
	}
	if json.Unmarshal(data, &metadata) != nil || metadata.Network.Version != 2 {
		return nil
	}
	network := map[string][]guestAddress{}
	for _, e := range metadata.Network.Ethernets {
		for _, address := range e.Addresses {
			network[e.Match.MACAddress] = append(network[e.Match.MACAddress], guestAddress{Address: address})
		}
	}
	return network
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
	if m.spec.Tools != "running" {
		return &methods.ShutdownGuestBody{Fault_: simulator.Fault(
			"Cannot complete operation because VMware Tools is not running in this virtual machine.", &types.ToolsUnavailable{})}
	}
	if m.inventory.provision.Shutdown == "obey" {
		m.inventory.change(m, func(s *vmSpec) { s.Power, s.Tools = "off", "not_running" })
	}
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
	return &methods.CustomizeVM_TaskBody{Res: &types.CustomizeVM_TaskResponse{Returnval: w.run(m, "customize",
		func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
			if m.spec.Power == "on" {
				return nil, &types.InvalidPowerState{RequestedState: powerStates["off"], ExistingState: powerStates["on"]}
			}
			if fault := checkCustomization(&req.Spec, m.spec); fault != nil {
				return nil, fault
			}
			m.customize(&req.Spec)
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
	case "NoDiskSpace":
		return &types.NoDiskSpace{Datastore: "datastore"}
	case "NoPermission":
		return &types.NoPermission{Object: on, PrivilegeId: "VirtualMachine.Provisioning.DeployTemplate"}
	case "TaskInProgress":
		return &types.TaskInProgress{Task: on}
	case "DuplicateName":
		return &types.DuplicateName{Name: "taken", Object: on}
	}
	// Any other by its name alone, with no field set.
	if kind, ok := types.TypeFunc()(name); ok {
		if fault, ok := reflect.New(kind).Interface().(types.BaseMethodFault); ok {
			return fault
		}
	}
	return &types.InvalidArgument{InvalidProperty: name}
}
