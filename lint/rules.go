package lint

import "slices"

// rules has every rule, by id. Ids are handed out once; those below 050 go by the text.
var rules = slices.Concat(textRules, deeperRules)

// deeperRules compare what several rules say, or the policies with tools' schemas and with traffic: AEG050 and up.
var deeperRules = []*Rule{
	approvalUnreachable,
	contradictingEntries,
	deniesEverything,
	redundantCondition,
	redundantEntry,
}

var textRules = []*Rule{
	loadError,
	argumentTypo,
	negativeCeiling,
	invertedBand,
	unanchoredMatch,
	patternAnchors,
	conflictingEntries,
	ceilingOnReads,
	settingLikeName,
	freeCopies,
	approvalWithoutCeiling,
	approvalUntriggered,
	approvalWithoutApprovers,
	caseSlip,
	reservedName,
	redactedRecipient,
	openOnURL,
	shadowLeft,
	constantCondition,
	requireNeverHolds,
	broadHost,
	unboundedGlob,
	budgetWithoutType,
	budgetOfNothing,
	nameTypo,
	sessionNever,
	deadEntry,
	repeatedName,
	overlappingGlobs,
	moneyWithoutCeiling,
	approvalExpiry,
	approvalChannel,
	approvalQuorum,
	approvalDefaults,
	regionsUnmet,
	budgetBy,
	limitNeverBinds,
	expired,
	callersNever,
	unusedDefinition,
	redactNothing,
	timeSlip,
	customNever,
	guardrailIdle,
	broadDomain,
	broadPath,
	broadCommand,
	looseText,
	leadingZero,
	badIgnore,
}
