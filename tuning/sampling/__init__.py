"""What comes next: trials as points, and who proposes them."""
