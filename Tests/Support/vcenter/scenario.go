package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// scenario describes one endpoint completely: the same file gives the same inventory, with the same
// object ids, in every process.
type scenario struct {
	Kind               string       `json:"kind"`
	Name               string       `json:"name"`
	InstanceUUID       string       `json:"instance_uuid,omitempty"`
	Version            string       `json:"version,omitempty"`
	Username           string       `json:"username,omitempty"`
	Password           string       `json:"password,omitempty"`
	SessionIdleSeconds int          `json:"session_idle_seconds,omitempty"`
	Gzip               bool         `json:"gzip,omitempty"`
	Datacenters        []datacenter `json:"datacenters,omitempty"`
	VMs                []*vmSpec    `json:"vms,omitempty"`
	Generate           []generator  `json:"generate,omitempty"`
}

type datacenter struct {
	Name           string          `json:"name"`
	Clusters       []cluster       `json:"clusters,omitempty"`
	Hosts          []*hostSpec     `json:"hosts,omitempty"`
	Switches       []*switchSpec   `json:"switches,omitempty"`
	OpaqueNetworks []opaqueNetwork `json:"opaque_networks,omitempty"`
}

type cluster struct {
	Name  string      `json:"name"`
	Hosts []*hostSpec `json:"hosts"`
}

type opaqueNetwork struct {
	Name string `json:"name"`
	ID   string `json:"id"`
	Type string `json:"type,omitempty"`
}

type hostSpec struct {
	Name               string           `json:"name"`
	UUID               string           `json:"uuid,omitempty"`
	Version            string           `json:"version,omitempty"`
	ConnectionState    string           `json:"connection_state,omitempty"`
	Maintenance        bool             `json:"maintenance,omitempty"`
	NoConfig           bool             `json:"no_config,omitempty"`
	ManagementServerIP string           `json:"management_server_ip,omitempty"`
	Gateway            string           `json:"gateway,omitempty"`
	Gateway6           string           `json:"gateway6,omitempty"`
	NetStacks          []netStack       `json:"netstacks,omitempty"`
	Vmkernel           []vmkernel       `json:"vmkernel,omitempty"`
	Pnics              []pnic           `json:"pnics,omitempty"`
	Switches           []standardSwitch `json:"switches,omitempty"`
	OrphanPortGroups   []orphan         `json:"orphan_port_groups,omitempty"`
}

type netStack struct {
	Key      string `json:"key"`
	Gateway  string `json:"gateway,omitempty"`
	Gateway6 string `json:"gateway6,omitempty"`
}

type vmkernel struct {
	Device   string     `json:"device"`
	IP       string     `json:"ip,omitempty"`
	Mask     string     `json:"mask,omitempty"`
	IPv6     []string   `json:"ipv6,omitempty"`
	DHCP     bool       `json:"dhcp,omitempty"`
	MAC      string     `json:"mac,omitempty"`
	Network  attachment `json:"network"`
	NetStack string     `json:"netstack,omitempty"`
	Services []string   `json:"services,omitempty"`
}

type pnic struct {
	Device    string `json:"device"`
	MAC       string `json:"mac,omitempty"`
	LinkSpeed *int   `json:"link_speed,omitempty"`
	Hint      *hint  `json:"hint,omitempty"`
}

// hint is what QueryNetworkHint answers for one physical adapter.
type hint struct {
	Subnets []hintSubnet `json:"subnets,omitempty"`
	CDP     *hintCDP     `json:"cdp,omitempty"`
	LLDP    *hintLLDP    `json:"lldp,omitempty"`
}

type hintSubnet struct {
	VLAN  int    `json:"vlan,omitempty"`
	Range string `json:"range"`
}

type hintCDP struct {
	Device string `json:"device"`
	Port   string `json:"port"`
	VLAN   int    `json:"vlan,omitempty"`
}

type hintLLDP struct {
	Chassis string `json:"chassis"`
	Port    string `json:"port"`
	System  string `json:"system,omitempty"`
}

type standardSwitch struct {
	Name       string              `json:"name"`
	MTU        int                 `json:"mtu,omitempty"`
	Pnics      []string            `json:"pnics,omitempty"`
	PortGroups []standardPortGroup `json:"port_groups,omitempty"`
}

type standardPortGroup struct {
	Name string `json:"name"`
	VLAN int    `json:"vlan,omitempty"`
}

type orphan struct {
	Name   string `json:"name"`
	VLAN   int    `json:"vlan,omitempty"`
	Switch string `json:"switch"`
}

type switchSpec struct {
	Name         string         `json:"name"`
	UUID         string         `json:"uuid,omitempty"`
	MTU          int            `json:"mtu,omitempty"`
	Discovery    string         `json:"discovery,omitempty"`
	Hosts        []switchMember `json:"hosts,omitempty"`
	PrivateVLANs []privateVLAN  `json:"private_vlans,omitempty"`
	PortGroups   []portGroup    `json:"port_groups,omitempty"`
}

type switchMember struct {
	Host  string   `json:"host"`
	Pnics []string `json:"pnics,omitempty"`
}

type privateVLAN struct {
	Primary   int    `json:"primary"`
	Secondary int    `json:"secondary"`
	Type      string `json:"type,omitempty"`
}

type portGroup struct {
	Name        string      `json:"name"`
	VLAN        int         `json:"vlan,omitempty"`
	Trunk       []string    `json:"trunk,omitempty"`
	PrivateVLAN int         `json:"private_vlan,omitempty"`
	Uplink      bool        `json:"uplink,omitempty"`
	NSX         *nsxBacking `json:"nsx,omitempty"`
}

type nsxBacking struct {
	LogicalSwitch string `json:"logical_switch"`
	Segment       string `json:"segment,omitempty"`
}

type vmSpec struct {
	ID             string            `json:"id,omitempty"`
	Name           string            `json:"name"`
	Folder         string            `json:"folder,omitempty"`
	Host           string            `json:"host"`
	UUID           string            `json:"uuid,omitempty"`
	InstanceUUID   string            `json:"instance_uuid,omitempty"`
	NoInstanceUUID bool              `json:"no_instance_uuid,omitempty"`
	Power          string            `json:"power,omitempty"`
	Connection     string            `json:"connection_state,omitempty"`
	Template       bool              `json:"template,omitempty"`
	Inaccessible   bool              `json:"inaccessible,omitempty"`
	Tools          string            `json:"tools,omitempty"`
	HostName       string            `json:"guest_hostname,omitempty"`
	Annotation     string            `json:"annotation,omitempty"`
	ManagedBy      string            `json:"managed_by,omitempty"`
	ExtraConfig    map[string]string `json:"extra_config,omitempty"`
	Adapters       []adapter         `json:"adapters,omitempty"`
	Guest          []guestNIC        `json:"guest,omitempty"`
	GuestID        string            `json:"guest_id,omitempty"`
	CPUs           int32             `json:"cpus,omitempty"`
	CoresPerSocket int32             `json:"cores_per_socket,omitempty"`
	MemoryMB       int64             `json:"memory_mb,omitempty"`
	Snapshots      []snapshot        `json:"snapshots,omitempty"`
}

// snapshot of a VM; the last one of the tree is the current one.
type snapshot struct {
	Name      string     `json:"name"`
	Snapshots []snapshot `json:"snapshots,omitempty"`
}

type adapter struct {
	Key       int32      `json:"key,omitempty"`
	MAC       string     `json:"mac,omitempty"`
	Type      string     `json:"type,omitempty"`
	Network   attachment `json:"network"`
	Connected *bool      `json:"connected,omitempty"`
}

type guestNIC struct {
	Adapter   int            `json:"adapter"`
	MAC       string         `json:"mac,omitempty"`
	Addresses []guestAddress `json:"addresses,omitempty"`
	Connected *bool          `json:"connected,omitempty"`
	FlatOnly  bool           `json:"flat_only,omitempty"`
}

// attachment names a network: "PG" (on the host's standard switches), {"switch","port_group"},
// {"opaque"}, or null.
type attachment struct {
	PortGroup string
	Switch    string
	Opaque    string
}

func (a *attachment) UnmarshalJSON(data []byte) error {
	*a = attachment{}
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	if data[0] == '"' {
		return json.Unmarshal(data, &a.PortGroup)
	}
	var form struct {
		Switch    string `json:"switch"`
		PortGroup string `json:"port_group"`
		Opaque    string `json:"opaque"`
	}
	if err := strict(data, &form); err != nil {
		return err
	}
	a.Switch, a.PortGroup, a.Opaque = form.Switch, form.PortGroup, form.Opaque
	return nil
}

func (a attachment) MarshalJSON() ([]byte, error) {
	switch {
	case a.Opaque != "":
		return json.Marshal(map[string]string{"opaque": a.Opaque})
	case a.Switch != "":
		return json.Marshal(map[string]string{"switch": a.Switch, "port_group": a.PortGroup})
	case a.PortGroup != "":
		return json.Marshal(a.PortGroup)
	}
	return []byte("null"), nil
}

// guestAddress is "10.0.0.5/24", or {"address","origin","state"}. The text is passed on as it is, so
// that a scenario can hold what no parser likes.
type guestAddress struct {
	Address string
	Origin  string
	State   string
}

func (g *guestAddress) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		*g = guestAddress{}
		return json.Unmarshal(data, &g.Address)
	}
	var form struct {
		Address string `json:"address"`
		Origin  string `json:"origin"`
		State   string `json:"state"`
	}
	if err := strict(data, &form); err != nil {
		return err
	}
	*g = guestAddress(form)
	return nil
}

func (g guestAddress) MarshalJSON() ([]byte, error) {
	if g.Origin == "" && g.State == "" {
		return json.Marshal(g.Address)
	}
	return json.Marshal(map[string]string{"address": g.Address, "origin": g.Origin, "state": g.State})
}

// split gives the address and its prefix length; 0 where none is written.
func (g guestAddress) split() (string, int32) {
	i := strings.LastIndexByte(g.Address, '/')
	if i < 0 {
		return g.Address, 0
	}
	n, err := strconv.Atoi(g.Address[i+1:])
	if err != nil {
		return g.Address, 0
	}
	return g.Address[:i], int32(n)
}

// strict refuses unknown fields: a misspelt one must not silently make another scenario.
func strict(data []byte, into interface{}) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("something follows the JSON value")
	}
	return nil
}

func readScenario(path string) (*scenario, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := parseScenario(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %v", path, err)
	}
	return s, nil
}

func parseScenario(data []byte) (*scenario, error) {
	s := new(scenario)
	if err := strict(data, s); err != nil {
		return nil, err
	}
	for _, g := range s.Generate {
		if err := g.expand(s); err != nil {
			return nil, err
		}
	}
	s.Generate = nil
	return s, s.complete()
}

func (s *scenario) isESXi() bool { return s.Kind == "esxi" }

func (s *scenario) eachHost(f func(*datacenter, *hostSpec)) {
	for i := range s.Datacenters {
		dc := &s.Datacenters[i]
		for _, c := range dc.Clusters {
			for _, h := range c.Hosts {
				f(dc, h)
			}
		}
		for _, h := range dc.Hosts {
			f(dc, h)
		}
	}
}

// complete fills what the file leaves out, each value derived from names so that it never changes,
// and refuses what cannot be built.
func (s *scenario) complete() error {
	switch s.Kind {
	case "vcenter", "esxi":
	default:
		return fmt.Errorf("kind is %q: write vcenter or esxi", s.Kind)
	}
	fill(&s.Name, s.Kind)
	fill(&s.Version, "6.7.0")
	fill(&s.Username, "administrator@vsphere.local")
	fill(&s.Password, "secret")
	if !s.isESXi() {
		fill(&s.InstanceUUID, s.uuid("instance"))
	}
	if len(s.Datacenters) == 0 {
		s.Datacenters = []datacenter{{Name: "Datacenter"}}
	}
	hosts := map[string]*hostSpec{}
	var err error
	s.eachHost(func(dc *datacenter, h *hostSpec) {
		if h.Name == "" || hosts[h.Name] != nil {
			err = fmt.Errorf("host name %q is empty or given twice", h.Name)
		}
		hosts[h.Name] = h
		s.completeHost(h)
	})
	if err != nil {
		return err
	}
	if s.isESXi() {
		dc := s.Datacenters[0]
		if len(s.Datacenters) != 1 || len(hosts) != 1 || len(dc.Clusters) != 0 || len(dc.Switches) != 0 {
			return fmt.Errorf("an ESXi host has one datacenter with one host and standard switches only")
		}
	}
	for i := range s.Datacenters {
		dc := &s.Datacenters[i]
		for _, w := range dc.Switches {
			if err := s.completeSwitch(dc, w, hosts); err != nil {
				return err
			}
		}
		for j := range dc.OpaqueNetworks {
			fill(&dc.OpaqueNetworks[j].Type, "nsx.LogicalSwitch")
		}
	}
	ids := map[string]bool{}
	for _, v := range s.VMs {
		s.completeVM(v)
		if ids[v.ID] {
			return fmt.Errorf("VM %q is given twice: give each its own id", v.ID)
		}
		ids[v.ID] = true
		if err := v.check(hosts); err != nil {
			return err
		}
	}
	return nil
}

func (s *scenario) completeHost(h *hostSpec) {
	fill(&h.UUID, s.uuid("host", h.Name))
	fill(&h.Version, s.Version)
	fill(&h.ConnectionState, "connected")
	for i := range h.Vmkernel {
		v := &h.Vmkernel[i]
		fill(&v.Device, fmt.Sprintf("vmk%d", i))
		fill(&v.MAC, s.mac("vmk", h.Name, v.Device))
		fill(&v.NetStack, "defaultTcpipStack")
		fill(&v.Mask, "255.255.255.0")
	}
	for i := range h.Pnics {
		p := &h.Pnics[i]
		fill(&p.Device, fmt.Sprintf("vmnic%d", i))
		fill(&p.MAC, s.mac("pnic", h.Name, p.Device))
		if p.LinkSpeed == nil {
			speed := 10000
			p.LinkSpeed = &speed
		}
	}
}

func (s *scenario) completeSwitch(dc *datacenter, w *switchSpec, hosts map[string]*hostSpec) error {
	fill(&w.UUID, spaced(s.uuid("switch", dc.Name, w.Name)))
	fill(&w.Discovery, "lldp")
	for _, m := range w.Hosts {
		if hosts[m.Host] == nil {
			return fmt.Errorf("switch %q has the unknown host %q", w.Name, m.Host)
		}
	}
	uplinks := false
	for i := range w.PortGroups {
		p := &w.PortGroups[i]
		if _, err := trunkRanges(p.Trunk); err != nil {
			return fmt.Errorf("port group %q: %v", p.Name, err)
		}
		uplinks = uplinks || p.Uplink
	}
	if !uplinks {
		uplink := portGroup{Name: w.Name + "-DVUplinks", Trunk: []string{"0-4094"}, Uplink: true}
		w.PortGroups = append([]portGroup{uplink}, w.PortGroups...)
	}
	return nil
}

func (s *scenario) completeVM(v *vmSpec) {
	fill(&v.ID, v.Name)
	fill(&v.UUID, s.uuid("vm", v.ID))
	if v.NoInstanceUUID {
		v.InstanceUUID = ""
	} else {
		fill(&v.InstanceUUID, s.uuid("vm-instance", v.ID))
	}
	fill(&v.Power, map[bool]string{true: "off", false: "on"}[v.Template])
	fill(&v.Connection, map[bool]string{true: "inaccessible", false: "connected"}[v.Inaccessible])
	fill(&v.Tools, map[bool]string{true: "running", false: "not_running"}[v.Power == "on"])
	fill(&v.GuestID, "otherGuest64")
	if v.CoresPerSocket == 0 {
		v.CoresPerSocket = 1
	}
	if v.CPUs == 0 {
		v.CPUs = 2
	}
	if v.MemoryMB == 0 {
		v.MemoryMB = 2048
	}
	for i := range v.Adapters {
		a := &v.Adapters[i]
		if a.Key == 0 {
			a.Key = 4000 + int32(i)
		}
		fill(&a.MAC, s.mac("vm", v.ID, strconv.Itoa(i)))
		fill(&a.Type, "vmxnet3")
	}
}

func (v *vmSpec) check(hosts map[string]*hostSpec) error {
	if hosts != nil && hosts[v.Host] == nil {
		return fmt.Errorf("VM %q is on the unknown host %q", v.ID, v.Host)
	}
	if _, ok := powerStates[v.Power]; !ok {
		return fmt.Errorf("VM %q has the power state %q: write on, off or suspended", v.ID, v.Power)
	}
	if _, ok := toolsStates[v.Tools]; !ok {
		return fmt.Errorf("VM %q has tools %q: write running, not_running or not_installed", v.ID, v.Tools)
	}
	for _, a := range v.Adapters {
		if newEthernetCard(a.Type) == nil {
			return fmt.Errorf("VM %q has an adapter of unknown type %q", v.ID, a.Type)
		}
	}
	for _, g := range v.Guest {
		if g.Adapter < -1 || g.Adapter >= len(v.Adapters) {
			return fmt.Errorf("VM %q reports addresses on adapter %d, which it has not", v.ID, g.Adapter)
		}
	}
	return nil
}

// clone copies through JSON: specs are small, and nothing is shared by accident.
func (v *vmSpec) clone() *vmSpec {
	data, _ := json.Marshal(v)
	c := new(vmSpec)
	if err := json.Unmarshal(data, c); err != nil {
		panic(err)
	}
	return c
}

func (s *scenario) seed(parts ...string) string { return s.Name + "\x00" + strings.Join(parts, "\x00") }

func (s *scenario) uuid(parts ...string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(s.seed(parts...))).String()
}

func (s *scenario) mac(parts ...string) string {
	h := sha1.Sum([]byte(s.seed(parts...)))
	return net.HardwareAddr{0x00, 0x50, 0x56, h[0], h[1], h[2]}.String()
}

// spaced is how vCenter writes the UUID of a distributed switch.
func spaced(id string) string {
	hex := strings.ReplaceAll(id, "-", "")
	var b strings.Builder
	for i := 0; i < len(hex); i += 2 {
		switch i {
		case 0:
		case 16:
			b.WriteByte('-')
		default:
			b.WriteByte(' ')
		}
		b.WriteString(hex[i : i+2])
	}
	return b.String()
}

type vlanRange struct{ first, last int32 }

func trunkRanges(texts []string) ([]vlanRange, error) {
	var ranges []vlanRange
	for _, text := range texts {
		ends := strings.SplitN(text, "-", 2)
		first, err := strconv.Atoi(strings.TrimSpace(ends[0]))
		if err != nil {
			return nil, fmt.Errorf("%q is no VLAN range", text)
		}
		last := first
		if len(ends) == 2 {
			if last, err = strconv.Atoi(strings.TrimSpace(ends[1])); err != nil {
				return nil, fmt.Errorf("%q is no VLAN range", text)
			}
		}
		ranges = append(ranges, vlanRange{int32(first), int32(last)})
	}
	return ranges, nil
}

func fill(field *string, value string) {
	if *field == "" {
		*field = value
	}
}
