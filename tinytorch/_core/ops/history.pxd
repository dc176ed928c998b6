"""Views and their base share one history; importing this module puts it in place."""
