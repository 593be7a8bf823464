"""A value for every part that a transport rule can have."""

from typing import Any

# What is neither a switch nor a list of texts takes; an exception takes what its predicate takes.
VALUES: dict[str, Any] = {
    "ADComparisonAttribute": "Department",
    "ADComparisonOperator": "Equal",
    "ActivationDate": "2031-01-01T00:00:00",
    "AddManagerAsRecipientType": "Cc",
    "ApplyHtmlDisclaimerFallbackAction": "Wrap",
    "ApplyHtmlDisclaimerLocation": "Append",
    "AttachmentSizeOver": "10MB",
    "ExpiryDate": "2032-01-01T00:00:00",
    "FromScope": "InOrganization",
    "ManagerForEvaluatedUser": "Sender",
    "MessageSizeOver": "10MB",
    "MessageTypeMatches": "OOF",
    "NotifySender": "NotifyOnly",
    "RecipientAddressType": "Original",
    "RejectMessageEnhancedStatusCode": "5.7.1",
    "RuleSubType": "Dlp",
    "SCLOver": "5",
    "SenderIpRanges": ["203.0.113.1"],
    "SenderManagementRelationship": "Manager",
    "SentToScope": "NotInOrganization",
    "SetAuditSeverity": "Low",
    "SmtpRejectMessageRejectStatusCode": "550",
    "WithImportance": "High",
}
TEXTS = {
    "ApplyClassification",
    "ApplyHtmlDisclaimerText",
    "ApplyRightsProtectionCustomizationTemplate",
    "ApplyRightsProtectionTemplate",
    "DlpPolicy",
    "GenerateIncidentReport",
    "GenerateNotification",
    "HasClassification",
    "HeaderContainsMessageHeader",
    "HeaderMatchesMessageHeader",
    "LogEventText",
    "PrependSubject",
    "RejectMessageReasonText",
    "RemoveHeader",
    "SmtpRejectMessageRejectText",
}


def something(parameter: str, now: Any) -> Any:
    predicate = parameter.removeprefix("ExceptIf")
    if predicate in VALUES:
        return VALUES[predicate]
    if predicate in TEXTS:
        return "Something"
    return True if isinstance(now, bool) else ["something"]
