"""Why a rollout does what it does: one cause out of a table, with the fields that show it. Pure."""
