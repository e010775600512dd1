"""The whole product, pure: facts in, findings out."""
