"""A client_fn app of before the Message API: is a tumour benign?"""
