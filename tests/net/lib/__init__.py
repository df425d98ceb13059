# SPDX-License-Identifier: Apache-2.0
"""The ground of the network tests: namespaces, processes, traffic, and the product as its users run it."""
