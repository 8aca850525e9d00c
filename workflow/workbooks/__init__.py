"""Excel workbooks that people send (工作簿): cells as an office fills them in, sheets against their form, and the import that keeps what was read.

What a workbook means is the business of whoever asks for it: nothing here knows of a roster.
"""
