"""Files of a compiled folder, for every kind of spec: texts, lock, manifest, verification."""
