"""What a transport rule can hold: conditions, their exceptions, and actions, as Microsoft documents them."""

from __future__ import annotations

from dataclasses import dataclass

from lab.tenant.values import Reader, anything, choice, multi_valued, number, optional_flag, text, words

NAMESPACE = "Microsoft.Exchange.MessagingPolicies.Rules.Tasks."
TYPES = "Microsoft.Exchange.MessagingPolicies.Rules.Tasks."


@dataclass(frozen=True)
class Property:
    """One condition or action parameter: how it is read, how it shows when unset, which class carries it."""

    name: str
    shape: str
    read: Reader
    carrier: str


def _scope(kind: str) -> Reader:
    more = () if kind == "FromUserScope" else ("ExternalPartner", "ExternalNonPartner")
    return choice(TYPES + kind, "InOrganization", "NotInOrganization", *more)


SCL = number(-1, 9)
READERS: dict[str, Reader] = {
    "text": text,
    "flag": optional_flag,
    "list": words,
    "multi": multi_valued,
    "objects": anything,
}
ENUMS: dict[str, Reader] = {
    "FromScope": _scope("FromUserScope"),
    "SentToScope": _scope("ToUserScope"),
    "ManagerForEvaluatedUser": choice(TYPES + "EvaluatedUser", "Sender", "Recipient"),
    "SenderManagementRelationship": choice(TYPES + "ManagementRelationship", "Manager", "DirectReport"),
    "ADComparisonOperator": choice(TYPES + "Evaluation", "Equal", "NotEqual"),
    "WithImportance": choice(TYPES + "Importance", "Low", "Normal", "High"),
    "MessageTypeMatches": choice(
        TYPES + "MessageType",
        *("OOF", "AutoForward", "Encrypted", "Calendaring", "PermissionControlled", "Voicemail", "Signed"),
        *("ApprovalRequest", "ReadReceipt"),
    ),
    "SCLOver": SCL,
    "SetSCL": SCL,
    "SetAuditSeverity": choice(TYPES + "AuditSeverityLevel", "DoNotAudit", "Low", "Medium", "High"),
    "ApplyHtmlDisclaimerLocation": choice(TYPES + "DisclaimerLocation", "Append", "Prepend"),
    "ApplyHtmlDisclaimerFallbackAction": choice(
        TYPES + "DisclaimerFallbackAction", "Wrap", "Ignore", "Reject"
    ),
    "AddManagerAsRecipientType": choice(TYPES + "AddedRecipientType", "To", "Cc", "Bcc", "Redirect"),
    "NotifySender": choice(
        TYPES + "NotifySenderType",
        *("NotifyOnly", "RejectMessage", "RejectUnlessFalsePositiveOverride"),
        *("RejectUnlessSilentOverride", "RejectUnlessExplicitOverride"),
    ),
    "IncidentReportOriginalMail": choice(
        TYPES + "IncidentReportOriginalMail", "IncludeOriginalMail", "DoNotIncludeOriginalMail"
    ),
}

_CONDITIONS = """
From:list FromMemberOf:list FromScope:text SentTo:list SentToMemberOf:list SentToScope:text
BetweenMemberOf1:list BetweenMemberOf2:list ManagerAddresses:list ManagerForEvaluatedUser:text
SenderManagementRelationship:text ADComparisonAttribute:text ADComparisonOperator:text
SenderADAttributeContainsWords:list SenderADAttributeMatchesPatterns:list
RecipientADAttributeContainsWords:list RecipientADAttributeMatchesPatterns:list AnyOfToHeader:list
AnyOfToHeaderMemberOf:list AnyOfCcHeader:list AnyOfCcHeaderMemberOf:list AnyOfToCcHeader:list
AnyOfToCcHeaderMemberOf:list HasClassification:text HasNoClassification:flag SubjectContainsWords:list
SubjectOrBodyContainsWords:list HeaderContainsMessageHeader:text HeaderContainsWords:list
FromAddressContainsWords:list SenderDomainIs:list RecipientDomainIs:list SubjectMatchesPatterns:list
SubjectOrBodyMatchesPatterns:list HeaderMatchesMessageHeader:text HeaderMatchesPatterns:list
FromAddressMatchesPatterns:list AttachmentNameMatchesPatterns:list AttachmentExtensionMatchesWords:list
AttachmentPropertyContainsWords:list ContentCharacterSetContainsWords:list HasSenderOverride:flag
MessageContainsDataClassifications:objects MessageContainsAllDataClassifications:objects
SenderIpRanges:multi SCLOver:text AttachmentSizeOver:text MessageSizeOver:text WithImportance:text
MessageTypeMatches:text RecipientAddressContainsWords:list RecipientAddressMatchesPatterns:list
SenderInRecipientList:list RecipientInSenderList:list AttachmentContainsWords:list
AttachmentMatchesPatterns:list AttachmentIsUnsupported:flag AttachmentProcessingLimitExceeded:flag
AttachmentHasExecutableContent:flag AttachmentIsPasswordProtected:flag
AnyOfRecipientAddressContainsWords:list AnyOfRecipientAddressMatchesPatterns:list
"""

_ACTIONS = """
PrependSubject:text SetAuditSeverity:text ApplyClassification:text ApplyHtmlDisclaimerLocation:text
ApplyHtmlDisclaimerText:text ApplyHtmlDisclaimerFallbackAction:text ApplyRightsProtectionTemplate:text
ApplyRightsProtectionCustomizationTemplate:text SetSCL:text SetHeaderName:text SetHeaderValue:text
RemoveHeader:text AddToRecipients:list CopyTo:list BlindCopyTo:list AddManagerAsRecipientType:text
ModerateMessageByUser:list ModerateMessageByManager:flag RedirectMessageTo:list
RejectMessageEnhancedStatusCode:text RejectMessageReasonText:text DeleteMessage:flag Disconnect:flag
Quarantine:flag SmtpRejectMessageRejectText:text SmtpRejectMessageRejectStatusCode:text LogEventText:text
StopRuleProcessing:flag NotifySender:text GenerateIncidentReport:text IncidentReportOriginalMail:text
IncidentReportContent:list RouteMessageOutboundConnector:text RouteMessageOutboundRequireTls:flag
ApplyOME:flag RemoveOME:flag RemoveOMEv2:flag RemoveRMSAttachmentEncryption:flag GenerateNotification:text
"""

_CARRIERS = {
    "ADComparisonAttribute": "ADAttributeComparison",
    "ADComparisonOperator": "ADAttributeComparison",
    "BetweenMemberOf1": "BetweenMemberOf",
    "BetweenMemberOf2": "BetweenMemberOf",
    "HeaderContainsMessageHeader": "HeaderContains",
    "HeaderContainsWords": "HeaderContains",
    "HeaderMatchesMessageHeader": "HeaderMatches",
    "HeaderMatchesPatterns": "HeaderMatches",
    "ManagerAddresses": "ManagerIs",
    "ManagerForEvaluatedUser": "ManagerIs",
    "SCLOver": "SclOver",
    "ApplyHtmlDisclaimerLocation": "ApplyDisclaimer",
    "ApplyHtmlDisclaimerText": "ApplyDisclaimer",
    "ApplyHtmlDisclaimerFallbackAction": "ApplyDisclaimer",
    "SetSCL": "SetScl",
    "SetHeaderName": "SetHeader",
    "SetHeaderValue": "SetHeader",
    "AddToRecipients": "AddToRecipient",
    "RejectMessageEnhancedStatusCode": "RejectMessage",
    "RejectMessageReasonText": "RejectMessage",
    "SmtpRejectMessageRejectText": "SmtpRejectMessage",
    "SmtpRejectMessageRejectStatusCode": "SmtpRejectMessage",
    "IncidentReportOriginalMail": "GenerateIncidentReport",
    "IncidentReportContent": "GenerateIncidentReport",
}


def _table(words_of: str, suffix: str, prefix: str = "") -> dict[str, Property]:
    found: dict[str, Property] = {}
    for word in words_of.split():
        name, shape = word.split(":")
        read = ENUMS.get(name, READERS[shape])
        carrier = NAMESPACE + _CARRIERS.get(name, name) + suffix
        found[prefix + name] = Property(
            prefix + name, "list" if shape in ("multi", "objects") else shape, read, carrier
        )
    return found


CONDITIONS = _table(_CONDITIONS, "Predicate")
EXCEPTIONS = _table(_CONDITIONS, "Predicate", "ExceptIf")
ACTIONS = _table(_ACTIONS, "Action")
PROPERTIES = {**CONDITIONS, **EXCEPTIONS, **ACTIONS}

NEED_EACH_OTHER = (
    ("SetHeaderName", "SetHeaderValue"),
    ("HeaderContainsMessageHeader", "HeaderContainsWords"),
    ("HeaderMatchesMessageHeader", "HeaderMatchesPatterns"),
    ("ExceptIfHeaderContainsMessageHeader", "ExceptIfHeaderContainsWords"),
    ("ExceptIfHeaderMatchesMessageHeader", "ExceptIfHeaderMatchesPatterns"),
    ("BetweenMemberOf1", "BetweenMemberOf2"),
    ("ExceptIfBetweenMemberOf1", "ExceptIfBetweenMemberOf2"),
)
"""Two parameters that make up one condition or action."""

SETTINGS: dict[str, Reader] = {
    "Mode": choice(TYPES + "RuleMode", "Audit", "AuditAndNotify", "Enforce", optional=False),
    "RuleErrorAction": choice(TYPES + "RuleErrorAction", "Ignore", "Defer", optional=False),
    "SenderAddressLocation": choice(
        TYPES + "SenderAddressLocation", "Header", "Envelope", "HeaderOrEnvelope", optional=False
    ),
    "RecipientAddressType": choice(TYPES + "RecipientAddressType", "Original", "Resolved", optional=False),
    "RuleSubType": choice(TYPES + "RuleSubType", "None", "Dlp", optional=False),
    "Comments": text,
    "ActivationDate": text,
    "ExpiryDate": text,
    "DlpPolicy": text,
}
"""What a rule has beside conditions and actions; New- and Set- take all of these."""

DEFAULTS = {
    "Mode": "Enforce",
    "RuleErrorAction": "Ignore",
    "SenderAddressLocation": "Header",
    "RecipientAddressType": "Resolved",
    "RuleSubType": "None",
    "Comments": None,
    "ActivationDate": None,
    "ExpiryDate": None,
    "DlpPolicy": None,
}


def is_set(value: object) -> bool:
    """Whether a stored value makes a condition or an action; an SCL of 0 does."""
    return value is not None and value is not False and value not in ([], "")
