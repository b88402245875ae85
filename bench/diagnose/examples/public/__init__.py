"""A second generator of faulty logs: the schedules and loops of public libraries, as their users call them."""
