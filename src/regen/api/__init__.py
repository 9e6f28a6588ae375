"""The library's interface, which the package regen exports: train, load, choose, judge and compose."""
