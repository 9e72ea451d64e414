package main

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// front stands before the simulator's handler: it counts, delays and breaks calls, and gives the
// answers the outer look of a real vCenter's.
type front struct {
	inventory *inventory
	service   *simulator.Service

	mu      sync.Mutex
	faults  []*fault
	cleared chan struct{} // closed when nothing goes wrong any more
	stats   stats
	expired chan struct{} // closed when all sessions are ended

	requests map[string][]string // the bodies received, by method
	// Collectors with a filter that asks for guest.customizationInfo, which the simulator does not know.
	customized map[string]bool
}

// keptRequests is how many bodies of one method are kept: the last ones.
const keptRequests = 1000

// fault is one thing that goes wrong. Count is how often; 0 is without end.
type fault struct {
	Method    string       `json:"method,omitempty"`
	Count     *int         `json:"count,omitempty"`
	Status    int          `json:"status,omitempty"`
	DelayMS   int          `json:"delay_ms,omitempty"`
	CutAfter  *int         `json:"cut_after_bytes,omitempty"`
	SOAPFault string       `json:"soap_fault,omitempty"`
	Drop      bool         `json:"drop,omitempty"`
	Missing   *missingPart `json:"missing,omitempty"`
}

// missingPart makes one property of one object unreadable in every answer.
type missingPart struct {
	VM   string `json:"vm,omitempty"`
	Host string `json:"host,omitempty"`
	// The object's id, for every other type.
	Object string `json:"object,omitempty"`
	Path   string `json:"path"`
	Fault  string `json:"fault,omitempty"`
}

type stats struct {
	Calls       map[string]int `json:"calls"`
	Running     map[string]int `json:"running"`
	RunningMax  map[string]int `json:"running_max"`
	RequestsNow int            `json:"requests_now"`
	RequestsMax int            `json:"requests_max"`
	Sessions    int            `json:"sessions_open"`
	SessionsMax int            `json:"sessions_max"`
	Logins      int            `json:"logins"`
	Logouts     int            `json:"logouts"`
	BytesSent   int64          `json:"bytes_sent"`
}

func newStats() stats {
	return stats{Calls: map[string]int{}, Running: map[string]int{}, RunningMax: map[string]int{}}
}

func newFront(w *inventory) *front {
	f := &front{
		inventory: w, service: w.model.Service, stats: newStats(), cleared: make(chan struct{}), expired: make(chan struct{}),
		requests: map[string][]string{}, customized: map[string]bool{},
	}
	f.service.RegisterSDK(simulator.Map)
	return f
}

func (f *front) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	switch in.URL.Path {
	case "/sdk/vimServiceVersions.xml":
		out.Header().Set("Content-Type", "text/xml")
		io.WriteString(out, versionsDocument(f.inventory.want.Version))
	case "/sdk", "/sdk/", "/sdk/vimService":
		in.URL.Path = "/sdk"
		f.serveSDK(out, in)
	default:
		http.NotFound(out, in)
	}
}

func (f *front) serveSDK(out http.ResponseWriter, in *http.Request) {
	request, err := io.ReadAll(in.Body)
	if err != nil {
		return
	}
	method, this := operation(request)
	f.keep(method, request)
	f.begin(method)
	defer f.end(method)
	broken, cleared := f.draw(method)
	if broken.DelayMS > 0 {
		select {
		case <-cleared:
		case <-time.After(time.Duration(broken.DelayMS) * time.Millisecond):
		case <-in.Context().Done():
			return
		}
	}
	if broken.Drop {
		panic(http.ErrAbortHandler) // before anything was done
	}
	if broken.Status != 0 {
		out.Header().Set("Content-Type", "text/html")
		out.WriteHeader(broken.Status)
		fmt.Fprintf(out, "<html><body>%d %s</body></html>\n", broken.Status, http.StatusText(broken.Status))
		return
	}
	if broken.SOAPFault != "" {
		f.write(out, in, http.StatusInternalServerError, nil, soapFault(broken.SOAPFault), nil)
		return
	}

	answer, ok := f.ask(in, method, this, request)
	if !ok {
		return // the client is gone
	}
	f.count(method, answer.Code)
	body := f.addCustomization(method, this, request, answer.Body.Bytes())
	for _, m := range f.missing() {
		body = hide(body, m.ref, m.path, m.fault)
	}
	f.write(out, in, answer.Code, answer.Header()["Set-Cookie"], body, broken.CutAfter)
}

// ask lets the simulator answer. A wait ends early when its client goes away or all sessions end, as
// with a real server; the simulator would go on waiting and swallow the next updates.
func (f *front) ask(in *http.Request, method, this string, request []byte) (*httptest.ResponseRecorder, bool) {
	inner := in.Clone(in.Context())
	inner.Body = io.NopCloser(bytes.NewReader(request))
	if !strings.HasPrefix(method, "WaitForUpdates") {
		answer := httptest.NewRecorder()
		f.service.ServeSDK(answer, inner)
		return answer, true
	}
	f.mu.Lock()
	expired := f.expired
	f.mu.Unlock()
	done := make(chan *httptest.ResponseRecorder, 1)
	go func() {
		answer := httptest.NewRecorder()
		f.service.ServeSDK(answer, inner)
		done <- answer
	}()
	select {
	case answer := <-done:
		return answer, true
	case <-in.Context().Done():
		f.cancel(in, this)
		<-done
		return nil, false
	case <-expired:
		answer := httptest.NewRecorder()
		answer.Code = http.StatusInternalServerError
		answer.Body = bytes.NewBuffer(soapFault("NotAuthenticated"))
		return answer, true
	}
}

func (f *front) cancel(in *http.Request, collector string) {
	body := `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><CancelWaitForUpdates xmlns="urn:vim25">` +
		`<_this type="PropertyCollector">` + collector + `</_this></CancelWaitForUpdates></Body></Envelope>`
	inner := httptest.NewRequest(http.MethodPost, "/sdk", strings.NewReader(body))
	inner.Header["Cookie"] = in.Header["Cookie"]
	f.service.ServeSDK(httptest.NewRecorder(), inner)
}

func (f *front) write(out http.ResponseWriter, in *http.Request, code int, cookies []string, body []byte, cut *int) {
	header := out.Header()
	header.Set("Content-Type", "text/xml; charset=utf-8")
	header.Set("Cache-Control", "no-cache")
	for _, c := range cookies {
		header.Add("Set-Cookie", realCookie(c))
	}
	if f.inventory.want.Gzip && strings.Contains(in.Header.Get("Accept-Encoding"), "gzip") && len(body) > 1024 {
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
		z.Write(body)
		z.Close()
		body = packed.Bytes()
		header.Set("Content-Encoding", "gzip")
	}
	if cut != nil {
		// A length is promised and not kept, as when a connection breaks.
		header.Set("Content-Length", strconv.Itoa(len(body)))
		if *cut < len(body) {
			body = body[:*cut]
		}
	}
	out.WriteHeader(code)
	n, _ := out.Write(body)
	f.mu.Lock()
	f.stats.BytesSent += int64(n)
	f.mu.Unlock()
	if cut != nil {
		if flusher, ok := out.(http.Flusher); ok {
			flusher.Flush()
		}
		panic(http.ErrAbortHandler)
	}
}

// realCookie is how vCenter writes its cookie: quoted, with Path and Secure.
func realCookie(c string) string {
	value := strings.SplitN(strings.SplitN(c, ";", 2)[0], "=", 2)
	return fmt.Sprintf("%s=\"%s\"; Path=/; HttpOnly; Secure;", value[0], strings.Trim(value[1], `"`))
}

// operation reads the method's name and the value of its _this.
func operation(request []byte) (method, this string) {
	decoder := xml.NewDecoder(bytes.NewReader(request))
	body := false
	for {
		token, err := decoder.Token()
		if err != nil {
			return method, this
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch {
		case !body:
			body = start.Name.Local == "Body"
		case method == "":
			method = start.Name.Local
		default:
			if start.Name.Local == "_this" {
				decoder.DecodeElement(&this, &start)
			}
			return method, this
		}
	}
}

func (f *front) begin(method string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &f.stats
	s.Calls[method]++
	s.Running[method]++
	s.RequestsNow++
	if s.Running[method] > s.RunningMax[method] {
		s.RunningMax[method] = s.Running[method]
	}
	if s.RequestsNow > s.RequestsMax {
		s.RequestsMax = s.RequestsNow
	}
}

func (f *front) end(method string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Running[method]--
	f.stats.RequestsNow--
}

func (f *front) count(method string, code int) {
	if code != http.StatusOK || method != "Login" && method != "Logout" {
		return
	}
	open := len(f.sessions())
	f.mu.Lock()
	defer f.mu.Unlock()
	if method == "Login" {
		f.stats.Logins++
	} else {
		f.stats.Logouts++
	}
	if open > f.stats.SessionsMax {
		f.stats.SessionsMax = open
	}
}

func (f *front) sessions() []types.UserSession {
	manager := f.inventory.ctx.Session.Get(simulator.Map.SessionManager().Self)
	return manager.(*simulator.SessionManager).SessionList
}

// expireSessions ends all sessions at once, also under waits that are running.
func (f *front) expireSessions() int {
	list := f.sessions()
	for _, s := range list {
		simulator.Map.SessionManager().TerminateSession(f.inventory.ctx, &types.TerminateSession{SessionId: []string{s.Key}})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.expired)
	f.expired = make(chan struct{})
	return len(list)
}

func (f *front) snapshot() stats {
	open := len(f.sessions())
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	s.Sessions = open
	s.Calls, s.Running, s.RunningMax = copied(s.Calls), copied(s.Running), copied(s.RunningMax)
	return s
}

func copied(m map[string]int) map[string]int {
	c := map[string]int{}
	for k, v := range m {
		c[k] = v
	}
	return c
}

// resetStats starts counting anew; what is running stays counted as running.
func (f *front) resetStats() {
	f.mu.Lock()
	defer f.mu.Unlock()
	running, now := f.stats.Running, f.stats.RequestsNow
	f.stats = newStats()
	f.stats.Running, f.stats.RequestsNow, f.stats.RequestsMax = running, now, now
}

func (f *front) addFault(x *fault) error {
	kinds := 0
	for _, given := range []bool{x.Status != 0, x.DelayMS != 0, x.CutAfter != nil, x.SOAPFault != "", x.Drop, x.Missing != nil} {
		if given {
			kinds++
		}
	}
	if kinds != 1 {
		return fmt.Errorf("a fault has one of status, delay_ms, cut_after_bytes, soap_fault, drop, missing")
	}
	if x.Count == nil {
		once := 1
		if x.DelayMS != 0 {
			once = 0
		}
		x.Count = &once
	}
	if *x.Count == 0 {
		x.Count = nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, x)
	return nil
}

// keep keeps a request's body as it came.
func (f *front) keep(method string, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := append(f.requests[method], string(body))
	if len(list) > keptRequests {
		list = list[len(list)-keptRequests:]
	}
	f.requests[method] = list
}

func (f *front) requestsOf(method string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.requests[method]...)
}

func (f *front) forgetRequests() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = map[string][]string{}
}

func (f *front) clearFaults() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
	close(f.cleared)
	f.cleared = make(chan struct{})
}

// draw takes what shall go wrong with this call, one of each kind, and uses it up; and what ends a delay early.
func (f *front) draw(method string) (fault, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var drawn fault
	var left []*fault
	for _, x := range f.faults {
		used := x.Method == "" || x.Method == "*" || x.Method == method
		switch {
		case !used:
		case x.Status != 0 && drawn.Status == 0:
			drawn.Status = x.Status
		case x.DelayMS != 0 && drawn.DelayMS == 0:
			drawn.DelayMS = x.DelayMS
		case x.CutAfter != nil && drawn.CutAfter == nil:
			drawn.CutAfter = x.CutAfter
		case x.SOAPFault != "" && drawn.SOAPFault == "":
			drawn.SOAPFault = x.SOAPFault
		case x.Drop && !drawn.Drop:
			drawn.Drop = true
		default:
			used = false
		}
		if used && x.Count != nil {
			*x.Count--
		}
		if x.Count == nil || *x.Count > 0 {
			left = append(left, x)
		}
	}
	f.faults = left
	return drawn, f.cleared
}

const customizationPath = "guest.customizationInfo"

var (
	updatedMachine = regexp.MustCompile(`(?s)<(objectSet|objects)>(?:<kind>[a-z]+</kind>)?<obj type="VirtualMachine">([^<]*)</obj>.*?</(?:objectSet|objects)>`)
	unknownToIt    = regexp.MustCompile(`(?s)<missingSet><path>guest\.customizationInfo</path>.*?</missingSet>`)
)

// addCustomization gives the answer guest.customizationInfo of the VMs in it, where the announced version has it and
// it was asked for.
func (f *front) addCustomization(method, this string, request, answer []byte) []byte {
	w := f.inventory
	if !knowsCustomization(w.want.Version) {
		return answer
	}
	asks := bytes.Contains(request, []byte(customizationPath))
	f.mu.Lock()
	if method == "CreateFilter" && asks {
		f.customized[this] = true
	}
	asks = asks || f.customized[this]
	f.mu.Unlock()
	if !asks || method != "WaitForUpdatesEx" && method != "RetrievePropertiesEx" {
		return answer
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return updatedMachine.ReplaceAllFunc(answer, func(object []byte) []byte {
		parts := updatedMachine.FindSubmatch(object)
		object = unknownToIt.ReplaceAll(object, nil)
		m := w.machines[w.machineRefs[types.ManagedObjectReference{Type: "VirtualMachine", Value: string(parts[2])}]]
		if m == nil || m.custom.status == "" {
			return object
		}
		val := `<val xsi:type="GuestInfoCustomizationInfo" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
			`<customizationStatus>` + m.custom.status + `</customizationStatus>`
		for _, field := range [][2]string{{"startTime", m.custom.started}, {"endTime", m.custom.ended}, {"errorMsg", m.custom.message}} {
			if field[1] != "" {
				val += "<" + field[0] + ">" + field[1] + "</" + field[0] + ">"
			}
		}
		property := "<propSet><name>" + customizationPath + "</name>" + val + "</val></propSet>"
		if string(parts[1]) == "objectSet" {
			property = "<changeSet><name>" + customizationPath + "</name><op>assign</op>" + val + "</val></changeSet>"
		}
		end := bytes.LastIndex(object, []byte("</"+string(parts[1])+">"))
		return append(append(append([]byte{}, object[:end]...), property...), object[end:]...)
	})
}

// knowsCustomization: since 7.0.2.
func knowsCustomization(version string) bool {
	for _, v := range apiVersions {
		if v == apiVersion(version) {
			return true
		}
		if v == "7.0.2.0" {
			return false
		}
	}
	return false
}

type hidden struct {
	ref         types.ManagedObjectReference
	path, fault string
}

func (f *front) missing() []hidden {
	f.mu.Lock()
	var parts []missingPart
	for _, x := range f.faults {
		if x.Missing != nil {
			parts = append(parts, *x.Missing)
		}
	}
	f.mu.Unlock()
	if len(parts) == 0 {
		return nil
	}
	f.inventory.mu.Lock()
	defer f.inventory.mu.Unlock()
	var list []hidden
	for _, p := range parts {
		h := hidden{path: p.Path, fault: p.Fault}
		fill(&h.fault, "NoPermission")
		if m := f.inventory.machines[p.VM]; m != nil {
			h.ref = m.Self
		} else if node := f.inventory.hosts[p.Host]; node != nil {
			h.ref = node.object.Self
		} else if p.Object != "" {
			h.ref = types.ManagedObjectReference{Type: "ManagedEntity", Value: p.Object}
		} else {
			continue
		}
		list = append(list, h)
	}
	return list
}

// hide rewrites an answer: the property of that object goes, a missingSet entry comes.
func hide(body []byte, ref types.ManagedObjectReference, path, fault string) []byte {
	object := regexp.MustCompile(`(?s)(<(?:obj)(?: [^>]*)?>` + regexp.QuoteMeta(ref.Value) +
		`</obj>)(.*?)(</objectSet>|</objects>)`)
	property := regexp.MustCompile(`(?s)<(changeSet|propSet)><name>` + regexp.QuoteMeta(path) + `</name>.*?</(?:changeSet|propSet)>`)
	entry := `<missingSet><path>` + path + `</path><fault><fault xsi:type="` + fault +
		`" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><object type="` + ref.Type + `">` + ref.Value +
		`</object><privilegeId>System.Read</privilegeId></fault><localizedMessage></localizedMessage></fault></missingSet>`
	return object.ReplaceAllFunc(body, func(found []byte) []byte {
		parts := object.FindSubmatch(found)
		rest := property.ReplaceAll(parts[2], nil)
		if len(rest) == len(parts[2]) {
			return found
		}
		return append(append(append(append([]byte{}, parts[1]...), rest...), entry...), parts[3]...)
	})
}

func soapFault(kind string) []byte {
	detail := ""
	if kind == "NotAuthenticated" || kind == "NoPermission" {
		detail = `<object type="Folder">group-d1</object><privilegeId>System.View</privilegeId>`
	}
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<soapenv:Body><soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>` + kind + `</faultstring><detail><` + kind +
		`Fault xmlns="urn:vim25" xsi:type="` + kind + `">` + detail + `</` + kind + `Fault></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>`)
}

var apiVersions = []string{
	"8.0.2.0", "8.0.1.0", "8.0.0.1", "7.0.3.2", "7.0.3.1", "7.0.3.0", "7.0.2.1", "7.0.2.0", "7.0.1.1", "7.0.1.0", "7.0.0.2",
	"7.0", "6.8.7", "6.7.3", "6.7.2", "6.7.1", "6.7", "6.5", "6.0", "5.5", "5.1", "5.0", "4.1", "4.0",
}

// apiVersion is the API version of a product version.
func apiVersion(product string) string {
	for _, v := range apiVersions {
		if v == product || v == product+".0" || v+".0" == product {
			return v
		}
	}
	return product
}

func versionsDocument(product string) string {
	version, prior := apiVersion(product), ""
	for i, v := range apiVersions {
		if v != version {
			continue
		}
		for _, older := range apiVersions[i+1:] {
			prior += "<version>" + older + "</version>"
		}
	}
	return xml.Header + `<namespaces version="1.0"><namespace><name>urn:vim25</name><version>` + version +
		`</version><priorVersions>` + prior + `</priorVersions></namespace></namespaces>` + "\n"
}
