package aegis.custom

deny contains "the region is not known" if input.region == ""
