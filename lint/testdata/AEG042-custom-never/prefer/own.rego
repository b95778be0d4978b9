package aegis.custom

blocked := {"shell"}

deny contains "blocked" if input.tool in blocked
