"""The HTTP interface, one file a resource: parse, call, return."""
