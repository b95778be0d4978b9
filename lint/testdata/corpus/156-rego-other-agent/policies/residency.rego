package aegis.custom

import rego.v1

# No order over 100 pieces without a framework contract.
deny contains "bulk orders need a framework contract" if {
	input.tool == "sap"
	input.args.quantity > 100
}
