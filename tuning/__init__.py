"""The search platform: Ray Tune executes, Optuna searches and records, MLflow shows."""
