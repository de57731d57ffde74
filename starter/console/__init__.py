"""The desk: where people see what waits for them and decide. Pages made on the server, under `/desk` of the same app.

Everything works without a script. What a page may do is said by its route (`route.py`), what a form must carry by
`csrf.py`, who is there by `visits.py`; a page itself reads records and asks `Deciding`, like every other face.
"""
