"""The schools of a run (学校): loaded before anything is measured, always the same.

* 10,000 branches of 22 people with the evidence of a whole year, written by COPY;
* 1,000,000 branches without people and evidence, for paths that must not slow down with size.
"""
