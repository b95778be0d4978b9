package lint

// rules has every rule, by id. Ids are handed out once.
var rules = []*Rule{
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
}
