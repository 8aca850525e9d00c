"""The schools of a run (学校): what is loaded before anything is measured, always the same.

* 10,000 branches of 22 people with the evidence of a whole year, written by COPY;
* 1,000,000 branches without people and without evidence, for what must not grow with size.
"""
