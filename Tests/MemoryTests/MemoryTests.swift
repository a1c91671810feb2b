// Tests of Memory.
