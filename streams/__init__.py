"""Detection: intake, engine and worker turn the input topics into fuse events."""
