"""The rules of the audit: functions from a `Subject` to findings, one file for each subject."""
