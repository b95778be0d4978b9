package aegis.custom

deny contains "blocked" if data.blocked[input.tool]
