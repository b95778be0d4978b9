// Package admin is the door for those who run the server: whether it lives, whether it is ready, what is in force. It
// belongs on a listener of its own, which only they can reach; it tells nothing of calls.
package admin

import (
	"net/http"
	"time"

	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/source"
)

// Door serves the endpoints of operators.
type Door struct {
	service *serve.Service
	sources func() []source.Status
	ready   func() error
}

// New makes the door. sources says how the sources of policies stand, and ready why the server is not ready, or nil.
func New(s *serve.Service, sources func() []source.Status, ready func() error) *Door {
	return &Door{s, sources, ready}
}

// Register adds the door's endpoints.
func (d *Door) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		serve.WriteJSON(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := d.ready(); err != nil {
			serve.Problem(w, http.StatusServiceUnavailable, "not_ready", err.Error())
			return
		}
		serve.WriteJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	})
	mux.HandleFunc("GET /v1/status", d.status)
}

// unit is what is in force, from one place.
type unit struct {
	Source        string     `json:"source"`
	PolicyVersion string     `json:"policy_version"`
	Serial        int64      `json:"serial,omitempty"`
	Signed        bool       `json:"signed"`
	Tenants       []string   `json:"tenants"`
	Since         time.Time  `json:"since"`
	FreshUntil    *time.Time `json:"fresh_until,omitempty"`
}

func (d *Door) status(w http.ResponseWriter, _ *http.Request) {
	units := []unit{}
	for _, u := range d.service.Units() {
		one := unit{u.Name, u.Set.Version, u.Serial, u.Signed, u.Tenants(), u.Since, nil}
		if !u.FreshUntil.IsZero() {
			one.FreshUntil = &u.FreshUntil
		}
		units = append(units, one)
	}
	serve.WriteJSON(w, http.StatusOK, struct {
		Mode     string          `json:"mode"`
		InForce  []unit          `json:"in_force"`
		Sources  []source.Status `json:"sources"`
		Sessions int             `json:"sessions"`
	}{d.service.Mode(), units, d.sources(), d.service.Sessions()})
}
