package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLSFiles name the PEM files of a listener.
type TLSFiles struct {
	Cert, Key string // the server's certificate with its chain, and its key
	ClientCA  string // where given, clients must show a certificate that one of these authorities signed (mTLS)
}

// TLS is the transport security of a listener. Its files are read again when they change; what cannot be read leaves the
// old ones in force.
type TLS struct {
	files  TLSFiles
	protos []string
	log    *slog.Logger

	mu      sync.Mutex
	checked time.Time
	stamp   stamp
	config  *tls.Config
}

// NewTLS reads the files. protos are the protocols that are offered, such as h2 and http/1.1.
func NewTLS(f TLSFiles, log *slog.Logger, protos ...string) (*TLS, error) {
	if f.Cert == "" || f.Key == "" {
		return nil, errors.New("TLS needs a certificate and its key")
	}
	t := &TLS{files: f, protos: protos, log: log}
	t.stamp = t.look()
	var err error
	t.config, err = t.read()
	return t, err
}

// Config returns the configuration of the listener.
func (t *TLS) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: t.protos,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return t.current(), nil }}
}

// suites are those of TLS 1.2 that keep past traffic secret and authenticate what they encrypt. TLS 1.3 has no others.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// read makes a configuration. A new one has new keys for resumption, so that nobody resumes what an old authority admitted.
func (t *TLS) read() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(t.files.Cert, t.files.Key)
	if err != nil {
		return nil, fmt.Errorf("%s with %s: %w", t.files.Cert, t.files.Key, err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: suites, NextProtos: t.protos, Certificates: []tls.Certificate{cert}}
	if t.files.ClientCA != "" {
		text, err := os.ReadFile(t.files.ClientCA)
		if err != nil {
			return nil, err
		}
		c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !c.ClientCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate", t.files.ClientCA)
		}
	}
	return c, nil
}

// stamp is what the files look like from outside.
type stamp [3]struct {
	size int64
	at   time.Time
}

func (t *TLS) look() (s stamp) {
	for i, path := range [...]string{t.files.Cert, t.files.Key, t.files.ClientCA} {
		if st, err := os.Stat(path); err == nil {
			s[i].size, s[i].at = st.Size(), st.ModTime()
		}
	}
	return s
}

// lookEvery is how long changed files may go unnoticed.
const lookEvery = time.Second

// current returns the configuration for one connection.
func (t *TLS) current() *tls.Config {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.checked) < lookEvery {
		return t.config
	}
	t.checked = time.Now()
	seen := t.look()
	if seen == t.stamp {
		return t.config
	}
	// Certificate and key change one after the other: until both fit, the old pair stays.
	c, err := t.read()
	if err != nil {
		t.log.Error("changed TLS files cannot be used; the old ones stay in force", "error", err)
	} else {
		t.log.Info("TLS files read again", "cert", t.files.Cert)
		t.config = c
	}
	t.stamp = seen
	return t.config
}
