"""What the compiler, the runtime and the command line all need to read and write files safely."""
