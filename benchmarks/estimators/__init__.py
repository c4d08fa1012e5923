"""How good the estimates are: fits on reports of designs, and their cross-validation by repository."""
