"""The desk: a page on this machine in which a person looks at a film, corrects it and renders it.

The page holds no colour logic: what it shows is made by `pipeline.studio`, and what is done there is a change of the
sheet that `--edits` takes.
"""
