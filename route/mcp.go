package route

import (
	"strings"

	"github.com/aegisctl/aegis"
)

// MethodPrefix begins the action of an MCP message other than tools/call: resources/read is the action mcp:resources/read,
// which a policy must grant as it grants any other. No tool's name may begin so.
const MethodPrefix = "mcp:"

const toolsCall = "tools/call"

// mcp takes the call of a JSON-RPC message.
func (m *Matched) mcp() error {
	if m.path.query != "" {
		return denied("the request has a query, and the arguments of MCP are those of the body")
	}
	if err := m.body.Parse(m.req.Body, m.table.MaxBody); err != nil {
		return rejected("the body is no strict JSON: %v", err)
	}
	msg, err := readMessage(m.body.Root())
	if err != nil {
		return err
	}
	if m.head.hasMethod && m.head.mcpMethod != msg.method {
		return rejected("the header mcp-method is %.60q, and the body's method %.60q", m.head.mcpMethod, msg.method)
	}
	subject := msg.params.Get("name")
	if subject.Kind() == aegis.Absent {
		subject = msg.params.Get("uri")
	}
	if m.head.hasName && (subject.Kind() != aegis.String || subject.Str() != m.head.mcpName) {
		return rejected("the header mcp-name is %.60q, and the body names another", m.head.mcpName)
	}
	args := msg.params
	if m.Call.Action = MethodPrefix + msg.method; msg.method == toolsCall {
		if args, err = m.toolCall(msg); err != nil {
			return err
		}
	} else if !aegis.ValidName(m.Call.Action) {
		return rejected("the method %.60q is no name", msg.method)
	}
	// Of keys that differ in case only, one server takes this and one that. Inside the arguments the policy has a say.
	if err := m.body.CaseVariants(); err != nil && len(args.Variants()) < len(m.body.Root().Variants()) {
		return rejected("the body is ambiguous: %v", err)
	}
	if args.Kind() == aegis.Absent {
		m.text = append(m.text[:0], "{}"...)
		if err := m.args.Parse(m.text, len(m.text)); err != nil {
			return err
		}
		args = m.args.Root()
	}
	m.whole, m.Call.Args = args, args
	return nil
}

// message is one JSON-RPC request or notification.
type message struct {
	method string
	id     aegis.Value
	params aegis.Value // an object, or absent
}

func readMessage(root aegis.Value) (msg message, err error) {
	if root.Kind() == aegis.List {
		return msg, rejected("the body is a batch: each message must be sent alone")
	}
	if root.Kind() != aegis.Object {
		return msg, rejected("the body is no JSON-RPC message")
	}
	for v := root.First(); v.Kind() != aegis.Absent; v = root.After(v) {
		switch key := v.Key(); key {
		case "jsonrpc", "method":
		case "id":
			msg.id = v
		case "params":
			msg.params = v
		default:
			return msg, rejected("the message has the member %.60q, which JSON-RPC requests do not have", key)
		}
	}
	method := root.Get("method")
	switch {
	case root.Get("jsonrpc").Str() != "2.0":
		return msg, rejected("the body is no JSON-RPC 2.0 message")
	case method.Kind() != aegis.String || method.Str() == "":
		return msg, rejected("the message has no method")
	case msg.params.Kind() != aegis.Absent && msg.params.Kind() != aegis.Object:
		return msg, rejected("params is %s, and no object", msg.params.Kind())
	}
	msg.method = method.Str()
	note := strings.HasPrefix(msg.method, "notifications/")
	switch k := msg.id.Kind(); {
	case note && k != aegis.Absent:
		return msg, rejected("the notification %.60q has an id", msg.method)
	case !note && k != aegis.String && k != aegis.Number:
		return msg, rejected("the request has no id that is text or a number")
	}
	return msg, nil
}

// toolCall takes the action and the arguments of tools/call.
func (m *Matched) toolCall(msg message) (args aegis.Value, err error) {
	name := msg.params.Get("name")
	for v := msg.params.First(); v.Kind() != aegis.Absent; v = msg.params.After(v) {
		switch key := v.Key(); key {
		case "name":
		case "arguments":
			args = v
		case "_meta", "task": // of the protocol itself
		default:
			return args, rejected("params has the member %.60q, which tools/call does not have", key)
		}
	}
	switch k := args.Kind(); {
	case name.Kind() != aegis.String:
		return args, rejected("params.name is %s, and no text", name.Kind())
	case !aegis.ValidName(name.Str()), strings.HasPrefix(name.Str(), MethodPrefix):
		return args, denied("params.name %.60q is no name of a tool", name.Str())
	case k != aegis.Absent && k != aegis.Object:
		return args, rejected("params.arguments is %s, and no object", k)
	}
	m.Call.Action = name.Str()
	return args, nil
}
