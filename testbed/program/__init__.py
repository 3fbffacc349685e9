"""A user's own program on an emulated network (`gradwire run`). The way in is `course.run_program`."""
