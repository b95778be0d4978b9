package aegis.custom

import rego.v1

# Bulk orders of one supplier need a framework contract.
deny contains "bulk orders of S-1044 need a framework contract" if {
	input.tool == "erp"
	input.action == "create_order"
	input.args.supplier == "S-1044"
	input.args.quantity > 400
}
