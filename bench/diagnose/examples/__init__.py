"""Generated faulty logs with their true cause: what the diagnosis is scored on."""
