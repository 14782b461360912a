# SPDX-License-Identifier: GPL-2.0-or-later
"""Forgers: programs that reset the connections of others."""
