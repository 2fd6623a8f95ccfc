"""The benchmark: one file for each thing measured, and a floor beside each figure.

A number of milliseconds says as much about the machine as about the program. So whatever the machine alone makes
necessary (starting a bare Python, flushing a disk, one signature) is measured in the same minute, and a figure is
judged by its ratio to that.
"""
