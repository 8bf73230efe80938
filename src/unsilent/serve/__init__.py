"""The dashboard: runs as they happen, in a browser. Reads ledgers; writes only a person's override.

``places`` finds runs, ``reading`` reads one, ``guard`` decides who may ask, ``pages`` answers,
``live`` tells a page that something is new, ``launch`` starts the server.
"""
