package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// control is the HTTP server by which a test changes the inventory while it is being read. See
// README.md for its verbs.
type control struct {
	inventory *inventory
	front     *front
}

func (c *control) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(in.Body)
	if err != nil {
		return
	}
	answer, err := c.answer(in.Method, strings.TrimPrefix(in.URL.Path, "/"), body)
	out.Header().Set("Content-Type", "application/json")
	if err != nil {
		out.WriteHeader(http.StatusBadRequest)
		answer = map[string]string{"error": err.Error()}
	}
	if answer == nil {
		answer = map[string]bool{"ok": true}
	}
	json.NewEncoder(out).Encode(answer)
}

func (c *control) answer(method, path string, body []byte) (interface{}, error) {
	w := c.inventory
	verb := method + " " + strings.SplitN(path, "/", 2)[0]
	rest := strings.TrimPrefix(strings.TrimPrefix(path, strings.SplitN(path, "/", 2)[0]), "/")
	switch verb {
	case "GET healthz":
		return nil, nil
	case "GET stats":
		return c.front.snapshot(), nil
	case "DELETE stats":
		c.front.resetStats()
		return nil, nil
	case "GET scenario":
		w.mu.Lock()
		defer w.mu.Unlock()
		data, err := json.Marshal(w.want)
		return json.RawMessage(data), err
	case "PUT scenario":
		s, err := parseScenario(body)
		if err != nil {
			return nil, err
		}
		return nil, w.replace(s)
	case "GET objects":
		return c.objects(), nil
	case "POST sessions":
		return map[string]int{"ended": c.front.expireSessions()}, nil
	case "POST fault":
		x := new(fault)
		if err := strict(body, x); err != nil {
			return nil, err
		}
		return nil, c.front.addFault(x)
	case "DELETE fault":
		c.front.clearFaults()
		return nil, nil
	case "GET requests":
		return c.front.requestsOf(rest), nil
	case "DELETE requests":
		c.front.forgetRequests()
		return nil, nil
	case "POST tasks":
		switch rest {
		case "finish":
			return map[string]int{"ended": w.finishTasks()}, nil
		case "forget":
			w.forgetTasks()
			return nil, nil
		}
		return nil, fmt.Errorf("tasks can finish or be forgotten: write /tasks/finish or /tasks/forget")
	case "POST provisioning":
		w.mu.Lock()
		defer w.mu.Unlock()
		p := w.provision
		p.Faults = copiedTexts(p.Faults)
		if err := strict(body, &p); err != nil {
			return nil, err
		}
		if err := p.check(); err != nil {
			return nil, err
		}
		w.provision = p
		return nil, nil
	case "POST vm":
		return nil, c.changeVM(rest, body)
	case "POST host":
		return nil, c.changeHost(rest, body)
	case "POST switch":
		return nil, c.changeSwitch(rest, body)
	}
	return nil, fmt.Errorf("no verb %s /%s: see README.md", method, path)
}

// changeVM: "" adds a VM; "ID" merges fields into one; "ID/guest", "ID/power" and "ID/remove" are
// short for the most usual changes. An ID may contain slashes.
func (c *control) changeVM(path string, body []byte) error {
	w := c.inventory
	w.mu.Lock()
	defer w.mu.Unlock()
	if path == "" {
		return c.addVM(body)
	}
	id, verb := path, ""
	if i := strings.LastIndexByte(path, '/'); i >= 0 && w.machines[path] == nil {
		id, verb = path[:i], path[i+1:]
	}
	m := w.machines[id]
	if m == nil {
		return fmt.Errorf("there is no VM %q", id)
	}
	spec := m.spec.clone()
	switch verb {
	case "remove":
		w.forget(m)
		return nil
	case "power":
		form := struct {
			Power string `json:"power"`
		}{}
		if err := strict(body, &form); err != nil {
			return err
		}
		spec.Power = form.Power
		spec.Tools = map[bool]string{true: "running", false: "not_running"}[form.Power == "on"]
	case "guest":
		if body[0] == '[' {
			spec.Guest = nil
			if err := strict(body, &spec.Guest); err != nil {
				return err
			}
			break
		}
		form := struct {
			Guest []guestNIC `json:"guest"`
			Tools string     `json:"tools"`
		}{Guest: spec.Guest, Tools: spec.Tools}
		if err := strict(body, &form); err != nil {
			return err
		}
		spec.Guest, spec.Tools = form.Guest, form.Tools
	case "":
		if err := merge(body, spec); err != nil {
			return err
		}
		spec.ID = id
	default:
		return fmt.Errorf("there is no verb %q of a VM", verb)
	}
	w.want.completeVM(spec)
	if err := c.check(spec); err != nil {
		return err
	}
	for i, v := range w.want.VMs {
		if v.ID == id {
			w.want.VMs[i] = spec
		}
	}
	return w.ensureMachine(spec)
}

// addVM adds one VM, or many from a list.
func (c *control) addVM(body []byte) error {
	w := c.inventory
	var list []*vmSpec
	if len(body) > 0 && body[0] == '[' {
		if err := strict(body, &list); err != nil {
			return err
		}
	} else {
		list = []*vmSpec{new(vmSpec)}
		if err := strict(body, list[0]); err != nil {
			return err
		}
	}
	for _, spec := range list {
		w.want.completeVM(spec)
		if w.machines[spec.ID] != nil {
			return fmt.Errorf("there is a VM %q already", spec.ID)
		}
		if err := c.check(spec); err != nil {
			return err
		}
		w.want.VMs = append(w.want.VMs, spec)
		if err := w.ensureMachine(spec); err != nil {
			return err
		}
	}
	return nil
}

func (c *control) check(spec *vmSpec) error {
	if c.inventory.hosts[spec.Host] == nil {
		return fmt.Errorf("VM %q is on the unknown host %q", spec.ID, spec.Host)
	}
	return spec.check(nil)
}

func (c *control) changeHost(name string, body []byte) error {
	w := c.inventory
	w.mu.Lock()
	defer w.mu.Unlock()
	node := w.hosts[name]
	if node == nil {
		return fmt.Errorf("there is no host %q", name)
	}
	spec := node.spec
	if err := merge(body, spec); err != nil {
		return err
	}
	spec.Name = name
	w.want.completeHost(spec)
	return w.reconcile()
}

func (c *control) changeSwitch(name string, body []byte) error {
	w := c.inventory
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.want.Datacenters {
		dc := &w.want.Datacenters[i]
		for _, spec := range dc.Switches {
			if spec.Name != name {
				continue
			}
			if err := merge(body, spec); err != nil {
				return err
			}
			spec.Name = name
			hosts := map[string]*hostSpec{}
			for n, node := range w.hosts {
				hosts[n] = node.spec
			}
			if err := w.want.completeSwitch(dc, spec, hosts); err != nil {
				return err
			}
			return w.reconcile()
		}
	}
	return fmt.Errorf("there is no switch %q", name)
}

// merge replaces the fields that the body names, a list as a whole. (Go would decode a list into the
// elements that are there already.)
func merge(body []byte, spec interface{}) error {
	present, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(present, &fields); err != nil {
		return err
	}
	changed := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &changed); err != nil {
		return err
	}
	for k, v := range changed {
		fields[k] = v
	}
	all, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	switch s := spec.(type) {
	case *vmSpec:
		*s = vmSpec{}
	case *hostSpec:
		fresh := hostSpec{}
		if err := strict(all, &fresh); err != nil {
			return err
		}
		*s = fresh
		return nil
	case *switchSpec:
		fresh := switchSpec{}
		if err := strict(all, &fresh); err != nil {
			return err
		}
		*s = fresh
		return nil
	}
	return strict(all, spec)
}

// objects tells the object ids, so that a test can name them.
func (c *control) objects() interface{} {
	w := c.inventory
	w.mu.Lock()
	defer w.mu.Unlock()
	list := struct {
		Hosts map[string]string `json:"hosts"`
		// By datacenter: itself, its datastore, its VM folder and those below, "DC/Prod/Web".
		Datacenters map[string]string `json:"datacenters"`
		Datastores  map[string]string `json:"datastores"`
		Folders     map[string]string `json:"folders"`
		// The root pool of each host's cluster, or of the host itself.
		Pools      map[string]string `json:"pools"`
		VMs        map[string]string `json:"vms"`
		Switches   map[string]string `json:"switches"`
		PortGroups map[string]string `json:"port_groups"`
		Networks   map[string]string `json:"networks"`
	}{
		map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{},
		map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{},
	}
	for name, node := range w.hosts {
		list.Hosts[name] = node.object.Self.Value
		list.Pools[name] = node.pool.Self.Value
	}
	for id, m := range w.machines {
		list.VMs[id] = m.Self.Value
	}
	for name, node := range w.switches {
		list.Switches[name] = node.object.Self.Value
		for group, object := range node.groups {
			list.PortGroups[name+"/"+group] = object.Self.Value
		}
	}
	for dc, p := range w.datacenters {
		list.Datacenters[dc], list.Datastores[dc] = p.object.Self.Value, p.datastore.Self.Value
		list.Folders[dc] = p.object.VmFolder.Value
		for path, folder := range p.folders {
			list.Folders[dc+path] = folder.Self.Value
		}
		for name, n := range p.networks {
			list.Networks[dc+"/"+name] = n.Reference().Value
		}
	}
	return list
}
