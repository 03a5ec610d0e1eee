"""Run trials on Ray: search algorithm, scheduler, trainable, what is shown meanwhile."""
