package lint

import "slices"

// rules has every rule, by id. Ids are handed out once; those below 050 go by the text.
var rules = slices.Concat(textRules, deeperRules, laterRules)

// deeperRules compare what several rules say, or the policies with tools' schemas and with traffic: AEG050 and up.
var deeperRules = []*Rule{
	approvalUnreachable,
	contradictingEntries,
	deniesEverything,
	redundantCondition,
	redundantEntry,
	schemaUnknownTool,
	schemaUnknownArgument,
	schemaWrongType,
	schemaImpossibleValue,
	schemaOptionalArgument,
	schemaRequiredArgument,
	schemaIdleBound,
	trafficUnused,
	trafficUngranted,
	trafficUnnamedArgument,
	trafficError,
	trafficRareError,
	trafficDeniesAll,
}

// laterRules go by the text, and came when the ids below 050 were used up: AEG090 and up.
var laterRules = []*Rule{
	plainHTTP,
	budgetWithoutCost,
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
