"""The configuration: schema, validation, instantiation and error messages."""
