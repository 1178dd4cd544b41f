"""Distil a big image generator into a phone-sized one (TinyGAN, ACCV 2020)."""
