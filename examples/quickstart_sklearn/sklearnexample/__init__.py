"""Flower's scikit-learn quickstart, recreated: a logistic regression on the irises."""
