"""The console's page in Debian's Chromium, on the real pipeline: Kafka, intake, worker and console as processes."""
