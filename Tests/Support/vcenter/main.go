// Command vcenter is one vCenter or ESXi host to test against: govmomi's simulator with an inventory
// described by a scenario file, changeable while it runs. README.md documents both.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/vmware/govmomi/simulator"
)

func main() {
	path := flag.String("scenario", "", "the scenario `file`")
	listen := flag.String("listen", "127.0.0.1:0", "where to serve the API")
	controlAt := flag.String("control", "127.0.0.1:0", "where to serve the control verbs")
	pidFile := flag.String("pid-file", "", "a `file` for the process id")
	withStdin := flag.Bool("exit-with-stdin", false, "stop when stdin ends")
	verbose := flag.Bool("v", false, "log to stderr")
	flag.Parse()
	if !*verbose {
		log.SetOutput(io.Discard)
	}
	if err := serve(*path, *listen, *controlAt, *pidFile, *withStdin); err != nil {
		fmt.Fprintln(os.Stderr, "vcenter:", err)
		os.Exit(1)
	}
}

func serve(path, listen, controlAt, pidFile string, withStdin bool) error {
	// Before anything is made that must be removed: nobody may end us in between.
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE)
	if withStdin {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			stop <- syscall.SIGTERM
		}()
	}

	s, err := readScenario(path)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "wireloom-vcenter-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	certificate, caFile, err := selfSigned(dir, s.Name)
	if err != nil {
		return err
	}

	simulator.SessionIdleTimeout = time.Duration(s.SessionIdleSeconds) * time.Second
	w, err := newInventory(s)
	if err != nil {
		return err
	}
	defer w.model.Remove()
	w.model.Service.Listen = &url.URL{User: url.UserPassword(s.Username, s.Password)}
	f := newFront(w)

	api, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	verbs, err := net.Listen("tcp", controlAt)
	if err != nil {
		return err
	}
	// HTTP/1.1 alone: no protocol table, no negotiation.
	server := &http.Server{
		Handler:      f,
		TLSConfig:    &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ErrorLog:     log.Default(),
	}
	go server.ServeTLS(api, "", "")
	go http.Serve(verbs, &control{inventory: w, front: f})

	if pidFile != "" {
		if err := os.WriteFile(pidFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
			return err
		}
		defer os.Remove(pidFile)
	}
	sum := sha256.Sum256(certificate.Certificate[0])
	ready, _ := json.Marshal(map[string]string{
		"url": "https://" + api.Addr().String() + "/sdk", "control": "http://" + verbs.Addr().String(),
		"thumbprint": hex.EncodeToString(sum[:]), "ca_file": caFile, "username": s.Username, "password": s.Password,
		"instance_uuid": s.InstanceUUID, "name": s.Name,
	})
	fmt.Println(string(ready))
	<-stop
	return nil
}

// selfSigned makes a key and a certificate for this machine's own name and addresses.
func selfSigned(dir, name string) (tls.Certificate, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return tls.Certificate{}, "", err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"Simulated vCenter"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:        true, BasicConstraintsValid: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	caFile := filepath.Join(dir, "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, caFile, os.WriteFile(caFile, text, 0o644)
}
