package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs the certificates of a test.
type authority struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	next int64
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir(), next: 1}
	a.key, a.cert = nil, nil
	a.issue("ca")
	return a
}

// issue writes NAME.crt and NAME.key, and returns the serial. The first is the authority's own.
func (a *authority) issue(name string) int64 {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: a.cert == nil,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	a.next++
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = tmpl, key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.cert == nil {
		if a.cert, err = x509.ParseCertificate(der); err != nil {
			a.t.Fatal(err)
		}
		a.key = key
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".crt", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", private)
	return tmpl.SerialNumber.Int64()
}

func (a *authority) write(name, kind string, der []byte) {
	if err := writeFileMode(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// client makes an HTTP client that trusts the authority and shows a certificate, "" none.
func (a *authority) client(name string) *http.Client {
	a.t.Helper()
	conf := &tls.Config{RootCAs: x509.NewCertPool()}
	conf.RootCAs.AddCert(a.cert)
	if name != "" {
		pair, err := tls.LoadX509KeyPair(a.file(name+".crt"), a.file(name+".key"))
		if err != nil {
			a.t.Fatal(err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: true}}
}

// TestServeMTLS: whoever has no certificate of the authority's is not let in, on either listener; a certificate that is
// replaced is used without a restart.
func TestServeMTLS(t *testing.T) {
	bin := aegisctlBinary(t)
	key, paths := bundles(t, bin, 1)
	a, stranger := newAuthority(t), newAuthority(t)
	a.issue("server")
	a.issue("client")
	stranger.issue("client")
	s := startServe(t, bin, "--bundle", paths[0], "--key", key, "--auth", "mtls", "--tenant", "acme",
		"--tls-cert", a.file("server.crt"), "--tls-key", a.file("server.key"), "--tls-client-ca", a.file("ca.crt"),
		"--admin-tls-cert", a.file("server.crt"), "--admin-tls-key", a.file("server.key"), "--admin-tls-client-ca", a.file("ca.crt"))
	client := a.client("client")
	if _, err := s.ask(client); err != nil {
		t.Fatal(err)
	}
	wrong := stranger.client("client")
	wrong.Transport.(*http.Transport).TLSClientConfig.RootCAs = a.client("").Transport.(*http.Transport).TLSClientConfig.RootCAs
	for name, c := range map[string]*http.Client{"no certificate": a.client(""), "another authority's": wrong} {
		if _, err := s.ask(c); err == nil {
			t.Errorf("%s: calls are answered", name)
		}
		if res, err := c.Get(s.admin + "/v1/status"); err == nil {
			res.Body.Close()
			t.Errorf("%s: operators are answered", name)
		}
	}
	res, err := client.Get(s.admin + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.ProtoMajor != 2 || res.TLS.Version != tls.VersionTLS13 {
		t.Errorf("HTTP/%d, TLS %x", res.ProtoMajor, res.TLS.Version)
	}
	old := client.Transport.(*http.Transport).TLSClientConfig.Clone()
	old.MaxVersion = tls.VersionTLS11
	old.MinVersion = tls.VersionTLS10
	if c, err := tls.Dial("tcp", strings.TrimPrefix(s.data, "https://"), old); err == nil {
		c.Close()
		t.Error("TLS 1.1 is spoken")
	}
	// Half of a new pair: the old one stays, and says so. Then the other half.
	if err := os.WriteFile(a.file("server.crt"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool {
		if _, err := s.ask(a.client("client")); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(s.stderr(), "the old ones stay in force")
	})
	serial := a.issue("server")
	until(t, func() bool {
		c, err := tls.Dial("tcp", strings.TrimPrefix(s.data, "https://"), client.Transport.(*http.Transport).TLSClientConfig)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64() == serial
	})
}

// TestServeTLS: with TLS alone the server's token is still asked for, and the printed command works.
func TestServeTLS(t *testing.T) {
	bin := aegisctlBinary(t)
	key, paths := bundles(t, bin, 1)
	a := newAuthority(t)
	s := startServe(t, bin, "--bundle", paths[0], "--key", key, "--tls-cert", a.file("ca.crt"), "--tls-key", a.file("ca.key"))
	if _, err := s.ask(a.client("")); err != nil {
		t.Error(err)
	}
	s.token += "x"
	if _, err := s.ask(a.client("")); err == nil || !strings.HasPrefix(err.Error(), "401") {
		t.Error(err)
	}
	pasted(t, s)
}
