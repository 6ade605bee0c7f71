"""From settings to the files of an environment, in memory."""
