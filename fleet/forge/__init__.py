"""What a pipeline tells people, as one comment on a request or one issue; and what they approved."""
