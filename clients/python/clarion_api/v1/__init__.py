"""The proto package ``clarion.v1``: ``<file>_pb2`` and, for a service, ``<file>_pb2_grpc``."""
