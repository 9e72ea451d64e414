package main

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// inventory keeps the simulator's objects equal to a scenario. There is one way to change anything:
// change the scenario, then reconcile, which writes and announces exactly what differs.
//
// mu guards the scenario and every VM (machine.Lock is mu): the simulator holds it while it reads or
// calls a VM, the control server while it changes one.
type inventory struct {
	mu    sync.Mutex
	model *simulator.Model
	ctx   *simulator.Context
	want  *scenario

	datacenters map[string]*place
	hosts       map[string]*hostNode
	switches    map[string]*switchNode // "datacenter/switch"
	machines    map[string]*machine    // by vmSpec.ID
	machineRefs map[types.ManagedObjectReference]string
	provision   provisioning
	running     map[types.ManagedObjectReference]chan struct{} // tasks that take their time; closed: they end now
	tasks       []types.ManagedObjectReference                 // every task that was started
	nextHostVM  int
}

// place is a datacenter with what hangs below it.
type place struct {
	object    *simulator.Datacenter
	datastore *simulator.Datastore
	clusters  map[string]*simulator.ClusterComputeResource
	networks  map[string]mo.Entity // standard port groups and opaque networks, by name
	folders   map[string]*simulator.Folder
}

type hostNode struct {
	object  *simulator.HostSystem
	network *networkSystem
	parent  mo.Entity // its compute resource
	pool    *simulator.ResourcePool
	place   *place
	spec    *hostSpec
	dc      *datacenter
}

func newInventory(s *scenario) (*inventory, error) {
	w := &inventory{
		want:        s,
		datacenters: map[string]*place{},
		hosts:       map[string]*hostNode{},
		switches:    map[string]*switchNode{},
		machines:    map[string]*machine{},
		machineRefs: map[types.ManagedObjectReference]string{},
		provision:   defaultProvisioning(),
		running:     map[types.ManagedObjectReference]chan struct{}{},
	}
	w.model = simulator.VPX()
	if s.isESXi() {
		w.model = simulator.ESX()
	}
	w.model.Datacenter, w.model.Host, w.model.Cluster = 0, 0, 0
	w.model.Machine, w.model.Datastore, w.model.Portgroup = 0, 0, 0
	if err := w.model.Create(); err != nil {
		return nil, err
	}
	w.ctx = &simulator.Context{
		Context: context.Background(),
		Map:     simulator.Map,
		Session: &simulator.Session{
			UserSession: types.UserSession{Key: "scenario"},
			Registry:    simulator.NewRegistry(),
		},
	}
	w.announceProduct()
	simulator.Map.Put(newSearchIndex(w))
	w.mu.Lock()
	defer w.mu.Unlock()
	return w, w.reconcile()
}

// announceProduct makes `about` say what the scenario says.
func (w *inventory) announceProduct() {
	instance := simulator.Map.Get(types.ManagedObjectReference{Type: "ServiceInstance", Value: "ServiceInstance"})
	about := &instance.(*simulator.ServiceInstance).Content.About
	about.Version = w.want.Version
	about.ApiVersion = apiVersion(w.want.Version)
	about.Build = "21560480"
	about.InstanceUuid = w.want.InstanceUUID
	about.FullName = fmt.Sprintf("%s %s build-%s", about.Name, about.Version, about.Build)
}

// replace puts a whole new scenario in the place of the present one.
func (w *inventory) replace(s *scenario) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.Kind != w.want.Kind || s.Name != w.want.Name {
		return fmt.Errorf("this process is the %s %q; start another for another", w.want.Kind, w.want.Name)
	}
	w.want = s
	return w.reconcile()
}

// reconcile builds, changes and removes until the inventory is what the scenario wants. mu is held.
func (w *inventory) reconcile() error {
	s := w.want
	kept := map[string]bool{}
	for i := range s.Datacenters {
		dc := &s.Datacenters[i]
		p := w.ensureDatacenter(dc)
		for _, c := range dc.Clusters {
			resource := w.ensureCluster(p, c.Name)
			for _, h := range c.Hosts {
				w.ensureHost(p, dc, h, resource)
				kept[h.Name] = true
			}
		}
		for _, h := range dc.Hosts {
			w.ensureHost(p, dc, h, nil)
			kept[h.Name] = true
		}
	}
	wanted := map[string]bool{}
	for _, v := range s.VMs {
		wanted[v.ID] = true
	}
	for id, m := range w.machines {
		if !wanted[id] || !kept[m.spec.Host] {
			w.removeMachine(m)
		}
	}
	for name, node := range w.hosts {
		if !kept[name] {
			w.removeHost(name, node)
		}
	}
	for i := range s.Datacenters {
		dc := &s.Datacenters[i]
		p := w.datacenters[dc.Name]
		for _, spec := range dc.Switches {
			w.ensureSwitch(p, dc, spec)
		}
		w.ensureNetworks(p, dc)
	}
	for _, dc := range s.Datacenters {
		for _, c := range dc.Clusters {
			for _, h := range c.Hosts {
				w.applyHost(w.hosts[h.Name])
			}
		}
		for _, h := range dc.Hosts {
			w.applyHost(w.hosts[h.Name])
		}
	}
	for _, v := range s.VMs {
		if err := w.ensureMachine(v); err != nil {
			return err
		}
	}
	return nil
}

func (w *inventory) ensureDatacenter(dc *datacenter) *place {
	if p := w.datacenters[dc.Name]; p != nil {
		return p
	}
	p := &place{
		clusters: map[string]*simulator.ClusterComputeResource{},
		networks: map[string]mo.Entity{},
		folders:  map[string]*simulator.Folder{},
	}
	if w.want.isESXi() {
		p.object = simulator.Map.Any("Datacenter").(*simulator.Datacenter)
		dc.Name = p.object.Name
	} else {
		root := simulator.Map.Get(w.model.RootFolder.Reference()).(*simulator.Folder)
		p.object = simulator.NewDatacenter(w.ctx, &root.Folder)
		p.object.Name = dc.Name
	}
	w.datacenters[dc.Name] = p
	for _, ref := range p.object.Network {
		// The simulator's own "VM Network": a scenario gets only the networks that it has.
		if e, ok := simulator.Map.Get(ref).(*mo.Network); ok {
			w.leave(p.folder(p.object.NetworkFolder), e.Self)
		}
	}
	p.object.Network, p.object.Datastore = nil, nil
	w.addDatastore(p)
	return p
}

func (w *inventory) addDatastore(p *place) {
	d := &simulator.Datastore{}
	d.Name = "datastore-" + strings.ToLower(p.object.Name)
	url := "ds:///vmfs/volumes/" + w.want.uuid("datastore", p.object.Name) + "/"
	d.Info = &types.VmfsDatastoreInfo{DatastoreInfo: types.DatastoreInfo{Name: d.Name, Url: url, FreeSpace: 1 << 42}}
	d.Self.Type = "Datastore"
	simulator.Map.NewEntity(d)
	d.Summary = types.DatastoreSummary{
		Datastore: &d.Self, Name: d.Name, Url: url, Capacity: 1 << 43, FreeSpace: 1 << 42,
		Accessible: true, Type: "VMFS", MaintenanceMode: "normal",
	}
	p.datastore = d
	w.join(p.folder(p.object.DatastoreFolder), d)
	p.object.Datastore = []types.ManagedObjectReference{d.Self}
}

func (p *place) folder(ref types.ManagedObjectReference) *simulator.Folder {
	return simulator.Map.Get(ref).(*simulator.Folder)
}

// vmFolder finds or makes the folder of a path like "Prod/Web" below the datacenter's VM folder.
func (w *inventory) vmFolder(p *place, path string) *simulator.Folder {
	folder := p.folder(p.object.VmFolder)
	at := ""
	for _, name := range strings.Split(path, "/") {
		if name == "" {
			continue
		}
		at += "/" + name
		if p.folders[at] == nil {
			f := &simulator.Folder{}
			f.Name = name
			f.ChildType = []string{"VirtualMachine", "VirtualApp", "Folder"}
			f.Self.Type = "Folder"
			simulator.Map.NewEntity(f)
			w.join(folder, f)
			p.folders[at] = f
		}
		folder = p.folders[at]
	}
	return folder
}

func (w *inventory) ensureCluster(p *place, name string) *simulator.ClusterComputeResource {
	if c := p.clusters[name]; c != nil {
		return c
	}
	c := &simulator.ClusterComputeResource{}
	c.Name = name
	c.Summary = &types.ClusterComputeResourceSummary{UsageSummary: new(types.ClusterUsageSummary)}
	config := &types.ClusterConfigInfoEx{}
	config.VmSwapPlacement = string(types.VirtualMachineConfigInfoSwapPlacementTypeVmDirectory)
	config.DrsConfig.Enabled = types.NewBool(true)
	c.ConfigurationEx = config
	c.Self = types.ManagedObjectReference{Type: "ClusterComputeResource"}
	simulator.Map.NewEntity(c)
	c.Self.Value = strings.Replace(c.Self.Value, "clustercomputeresource-", "domain-c", 1)
	c.Datastore = []types.ManagedObjectReference{p.datastore.Self}
	w.addPool(c, &c.ComputeResource)
	w.join(p.folder(p.object.HostFolder), c)
	p.clusters[name] = c
	return c
}

func (w *inventory) addPool(parent mo.Entity, resource *mo.ComputeResource) *simulator.ResourcePool {
	pool := simulator.NewResourcePool()
	simulator.Map.NewEntity(pool)
	simulator.Map.PutEntity(parent, pool)
	pool.Owner = parent.Reference()
	resource.ResourcePool = &pool.Self
	return pool
}

func (w *inventory) ensureHost(p *place, dc *datacenter, spec *hostSpec, in *simulator.ClusterComputeResource) {
	if node := w.hosts[spec.Name]; node != nil {
		node.spec, node.dc = spec, dc
		return
	}
	node := &hostNode{place: p, spec: spec, dc: dc}
	w.hosts[spec.Name] = node
	if w.want.isESXi() {
		node.object = simulator.Map.Any("HostSystem").(*simulator.HostSystem)
		resource := simulator.Map.Get(*node.object.Parent).(*mo.ComputeResource)
		resource.Name = spec.Name
		resource.Datastore = []types.ManagedObjectReference{p.datastore.Self}
		node.parent = resource
		node.pool = simulator.Map.Get(*resource.ResourcePool).(*simulator.ResourcePool)
	} else {
		node.object = simulator.NewHostSystem(esx.HostSystem)
		simulator.Map.NewEntity(node.object)
		var resource *mo.ComputeResource
		if in != nil {
			node.parent, resource = in, &in.ComputeResource
			node.pool = simulator.Map.Get(*resource.ResourcePool).(*simulator.ResourcePool)
		} else {
			resource = &mo.ComputeResource{
				Summary: new(types.ComputeResourceSummary), Datastore: []types.ManagedObjectReference{p.datastore.Self},
			}
			resource.Name = spec.Name
			resource.Self.Type = "ComputeResource"
			simulator.Map.NewEntity(resource)
			resource.Self.Value = strings.Replace(resource.Self.Value, "computeresource-", "domain-s", 1)
			node.parent = resource
			node.pool = w.addPool(resource, resource)
			w.join(p.folder(p.object.HostFolder), resource)
		}
		simulator.Map.WithLock(node.parent, func() { resource.Host = append(resource.Host, node.object.Self) })
		w.prepareHost(node)
		simulator.Map.PutEntity(node.parent, node.object)
	}
	w.prepareHost(node)
	node.network = newNetworkSystem(node)
	simulator.Map.Put(node.network)
	mount := types.DatastoreHostMount{Key: node.object.Self, MountInfo: types.HostMountInfo{
		AccessMode: "readWrite", Mounted: types.NewBool(true), Accessible: types.NewBool(true)}}
	p.datastore.Host = append(p.datastore.Host, mount)
}

// prepareHost clears what the simulator's template would show of another host.
func (w *inventory) prepareHost(node *hostNode) {
	h := node.object
	h.Summary.Host = &h.Self
	h.Datastore = []types.ManagedObjectReference{node.place.datastore.Self}
	h.Config.Network = new(types.HostNetworkInfo)
	h.Config.Host = h.Self
}

func (w *inventory) removeHost(name string, node *hostNode) {
	ref := node.object.Self
	delete(w.hosts, name)
	simulator.Map.Remove(ref)
	simulator.Map.WithLock(node.parent, func() {
		switch resource := node.parent.(type) {
		case *simulator.ClusterComputeResource:
			resource.Host = without(resource.Host, ref)
		case *mo.ComputeResource:
			resource.Host = without(resource.Host, ref)
		}
	})
	if resource, ok := node.parent.(*mo.ComputeResource); ok {
		w.leave(node.place.folder(node.place.object.HostFolder), resource.Self)
	}
}

// join puts a child into a folder: the folder's list first, so that views find the child.
func (w *inventory) join(folder *simulator.Folder, child mo.Entity) {
	simulator.Map.WithLock(folder, func() {
		folder.ChildEntity = append(folder.ChildEntity, child.Reference())
	})
	simulator.Map.PutEntity(&folder.Folder, child)
}

func (w *inventory) leave(folder *simulator.Folder, child types.ManagedObjectReference) {
	simulator.Map.Remove(child)
	simulator.Map.WithLock(folder, func() { folder.ChildEntity = without(folder.ChildEntity, child) })
}

// without copies: a reply that is being written may still read the old list.
func without(refs []types.ManagedObjectReference, gone types.ManagedObjectReference) []types.ManagedObjectReference {
	var left []types.ManagedObjectReference
	for _, ref := range refs {
		if ref != gone {
			left = append(left, ref)
		}
	}
	return left
}

// announce tells the waiting collectors which of the paths differ between two states of an object.
func announce(object mo.Reference, before, after interface{}, paths []string) {
	var changes []types.PropertyChange
	for _, path := range paths {
		old, new := valueAt(before, path), valueAt(after, path)
		if !reflect.DeepEqual(old, new) {
			changes = append(changes, types.PropertyChange{Name: path, Val: new})
		}
	}
	if len(changes) != 0 {
		simulator.Map.Update(object, changes)
	}
}

// valueAt reads a dotted property path; nil where anything on the way is unset.
func valueAt(object interface{}, path string) interface{} {
	v := reflect.ValueOf(object)
	for _, name := range strings.Split(path, ".") {
		for v.Kind() == reflect.Ptr || v.Kind() == reflect.Interface {
			if v.IsNil() {
				return nil
			}
			v = v.Elem()
		}
		v = v.FieldByName(strings.ToUpper(name[:1]) + name[1:])
		if !v.IsValid() {
			return nil
		}
	}
	for v.Kind() == reflect.Ptr {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if v.Kind() == reflect.String && v.Len() == 0 || v.Kind() == reflect.Interface && v.IsNil() {
		return nil
	}
	return v.Interface()
}
