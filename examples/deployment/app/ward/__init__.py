"""A federation of wards: logistic regression on a few numbers about each stay."""
