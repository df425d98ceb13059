# SPDX-License-Identifier: Apache-2.0
"""What the network tests stand on: namespaces, processes, traffic, and the product as its users run it."""
