"""Compile, test, run and pack the Android app on Linux, without the SDK: `python -m deploy.android.check`."""
