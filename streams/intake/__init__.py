"""The intake: input topics in, frames of signals and dead letters out."""
