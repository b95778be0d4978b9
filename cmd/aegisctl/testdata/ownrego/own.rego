package aegis.custom

deny contains "never on a sunday" if input.args.day == "sunday"
