package telemetry

import "bytes"

// OCSFVersion is the version of the Open Cybersecurity Schema Framework that events are written in: class API Activity
// (6003), with the profiles security_control and trace.
const OCSFVersion = "1.5.0"

type ocsfEvent struct {
	ActivityID    int          `json:"activity_id"`
	ActivityName  string       `json:"activity_name"`
	CategoryUID   int          `json:"category_uid"`
	CategoryName  string       `json:"category_name"`
	ClassUID      int          `json:"class_uid"`
	ClassName     string       `json:"class_name"`
	TypeUID       int          `json:"type_uid"`
	Time          int64        `json:"time"` // milliseconds since the Unix epoch
	SeverityID    int          `json:"severity_id"`
	StatusID      int          `json:"status_id"`
	Status        string       `json:"status"`
	StatusDetail  string       `json:"status_detail,omitempty"`
	ActionID      int          `json:"action_id"`
	DispositionID int          `json:"disposition_id"`
	Duration      int64        `json:"duration"` // milliseconds
	Metadata      ocsfMetadata `json:"metadata"`
	Actor         ocsfActor    `json:"actor"`
	API           ocsfAPI      `json:"api"`
	Src           ocsfNamed    `json:"src_endpoint"`
	Policy        *ocsfPolicy  `json:"policy,omitempty"`
	Trace         *ocsfUID     `json:"trace,omitempty"`
	Unmapped      ocsfUnmapped `json:"unmapped"`
}

type ocsfNamed struct {
	Name string `json:"name"`
}

type ocsfUID struct {
	UID string `json:"uid"`
}

type ocsfMetadata struct {
	Version     string      `json:"version"`
	UID         string      `json:"uid"`
	TenantUID   string      `json:"tenant_uid,omitempty"`
	Correlation string      `json:"correlation_uid,omitempty"`
	Profiles    []string    `json:"profiles"`
	Product     ocsfProduct `json:"product"`
}

type ocsfProduct struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
	Version    string `json:"version"`
}

type ocsfActor struct {
	AppName string   `json:"app_name"`
	Session *ocsfUID `json:"session,omitempty"`
}

type ocsfAPI struct {
	Operation string    `json:"operation"`
	Service   ocsfNamed `json:"service"`
}

type ocsfPolicy struct {
	Name      string `json:"name,omitempty"` // the first rule that is cited
	Version   string `json:"version"`
	UID       string `json:"uid"`
	IsApplied bool   `json:"is_applied"`
}

// ocsfUnmapped holds what the class has no attribute for.
type ocsfUnmapped struct {
	Decision   string   `json:"aegis_decision"`
	Mode       string   `json:"aegis_mode"`
	Door       string   `json:"aegis_door"`
	Principal  string   `json:"aegis_principal,omitempty"`
	WouldBlock bool     `json:"aegis_would_block"`
	WouldHold  bool     `json:"aegis_would_hold"`
	Cost       int64    `json:"aegis_estimated_cost_micro_usd"`
	Reasons    []Reason `json:"aegis_reasons"`
}

// Values of OCSF's enumerations.
const (
	ocsfRead       = 2
	ocsfOther      = 99 // a write: whether it creates, updates or deletes is the tool's secret
	ocsfCategory   = 6
	ocsfClass      = 6003
	ocsfSuccess    = 1
	ocsfFailure    = 2
	ocsfAllowed    = 1 // action and disposition
	ocsfDenied     = 2
	ocsfObserved   = 3
	ocsfModified   = 4
	ocsfBlocked    = 2
	ocsfCorrected  = 11
	ocsfDelayed    = 14
	ocsfDetected   = 15
	ocsfNoName     = "(none)"
	ocsfProductSay = "Aegis"
)

// ocsfLine returns the writer of OCSF.
func ocsfLine(version string) format {
	return func(b *bytes.Buffer, e *Event) { writeJSON(b, newOCSF(e, version)) }
}

func newOCSF(e *Event, version string) *ocsfEvent {
	o := &ocsfEvent{ActivityID: ocsfOther, ActivityName: "Write", CategoryUID: ocsfCategory, CategoryName: "Application Activity", ClassUID: ocsfClass,
		ClassName: "API Activity", Time: e.Time.UnixMilli(), SeverityID: severity(e).ocsf, StatusID: ocsfSuccess, Status: "Success",
		StatusDetail: e.codes(), ActionID: ocsfAllowed, DispositionID: ocsfAllowed, Duration: e.Latency.Milliseconds(),
		Metadata: ocsfMetadata{OCSFVersion, e.ID, e.Tenant, e.Session, []string{"security_control"}, ocsfProduct{ocsfProductSay, ocsfProductSay, version}},
		Actor:    ocsfActor{AppName: named(e.Agent)}, API: ocsfAPI{named(e.Action), ocsfNamed{named(e.Tool)}}, Src: ocsfNamed{named(e.Agent)},
		Unmapped: ocsfUnmapped{e.Decision, e.Mode, e.Door, e.Principal, e.WouldBlock, e.WouldHold, e.CostMicro, e.Reasons}}
	if e.Action == "" {
		o.API.Operation = named(e.Tool)
	}
	if e.Effect == "read" {
		o.ActivityID, o.ActivityName = ocsfRead, "Read"
	}
	o.TypeUID = ocsfClass*100 + o.ActivityID
	switch {
	case e.WouldBlock || e.WouldHold:
		o.ActionID, o.DispositionID = ocsfObserved, ocsfDetected
	case e.Decision == "approval_needed" && !e.Passed:
		o.ActionID, o.DispositionID, o.StatusID, o.Status = ocsfDenied, ocsfDelayed, ocsfFailure, "Failure"
	case !e.Passed:
		o.ActionID, o.DispositionID, o.StatusID, o.Status = ocsfDenied, ocsfBlocked, ocsfFailure, "Failure"
	case e.Decision == "sanitize":
		o.ActionID, o.DispositionID = ocsfModified, ocsfCorrected
	}
	if e.Session != "" {
		o.Actor.Session = &ocsfUID{e.Session}
	}
	if e.PolicyVersion != "" {
		o.Policy = &ocsfPolicy{Version: e.PolicyVersion, UID: e.PolicyVersion, IsApplied: e.Mode == "enforce"}
		if len(e.Reasons) > 0 {
			o.Policy.Name = e.Reasons[0].Rule
		}
	}
	if e.TraceID != "" {
		o.Trace = &ocsfUID{e.TraceID}
		o.Metadata.Profiles = append(o.Metadata.Profiles, "trace")
	}
	return o
}

// named stands in for a name that a malformed call lacks, where OCSF demands one.
func named(s string) string {
	if s == "" {
		return ocsfNoName
	}
	return s
}
