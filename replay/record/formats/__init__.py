"""How the values of records are written: JSON, Avro, Protobuf, JSON Schema. One module a format."""
