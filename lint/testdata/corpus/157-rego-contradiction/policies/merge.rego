package aegis.custom

import rego.v1

approval_needed contains "squash merges of the handbook are looked at" if {
	input.action == "merge_pull_request"
	input.action == "squash_pull_request"
	input.args.repo == "handbook"
}
