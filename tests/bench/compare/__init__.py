"""livefuse beside what people would otherwise use: the same job, the same records, the same Kafka (`compare`)."""
