"""Every predicate, exception, action and setting that a transport rule can have, by its parameter's name.

Source: Microsoft Learn, Set-TransportRule. A rule reads back under the same names, but for NotifySender.
"""

from typing import Final

PREDICATES: Final = frozenset({
    "ADComparisonAttribute", "ADComparisonOperator", "AnyOfCcHeader", "AnyOfCcHeaderMemberOf",
    "AnyOfRecipientAddressContainsWords", "AnyOfRecipientAddressMatchesPatterns", "AnyOfToCcHeader",
    "AnyOfToCcHeaderMemberOf", "AnyOfToHeader", "AnyOfToHeaderMemberOf", "AttachmentContainsWords",
    "AttachmentExtensionMatchesWords", "AttachmentHasExecutableContent",
    "AttachmentIsPasswordProtected", "AttachmentIsUnsupported", "AttachmentMatchesPatterns",
    "AttachmentNameMatchesPatterns", "AttachmentProcessingLimitExceeded",
    "AttachmentPropertyContainsWords", "AttachmentSizeOver", "BetweenMemberOf1", "BetweenMemberOf2",
    "ContentCharacterSetContainsWords", "From", "FromAddressContainsWords",
    "FromAddressMatchesPatterns", "FromMemberOf", "FromScope", "HasClassification",
    "HasNoClassification", "HasSenderOverride", "HeaderContainsMessageHeader", "HeaderContainsWords",
    "HeaderMatchesMessageHeader", "HeaderMatchesPatterns", "ManagerAddresses",
    "ManagerForEvaluatedUser", "MessageContainsDataClassifications", "MessageSizeOver",
    "MessageTypeMatches", "RecipientADAttributeContainsWords", "RecipientADAttributeMatchesPatterns",
    "RecipientAddressContainsWords", "RecipientAddressMatchesPatterns", "RecipientDomainIs",
    "RecipientInSenderList", "SCLOver", "SenderADAttributeContainsWords",
    "SenderADAttributeMatchesPatterns", "SenderDomainIs", "SenderInRecipientList", "SenderIpRanges",
    "SenderManagementRelationship", "SentTo", "SentToMemberOf", "SentToScope", "SubjectContainsWords",
    "SubjectMatchesPatterns", "SubjectOrBodyContainsWords", "SubjectOrBodyMatchesPatterns",
    "WithImportance",
})  # fmt: skip

EXCEPTIONS: Final = frozenset(f"ExceptIf{name}" for name in PREDICATES)

ACTIONS: Final = frozenset({
    "AddManagerAsRecipientType", "AddToRecipients", "ApplyClassification",
    "ApplyHtmlDisclaimerFallbackAction", "ApplyHtmlDisclaimerLocation", "ApplyHtmlDisclaimerText",
    "ApplyOME", "ApplyRightsProtectionCustomizationTemplate", "ApplyRightsProtectionTemplate",
    "BlindCopyTo", "CopyTo", "DeleteMessage", "Disconnect", "GenerateIncidentReport",
    "GenerateNotification", "IncidentReportContent", "LogEventText", "ModerateMessageByManager",
    "ModerateMessageByUser", "NotifySender", "PrependSubject", "Quarantine", "RedirectMessageTo",
    "RejectMessageEnhancedStatusCode", "RejectMessageReasonText", "RemoveHeader", "RemoveOME",
    "RemoveOMEv2", "RemoveRMSAttachmentEncryption", "RouteMessageOutboundConnector",
    "RouteMessageOutboundRequireTls", "SetAuditSeverity", "SetHeaderName", "SetHeaderValue", "SetSCL",
    "SmtpRejectMessageRejectStatusCode", "SmtpRejectMessageRejectText", "StopRuleProcessing",
})  # fmt: skip

SETTINGS: Final = frozenset({
    "ActivationDate", "Comments", "DlpPolicy", "ExpiryDate", "Mode", "RecipientAddressType",
    "RuleErrorAction", "RuleSubType", "SenderAddressLocation",
})  # fmt: skip

RULE_PARAMETERS: Final = PREDICATES | EXCEPTIONS | ACTIONS | SETTINGS

_PAIRS: Final = (
    ("ADComparisonAttribute", "ADComparisonOperator"),
    ("BetweenMemberOf1", "BetweenMemberOf2"),
    ("HeaderContainsMessageHeader", "HeaderContainsWords"),
    ("HeaderMatchesMessageHeader", "HeaderMatchesPatterns"),
    ("ManagerForEvaluatedUser", "ManagerAddresses"),
)

TOGETHER: Final[tuple[frozenset[str], ...]] = (
    frozenset({"SetHeaderName", "SetHeaderValue"}),
    frozenset(
        {"ApplyHtmlDisclaimerText", "ApplyHtmlDisclaimerLocation", "ApplyHtmlDisclaimerFallbackAction"}
    ),
    frozenset({"GenerateIncidentReport", "IncidentReportContent"}),
    frozenset({"RejectMessageEnhancedStatusCode", "RejectMessageReasonText"}),
    frozenset({"SmtpRejectMessageRejectStatusCode", "SmtpRejectMessageRejectText"}),
    *(frozenset(pair) for pair in _PAIRS),
    *(frozenset(f"ExceptIf{name}" for name in pair) for pair in _PAIRS),
)
"""Parts of one predicate or action: where one is written, the others go with it."""
