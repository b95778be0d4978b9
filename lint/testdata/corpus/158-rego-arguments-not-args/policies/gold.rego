package aegis.custom

import rego.v1

deny contains "gold is given by a person" if {
	input.action == "update_customer"
	input.arguments.tier == "gold"
}
