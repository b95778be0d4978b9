package lint

// Traffic is a summary of captured calls.
type Traffic struct{}
