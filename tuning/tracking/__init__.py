"""Mirror a search to MLflow: runs, pictures, models, and the doctor that compares them."""
