"""Open text held against known truths: adapters, what they write, judges that err, federations."""
