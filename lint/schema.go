package lint

// Schema is what tools say of their own arguments.
type Schema struct{}
