package aegis.custom

deny contains "payments to Mars" if input.args.planet == "mars"

approval_needed contains msg if {
	_large
	msg := sprintf("%v is large", [input.args.amount])
}

_large if input.args.amount > 10000
