"""MLflow's mirror of a search: runs, pictures, models, and the doctor that compares them with the ledger."""
