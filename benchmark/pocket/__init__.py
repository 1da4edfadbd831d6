"""The pocket suite's world, corpus and models: small, real, and made by the code in this folder alone."""
