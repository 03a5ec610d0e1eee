"""Run trials on Ray: search algorithm, scheduler, trainable, display."""
