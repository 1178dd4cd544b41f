"""Latency on phones: Android over adb, iPhones from a Mac."""
