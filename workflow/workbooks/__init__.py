"""Excel workbooks that people send (工作簿): cells, sheets against their form, and the import.

Cells are read as an office fills them in; the import keeps the result. The meaning of a workbook is
the caller's business: nothing here knows of a roster.
"""
