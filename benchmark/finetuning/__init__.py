"""Fine-tuning: techniques, the measuring of runs, and the ledger."""
