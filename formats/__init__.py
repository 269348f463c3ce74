"""Safe reading and writing of files, for the compiler, the runtime and the command line."""
