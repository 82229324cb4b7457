"""The closed-form restorer: the posterior mean over the patches of known images."""
