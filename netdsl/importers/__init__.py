"""Networks of other formats: a front end for each, and their structure."""
